"""A trained model and its images, turned into the arrays that the pictures are drawn from."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from attnae.data.module import ImageData
from attnae.evaluation import apply as evaluation
from attnae.evaluation import pictures
from attnae.evaluation.apply import array_of, scaled, spread
from attnae.model.vae import VAE
from attnae.tags import ATTENTION_MAPS, LATENT_CODES, LATENT_WALK, RECONSTRUCTIONS

SHOWN_IMAGES = 16
SHOWN_ATTENTION = 8


class Views:
    """What the pictures show of a model: its codes, its latent walk, reconstructions, attention.

    The model is looked at in evaluation mode, without gradients and without drawing random numbers, and is left in the
    mode it was in.
    """

    def __init__(self, vae: VAE, data: ImageData) -> None:
        with evaluation.evaluating(vae):
            shown = {split: spread(len(data.images[split]), pictures.SCATTER_POINTS) for split in ("train", "test")}
            self.labels = {split: data.labels[split][index.numpy()] for split, index in shown.items()}
            self.codes = {split: evaluation.codes(vae, data.images[split], index)[0] for split, index in shown.items()}
            self.walk, self.moved = evaluation.walk(vae, self.codes["train"])
            index = spread(len(data.images["test"]), SHOWN_IMAGES)
            images = scaled(vae, data.images["test"], index)
            self.inputs = array_of(images)
            self.outputs = array_of(vae.reconstruct(images))
            self.attention = {
                block: array_of(attention) for block, attention in vae.attention_maps(images[:SHOWN_ATTENTION]).items()
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
