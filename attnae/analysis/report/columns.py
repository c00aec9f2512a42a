"""The vocabulary of table columns: what stands above each column and how its values are written.

A table of the report lists keys of `COLUMNS` only. A key that is not listed there is its own heading, and its values
are written according to their type.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from pandas.api.types import is_bool_dtype, is_float_dtype, is_integer_dtype

from attnae.text import clean, fixed, number, p_value

Kind = Literal["text", "verdict", "count", "number", "response", "interval", "p", "percent", "share", "flag"]

# Ranks: a narrow terminal leaves out columns of the highest rank first.
ALWAYS, EXTRA, DETAIL, LAST = 0, 1, 2, 3


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        key: column of the frame. The key "interval" stands for the two columns ci_low and ci_high.
        head: the heading.
        kind: how values are written. All columns of kind "response" and "interval" in a table are in units of the
            response and share their number of decimals.
        rank: where there is not enough room for all columns, those of the highest rank are left out first; columns of
            rank 0 always stay.
    """

    key: str
    head: str
    kind: Kind = "text"
    rank: int = ALWAYS


# What a table lists: keys of `COLUMNS`, or columns that are special to it.
Columns = tuple[str | Column, ...]

COLUMNS: dict[str, Column] = {
    column.key: column
    for column in (
        # What a row is about
        Column("factor", "factor"),
        Column("level", "level"),
        Column("versus", "compared with"),
        Column("within", "within factor"),
        Column("at", "at level"),
        Column("term", "term"),
        Column("contrast", "contrast"),
        Column("run", "run"),
        Column("combination", "combination"),
        # Amounts in units of the response
        Column("estimate", "estimate", "response"),
        Column("effect", "effect", "response"),
        Column("mean", "mean", "response"),
        Column("difference", "difference", "response"),
        Column("sd", "SD of residuals", "response"),
        Column("interval", "interval", "interval"),
        Column("mde", "detectable effect", "response", EXTRA),
        Column("std_error", "std. error", "response", LAST),
        # Tests
        Column("p_holm", "Holm p", "p"),
        Column("p_holm_here", "Holm p here", "p", DETAIL),
        Column("p_ryan", "Ryan p", "p", LAST),
        Column("p_hsu", "p (best)", "p", DETAIL),
        Column("p", "p", "p", DETAIL),
        Column("percent_change", "change", "percent", EXTRA),
        Column("verdict", "verdict", "verdict"),
        Column("sum_sq", "sum sq", "number"),
        Column("df", "df", "count", LAST),
        Column("F", "F", "number"),
        Column("df1", "df 1", "number"),
        Column("df2", "df 2", "number"),
        Column("t", "t", "number"),
        Column("eta_sq_partial", "partial η²", "number"),
        Column("omega_sq", "partial ω²", "number", EXTRA),
        Column("ratio", "|effect| / ME", "number"),
        Column("active", "above ME", "flag"),
        Column("active_sme", "above SME", "flag"),
        Column("aliases", "aliases", "text", LAST),
        Column("may_be_best", "may be best", "flag"),
        # Counts
        Column("n", "runs", "count", EXTRA),
        Column("runs", "runs", "count"),
        Column("diverged", "diverged", "count"),
        Column("diverged_elsewhere", "diverged elsewhere", "count"),
        Column("runs_elsewhere", "runs elsewhere", "count"),
        Column("draws", "draws", "count"),
        Column("power_target", "power now", "share"),
        Column("seeds_now", "seeds now", "count"),
        Column("seeds_needed", "seeds needed", "count"),
        Column("seeds_cautious", "cautious", "count"),
        # Remarks
        Column("method", "method", "text", DETAIL),
        Column("error", "error", "text", LAST),
        Column("note", "note", "text", LAST),
        Column("kind", "kind"),
        Column("levels", "levels"),
        Column("status", "status"),
        Column("reason", "reason"),
        Column("scope", "holds for", "text", LAST),
        Column("dropped", "what could not be read"),
    )
}


def as_column(column: str | Column, frame: pd.DataFrame) -> Column:
    """A column by its key; one that is not in the vocabulary gets a heading from its key and a kind from its type."""
    if isinstance(column, Column):
        return column
    return COLUMNS.get(column) or Column(column, column.replace("_", " "), _kind(frame[column]))


def frame_keys(column: Column) -> tuple[str, ...]:
    """The columns of the frame that one column of a table shows."""
    return ("ci_low", "ci_high") if column.kind == "interval" else (column.key,)


def column_texts(frame: pd.DataFrame, column: Column, decimals: int | None) -> list[str]:
    """The text of each row; blank for unknown values."""
    if column.kind == "interval":
        ends = zip(frame["ci_low"], frame["ci_high"], strict=True)
        return [_interval(float(low), float(high), decimals) for low, high in ends]
    return [_text(value, column.kind, decimals) for value in frame[column.key]]


def _kind(values: pd.Series) -> Kind:
    if is_bool_dtype(values):
        return "flag"
    if is_integer_dtype(values):
        return "count"
    return "number" if is_float_dtype(values) else "text"


def _interval(low: float, high: float, decimals: int | None) -> str:
    return "" if math.isnan(low) or math.isnan(high) else f"{fixed(low, decimals)} to {fixed(high, decimals)}"


def _text(value: Any, kind: Kind, decimals: int | None) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if kind in ("text", "verdict"):
        return clean(value, 120)
    if kind == "flag":
        return "yes" if value else "no"
    if kind == "p":
        return p_value(float(value))
    if kind == "share":
        return f"{100 * float(value):.0f}%"
    if kind == "percent":
        return f"{float(value):+.2f}%" if abs(value) < 10 else f"{float(value):+,.1f}%"
    if kind == "count":
        return f"{float(value):,.1f}".removesuffix(".0")
    return fixed(float(value), decimals) if kind == "response" else number(float(value))
