"""The kind of a table of runs: a factorial, a fraction of one, one setting at a time, or a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd

from attnae.analysis.design.columns import codes, numbers, plain
from attnae.analysis.design.rows import equal_rows
from attnae.errors import UserError

DesignKind = Literal["factorial", "fraction", "one-at-a-time", "search"]
# What users can ask for: that the settings decide, or one of the two analyses.
DesignChoice = Literal["auto", "factorial", "search"]
# A numeric setting is free, that is drawn from a range, from this number of values on, if more than half of the
# configurations have a value of their own.
FREE_VALUES = 7
# A table with half of all combinations is a factorial, unless such a setting has more than this share of values of its
# own: random draws of a learning rate and of one of two optimizers are half of all combinations too.
OWN_VALUES = 0.75
# Settings are balanced against each other if the chi-square statistics of their pairs are below this share of the
# degrees of freedom, their expectation if the settings were drawn independently.
BALANCED = 0.3


@dataclass(frozen=True)
class Kind:
    """The kind of a table and the reason, a clause such as "lr has 40 values in 40 runs"."""

    kind: DesignKind
    reason: str

    @property
    def is_search(self) -> bool:
        """Whether `fit_search` analyses it; otherwise `fit_study` does."""
        return self.kind == "search"


def choose_kind(choice: DesignChoice, table: pd.DataFrame, settings: Sequence[str]) -> Kind:
    """The kind of a table by `design_kind`, or the one that was asked for.

    Raises:
        UserError: the choice is unknown.
    """
    if choice not in ("auto", "factorial", "search"):
        raise UserError(f"--design {choice!r}: choose from auto, factorial, search")
    found = design_kind(table, settings)
    if choice == "auto" or found.is_search == (choice == "search"):
        return found
    return Kind(choice, f"asked for with --design {choice}, although {found.reason}")


def design_kind(table: pd.DataFrame, settings: Sequence[str]) -> Kind:
    """Which analysis fits a table with one row a run.

    It depends on the settings alone, never on the response. `search` has an analysis of its own (`fit_search`); the
    other kinds are analysed by `fit_study`.

    Args:
        table: one row for each run; None, NaN or a blank where a setting is not recorded, which is a level here.
        settings: the columns that are settings. Seeds, constants and columns that follow from others must be out.
    """
    columns = {name: codes(table[name]) for name in settings}
    columns = {name: column for name, column in columns.items() if len(column) and column.max() > 0}
    if not columns:
        return Kind("factorial", "no setting varies")
    matrix = np.column_stack(list(columns.values()))
    distinct = matrix[equal_rows(matrix)[0]]
    n, levels = len(distinct), {name: int(column.max()) + 1 for name, column in columns.items()}
    numeric = [name for name in columns if numbers(table[name]) is not None]
    plural = "" if len(columns) == 1 else "s"
    if len(columns) == 1:
        name = next(iter(columns))
        kind: DesignKind = "search" if name in numeric and levels[name] >= FREE_VALUES else "factorial"
        return Kind(kind, f"{name} is the only setting and has {levels[name]} values")
    cells = float(np.prod([float(count) for count in levels.values()]))
    free = [name for name in numeric if levels[name] >= FREE_VALUES and levels[name] > n / 2]
    if n >= 0.5 * cells and not any(levels[name] > OWN_VALUES * n for name in free):
        recorded = all(plain(table[name]).notna().all() for name in columns)
        absent = "" if recorded else '; "not recorded" counts as a value'
        return Kind("factorial", f"{n} of the {cells:.0f} combinations of the setting{plural} were run{absent}")
    if free:
        count = levels[free[0]]
        return Kind("search", f"{free[0]} has {count} different values in {n} configurations")
    if _one_at_a_time(distinct):
        return Kind("one-at-a-time", "every configuration differs from one of them in at most one setting")
    if _balanced(distinct):
        return Kind("fraction", f"the levels of the settings are balanced over the {n} of {cells:.0f} combinations")
    return Kind("search", f"{n} of {cells:.0f} combinations were run, and the levels of the settings are not balanced")


def _one_at_a_time(distinct: np.ndarray) -> bool:
    """Whether one row of level indices, (configurations, settings), differs from every other in at most one column."""
    near = distinct[(distinct != distinct[0]).sum(axis=1) <= 1]
    return any(((distinct != row).sum(axis=1) <= 1).all() for row in near)


def _balanced(distinct: np.ndarray) -> bool:
    """Whether Pearson's chi-square, summed over the pairs of columns, is far below its degrees of freedom."""
    statistic, df = 0.0, 0
    for first, second in combinations(distinct.T, 2):
        rows, columns = first.max() + 1, second.max() + 1
        observed = np.bincount(first * columns + second, minlength=rows * columns).reshape(rows, columns)
        expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / observed.sum()
        statistic += float(((observed - expected) ** 2 / expected).sum())
        df += (observed.shape[0] - 1) * (observed.shape[1] - 1)
    return statistic <= BALANCED * df
