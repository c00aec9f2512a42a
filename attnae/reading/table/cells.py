"""A CSV file as columns of text: separators, headers, and the bounds of what is read."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from attnae.errors import UserError
from attnae.reading.run import HParam
from attnae.reading.settings import plain_number, value_of

MAX_BYTES = 256 << 20
MAX_CELLS = 5_000_000
MAX_ROWS = 100_000
MAX_COLUMNS = 2_000
MAX_NAME = 500
EMPTY = frozenset({"", "-", "na", "n/a", "null", "<na>"})
NO_SETTING = EMPTY | {"nan"}
NO_RESULT = EMPTY | {"none"}
UNNAMED = re.compile(r"unnamed: \d+", re.IGNORECASE)  # what pandas calls the column of an index that it reads again
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: as in the header.
        texts: its cells, stripped, one a row.
    """

    name: str
    texts: Sequence[str]

    @cached_property
    def settings(self) -> list[HParam | None]:
        """The cells as values of a setting: whole numbers as int, an infinity as text; None where a cell is empty."""
        found = {text: None if text.lower() in NO_SETTING else _setting(text) for text in set(self.texts)}
        return [found[text] for text in self.texts]

    @cached_property
    def numbers(self) -> list[float | None]:
        """The cells as results: NaN and infinities are values; None for an empty cell and for a word."""
        found = {text: None if text.lower() in NO_RESULT else _number(text) for text in set(self.texts)}
        return [found[text] for text in self.texts]

    @cached_property
    def given(self) -> int:
        """How many cells hold anything."""
        return sum(text.lower() not in NO_RESULT for text in self.texts)

    @cached_property
    def words(self) -> int:
        """How many of the given cells are not numbers."""
        return self.given - sum(number is not None for number in self.numbers)

    @property
    def is_numeric(self) -> bool:
        return self.given > 0 and self.words == 0

    @cached_property
    def levels(self) -> set[HParam]:
        return {value for value in self.settings if value is not None}

    @property
    def is_unique(self) -> bool:
        """Whether all rows have a value, and no two the same."""
        return None not in self.settings and len(self.levels) == len(self.settings)


@dataclass
class Table:
    """The columns of a file, by name and in its order.

    Attributes:
        problems: what was odd about them, each as a sentence.
        empty: the names of columns without any value, which are left out.
    """

    columns: dict[str, Column]
    rows: int
    problems: list[str] = field(default_factory=list)
    empty: tuple[str, ...] = ()


def read_table(path: Path) -> Table:
    """The columns of a CSV file, without those that have no cells and without the index of a data frame.

    The separator is the comma, semicolon or tab that gives the header the most cells. With semicolons, a decimal comma
    is understood. A second header row, as pandas writes for grouped columns, is joined to the first by `/`.

    Raises:
        UserError: the file is no such table, or it is too large; the message names the line.
    """
    header, rows, delimiter, problems = _read_lines(path)
    header, rows = _join_headers(header, rows, problems)
    columns: dict[str, Column] = {}
    counts: dict[str, int] = {}
    empty: list[str] = []
    for place, given in enumerate(header):
        texts = [row[place].strip() for row in rows]
        if place == 0 and (not given or UNNAMED.fullmatch(given)):
            continue
        if not any(texts):
            empty.append(given)
            continue
        if len(given) > MAX_NAME:
            raise UserError(f"{path}: the name of column {place + 1} is longer than {MAX_NAME} characters")
        name = given or f"column {place + 1}"
        if name in columns:
            counts[given] = counts.get(given, 0) + 1
            name = f"{name}.{counts[given]}"
            if name in columns:
                raise UserError(f"{path}: the column names {given!r} and {name!r} are given more than once")
            problems.append(f"the column name {given!r} is given twice: the second column is called {name!r}")
        elif not given:
            problems.append(f"column {place + 1} has no name: it is called {name!r}")
        columns[name] = Column(name, _with_points(texts) if delimiter == ";" else texts)
    if not columns:
        raise UserError(f"{path} has no values: a table needs a header and one row per run")
    return Table(columns, len(rows), problems, tuple(filter(None, empty)))


