"""CIFAR-10 and SVHN: colour images of 32x32 pixels, from their authors' own files.

CIFAR-10 is read from its binary archive, never from the pickled files that torchvision reads: loading those could
execute code.
"""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from attnae.data.sources import reachable
from attnae.data.types import DataSet, Images
from attnae.errors import UserError

SIDE = 32
RECORD = 1 + 3 * SIDE * SIDE  # of CIFAR-10: the label, then the red, the green and the blue plane
CIFAR_FOLDER = "cifar-10-batches-bin"
CIFAR_TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
CIFAR_TEST = "test_batch.bin"


class RemoteFile(NamedTuple):
    """A file of a data set: its name, where it is downloaded from, and the MD5 sum that its authors give."""

    name: str
    url: str
    md5: str


class DownloadedFiles:
    """A data set of a few files below the data directory or its sub-folder `folder`, downloaded if they are missing.

    `read` makes the data set of the paths of the files.
    """

    def __init__(self, name: str, folder: str, files: tuple[RemoteFile, ...], read: Callable[..., DataSet]) -> None:
        self.name = name
        self.folder = folder
        self.files = files
        self.read = read

    def __call__(self, data_dir: Path, image_size: int | None, channels: int | None) -> DataSet:
        paths = self.find(data_dir)
        if paths is None:
            self.download(data_dir)
            paths = self.find(data_dir)
        if paths is None:
            raise UserError(f"{data_dir}: the files of {self.name} are not there after the download")
        return self.read(*paths)

    def find(self, data_dir: Path) -> list[Path] | None:
        """The files, or None; `UserError` where only some of them are there."""
        for folder in (data_dir, data_dir / self.folder):
            paths = [folder / file.name for file in self.files]
            there = [path.is_file() for path in paths]
            if all(there):
                return paths
            if any(there):
                raise UserError(
                    f"{paths[there.index(False)]} is missing, but the other files are present: add it, or delete the "
                    "other files to download the data set again"
                )
        return None

    def download(self, data_dir: Path) -> None:
        """Download to a temporary directory, check the sums, then rename; `UserError` if that fails."""
        if not reachable(self.files[0].url):
            raise UserError(
                f"{data_dir} holds no {self.name} and {self.files[0].url} does not answer: put "
                f"{' and '.join(file.name for file in self.files)} there, or set --data-dir to where they are"
            )
        try:
            (data_dir / self.folder).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=data_dir, prefix=".download-") as beside:
                for file in self.files:
                    _fetch(file, Path(beside) / file.name)
                for file in self.files:
                    (Path(beside) / file.name).replace(data_dir / self.folder / file.name)
        except OSError as error:
            raise UserError(f"the download of {self.name} to {data_dir} failed: {error}") from error


def _fetch(file: RemoteFile, path: Path) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    with urllib.request.urlopen(file.url, timeout=60) as answer, path.open("wb") as written:
        while chunk := answer.read(1 << 20):
            digest.update(chunk)
            written.write(chunk)
    if digest.hexdigest() != file.md5:
        raise UserError(f"{file.url} has the MD5 sum {digest.hexdigest()}, not {file.md5}: try again later")


def read_cifar10(archive: Path) -> DataSet:
    """The data set in the binary archive, from which nothing is written to the disk."""
    contents = {}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for name in (*CIFAR_TRAIN, CIFAR_TEST):
                file = tar.extractfile(f"{CIFAR_FOLDER}/{name}")
                contents[name] = file.read() if file is not None else b""
    except (OSError, EOFError, KeyError, tarfile.TarError) as error:
        raise UserError(f"{archive} is not the binary version of CIFAR-10, or is damaged ({error})") from error
    parts = {name: _records(content, f"{archive}, {name}") for name, content in contents.items()}
    train = [parts[name] for name in CIFAR_TRAIN]
    images, labels = (np.concatenate(arrays) for arrays in zip(*train, strict=True))
    return DataSet(Images(images, labels), parts[CIFAR_TEST])


def _records(content: bytes, source: str) -> Images:
    if not content or len(content) % RECORD:
        raise UserError(f"{source} is truncated or corrupt: its {len(content)} bytes are not records of {RECORD} bytes")
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    labels = records[:, 0].astype(np.int64)
    if labels.max() > 9:
        raise UserError(f"{source} is corrupt: it holds the label {labels.max()}, and there are 10 classes")
    return Images(records[:, 1:].reshape(-1, 3, SIDE, SIDE).copy(), labels)


def read_svhn(train: Path, test: Path) -> DataSet:
    """The data set in the two .mat files of the cropped digits."""
    return DataSet(_read_mat(train), _read_mat(test))


def _read_mat(path: Path) -> Images:
    from scipy.io import loadmat

    try:
        content = loadmat(path, variable_names=["X", "y"])
        images, labels = content["X"], content["y"].ravel().astype(np.int64)
    except Exception as error:  # a damaged file makes SciPy raise almost anything
        raise UserError(f"{path} is not a file of SVHN, or is damaged ({type(error).__name__}: {error})") from error
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[:3] != (SIDE, SIDE, 3):
        raise UserError(f"{path} holds {images.dtype} of {images.shape}, not bytes of ({SIDE}, {SIDE}, 3, N)")
    if images.shape[3] != len(labels):
        raise UserError(f"{path} holds {images.shape[3]} images, but {len(labels)} labels")
    # Height, width, channel, image; the digit 0 has the label 10.
    return Images(np.ascontiguousarray(images.transpose(3, 2, 0, 1)), labels % 10)


CIFAR10 = DownloadedFiles(
    "CIFAR-10",
    "CIFAR10",
    (
        RemoteFile(
            "cifar-10-binary.tar.gz",
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            "c32a1d4ab5d03f1284b67883e8d87530",
        ),
    ),
    read_cifar10,
)
SVHN = DownloadedFiles(
    "SVHN",
    "SVHN",
    (
        RemoteFile(
            "train_32x32.mat",
            "http://ufldl.stanford.edu/housenumbers/train_32x32.mat",
            "e26dedcc434d2e4c54c9b2d4a06d8373",
        ),
        RemoteFile(
            "test_32x32.mat",
            "http://ufldl.stanford.edu/housenumbers/test_32x32.mat",
            "eb5a983be6a315427106f1b164d9cef3",
        ),
    ),
    read_svhn,
)
