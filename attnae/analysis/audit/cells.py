"""Cells of the design: which runs are missing, which are duplicates, and how many runs each cell has."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from attnae.analysis.design.factors import MAX_NUMERIC_LEVELS

MAX_COMBINATIONS = 100_000
EQUAL_SHARE = 0.8


@dataclass(frozen=True)
class Cells:
    """How the runs fill the design.

    Attributes:
        expected: number of runs of the complete factorial with all seeds; None if the runs cover at most half of its
            cells. Then it is a fraction or a random search, and nothing is missing.
        missing: one row per missing run: the factors, and the seed if the same seeds are used in all cells.
        seeds_per_cell: number of runs -> how many cells have it.
    """

    expected: int | None
    missing: pd.DataFrame
    seeds_per_cell: dict[int, int]


def find_cells(runs: pd.DataFrame, factors: Sequence[str], seed: str | None) -> Cells:
    """Compare the runs, one row each, with the complete factorial of their levels."""
    names = list(factors)
    found = Counter(runs[names].itertuples(index=False, name=None))
    per_cell = dict(sorted(Counter(found.values()).items()))
    levels = [list(dict.fromkeys(runs[name])) for name in names]
    combinations = math.prod(map(len, levels))
    curve = any(
        len(values) > MAX_NUMERIC_LEVELS and all(isinstance(value, (int, float)) for value in values)
        for values in levels
    )
    nothing = pd.DataFrame(columns=names)
    if curve or combinations > MAX_COMBINATIONS or 2 * len(found) <= combinations:
        return Cells(None, nothing, per_cell)
    seeds = list(dict.fromkeys(runs[seed])) if seed is not None else []
    if len(seeds) > 1 and 2 * len(runs) > combinations * len(seeds):
        wanted = itertools.product(*levels, seeds)
        there = set(runs[[*names, seed]].itertuples(index=False, name=None))
        missing = [row for row in wanted if row not in there]
        return Cells(combinations * len(seeds), pd.DataFrame(missing, columns=[*names, seed]), per_cell)
    missing = [row for row in itertools.product(*levels) if row not in found]
    usual = Counter(found.values()).most_common(1)[0][0]
    return Cells(combinations * usual, pd.DataFrame(missing, columns=names), per_cell)


def superseded(
    runs: pd.DataFrame, factors: Sequence[str], seed: str | None, repetition: pd.Series, started: pd.Series
) -> dict[int, int]:
    """Duplicates: the index of each run that has the cell, seed and repetition of a later run, and the later's index.

    If all runs have one seed, only runs with equal responses are duplicates, and only if nearly all repetitions are
    equal. Otherwise the seed does not determine the response, and equal responses are a coincidence.
    """
    if seed is None:
        return {}
    keys = [*(runs[name] for name in (*factors, seed)), repetition[runs.index]]
    if runs[seed].nunique() < 2:
        cells = runs.groupby(keys, sort=False, dropna=False, observed=True)["response"]
        different = int((cells.nunique() - 1).sum())
        equal = len(runs) - different - cells.ngroups
        if equal < EQUAL_SHARE * (equal + different):
            return {}
        keys.append(runs["response"])
    found = {}
    seeded = runs[runs[seed].notna()]  # a run without a seed shares it with no other
    number = seeded.groupby([key[seeded.index] for key in keys], sort=False, dropna=False, observed=True).ngroup()
    repeated = number[number.duplicated(keep=False)]
    for _, group in repeated.groupby(repeated, sort=False):
        ordered = started[group.index].sort_values(kind="stable", na_position="first").index
        found.update(dict.fromkeys(ordered[:-1], ordered[-1]))
    return found
