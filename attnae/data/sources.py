"""The loaders of the data sets: where their files are, and how they become arrays.

Which data sets there are, and their shapes, is written in `attnae.config.datasets`.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from attnae.config import DATASETS
from attnae.data.types import DataSet, Images, hash_order
from attnae.errors import UserError

if TYPE_CHECKING:
    import numpy as np


Loader = Callable[[Path, int | None, int | None], DataSet]  # of (data_dir, image_size, channels)


def source_of(name: str) -> Loader:
    """The loader of a data set of the table in `attnae.config.datasets`, imported when it is needed."""
    module, _, attribute = DATASETS[name].loader.partition(":")
    return getattr(import_module(module), attribute)


def load_digits(data_dir: Path, image_size: int | None, channels: int | None) -> DataSet:
    """The 1,797 handwritten digits of scikit-learn, 8x8; a fixed sixth of them are the test images."""
    import numpy as np
    from sklearn.datasets import load_digits as sklearn_digits

    digits = sklearn_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = digits.target.astype(np.int64)
    is_test = np.isin(np.arange(len(images)), hash_order(range(len(images)))[: len(images) // 6])
    return DataSet(Images(images[~is_test], labels[~is_test]), Images(images[is_test], labels[is_test]))


LAYOUTS = ("{name}/raw", "")
AUTO_LAYOUTS = LAYOUTS[:1]  # the folder name says which data set it is


class IdxSource:
    """A data set of four IDX files, such as MNIST, plain or .gz.

    The files lie in torchvision's layout (MNIST/raw below the data directory) or in the data directory itself. Calling
    the source loads them, after downloading them if they are missing.
    """

    FILES = (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )

    def __init__(self, torchvision_name: str) -> None:
        self.torchvision_name = torchvision_name

    def __call__(self, data_dir: Path, image_size: int | None, channels: int | None) -> DataSet:
        files = self.find(data_dir)
        if files is None:
            self.download(data_dir)
            files = self.find(data_dir)
        if files is None:
            raise UserError(f"{data_dir}: there are no IDX files after the download of {self.torchvision_name}")
        return DataSet(self._read(*files[:2]), self._read(*files[2:]))

    def find(self, data_dir: Path, layouts: tuple[str, ...] = LAYOUTS) -> list[Path] | None:
        """The four files below `data_dir`, or None; `UserError` where only some of them are there."""
        for layout in layouts:
            folder = data_dir / layout.format(name=self.torchvision_name)
            found = [
                next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)
                for name in self.FILES
            ]
            paths = [path for path in found if path is not None]
            if len(paths) == len(self.FILES):
                return paths
            if paths:
                missing = next(name for name, path in zip(self.FILES, found, strict=True) if path is None)
                raise UserError(
                    f"{folder / missing} is missing (plain or .gz), but the other files are present: add it, or delete "
                    "the other files to download the data set again"
                )
        return None

    def download(self, data_dir: Path) -> None:
        """Download to a temporary directory, then rename it; `UserError` if the server does not answer.

        A download that is interrupted therefore leaves no incomplete data set behind.
        """
        import tempfile

        from torchvision import datasets

        dataset = getattr(datasets, self.torchvision_name)
        if not reachable(dataset.mirrors[0]):
            raise UserError(
                f"{data_dir} holds no {self.torchvision_name} and {dataset.mirrors[0]} does not answer: put the four "
                f"IDX files there, set --data-dir to where they are, or use --dataset digits, which needs no files"
            )
        raw = Path(self.torchvision_name) / "raw"
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=data_dir, prefix=".download-") as beside:
                dataset(beside, download=True)
                (data_dir / raw).parent.mkdir(exist_ok=True)
                (Path(beside) / raw).rename(data_dir / raw)
        except (RuntimeError, OSError) as error:
            if self.find(data_dir) is None:  # otherwise another process has completed it
                raise UserError(f"the download of {self.torchvision_name} to {data_dir} failed: {error}") from error

    def _read(self, images_path: Path, labels_path: Path) -> Images:
        import numpy as np

        images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
        if images.shape[1:] != (28, 28):
            raise UserError(f"{images_path} holds images of {images.shape[2]}x{images.shape[1]} pixels, not 28x28")
        if len(images) != len(labels):
            raise UserError(f"{images_path} holds {len(images)} images, but {labels_path} holds {len(labels)} labels")
        return Images(images[:, None], labels.astype(np.int64))


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """The array in an IDX file, plain or .gz: uint8 with so many dimensions.

    The format is that of https://yann.lecun.com/exdb/mnist: the bytes 0, 0, type and rank, the sizes, the data. Raises
    `UserError` if the file is corrupt, or its length is not the one that its header gives.
    """
    import numpy as np

    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error}): delete it and download it again") from error
    header = 4 + 4 * dimensions
    if len(content) < header or content[:4] != bytes([0, 0, 8, dimensions]):
        raise UserError(f"{path} is not an IDX file of {dimensions}-dimensional bytes: delete it and download it again")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    if len(content) - header != np.prod(shape, dtype=object) or 0 in shape:
        raise UserError(
            f"{path} is truncated or corrupt: its header announces {' x '.join(map(str, shape))} bytes, "
            f"but {len(content) - header} follow; delete it and download it again"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def reachable(url: str, seconds: float = 5) -> bool:
    """Whether the server answers within `seconds`. It is asked in a thread, since a name lookup has no time-out."""
    import http.client
    import threading
    import urllib.error
    import urllib.request

    answers = []

    def ask() -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=seconds).close()
            answers.append(True)
        except urllib.error.HTTPError:  # it answers, even though it does not list its folders
            answers.append(True)
        except (OSError, ValueError, http.client.HTTPException):
            return

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(answers)


MNIST = IdxSource("MNIST")
FASHION_MNIST = IdxSource("FashionMNIST")
KMNIST = IdxSource("KMNIST")


def resolve_auto(data_dir: Path) -> tuple[str, str | None]:
    """The data set that `auto` stands for, and a warning or None.

    It is MNIST if it is on disk or can be downloaded, otherwise digits, with a warning that says why.
    """
    if MNIST.find(data_dir, AUTO_LAYOUTS) is not None:
        return "mnist", None
    try:
        MNIST.download(data_dir)
    except (UserError, OSError) as error:
        return "digits", f"MNIST is not available: {error}.\nTraining on scikit-learn's 8x8 digits instead."
    return "mnist", None
