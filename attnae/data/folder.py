"""A directory of image files as a data set."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from attnae.data.types import DataSet, Images, hash_order
from attnae.errors import UserError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}
_GREY_MODES = {"1", "L", "LA", "I", "F", "I;16", "I;16B", "I;16L"}
_DEEP_MODES = {"I", "F", "I;16", "I;16B", "I;16L"}


def load_folder(directory: Path, image_size: int | None, channels: int | None) -> DataSet:
    """Load the images below `directory`, or below its sub-folder `train`, as a data set.

    The label of an image is the number of the first sub-folder on its path. The test set is the sub-folder `test` if
    there is one, otherwise a fixed tenth of the images chosen by file name. With an `image_size`, images are cropped to
    their central square and scaled; `channels` 1 makes them grey, 3 makes them RGB.

    Raises `UserError`, which names the files, for a directory without images, a file that is not an image, and images
    that differ in size or channels while `image_size` or `channels` is None.
    """
    if not directory.is_dir():
        raise UserError(f"--data-dir {directory}: there is no such directory")
    test_root = directory / "test"
    train_root = directory / "train" if (directory / "train").is_dir() else directory
    train_paths, test_paths = list(image_paths(train_root, skip=test_root)), list(image_paths(test_root))
    if not test_paths:
        test_root = train_root
        chosen = set(
            hash_order([str(path.relative_to(train_root)) for path in train_paths])[: -(-len(train_paths) // 10)]
        )
        test_paths = [path for index, path in enumerate(train_paths) if index in chosen]
        train_paths = [path for index, path in enumerate(train_paths) if index not in chosen]
    if not train_paths:
        raise UserError(
            f"--data-dir {directory}: found {len(test_paths)} images ({', '.join(sorted(SUFFIXES))}), "
            "too few to train on"
        )
    everything = [*train_paths, *test_paths]
    images = _load_all(everything, image_size, channels)
    folders = [folder_label(path, train_root) for path in train_paths] + [
        folder_label(path, test_root) for path in test_paths
    ]
    names = {folder: index for index, folder in enumerate(sorted(set(folders) - {""}))}
    labels = np.array([names.get(folder, -1) for folder in folders], dtype=np.int64)
    split = len(train_paths)
    return DataSet(Images(images[:split], labels[:split]), Images(images[split:], labels[split:]))


def image_paths(directory: Path, skip: Path | None = None) -> Iterator[Path]:
    """The image files below the directory, sorted. Links to directories are not followed: they could form a loop."""
    found = []
    for folder, subfolders, files in os.walk(directory):
        subfolders[:] = [name for name in subfolders if Path(folder) / name != skip and not name.startswith(".")]
        found += [Path(folder) / name for name in files if _is_image(Path(folder) / name)]
    return iter(sorted(found))


def _is_image(path: Path) -> bool:
    """Whether the suffix is that of an image and the path is a regular file: opening a pipe would wait forever."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def folder_label(path: Path, root: Path) -> str:
    """The first folder below the root on the path of the image; empty for an image in the root itself."""
    folders = path.relative_to(root).parts[:-1]
    return folders[0] if folders else ""


def _load_all(paths: list[Path], image_size: int | None, channels: int | None) -> np.ndarray:
    images = []
    first: tuple[Path, tuple[int, ...]] | None = None
    for path in paths:
        image = load_image(path, image_size, channels)
        if first is None:
            first = (path, image.shape)
        if image.shape[0] != first[1][0]:
            raise UserError(f"{first[0]} and {path} differ in channels: set --channels 1 (grey) or 3 (colour)")
        if image.shape != first[1] or image.shape[1] != image.shape[2]:
            raise UserError(
                f"{path} is {image.shape[2]}x{image.shape[1]}, {first[0]} {first[1][2]}x{first[1][1]}, but all must "
                f"be squares of one size: set --image-size {min(min(image.shape[1:]), min(first[1][1:]))} to scale them"
            )
        images.append(image)
    return np.stack(images)


def load_image(path: Path, image_size: int | None, channels: int | None) -> np.ndarray:
    """The image in a file as uint8 (C, H, W), with `image_size` and `channels` as in `load_folder`.

    Raises `UserError` for a file that is not an image, is damaged, or does not fit into memory.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damage that Pillow can read past
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                opened.verify()  # checks the checksums of a PNG, which its decoder does not
            with Image.open(path) as opened:
                image = ImageOps.exif_transpose(opened)
                if image.mode in _DEEP_MODES:
                    image = _to_eight_bits(image, path)
                grey = channels == 1 or (channels is None and image.mode in _GREY_MODES)
                return pixels_of(image.convert("L" if grey else "RGB"), image_size)
    except UserError:
        raise
    except (MemoryError, OverflowError) as error:
        size = "" if image_size is None else f" at --image-size {image_size}"
        raise UserError(f"{path}{size} does not fit into memory") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise UserError(f"{path} has too many pixels for an image: {error}") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{path} is not an image despite its suffix: remove or replace it") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UserError(f"{path} is truncated or corrupt ({error}): remove or replace it") from error


def pixels_of(image: Image.Image, image_size: int | None) -> np.ndarray:
    """A grey or RGB image as uint8 (C, H, W); with an `image_size`, its central square scaled to that size."""
    if image_size is not None:
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image = image.crop((left, top, left + side, top + side))
        image = image.resize((image_size, image_size), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _to_eight_bits(image: Image.Image, path: Path) -> Image.Image:
    """Convert grey values of 16 bits (65535 is white) or real numbers from 0 to 1 to 8 bits."""
    values = np.asarray(image, dtype=np.float64)
    white = 1.0 if image.mode == "F" else 65535.0
    if not (values.min() >= 0 and values.max() <= white):
        raise UserError(f"{path} has grey values from {values.min():g} to {values.max():g}: scale them to 0..{white:g}")
    return Image.fromarray(np.rint(values / white * 255).astype(np.uint8))
