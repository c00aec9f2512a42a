"""Factors: the hyper-parameters that vary, their levels in order, and how a level is coded in a linear model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd

from attnae.analysis.design.scale import Scale, choose_scale

Kind = Literal["two-level", "many-level", "continuous"]

# A numeric factor with more distinct values than this is a curve, not a set of levels.
MAX_NUMERIC_LEVELS = 6
OFF_WORDS = ("none", "no", "off", "false", "0", "without", "absent", "disabled")
# Words in the order of what they mean; all others, and numbers, stand in the middle.
LOW_WORDS = (OFF_WORDS, ("lowest", "very low", "min", "minimum"), ("low", "minus", "-", "small", "control", "baseline"))
HIGH_WORDS = (
    ("high", "plus", "+", "large", "on", "yes", "true", "with", "present", "enabled"),
    ("highest", "very high", "max", "maximum"),
)

T = TypeVar("T")
EffectRow = tuple[str, np.ndarray]


@dataclass(frozen=True)
class Factor:
    """One factor of the study.

    Attributes:
        name: the hyper-parameter's name.
        kind: "two-level", "many-level" (categories, and numbers of up to six distinct values) or
            "continuous".
        levels: the distinct values, in order; of two levels the first is the "off" or lower one.
        coding: (levels, columns), what a level puts into the model matrix. Categories use sum-to-zero coding,
            so that every coefficient is measured from the equal-weight mean of the levels; a continuous
            factor has a linear and a quadratic column on its range scaled to [-1, 1], centred over the runs.
        scale: "log10" where a continuous factor, or the trend of a numeric one, is taken on that scale; see
            `choose_scale`.
    """

    name: str
    kind: Kind
    levels: tuple[Any, ...]
    coding: np.ndarray
    scale: Scale = "linear"

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(level_label(level) for level in self.levels)

    @property
    def numeric(self) -> bool:
        return all(_is_number(level) for level in self.levels)

    @property
    def single_effect(self) -> bool:
        """Whether one number tells the whole interaction-ready effect: a difference of two levels or a slope."""
        return self.kind != "many-level"

    def effect_rows(self) -> list[EffectRow]:
        """The contrasts of `effects.csv`, each as a label and weights of the factor's own columns.

        Two-level: second level minus first. Many-level: each level minus the mean of the levels. Continuous:
        `linear`, the change along the fitted curve from the lowest to the highest value, and `quadratic`, the
        middle of the range minus the mean of its ends.
        """
        if self.kind == "two-level":
            return [(self.labels[1], np.array([2.0]))]
        if self.kind == "continuous":
            return [("linear", np.array([2.0, 0.0])), ("quadratic", np.array([0.0, -1.0]))]
        return list(zip(self.labels, self.coding, strict=True))

    def interaction_coding(self) -> np.ndarray:
        """(levels, columns) that enter products: all of a category's, the linear one of a continuous factor."""
        return self.coding[:, :1] if self.kind == "continuous" else self.coding

    def interaction_rows(self) -> list[EffectRow]:
        """The contrasts whose products are interaction effects, over the columns of `interaction_coding`."""
        if self.kind == "continuous":
            return [("linear", np.array([2.0]))]
        return self.effect_rows()

    def trend(self) -> np.ndarray | None:
        """Weights of the factor's columns for the least-squares line through the level means, from the lowest
        to the highest value; None unless the factor is numeric with three to six levels."""
        if self.kind != "many-level" or not self.numeric:
            return None
        position = scaled(self.levels, self.scale)
        centred = position - position.mean()
        return (np.ptp(position) * centred / (centred @ centred)) @ self.coding

    def index(self, text: object) -> int:
        """The level that a user means by `text`, or -1."""
        wanted = level_label(_as_number(text) if self.numeric else text).casefold()
        return next((i for i, label in enumerate(self.labels) if label.casefold() == wanted), -1)


def level_label(level: object) -> str:
    """A level as tables print it: True, 0.2, 5, relu."""
    if _is_number(level):
        return f"{level:.12g}"
    return str(level)


