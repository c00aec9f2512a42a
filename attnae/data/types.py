"""A data set as arrays, and the fixed order by which parts of it are chosen. Imports no torch."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np


class Images(NamedTuple):
    """Images and their labels, in memory. A label of -1 means that the image has none."""

    images: np.ndarray  # uint8 (N, C, H, W)
    labels: np.ndarray  # int64 (N,)


class DataSet(NamedTuple):
    """A training set and a test set; the test set is the same for every seed."""

    train: Images
    test: Images


def hash_order(names: Iterable[object]) -> list[int]:
    """The positions of the names, sorted by the CRC-32 of their text: an order that is the same on every machine.

    It follows no pattern in the data. The labels of scikit-learn's digits, for example, run from 0 to 9 again and
    again, so that every tenth image would show the same digit. File names that are not UTF-8 are hashed as bytes.
    """
    texts = [str(name).encode("utf-8", "surrogateescape") for name in names]
    return sorted(range(len(texts)), key=lambda position: (zlib.crc32(texts[position]), position))