def _read_lines(path: Path) -> tuple[list[str], list[list[str]], str, list[str]]:
    """The header, the rows that are not empty, and the separator."""
    rows: list[list[str]] = []
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path} is larger than {MAX_BYTES >> 20} MiB: give a table with one row per run")
        with open(path, encoding="utf-8-sig", newline="") as file:
            first = file.readline(MAX_BYTES)
            delimiter = max(",;\t", key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))
            file.seek(0)
            for number, row in _bounded(csv.reader(file, delimiter=delimiter), path):
                if rows and len(row) > len(rows[0]) and not any(row[len(rows[0]) :]):
                    row = row[: len(rows[0])]  # a separator at the end of each row
                if rows and len(row) != len(rows[0]):
                    raise UserError(f"{path}, line {number}: {len(row)} cells where the header has {len(rows[0])}")
                rows.append(row)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a CSV table: it is not UTF-8 text ({error.reason})") from None
    except (OSError, csv.Error) as error:
        raise UserError(f"{path} is not a CSV table: {error}") from None
    if len(rows) < 2:
        raise UserError(f"{path} has no rows: a table needs a header and one row per run")
    return [name.strip() for name in rows[0]], rows[1:], delimiter, []


def _bounded(reader: Iterator[list[str]], path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows that hold anything, with the number of the line at which each ends."""
    cells = 0
    for count, row in enumerate(reader):
        number: int = reader.line_num  # type: ignore[attr-defined]  # typeshed hides the reader's class
        cells += len(row)
        if count > MAX_ROWS or cells > MAX_CELLS or len(row) > MAX_COLUMNS:
            raise UserError(
                f"{path}, line {number}: too large for a table with one row per run, which has at most "
                f"{MAX_ROWS:,} rows, {MAX_COLUMNS:,} columns and {MAX_CELLS:,} cells; keep the columns that matter"
            )
        if any(map(str.strip, row)):
            yield number, row


def _join_headers(header: list[str], rows: list[list[str]], problems: list[str]) -> tuple[list[str], list[list[str]]]:
    """One header row instead of the two or three that pandas writes for grouped columns.

    The second row belongs to the header if the first row repeats names or leaves them empty, and if it has words in
    columns that hold only numbers below it. Below it, pandas puts the names of the index, in a row of their own.
    """
    if len(rows) < 2 or len(set(header)) == len(header):
        return header, rows
    second, body = rows[0], rows[1:]
    index = [bool(name.strip()) and not second[place].strip() for place, name in enumerate(body[0])]
    is_index_row = any(index) and not any(name.strip() for name, on in zip(body[0], index, strict=True) if not on)
    names_of_index = body[0] if is_index_row and len(body) > 1 else [""] * len(header)
    body = body[1:] if is_index_row and len(body) > 1 else body
    numeric = [place for place in range(len(header)) if _all_numbers(row[place] for row in body)]
    above = [text for place in numeric if (text := second[place].strip())]
    if not above or any(_number(text) is not None for text in above):
        return header, rows
    problems.append("the file has two header rows: their names are joined by a slash")
    parts = zip(header, map(str.strip, second), map(str.strip, names_of_index), strict=True)
    return ["/".join(filter(None, (first, other))) or index_name for first, other, index_name in parts], body


def _all_numbers(cells: Iterator[str]) -> bool:
    texts = [text for cell in cells if (text := cell.strip()).lower() not in NO_RESULT]
    return bool(texts) and all(_number(text) is not None for text in texts)


def _with_points(texts: list[str]) -> list[str]:
    """Decimal points for decimal commas, where all numbers of the column may be written so."""
    numbers = [text for text in texts if text.lower() not in NO_SETTING]
    if not any(map(DECIMAL_COMMA.fullmatch, numbers)) or any("." in text for text in numbers):
        return texts
    pointed = [text.replace(",", ".") if DECIMAL_COMMA.fullmatch(text) else text for text in texts]
    return pointed if all(_number(text) is not None for text in pointed if text.lower() not in NO_SETTING) else texts


def _setting(text: str) -> HParam:
    value = value_of(text)
    return plain_number(value) if isinstance(value, float) else value


def _number(text: str) -> float | None:
    value = value_of(text)
    return None if isinstance(value, (bool, str)) else float(value)
