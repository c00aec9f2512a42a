"""A CSV table with one row per run, such as the download of TensorBoard's HParams page, or our own runs.csv."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np

from attnae.errors import UserError
from attnae.reading.run import DIVERGED, FINISHED, UNFINISHED, UNKNOWN, Format, HParam, Request, Run, Series
from attnae.reading.settings import as_setting, value_of

NAME_COLUMNS = ("run", "name", "run_name", "trial_id", "trial id", "run id")
# fmt: off
RESULT_WORDS = {
    "loss", "response", "fitness", "metric", "score", "accuracy", "acc", "auc", "f1", "elbo",
    "psnr", "ssim", "reward", "error", "rmse", "mse", "mae", "nll", "perplexity", "bce", "kl",
    "test", "val", "valid", "validation", "hparam",
}
# fmt: on
SETTING_WORDS = {"weight", "size", "rate", "fn", "type", "function", "name", "fraction", "split"}


def is_result_name(name: str) -> bool:
    """Whether the name of a column says that it was measured, as `test/loss` was, and not set, as `loss_weight` was."""
    words = set(re.findall(r"[a-z]+\d?", name.lower()))
    return not words.isdisjoint(RESULT_WORDS) and words.isdisjoint(SETTING_WORDS)


def recognises(path: Path) -> bool:
    """Any file: one that is not a table is an error of `read`, which says where."""
    return not path.is_dir()


def read(path: Path, request: Request) -> list[Run]:
    """Every row becomes a run, and every numeric column a scalar of one point.

    Columns named like results are scalars only, and columns of words or truth values are settings only. Any other
    number may be either, so it is both. If no column is named like a result, the last number is the result. A column
    `run` is recognised by its name if all its values differ, and `status` if any of its values is a known status. An
    empty cell means that there is no value.

    Raises:
        UserError: the file is not such a table; the message names the line.
    """
    header, rows = _read_rows(path)
    columns: dict[str, list[HParam | None]] = {
        name: [value_of(row[place]) if row[place].strip() else None for row in rows]
        for place, name in enumerate(header)
    }
    naming = next((name for name in header if name.lower() in NAME_COLUMNS and _are_names(columns[name])), None)
    names = [f"row {number}" for number in range(1, len(rows) + 1)]
    if naming is not None:
        given = columns.pop(naming)
        names = [row if value is None else str(value) for row, value in zip(names, given, strict=True)]
    marks = [UNKNOWN] * len(rows)
    if "status" in columns and {*columns["status"]} & {FINISHED, DIVERGED, UNFINISHED}:
        marks = [str(value) for value in columns.pop("status")]
    numeric = {name for name, values in columns.items() if _is_numeric(values)}
    results = {name for name in numeric if is_result_name(name)}
    if not results:
        results = set([name for name in columns if name in numeric and "seed" not in name.lower()][-1:])
    runs = []
    for row, name in enumerate(names):
        values = {column: value for column in columns if (value := columns[column][row]) is not None}
        run = Run(
            name=name,
            directory=None,
            hparams={column: as_setting(value) for column, value in values.items() if column not in results},
            scalars={column: _point(value) for column, value in values.items() if column in numeric},
            status=marks[row] if marks[row] in (FINISHED, DIVERGED, UNFINISHED) else UNKNOWN,
            metrics=tuple(column for column in header if column in results),
        )
        runs.append(run)
    return runs


TABLE = Format("CSV table", "a CSV table with one row per run", recognises, read, scanned=False)


def _read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            delimiter = max(",;\t", key=first.count)
            file.seek(0)
            lines = list(csv.reader(file, delimiter=delimiter))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is not a CSV table: {error}") from None
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if any(map(str.strip, line))]
    if len(numbered) < 2:
        raise UserError(f"{path} has no rows: a table needs a header and one row per run")
    header = [name.strip() for name in numbered[0][1]]
    repeated = sorted({name for name in header if header.count(name) > 1 or not name})
    if repeated:
        raise UserError(f"{path}: the column name {repeated[0]!r} is empty or given twice: name each column")
    for number, line in numbered[1:]:
        if len(line) != len(header):
            raise UserError(f"{path}, line {number}: {len(line)} cells where the header has {len(header)}")
    return header, [line for _, line in numbered[1:]]


def _are_names(values: list[HParam | None]) -> bool:
    """Whether no two rows have the same value."""
    given = [value for value in values if value is not None]
    return len(set(given)) == len(given)


def _is_numeric(values: list[HParam | None]) -> bool:
    kinds = {type(value) for value in values if value is not None}
    return bool(kinds) and kinds <= {int, float}


def _point(value: HParam) -> Series:
    return Series(np.zeros(1, dtype=np.int64), np.array([value], dtype=np.float64))
