"""Centre points of a design of two levels per factor: runs in the middle of several numeric factors at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from attnae.analysis.design.factors import scaled
from attnae.analysis.design.scale import SCALES

# How far from the middle of the range a centre may be, as a share of half of the range.
OFF_CENTRE = 0.2


def centre_runs(table: pd.DataFrame, factors: Sequence[str]) -> tuple[pd.Series, tuple[str, ...]]:
    """Which runs are centre points, of booleans on the table's index, and of which factors.

    These are runs at the middle value of two numeric factors or more that have three values each, where no other run
    has the middle value of any of them. As a third level, the middle values of these factors could not be told apart.
    """
    masks = {name: mask for name in factors if (mask := _in_the_middle(table[name])) is not None}
    for mask in masks.values():
        alike = tuple(name for name, other in masks.items() if mask.equals(other))
        if len(alike) > 1:
            return mask, alike
    return pd.Series(False, index=table.index), ()


def _in_the_middle(column: pd.Series) -> pd.Series | None:
    """The runs at the middle of three numbers; None if the column is not of this kind."""
    values = column.dropna().unique()
    if len(values) != 3 or any(isinstance(value, (bool, np.bool_, str)) for value in values):
        return None
    try:
        levels = sorted(float(value) for value in values)
    except (TypeError, ValueError):
        return None
    scales = SCALES if levels[0] > 0 else ("linear",)
    if not np.isfinite(levels).all() or min(abs(scaled(levels, scale)[1]) for scale in scales) > OFF_CENTRE:
        return None
    return (column == levels[1]).fillna(False).astype(bool).rename(None)
