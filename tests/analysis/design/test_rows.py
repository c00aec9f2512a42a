"""Numbers of equal rows, compared with numpy's."""

from __future__ import annotations

import numpy as np
import pytest

from attnae.analysis.design.rows import equal_rows


@pytest.mark.parametrize(
    ("rows", "columns", "levels"),
    [(200, 3, 4), (50, 100, 2), (50, 1, 10**12), (40, 5, 2**40), (7, 0, 1), (0, 2, 3)],
)
def test_rows_are_numbered_in_the_order_of_their_columns(rows, columns, levels):
    """Also where the numbers of all combinations would not fit in 64 bits."""
    codes = np.random.default_rng(0).integers(0, levels, (rows, columns))
    codes = np.vstack([codes, codes[: rows // 2]])
    first, kind = equal_rows(codes)
    if columns and rows:
        _, expected, place = np.unique(codes, axis=0, return_index=True, return_inverse=True)
        np.testing.assert_array_equal(first, expected)
        np.testing.assert_array_equal(kind, place.ravel())
    else:
        assert (kind.tolist(), len(first)) == ([0] * len(codes), min(len(codes), 1))
