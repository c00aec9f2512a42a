"""Applying a trained model to images in memory, batch by batch: tensors in, arrays out.

Images are uint8 (N, C, H, W); `index`, int64, selects some of them. Nothing here draws random numbers.
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
    """A context with the model in evaluation mode and without gradients; its mode is restored afterwards."""
    training = vae.training
    vae.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        vae.train(training)


def codes(vae: VAE, images: Tensor, index: Tensor) -> tuple[np.ndarray, np.ndarray | None]:
    """mu and log_var of the images at `index`, float32 (N, latent); log_var is None in a plain autoencoder."""

    def encode(part: Tensor) -> Tensor:
        return torch.cat([half for half in vae.encode(scaled(vae, images, part)) if half is not None], dim=1)

    both = in_batches(encode, index)
    return both[:, : vae.latent_dim], both[:, vae.latent_dim :] if vae.variational else None


def walk(vae: VAE, mu: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """The decoded latent walk, (steps * steps, C, H, W), and the dimensions that it moves: see `walk_codes`."""
    grid, moved = walk_codes(mu)
    return in_batches(vae.decode, torch.from_numpy(grid).to(_like(vae))), moved


def in_batches(function: Callable[[Tensor], Tensor], rows: Tensor) -> np.ndarray:
    """Apply the function to the rows, (N, ...), in batches."""
    return np.concatenate([to_numpy(function(part)) for part in rows.split(EVALUATION_BATCH)])


def scaled(vae: VAE, images: Tensor, index: Tensor) -> Tensor:
    """The images at `index`, scaled to [0, 1], on the device and in the type of the model."""
    return images[index.to(images.device)].to(_like(vae)) / 255


def evenly_spaced(count: int, most: int) -> Tensor:
    """At most `most` of the positions 0 ... count - 1, evenly spaced, int64."""
    return torch.arange(min(count, most)) * count // min(count, most)


def to_numpy(tensor: Tensor) -> np.ndarray:
    """The tensor as a float32 array on the CPU."""
    return tensor.float().cpu().numpy()


def _like(vae: VAE) -> Tensor:
    return next(vae.parameters())
