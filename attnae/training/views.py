"""A trained model and its images, turned into the arrays that the pictures are drawn from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from attnae.model.vae import VAE
from attnae.tags import ATTENTION_MAPS, LATENT_CODES, LATENT_WALK, RECONSTRUCTIONS
from attnae.training import pictures
from attnae.training.data import EVALUATION_BATCH, ImageData

SHOWN_IMAGES = 16
SHOWN_ATTENTION = 8


class Views:
    """What the pictures show of a model: its codes, its latent walk, reconstructions, attention.

    The model is looked at in evaluation mode, without gradients and without drawing random numbers, and is left in the
    mode it was in.
    """

    def __init__(self, vae: VAE, data: ImageData) -> None:
        with _evaluation(vae), torch.no_grad():
            shown = {split: _spread(len(data.images[split]), pictures.SCATTER_POINTS) for split in ("train", "test")}
            self.labels = {split: data.labels[split][index.numpy()] for split, index in shown.items()}
            self.codes = {split: _codes(vae, data.images[split], index) for split, index in shown.items()}
            grid, self.moved = pictures.walk_codes(self.codes["train"])
            self.walk = _in_batches(vae.decode, torch.from_numpy(grid).to(_like(vae)))
            index = _spread(len(data.images["test"]), SHOWN_IMAGES)
            images = _scaled(vae, data.images["test"], index)
            self.inputs = _array(images)
            self.outputs = _array(vae.reconstruct(images))
            self.attention = {
                block: _array(attention) for block, attention in vae.attention_maps(images[:SHOWN_ATTENTION]).items()
            }

    def figures(self) -> dict[str, Figure]:
        """{tag: figure}; attention maps only where the model has attention."""
        figures = {
            RECONSTRUCTIONS: pictures.reconstruction_figure(self.inputs, self.outputs),
            LATENT_WALK: pictures.walk_figure(self.walk, self.moved, self.latent_dim),
            LATENT_CODES: pictures.scatter_figure(self.codes, self.labels),
        }
        if self.attention:
            figures[ATTENTION_MAPS] = pictures.attention_figure(self.inputs[:SHOWN_ATTENTION], self.attention)
        return figures

    def article_figure(self, curves: Mapping[str, Mapping[int, float]], title: str) -> Figure:
        """The article's figure; `curves` as in `pictures.article_figure`."""
        return pictures.article_figure(
            codes=self.codes, labels=self.labels, curves=curves, walk=self.walk, moved=self.moved, title=title
        )

    @property
    def latent_dim(self) -> int:
        return self.codes["train"].shape[1]


@contextmanager
def _evaluation(vae: VAE) -> Iterator[None]:
    """The model in evaluation mode, and then in the mode it was in."""
    training = vae.training
    vae.eval()
    try:
        yield
    finally:
        vae.train(training)


def _codes(vae: VAE, images: Tensor, index: Tensor) -> np.ndarray:
    """The means of the codes of the images at `index`: (N, latent)."""
    return _in_batches(lambda part: vae.encode(_scaled(vae, images, part))[0], index)


def _in_batches(function: Callable[[Tensor], Tensor], rows: Tensor) -> np.ndarray:
    return np.concatenate([_array(function(part)) for part in rows.split(EVALUATION_BATCH)])


def _scaled(vae: VAE, images: Tensor, index: Tensor) -> Tensor:
    return images[index.to(images.device)].to(_like(vae)) / 255


def _like(vae: VAE) -> Tensor:
    """A tensor on the model's device and of its type."""
    return next(vae.parameters())


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()


def _spread(count: int, most: int) -> Tensor:
    """At most `most` positions of `count`, evenly spaced."""
    return torch.arange(min(count, most)) * count // min(count, most)