def merge_labels(column: pd.Series) -> pd.Series:
    """The column with one value for all that are printed alike: the number 1 and the text 1 are one level."""
    first: dict[str, object] = {}
    merged = converted(column, lambda level: level if pd.isna(level) else first.setdefault(level_label(level), level))
    return pd.Series(merged, index=column.index, dtype=column.dtype, name=column.name)


def converted(column: pd.Series, convert: Callable[[Any], T]) -> list[T]:
    """The cells, each distinct one converted once, in the order of appearance.

    Equal cells of different types, such as 1 and True, are distinct.
    """
    cells = column.tolist()
    kinds = list(map(type, cells))
    found = {key: convert(key[1]) for key in dict.fromkeys(zip(kinds, cells, strict=True))}
    return [found[key] for key in zip(kinds, cells, strict=True)]


def read_factor(name: str, column: pd.Series) -> tuple[Factor, np.ndarray]:
    """The factor in a column without missing values, and (runs,) the index of each run's level.

    Levels are in the order of their numbers, also of numbers given as text, and False before True. Words are in
    alphabetical order, but words such as "off" and "low" before all others, and such as "on" and "high" behind them.
    """
    values = [value.item() if isinstance(value, np.generic) else value for value in column]
    order = _number_order if all(map(_is_finite, set(values))) else _word_order
    levels = tuple(sorted(set(values), key=order))
    position = {level: i for i, level in enumerate(levels)}
    codes = np.array([position[value] for value in values], dtype=np.int64)
    numeric = all(_is_number(level) for level in levels)
    scale: Scale = choose_scale(name, levels) if numeric and min(levels) > 0 else "linear"
    if numeric and len(levels) > MAX_NUMERIC_LEVELS:
        return Factor(name, "continuous", levels, _curve_coding(levels, scale, codes), scale), codes
    kind: Kind = "two-level" if len(levels) == 2 else "many-level"
    return Factor(name, kind, levels, sum_coding(len(levels)), scale), codes


def sum_coding(levels: int) -> np.ndarray:
    """(levels, levels - 1) columns that sum to zero; for two levels -1 and +1, low to high."""
    if levels == 2:
        return np.array([[-1.0], [1.0]])
    return np.vstack([np.eye(levels - 1), -np.ones(levels - 1)])


def scaled(levels: Sequence[float], scale: str) -> np.ndarray:
    """Numeric levels on [-1, 1], lowest to highest, linearly or by their logarithms."""
    x = np.asarray(levels, dtype=float)
    x = np.log10(x) if scale == "log10" else x
    return 2 * (x - x.min()) / np.ptp(x) - 1


def _curve_coding(levels: Sequence[float], scale: str, codes: np.ndarray) -> np.ndarray:
    position = scaled(levels, scale)
    curve = np.column_stack([position, position**2])
    return curve - curve[codes].mean(axis=0)


def _is_number(level: object) -> bool:
    return isinstance(level, (int, float, np.integer, np.floating)) and not isinstance(level, bool)


def _is_finite(level: object) -> bool:
    """Also of numbers given as text."""
    try:
        return math.isfinite(float(str(level)))
    except ValueError:
        return False


def _as_number(text: object) -> object:
    """0.2 for "0.20"; what is no number stays as it is."""
    try:
        return float(str(text))
    except ValueError:
        return text


def _number_order(level: Any) -> tuple[float, str]:
    return float(level), str(level)


def _word_order(level: object) -> tuple[int, bool, float, str]:
    if isinstance(level, bool) or _is_number(level):
        return 0, False, float(level), ""  # type: ignore[arg-type]
    text = str(level)
    word = text.strip().casefold()
    ranks = {word: rank - len(LOW_WORDS) for rank, words in enumerate(LOW_WORDS) for word in words}
    ranks |= {word: rank for rank, words in enumerate(HIGH_WORDS, start=1) for word in words}
    return ranks.get(word, 0), True, 0.0, text
