"""Runs that were stopped at different steps, compared at the last step that both of two runs reached."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from attnae.analysis.design.columns import codes

# Budgets are unequal if the last steps of the runs differ by more than this share of the largest.
TOLERATED = 0.1
BUDGET = re.compile(r"(max|num|n|total)?_?(epochs?|steps?|iters?|iterations?)", re.IGNORECASE)

History = tuple[np.ndarray, np.ndarray]


def unequal_budgets(histories: Sequence[History], table: pd.DataFrame, settings: Sequence[str]) -> bool:
    """Whether runs were stopped at different steps and no setting says so.

    Args:
        histories: steps and values of the response, one pair a run; diverged runs may have none.
        table: one row a run.
        settings: the columns that are settings. If one is named like a number of epochs, or determines the last step,
            the budget was part of the search.
    """
    last = np.array([steps[-1] if len(steps) else np.nan for steps, _ in histories], dtype=float)
    known = np.isfinite(last)
    if known.sum() < 2 or np.nanmin(last) >= (1 - TOLERATED) * np.nanmax(last):
        return False
    if any(BUDGET.fullmatch(name.rsplit("/", 1)[-1]) for name in settings):
        return False
    return not any(_determines(codes(table[name])[known], last[known]) for name in settings)


def beaten_shares(histories: Sequence[History], cost_sign: int, diverged: np.ndarray) -> np.ndarray:
    """(runs,) the share of the other runs that each run beats at the last step both reached; ties count half.

    A diverged run loses against every run that did not diverge. NaN for a run that shares a step with no other.

    Args:
        histories: steps, in increasing order, and values of the response.
        cost_sign: 1 if small responses are better, -1 if large ones are.
        diverged: (runs,) booleans.
    """
    n = len(histories)
    last = np.array([steps[-1] if len(steps) else -np.inf for steps, _ in histories], dtype=float)
    # at[i, j]: the cost of run j at the last step of run i, or before; NaN before its first step.
    at = np.full((n, n), np.nan)
    for j, (steps, values) in enumerate(histories):
        if len(steps):
            place = np.searchsorted(np.asarray(steps, dtype=float), last, side="right") - 1
            costs = cost_sign * np.asarray(values, dtype=float)
            at[:, j] = np.where((place >= 0) & np.isfinite(last), costs[np.maximum(place, 0)], np.nan)
    shares = np.full(n, np.nan)
    for i in range(n):
        shorter = last[i] <= last
        own, other = np.where(shorter, at[i, i], at[:, i]), np.where(shorter, at[i], np.diag(at))
        wins = np.where(own < other, 1.0, np.where(own == other, 0.5, 0.0))
        wins[np.isnan(own) | np.isnan(other)] = np.nan
        wins = np.where(diverged, 0.5, 0.0) if diverged[i] else np.where(diverged, 1.0, wins)
        wins[i] = np.nan
        if not np.isnan(wins).all():
            shares[i] = np.nanmean(wins)
    return shares


def _determines(setting: np.ndarray, last: np.ndarray) -> bool:
    """Whether runs that agree in the setting stopped at the same step, with enough repetitions to tell."""
    groups = pd.Series(last).groupby(setting)
    return bool((groups.nunique() == 1).all() and groups.ngroups <= len(last) / 2)
