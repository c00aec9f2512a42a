"""Series that are collected point by point, and CSV files whose rows are the steps of one run."""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attnae.reading.run import Series
from attnae.reading.settings import flatten, number_of

MAX_TAGS = 2_000
MAX_CSV_BYTES = 1 << 28
HEADER_BYTES = 1 << 16


class Curves:
    """The points of one run by tag, in the order of writing; 16 bytes a point, and at most MAX_TAGS tags."""

    def __init__(self, problems: list[str]) -> None:
        self._points: dict[str, tuple[array[int], array[float]]] = {}
        self._problems = problems
        self._full = False

    def add(self, tag: str, step: int, value: float) -> None:
        points = self._points.get(tag)
        if points is None:
            if len(self._points) >= MAX_TAGS:
                if not self._full:
                    self._problems.append(f"only the first {MAX_TAGS:,} scalar tags are read")
                self._full = True
                return
            points = self._points[tag] = (array("q"), array("d"))
        points[0].append(step)
        points[1].append(value)

    def add_tree(self, tree: dict[str, Any], step: int, *, leave_out: Collection[str] = ()) -> None:
        """Add the numbers among nested values, their names joined by `/`, except some names of the first level."""
        try:
            for tag, value in flatten({name: child for name, child in tree.items() if name not in leave_out}):
                number = as_float(value)
                if number is not None:
                    self.add(tag, step, number)
        except ValueError as error:
            if (problem := f"step {step}: {error}") not in self._problems:
                self._problems.append(problem)

    def absorb(self, other: Curves) -> None:
        """Add the points of another part of the same run, written later."""
        for tag, (steps, values) in other._points.items():
            for step, value in zip(steps, values, strict=True):
                self.add(tag, step, value)

    def last(self, tag: str) -> float:
        """The value of a tag that was written last; NaN if there is none."""
        return self._points[tag][1][-1] if tag in self._points else math.nan

    def __contains__(self, tag: str) -> bool:
        return tag in self._points

    @property
    def last_step(self) -> int:
        """The largest step of all tags; 0 without points."""
        return max((max(steps) for steps, _ in self._points.values()), default=0)

    def series(self) -> dict[str, Series]:
        """The series, by tag in alphabetical order."""
        return {
            tag: Series.from_writes(np.array(steps, np.int64), np.array(values, np.float64))
            for tag, (steps, values) in sorted(self._points.items())
        }


def as_float(value: Any) -> float | None:
    """A number of a JSON file; None for truth values, text, and integers beyond the range of a float."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def as_step(value: Any) -> int | None:
    """A whole number that fits into 64 bits; None for anything else."""
    number = as_float(value)
    return int(number) if number is not None and abs(number) < 2**53 and number == int(number) else None


def csv_header(path: Path) -> tuple[list[str], str]:
    """The column names of a CSV file, without the blanks around them, and its delimiter.

    Both are of the first line; a file that cannot be read has no columns.
    """
    try:
        with open(path, "rb") as file:
            first = file.readline(HEADER_BYTES).decode("utf-8-sig", errors="replace")
    except OSError:
        return [], ","
    delimiter = max(",;\t", key=first.count)
    try:
        names = next(csv.reader([first], delimiter=delimiter), [])
    except csv.Error:
        return [], delimiter
    return [name.strip() for name in names], delimiter


def csv_rows(path: Path, problems: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of each line and its cells by column name; damage is appended to `problems`."""
    header, delimiter = csv_header(path)
    ragged = []
    try:
        if path.stat().st_size > MAX_CSV_BYTES:
            problems.append(f"{path.name} is not read: it is larger than {MAX_CSV_BYTES >> 20} MiB")
            return
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
            rows = csv.reader(file, delimiter=delimiter)
            next(rows, None)
            for cells in rows:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    ragged.append(rows.line_num)
                yield rows.line_num, dict(zip(header, cells, strict=False))
    except (OSError, csv.Error) as error:
        problems.append(f"{path.name} cannot be read to its end: {error}")
    if ragged:
        problems.append(
            f"{path.name}: {len(ragged)} line(s), such as line {ragged[0]}, have more or fewer cells than the header"
        )


def read_curves(
    path: Path, step_columns: Sequence[str], problems: list[str], leave_out: Collection[str] = ()
) -> Curves:
    """The columns of a CSV file whose rows are steps: a series for each column with numbers.

    Args:
        path: the file.
        step_columns: the columns that can give the step; the first that the file has does.
        problems: what could not be read is appended to it.
        leave_out: columns that are no results.
    """
    curves = Curves(problems)
    header, _ = csv_header(path)
    step_column = next((name for name in step_columns if name in header), None)
    unplaced = 0
    for _, cells in csv_rows(path, problems):
        step = as_step(number_of(cells.get(step_column or "", "")))
        if step is None:
            unplaced += 1
            continue
        for name, cell in cells.items():
            if name not in step_columns and name not in leave_out and (value := number_of(cell)) is not None:
                curves.add(name, step, value)
    if unplaced:
        problems.append(f"{path.name}: {unplaced} line(s) without a whole {step_columns[0]} are left out")
    return curves
