"""The arrays from which the pictures of a trained model are drawn."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from attnae.data.module import ImageData
from attnae.evaluation import apply as evaluation
from attnae.evaluation import pictures
from attnae.evaluation.apply import evenly_spaced, scaled, to_numpy
from attnae.model.vae import VAE
from attnae.tags import ATTENTION_MAPS, LATENT_CODES, LATENT_WALK, RECONSTRUCTIONS

SHOWN_IMAGES = 16
SHOWN_ATTENTION = 8


class Views:
    """What the pictures of a model show: codes, a latent walk, reconstructions and attention maps, as arrays.

    They are computed in evaluation mode, without gradients and without random numbers. The mode of the model is left as
    it was.
    """

    def __init__(self, vae: VAE, data: ImageData) -> None:
        with evaluation.evaluating(vae):
            shown = {
                split: evenly_spaced(len(data.images[split]), pictures.SCATTER_POINTS) for split in ("train", "test")
            }
            self.labels = {split: data.labels[split][index.numpy()] for split, index in shown.items()}
            self.codes = {split: evaluation.codes(vae, data.images[split], index)[0] for split, index in shown.items()}
            self.walk, self.moved = evaluation.walk(vae, self.codes["train"])
            index = evenly_spaced(len(data.images["test"]), SHOWN_IMAGES)
            images = scaled(vae, data.images["test"], index)
            self.inputs = to_numpy(images)
            self.outputs = to_numpy(vae.reconstruct(images))
            self.attention = {
                block: to_numpy(attention) for block, attention in vae.attention_maps(images[:SHOWN_ATTENTION]).items()
            }

    def figures(self) -> dict[str, Figure]:
        """{tag: figure}, with attention maps if the model has spatial attention."""
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
        """The number of latent dimensions."""
        return self.codes["train"].shape[1]
