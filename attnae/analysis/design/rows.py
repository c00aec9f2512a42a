"""Numbers for the equal rows of a matrix of codes."""

from __future__ import annotations

import numpy as np

LARGEST = np.iinfo(np.int64).max


def equal_rows(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(kinds,) the place of the first row of each kind, in the order of the columns, and (rows,) the kind of each row.

    As `np.unique(codes, axis=0)`, which compares rows one number at a time and takes 20 times as long for 60,000 rows.

    Args:
        codes: (rows, columns) whole numbers from 0.
    """
    number, kinds = np.zeros(len(codes), dtype=np.int64), 1
    for column in codes.T:
        levels = int(column.max(initial=0)) + 1
        if kinds > LARGEST // levels:
            number = np.unique(number, return_inverse=True)[1]
            kinds = int(number.max(initial=0)) + 1
        number = number * levels + column
        kinds *= levels
    _, first, kind = np.unique(number, return_index=True, return_inverse=True)
    return first, kind
