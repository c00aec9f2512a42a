"""The columns of a table of settings, as searches and `design_kind` read them: numbers or words, recorded or not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from attnae.analysis.design.dependence import ABSENT
from attnae.analysis.design.factors import converted, level_label


def numbers(column: pd.Series) -> np.ndarray | None:
    """(rows,) float values of a numeric column, NaN where nothing is recorded; None if the column has words.

    Numbers that were logged as text are numbers. Booleans are words, and so is a column without any number. A word
    such as "none" among numbers means that nothing is recorded.
    """
    values = converted(column, _number)
    found = [value for value in values if value is not None]
    if len(found) < len(values) or all(map(math.isnan, found)):
        return None
    return np.array(found)


def labels(column: pd.Series) -> np.ndarray:
    """(rows,) the printed level of each row, as an object array; None where nothing is recorded."""
    return np.array(converted(column, lambda value: None if _blank(value) else level_label(value)), dtype=object)


def plain(column: pd.Series) -> pd.Series:
    """The column as numbers or labels, None where nothing is recorded."""
    numeric = numbers(column)
    values = labels(column) if numeric is None else numeric.astype(object)
    if numeric is not None:
        values[np.isnan(numeric)] = None
    return pd.Series(values, index=column.index, dtype=object)


def codes(column: pd.Series) -> np.ndarray:
    """(rows,) indices of the distinct values in the order of appearance; "not recorded" is a value."""
    numeric = numbers(column)
    values = labels(column) if numeric is None else numeric
    return pd.factorize(values, use_na_sentinel=False)[0].astype(np.int64)


def _number(value: object) -> float | None:
    """The number that a cell holds, NaN if it is blank, None if it is a word."""
    if isinstance(value, (bool, np.bool_)):
        return None
    if _blank(value) or (isinstance(value, str) and value.strip().lower() in ABSENT):
        return math.nan
    try:
        number = float(value if isinstance(value, (int, float)) else str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or bool(pd.isna(value))
