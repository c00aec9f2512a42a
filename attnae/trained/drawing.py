"""Reconstructions, samples, latent walks and attention maps of a trained model, written as PNG files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from attnae.config import RunConfig
from attnae.errors import UserError
from attnae.evaluation import apply as evaluation
from attnae.evaluation import pictures
from attnae.model.vae import VAE
from attnae.trained.images import NamedImages
from attnae.trained.output import open_output
from attnae.training.prepare import load_images, split_images

PAIRS_IN_A_ROW = 16


def reconstructions(vae: VAE, images: Tensor) -> np.ndarray:
    """A picture of images (N, C, H, W) in [0, 1], in rows of up to 16, each above the row of their reconstructions."""
    with evaluation.evaluating(vae):
        outputs = evaluation.in_batches(vae.reconstruct, images)
    rows = [
        pictures.tile(part[start : start + PAIRS_IN_A_ROW], min(PAIRS_IN_A_ROW, len(images)))
        for start in range(0, len(images), PAIRS_IN_A_ROW)
        for part in (evaluation.to_numpy(images), outputs)
    ]
    return np.concatenate(rows)


def samples(vae: VAE, count: int, seed: int) -> np.ndarray:
    """A picture of `count` images decoded from standard normal codes, in a grid that is nearly square."""
    with evaluation.evaluating(vae):
        images = vae.sample(count, torch.Generator().manual_seed(seed))
    return pictures.tile(evaluation.to_numpy(images), int(np.ceil(count**0.5)))


def walk(vae: VAE, config: RunConfig) -> Figure:
    """The latent walk, as it is drawn at the end of training.

    With more than two dimensions it moves the two with the largest variance among the codes of the training images,
    which are then read.
    """
    mu = np.zeros((1, vae.latent_dim))
    with evaluation.evaluating(vae):
        if vae.latent_dim > 2:
            train = split_images(load_images(config), config).images["train"]
            mu, _ = evaluation.codes(vae, train, evaluation.evenly_spaced(len(train), pictures.SCATTER_POINTS))
        images, moved = evaluation.walk(vae, mu)
    return pictures.walk_figure(images, moved, vae.latent_dim)


def attention(models: Mapping[str, VAE], images: Tensor, block: str | None = None) -> Figure:
    """The attention of each block, or of one, to positions of images (N, C, H, W) in [0, 1].

    The keys of `models` are the names of the runs, which are shown if there are several. `UserError` if a model has no
    attention maps, or not that block.
    """
    rows: dict[str, np.ndarray] = {}
    for run, vae in models.items():
        with evaluation.evaluating(vae):
            maps = {path: evaluation.to_numpy(values) for path, values in vae.attention_maps(images).items()}
        if not maps:
            raise UserError(
                f"{run} has no attention maps: train a model with --spatial-attention, or with --attention cbam, simam "
                "or coordinate; the attentions channel, se and eca weight whole channels"
            )
        if block is not None and block not in maps:
            raise UserError(f"--block {block}: {run} has no such block: choose one of {', '.join(maps)}")
        name = run.replace(",", ",\n") if len(models) > 1 else ""
        shown = {"" if name else block: maps[block]} if block else maps
        rows |= {"\n".join(filter(None, (name, path))): values for path, values in shown.items()}
    title = f"Spatial attention of {block}" if block else "Spatial attention"
    return pictures.attention_figure(evaluation.to_numpy(images), rows, title)


def choose_images(vae: VAE, named: NamedImages, most: int) -> Tensor:
    """At most `most` of the images, evenly spaced: (N, C, H, W) in [0, 1], on the device of the model."""
    return evaluation.scaled(vae, torch.from_numpy(named.images), evaluation.evenly_spaced(len(named.images), most))


def write_picture(path: Path, picture: np.ndarray, scale: int) -> None:
    """Write a picture (H, W) or (H, W, 3) in [0, 1] as a PNG, each pixel as a square of scale x scale pixels."""
    pixels = np.rint(picture * 255).astype(np.uint8).repeat(scale, axis=0).repeat(scale, axis=1)
    with open_output(path) as file:
        Image.fromarray(pixels).save(file, format="png")


def write_figure(path: Path, figure: Figure) -> None:
    """Write the figure as a PNG."""
    with open_output(path) as file:
        Image.fromarray(pictures.to_array(figure)).save(file, format="png")
