"""Settings of a search: which runs count, and the columns of each setting in the linear model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from attnae.analysis.design.columns import labels, numbers
from attnae.analysis.design.factors import read_factor
from attnae.analysis.design.scale import Scale, choose_scale
from attnae.analysis.search.model.basis import HIGH, LOW, dummies, natural_spline, relative_ranks, spline_df

SettingKind = Literal["continuous", "integer", "two-level", "categorical"]
RARE = "(rare)"
# Levels of fewer configurations are pooled.
FEWEST = 3
# A curve of a setting with up to this number of distinct values is drawn and read at these values only.
FEW_VALUES = 12
GRID = 101


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name, kind: "continuous" and "integer" settings are numbers with more than two distinct values.
        parent: the setting that decides whether this one has a value; None if there is none.
        active: (configurations,) whether it has a value.
        values: (configurations,) numbers of a numeric setting, NaN where it is not active; otherwise level labels, None
            where it is not active.
        levels: labels of a setting with levels, low to high; "(rare)" stands last for levels that were pooled.
        codes: (configurations,) indices of `levels`, -1 where it is not active or the setting is numeric.
        u: (configurations,) midranks of a numeric setting in (0, 1), 0 where it is not active.
        scale: on which a numeric setting is shown and interpolated; None for settings with levels.
    """

    name: str
    kind: SettingKind
    parent: str | None
    active: np.ndarray
    values: np.ndarray
    levels: tuple[str, ...]
    codes: np.ndarray
    u: np.ndarray
    scale: Scale | None

    @property
    def numeric(self) -> bool:
        return self.kind in ("continuous", "integer")

    @cached_property
    def runs(self) -> int:
        """The number of active configurations."""
        return int(self.active.sum())

    @cached_property
    def distinct(self) -> tuple[np.ndarray, np.ndarray]:
        """(values,) the distinct values of a numeric setting in order, and their u."""
        values, first = np.unique(self.values[self.active], return_index=True)
        return values, self.u[self.active][first]

    @cached_property
    def columns(self) -> np.ndarray:
        """(configurations, df) columns of the test: centred over the active configurations and 0 elsewhere."""
        if self.numeric:
            return self._spline(self.u, spline_df(self.runs, len(self.distinct[0])))
        return self._centred(dummies(self.codes, len(self.levels)))

    @cached_property
    def curve_columns(self) -> np.ndarray:
        """(configurations, df) columns of the curve, which has more degrees of freedom than the test."""
        return self._spline(self.u, self._curve_df) if self.numeric else self.columns

    @property
    def first_columns(self) -> np.ndarray:
        """(configurations, df) columns that enter products: the ranks of a numeric setting, or all dummies."""
        return self.columns[:, :1] if self.numeric else self.columns

    def curve_at(self, u: np.ndarray) -> np.ndarray:
        """(points, df) the curve's columns at other ranks, with the centre of `curve_columns`."""
        inside = natural_spline(self.u[self.active], self._curve_df)
        return natural_spline(u, self._curve_df) - inside.mean(axis=0)

    def level_rows(self) -> np.ndarray:
        """(levels, df) what each level puts into `columns`."""
        inside = dummies(self.codes[self.active], len(self.levels))
        return dummies(np.arange(len(self.levels)), len(self.levels)) - inside.mean(axis=0)

    @cached_property
    def grid(self) -> np.ndarray:
        """(points,) the ranks at which the curve is read: 101, or those of the values if there are at most 12."""
        _, u = self.distinct
        return u if len(u) <= FEW_VALUES else np.linspace(u[0], u[-1], GRID)

    @property
    def ends(self) -> tuple[float, float]:
        """The ranks 0.05 and 0.95, or those of the lowest and the highest value if they lie inside."""
        _, u = self.distinct
        return max(LOW, float(u[0])), min(HIGH, float(u[-1]))

    def values_at(self, u: np.ndarray) -> np.ndarray:
        """(points,) the tried values at ranks, interpolated on the setting's scale; linearly if one of them is 0."""
        values, ranks = self.distinct
        if self.scale == "log10" and values[0] > 0:
            return np.asarray(10 ** np.interp(u, ranks, np.log10(values)))
        return np.interp(u, ranks, values)

    @property
    def _curve_df(self) -> int:
        return spline_df(self.runs, len(self.distinct[0]), curve=True)

    def _spline(self, u: np.ndarray, df: int) -> np.ndarray:
        return self._centred(natural_spline(u, df))

    def _centred(self, columns: np.ndarray) -> np.ndarray:
        centred = columns - columns[self.active].mean(axis=0)
        centred[~self.active] = 0
        return centred


def read_setting(name: str, column: pd.Series, parent: str | None, active: np.ndarray) -> tuple[Setting | None, str]:
    """A column of a table of configurations as a setting, or None and the reason why nothing can be said about it.

    Args:
        column: (configurations,) values; blank where it is not recorded.
        parent: the setting that decides whether this one is recorded.
        active: (configurations,) where it has a value that counts; without a parent, every recorded value counts.

    Returns:
        The setting, and a note about pooled levels, which is empty if there are none.
    """
    among = column.where(pd.Series(active, index=column.index), None)
    numeric, words = numbers(among), labels(among)
    recorded = np.array([word is not None for word in words]) if numeric is None else ~np.isnan(numeric)
    if not recorded.any():
        return None, "no run records a value"
    blank = np.zeros(len(column))
    if numeric is not None and len(np.unique(numeric[recorded])) > 2:
        u = blank.copy()
        u[recorded] = relative_ranks(numeric[recorded])
        kind: SettingKind = "integer" if (numeric[recorded] == np.round(numeric[recorded])).all() else "continuous"
        codes = np.full(len(column), -1)
        scale = choose_scale(name, numeric[recorded])
        return Setting(name, kind, parent, recorded, numeric, (), codes, u, scale), ""
    if numeric is not None:
        words = labels(pd.Series(numeric))
    levels, codes, note = _pooled(_ordered(name, among[recorded] if numeric is None else words[recorded]), words)
    if len(levels) < 2:
        if levels == (RARE,):
            return None, f"each of its values occurs in fewer than {FEWEST} configurations"
        return None, f"it is {levels[0]} in all configurations that record it"
    kind = "two-level" if len(levels) == 2 and RARE not in levels else "categorical"
    return Setting(name, kind, parent, recorded, words, levels, codes, blank, None), note


def _ordered(name: str, values: pd.Series | np.ndarray) -> tuple[str, ...]:
    """The distinct labels, low to high."""
    return tuple(dict.fromkeys(read_factor(name, pd.Series(values, dtype=object))[0].labels))


def _pooled(levels: tuple[str, ...], words: np.ndarray) -> tuple[tuple[str, ...], np.ndarray, str]:
    """The levels after pooling the rare ones, the index of each run's level, and a note about the pooled ones.

    Of two levels none is pooled: there would be nothing to compare with.
    """
    counts: Mapping[str, int] = {level: int((words == level).sum()) for level in levels}
    rare = [level for level in levels if counts[level] < FEWEST] if len(levels) > 2 else []
    kept = tuple(level for level in levels if level not in rare)
    place = {level: i for i, level in enumerate(kept)} | dict.fromkeys(rare, len(kept))
    codes = np.array([-1 if word is None else place[word] for word in words], dtype=np.int64)
    if not rare:
        return kept, codes, ""
    named = ", ".join(rare[:5]) + (", ..." if len(rare) > 5 else "")
    return (*kept, RARE), codes, f"levels with fewer than {FEWEST} configurations are pooled: {named}"
