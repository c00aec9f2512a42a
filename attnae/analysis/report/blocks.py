"""What a section of the report is made of. The terminal and the page only lay these blocks out."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from attnae.analysis.report.columns import Column, Columns, as_column, column_texts, frame_keys
from attnae.text import common_decimals


@dataclass(frozen=True)
class Text:
    """A paragraph. A warning is highlighted."""

    text: str
    warning: bool = False


@dataclass(frozen=True)
class Verbatim:
    """Lines whose columns must stay aligned."""

    text: str


@dataclass(frozen=True)
class Figure:
    """A figure of `figures.FIGURES`, by its name. The page leaves out figures that do not apply to the study.

    Attributes:
        small: stands side by side with other small figures.
    """

    name: str
    caption: str
    small: bool = False


@dataclass(frozen=True)
class Table:
    """Some columns of a frame.

    Attributes:
        caption: the heading of the table.
        columns: keys of `columns.COLUMNS`; a `Column` where the heading is special to this table or comes from
            the study.
        file: the CSV file that has all columns and rows, if there is one.
        decimals: of amounts in units of the response; None: as the values of this table need.
    """

    caption: str
    frame: pd.DataFrame
    columns: Columns
    file: str | None = None
    decimals: int | None = None

    def layout(self, limit: int) -> tuple[list[Column], list[list[str]]]:
        """The columns, without those that are blank in all rows, and the texts of the first `limit` rows."""
        frame = self.frame.head(limit)
        columns = [as_column(column, frame) for column in self.columns]
        decimals = self.decimals
        if decimals is None:
            decimals = self._needed_decimals(frame, columns)
        texts = {column: column_texts(frame, column, decimals) for column in columns}
        shown = [column for column in columns if column is columns[0] or any(texts[column])]
        return shown, [list(row) for row in zip(*(texts[column] for column in shown), strict=True)]

    @staticmethod
    def _needed_decimals(frame: pd.DataFrame, columns: list[Column]) -> int | None:
        return common_decimals(
            frame[key].astype(float).tolist()
            for column in columns
            if column.kind in ("response", "interval")
            for key in frame_keys(column)
        )


Block = Text | Verbatim | Table | Figure
Blocks = list[Block]
