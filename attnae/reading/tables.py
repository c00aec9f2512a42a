"""A CSV table with a row a run, such as TensorBoard's HParams export, in place of a log directory."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np

from attnae.errors import UserError
from attnae.reading.run import DIVERGED, FINISHED, UNFINISHED, UNKNOWN, HParam, Run, Series
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
    """Whether a column's name says that it was measured, not set: `test/loss` was, `loss_weight` was not."""
    words = set(re.findall(r"[a-z]+\d?", name.lower()))
    return not words.isdisjoint(RESULT_WORDS) and words.isdisjoint(SETTING_WORDS)


def read_table(path: Path) -> list[Run]:
    """Read a CSV table with a header: every row becomes a run, every numeric column a scalar of one point.

    Columns named like results are scalars only, those of words and truth values hyper-parameters only; other
    numbers may be either, so they are both; if no name is a result's, the last number is the result. Columns
    `run` and `status` are recognised by name, if every row has another run, or any has a known status. An empty cell is
    no value.

    Raises:
        UserError: the file is no such table; the line says where.
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


def _read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            delimiter = max(",;\t", key=first.count)
            file.seek(0)
            lines = list(csv.reader(file, delimiter=delimiter))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no CSV table: {error}") from None
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if any(map(str.strip, line))]
    if len(numbered) < 2:
        raise UserError(f"{path} has no rows: a table needs a header and one row a run")
    header = [name.strip() for name in numbered[0][1]]
    repeated = sorted({name for name in header if header.count(name) > 1 or not name})
    if repeated:
        raise UserError(f"{path}: {repeated[0]!r} is in the header twice or empty: name each column")
    for number, line in numbered[1:]:
        if len(line) != len(header):
            raise UserError(f"{path}, line {number}: {len(line)} cells where the header has {len(header)}")
    return header, [line for _, line in numbered[1:]]


def _are_names(values: list[HParam | None]) -> bool:
    """Whether every row has its own, or none."""
    given = [value for value in values if value is not None]
    return len(set(given)) == len(given)


def _is_numeric(values: list[HParam | None]) -> bool:
    kinds = {type(value) for value in values if value is not None}
    return bool(kinds) and kinds <= {int, float}


def _point(value: HParam) -> Series:
    return Series(np.zeros(1, dtype=np.int64), np.array([value], dtype=np.float64))
