"""Do runs diverge more often at some level of a factor? If so, comparing the others flatters that level."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attnae.analysis.design.factors import MAX_NUMERIC_LEVELS
from attnae.reading.run import DIVERGED

COLUMNS = ["factor", "level", "diverged", "runs", "diverged_elsewhere", "runs_elsewhere", "p", "p_holm"]


def divergence_tests(table: pd.DataFrame, factors: Sequence[str]) -> pd.DataFrame:
    """Fisher's exact test (two-sided) of each level against the rest, Holm-adjusted over all rows.

    Args:
        table: one row a run that ended, well or not: `status` and the factors.

    Returns:
        factor, level, diverged, runs, diverged_elsewhere, runs_elsewhere, p, p_holm; one row a level, but one
        row for two levels (where more diverged), and for numbers of many values (above or below the median).
        No rows if no run diverged.
    """
    diverged = (table["status"] == DIVERGED).to_numpy()
    if not diverged.any():
        return pd.DataFrame(columns=COLUMNS)
    from scipy.stats import fisher_exact
    from statsmodels.stats.multitest import multipletests

    rows = []
    for factor in factors:
        tests = []
        for level, members in _groups(table[factor]).items():
            inside, outside = diverged[members], diverged[~members]
            counts = int(inside.sum()), len(inside), int(outside.sum()), len(outside)
            p = fisher_exact([[counts[0], counts[1] - counts[0]], [counts[2], counts[3] - counts[2]]]).pvalue
            tests.append((factor, level, *counts, float(p)))
        if len(tests) == 2:
            tests = [max(tests, key=lambda test: test[2] / test[3])]
        rows += tests
    frame = pd.DataFrame(rows, columns=COLUMNS[:-1])
    frame["p_holm"] = multipletests(frame["p"], method="holm")[1] if len(frame) else []
    return frame


def _groups(column: pd.Series) -> dict[str, NDArray[np.bool_]]:
    """Which runs have which level; numbers of many values are split at their median."""
    levels = list(dict.fromkeys(column))
    if len(levels) < 2:
        return {}
    numeric = all(isinstance(level, (int, float)) for level in levels)
    if numeric and len(levels) > MAX_NUMERIC_LEVELS:
        middle = float(column.astype(float).median())
        above = column.astype(float) > middle
        return {f"> {middle:.6g}": above.to_numpy(), f"<= {middle:.6g}": ~above.to_numpy()}
    return {str(level): (column == level).to_numpy() for level in levels}
