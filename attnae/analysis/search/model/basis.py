"""Columns of the linear model: natural cubic splines in the ranks of a numeric setting, and dummies of levels."""

from __future__ import annotations

import numpy as np
import pandas as pd

# The knots of a spline lie between these ranks, as shares of the runs; it is linear outside.
LOW, HIGH = 0.05, 0.95
# Degrees of freedom of a spline by the number of active runs: (fewer than, df). The test of a setting uses the first
# table, the picture of its curve and its best value the second.
TEST_DF = ((12, 1), (30, 2), (100, 3))
TEST_DF_LARGE = 4
CURVE_DF = ((12, 2), (100, 4))
CURVE_DF_LARGE = 5


def relative_ranks(x: np.ndarray) -> np.ndarray:
    """(runs,) u = (midrank - 1/2) / runs, in (0, 1)."""
    return (pd.Series(x).rank().to_numpy() - 0.5) / len(x)


def spline_df(active: int, values: int, *, curve: bool = False) -> int:
    """Degrees of freedom of the spline of a setting with that many active runs and distinct values."""
    table, large = (CURVE_DF, CURVE_DF_LARGE) if curve else (TEST_DF, TEST_DF_LARGE)
    return min(next((df for limit, df in table if active < limit), large), values - 1)


def natural_spline(u: np.ndarray, df: int) -> np.ndarray:
    """(points, df) basis of the natural cubic splines in u without the constant.

    The knots are df + 1 equal steps from 0.05 to 0.95. The first column is u itself, the others are d_i - d_{df - 1}
    with d_i(u) = ((u - k_i)_+^3 - (u - k_df)_+^3) / (k_df - k_i) for i = 0 ... df - 2 (Hastie, Tibshirani & Friedman,
    The Elements of Statistical Learning, 2nd edition, eq. 5.4 and 5.5).
    """
    u = np.asarray(u, dtype=float)
    knots = np.linspace(LOW, HIGH, df + 1)
    cubes = np.maximum(u[:, None] - knots, 0) ** 3
    slopes = (cubes[:, :-1] - cubes[:, -1:]) / (knots[-1] - knots[:-1])
    return np.column_stack([u, slopes[:, :-1] - slopes[:, -1:]])


def dummies(codes: np.ndarray, levels: int) -> np.ndarray:
    """(runs, levels - 1) columns, one for each level but the first."""
    return (codes[:, None] == np.arange(1, levels)).astype(float)
