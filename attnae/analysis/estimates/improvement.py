"""The probability of improvement: how often a run of one level is better than a run of another, all else equal."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from attnae.analysis.design.factors import Factor
from attnae.analysis.design.model import Design
from attnae.analysis.estimates.family import Reading

MIN_RUNS = 5
DRAWS = 2000
SEED = 0


def improvement_table(design: Design, y: np.ndarray, reading: Reading) -> pd.DataFrame | None:
    """factor, level, versus, probability, ci_low, ci_high, cells: one row for each pair of levels.

    The probability that a run at `level` is better than one at `versus`, ties counted half, averaged over the
    combinations of all other factors that have both (Agarwal et al. 2021, NeurIPS, with combinations in the place of
    tasks). The interval is that of the percentile bootstrap, which draws runs within each cell. It takes the runs as
    independent of each other, also where they share seeds.

    None unless each cell has at least five runs and some factor has levels.
    """
    if np.bincount(design.cells).min() < MIN_RUNS:
        return None
    better = -y if reading.goal == "min" else y
    weights = _resamples(design.cells)
    rows = []
    for column, factor in enumerate(design.factors):
        if factor.kind == "continuous":
            continue
        for low, high in combinations(range(len(factor.levels)), 2):
            pairs = _cells(design, column, low, high)
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


def _cells(design: Design, column: int, low: int, high: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The places of the runs at the high and the low level, for each combination of the other factors with both."""
    rest = np.unique(np.delete(design.codes, column, axis=1), axis=0, return_inverse=True)[1].ravel()
    found = []
    for cell in range(rest.max() + 1):
        runs = [np.flatnonzero((rest == cell) & (design.codes[:, column] == level)) for level in (high, low)]
        if len(runs[0]) and len(runs[1]):
            found.append((runs[0], runs[1]))
    return found


def _row(
    factor: Factor,
    low: int,
    high: int,
    pairs: list[tuple[np.ndarray, np.ndarray]],
    better: np.ndarray,
    weights: np.ndarray,
    alpha: float,
) -> tuple[str, str, str, float, float, float, int]:
    total, drawn = 0.0, np.zeros(DRAWS)
    for first, second in pairs:
        wins = probability_of_improvement(better[first], better[second])
        total += float(wins.mean())
        drawn += ((weights[:, first] @ wins) * weights[:, second]).sum(axis=1)
    ends = np.quantile(drawn / len(pairs), [alpha / 2, 1 - alpha / 2])
    names = factor.name, factor.labels[high], factor.labels[low]
    return (*names, total / len(pairs), float(ends[0]), float(ends[1]), len(pairs))
