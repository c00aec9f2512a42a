"""Reconstructions, samples, latent walks and attention maps of a trained model, written as PNG files."""

from __future__ import annotations

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


def attention(vae: VAE, images: Tensor) -> Figure:
    """The attention of each block to positions of images (N, C, H, W) in [0, 1]; `UserError` if the model has none."""
    with evaluation.evaluating(vae):
        maps = {block: evaluation.to_numpy(values) for block, values in vae.attention_maps(images).items()}
    if not maps:
        raise UserError(
            "this model has no attention maps: train one with --spatial-attention, or with --attention cbam, simam or "
            "coordinate; the attentions channel, se and eca weight whole channels"
        )
    return pictures.attention_figure(evaluation.to_numpy(images), maps)


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
