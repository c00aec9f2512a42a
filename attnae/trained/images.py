"""Images of a data set, a file or a directory, converted to fit the model of a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from attnae.config import DATASETS, RunConfig, suggestion
from attnae.data.folder import SUFFIXES, folder_label, image_paths, load_image, pixels_of
from attnae.data.sources import source_of
from attnae.errors import UserError
from attnae.evaluation.pictures import tile


class NamedImages(NamedTuple):
    """Images in memory, with their file names and labels."""

    images: np.ndarray  # uint8 (N, C, H, W)
    files: np.ndarray | None  # (N,) file names; None for a data set
    labels: np.ndarray | None  # (N,) int64 of a data set, sub-folder names of a directory; None: no labels


def read_images(name: str, config: RunConfig, *, split: str = "test", data_dir: Path | None = None) -> NamedImages:
    """The images of a data set (its `split`, train or test), of one file, or of all files below a directory.

    They are cropped, scaled and converted to the channels of the run with these options. A data set is read from
    `data_dir`, by default that of the run, and downloaded to it if it is missing.

    Raises `UserError` if there are no images, or one cannot be read.
    """
    if name in DATASETS:
        return _of_data_set(name, config, split, data_dir or config.data_dir)
    path = Path(name)
    if os.path.isdir(path):
        files, root = list(image_paths(path)), path
    elif os.path.isfile(path):
        files, root = [path], path.parent
    else:
        known = f"a data set ({', '.join(DATASETS)}){suggestion(name, list(DATASETS))}"
        raise UserError(f"{name} is not an image file, not a directory, and not {known}")
    if not files:
        raise UserError(f"{name} holds no images ({', '.join(sorted(SUFFIXES))})")
    images = np.stack([load_image(file, config.image_size, config.channels) for file in files])
    labels = np.array([folder_label(file, root) for file in files])
    names = np.array([file.relative_to(root).as_posix() for file in files])
    return NamedImages(images, names, labels if labels.any() else None)


def _of_data_set(name: str, config: RunConfig, split: str, data_dir: Path) -> NamedImages:
    try:
        loaded = source_of(name)(data_dir, config.image_size, config.channels)
    except OSError as error:
        raise UserError(f"--data-dir {data_dir} cannot be read: {error.strerror}") from error
    images, labels = loaded.train if split == "train" else loaded.test
    if images.shape[1:] != (config.channels, config.image_size, config.image_size):
        mode = "L" if config.channels == 1 else "RGB"
        pictures = (Image.fromarray(tile(image[None], 1)).convert(mode) for image in images)
        images = np.stack([pixels_of(picture, config.image_size) for picture in pictures])
    return NamedImages(images, None, labels if (labels >= 0).any() else None)
