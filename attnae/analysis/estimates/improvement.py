"""The probability of improvement: how often a run of one level is better than a run of another, all else equal."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from attnae.analysis.design.factors import Factor
from attnae.analysis.design.model import Design
from attnae.analysis.design.rows import equal_rows
from attnae.analysis.estimates.family import Reading
from attnae.analysis.inference.clusters import members
from attnae.analysis.inference.distributions import normal_ppf

MIN_RUNS = 5
DRAWS, MOST_RESAMPLED = 2000, 2000
SEED = 0


def improvement_table(design: Design, y: np.ndarray, reading: Reading) -> pd.DataFrame | None:
    """factor, level, versus, probability, ci_low, ci_high, cells: one row for each pair of levels.

    The probability that a run at `level` is better than one at `versus`, ties counted half, averaged over the
    combinations of all other factors that have both (Agarwal et al. 2021, NeurIPS, with combinations in the place of
    tasks). The interval is that of the percentile bootstrap, which draws runs within each cell, and with more than
    2,000 runs that of its normal limit (DeLong et al. 1988, Biometrics 44, 837-845). It takes the runs as independent
    of each other, also where they share seeds.

    None unless each cell has at least five runs and some factor has levels.
    """
    if np.bincount(design.cells).min() < MIN_RUNS:
        return None
    better = -y if reading.goal == "min" else y
    weights = _resamples(design.cells) if design.n <= MOST_RESAMPLED else None
    rows = []
    for column, factor in enumerate(design.factors):
        if factor.kind == "continuous":
            continue
        groups = _level_runs(design, column)
        for low, high in combinations(range(len(factor.levels)), 2):
            pairs = [(own[high], own[low]) for own in groups if high in own and low in own]
            if pairs:
                rows.append(_row(factor, low, high, pairs, better, weights, reading.alpha))
    columns = ["factor", "level", "versus", "probability", "ci_low", "ci_high", "cells"]
    return pd.DataFrame(rows, columns=columns) if rows else None


def probability_of_improvement(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(runs of first, runs of second): 1 where the first is larger, 0.5 where they are equal."""
    difference = first[:, None] - second[None, :]
    return (difference > 0) + 0.5 * (difference == 0)


def _resamples(cells: np.ndarray) -> np.ndarray:
    """(draws, runs): the weight of each run in each bootstrap sample, which draws the runs of a cell with replacement.

    One set of samples serves all pairs of levels: drawing them is most of the work.
    """
    rng = np.random.default_rng(SEED)
    weights = np.empty((DRAWS, len(cells)), dtype=np.float32)
    for cell in range(cells.max() + 1):
        runs = np.flatnonzero(cells == cell)
        drawn = rng.integers(len(runs), size=(DRAWS, len(runs))) + len(runs) * np.arange(DRAWS)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=DRAWS * len(runs))
        weights[:, runs] = counts.reshape(DRAWS, len(runs)) / len(runs)
    return weights


def _level_runs(design: Design, column: int) -> list[dict[int, np.ndarray]]:
    """The places of the runs at each level that occurs, for each combination of the other factors."""
    rest = equal_rows(np.delete(design.codes, column, axis=1))[1]
    cells = ((runs, design.codes[runs, column]) for runs in members(rest))
    return [{int(level): runs[levels == level] for level in np.unique(levels)} for runs, levels in cells]


def _row(
    factor: Factor,
    low: int,
    high: int,
    pairs: list[tuple[np.ndarray, np.ndarray]],
    better: np.ndarray,
    weights: np.ndarray | None,
    alpha: float,
) -> tuple[str, str, str, float, float, float, int]:
    names = factor.name, factor.labels[high], factor.labels[low]
    if weights is None:
        found = np.array([_large_cells(better[first], better[second]) for first, second in pairs])
        estimate, error = found[:, 0].mean(), np.sqrt(found[:, 1].sum()) / len(pairs)
        half = normal_ppf(1 - alpha / 2) * error
        ends = np.clip([estimate - half, estimate + half], 0, 1)
        return (*names, float(estimate), float(ends[0]), float(ends[1]), len(pairs))
    total, drawn = 0.0, np.zeros(DRAWS)
    for first, second in pairs:
        wins = probability_of_improvement(better[first], better[second])
        total += float(wins.mean())
        drawn += ((weights[:, first] @ wins) * weights[:, second]).sum(axis=1)
    ends = np.quantile(drawn / len(pairs), [alpha / 2, 1 - alpha / 2])
    return (*names, total / len(pairs), float(ends[0]), float(ends[1]), len(pairs))


def _large_cells(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The mean of `probability_of_improvement` over all pairs of runs, and its variance in the bootstrap's limit."""
    shares = [_share_below(first, second), 1 - _share_below(second, first)]
    return float(shares[0].mean()), float(sum(own.var() / len(own) for own in shares))


def _share_below(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(values,) the share of the others that are smaller, those that are equal counted half."""
    ordered = np.sort(others)
    sides = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return sides / (2 * len(others))
