"""A trained model applied to images in memory, batch by batch: tensors in, arrays out.

Images are uint8 (N, C, H, W); `index`, int64, says which of them. Nothing here draws random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from attnae.data.module import EVALUATION_BATCH
from attnae.evaluation.pictures import walk_codes
from attnae.model.vae import VAE


@contextmanager
def evaluating(vae: VAE) -> Iterator[None]:
    """The model in evaluation mode and without gradients, and then in the mode it was in."""
    training = vae.training
    vae.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        vae.train(training)


def codes(vae: VAE, images: Tensor, index: Tensor) -> tuple[np.ndarray, np.ndarray | None]:
    """mu and log_var of the codes, (N, latent) each; log_var is None in a plain autoencoder."""

    def encode(part: Tensor) -> Tensor:
        return torch.cat([half for half in vae.encode(scaled(vae, images, part)) if half is not None], dim=1)

    both = in_batches(encode, index)
    return both[:, : vae.latent_dim], both[:, vae.latent_dim :] if vae.variational else None


def walk(vae: VAE, mu: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """The decoded walk among the codes mu, (steps * steps, C, H, W), and the dimensions it moves: see `walk_codes`."""
    grid, moved = walk_codes(mu)
    return in_batches(vae.decode, torch.from_numpy(grid).to(_like(vae))), moved


def in_batches(function: Callable[[Tensor], Tensor], rows: Tensor) -> np.ndarray:
    """The function of all rows, a batch of them at a time."""
    return np.concatenate([array_of(function(part)) for part in rows.split(EVALUATION_BATCH)])


def scaled(vae: VAE, images: Tensor, index: Tensor) -> Tensor:
    """The images at `index` in [0, 1], on the model's device and of its type."""
    return images[index.to(images.device)].to(_like(vae)) / 255


def spread(count: int, most: int) -> Tensor:
    """At most `most` positions of `count`, evenly spaced."""
    return torch.arange(min(count, most)) * count // min(count, most)


def array_of(tensor: Tensor) -> np.ndarray:
    """float32, in the memory of the CPU."""
    return tensor.float().cpu().numpy()


def _like(vae: VAE) -> Tensor:
    return next(vae.parameters())
