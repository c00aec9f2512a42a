"""The report as a list of sections, said once; the terminal and the page only lay it out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from attnae.text import clean, common_decimals, fixed, number, p_value

Kind = Literal["text", "verdict", "count", "number", "response", "interval", "p", "percent", "share", "flag"]


@dataclass(frozen=True)
class Text:
    """A paragraph; a warning is set apart."""

    text: str
    warning: bool = False


@dataclass(frozen=True)
class Verbatim:
    """Lines whose columns must stay aligned."""

    text: str


@dataclass(frozen=True)
class Figure:
    """A figure, by the name of its file."""

    name: str
    caption: str


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        key: column of the frame.
        head: what stands above it.
        kind: how it is written. All of kind "response" (in units of the response) share their decimals; "interval"
            stands for the columns ci_low and ci_high.
        rank: where there is not room for all columns, those of the highest rank go first; 0 always stays.
    """

    key: str
    head: str
    kind: Kind = "text"
    rank: int = 0


@dataclass(frozen=True)
class Table:
    """Some columns of a frame; `file` has all columns and rows."""

    caption: str
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    file: str | None = None

    def layout(self, limit: int) -> tuple[list[Column], list[list[str]]]:
        """Columns, less details that are blank everywhere, and the texts of the first rows, one list a row."""
        frame = self.frame.head(limit)
        decimals = common_decimals(
            frame[key].astype(float).tolist()
            for column in self.columns
            if column.kind in ("response", "interval")
            for key in _keys(column)
        )
        texts = {column: _texts(frame, column, decimals) for column in self.columns}
        shown = [column for column in self.columns if column.rank == 0 or any(texts[column])]
        return shown, [list(row) for row in zip(*(texts[column] for column in shown), strict=True)]


Block = Text | Verbatim | Table | Figure
Blocks = list[Block]


@dataclass(frozen=True)
class Section:
    """One section; `reading` says in a sentence how to read it."""

    number: int
    title: str
    reading: str
    blocks: Sequence[Block]


def columns(*given: str | tuple[str, str] | tuple[str, str, Kind] | tuple[str, str, Kind, int]) -> tuple[Column, ...]:
    """Columns from key, head, kind, rank; a lone key is its own head."""
    return tuple(Column(entry, entry) if isinstance(entry, str) else Column(*entry) for entry in given)


def _keys(column: Column) -> tuple[str, ...]:
    return ("ci_low", "ci_high") if column.kind == "interval" else (column.key,)


def _texts(frame: pd.DataFrame, column: Column, decimals: int | None) -> list[str]:
    if column.kind == "interval":
        ends = zip(frame["ci_low"], frame["ci_high"], strict=True)
        return [_interval(float(low), float(high), decimals) for low, high in ends]
    return [_text(value, column.kind, decimals) for value in frame[column.key]]


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
