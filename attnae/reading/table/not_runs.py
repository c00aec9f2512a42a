"""Files whose rows are no runs: exported charts, the curve of one run, and histories of several runs in one table.

They are recognised before anything is analysed, because their rows would otherwise be taken for independent runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from attnae.errors import UserError
from attnae.reading.table.cells import Column, Table
from attnae.reading.table.roles import Roles
from attnae.reading.table.words import STEP, is_measured_name, words_of

SCHEDULES = {"lr", "learning", "momentum", "decay", "temperature", "beta", "epoch", "step"}


def check_header(path: Path, columns: Mapping[str, Column]) -> None:
    """Refuse charts, which are known by the names of their columns.

    Raises:
        UserError: the file is a chart exported from W&B, or a curve exported from TensorBoard or MLflow.
    """
    charted = [name for name in columns if name.endswith("__MIN") and " - " in name]
    if charted and any(name.removesuffix("__MIN") + "__MAX" in columns for name in charted):
        raise UserError(
            f"{path} is a chart exported from W&B: its rows are steps, not runs. "
            "Export the table of the project's runs instead (Runs, then Export as CSV), or give the wandb directory"
        )
    if {*columns} == {"Wall time", "Step", "Value"}:
        raise UserError(
            f"{path} is a curve exported from TensorBoard: its rows are steps of one run. "
            "Give the log directory of all runs instead"
        )
    if {"run_id", "key", "value", "step"} <= {*columns}:
        raise UserError(
            f"{path} holds the history of metrics, one step per row. "
            "Export the table of runs instead, with mlflow.search_runs().to_csv('runs.csv')"
        )


def check_rows(path: Path, table: Table, roles: Roles) -> None:
    """Refuse curves, which are known by a column that counts epochs or steps.

    Raises:
        UserError: the rows are the epochs or steps of one run, or of several runs one after the other.
    """
    for name, column in table.columns.items():
        if STEP.fullmatch(name) is None:
            continue
        blocks = _count_blocks(column)
        if blocks == 1 and not _settings_vary(table, roles, name):
            raise UserError(
                f"{path} is the curve of one run: {name} counts from row to row, and no setting varies. "
                "Give the directory of all runs, or a table with one row per run"
            )
        if blocks > 1:
            raise UserError(
                f"{path} has several rows per run: {name} counts up {blocks} times. "
                f"Keep the last row of each run; if {name} is a setting, give the column another name"
            )


def _count_blocks(column: Column) -> int:
    """How often the column counts up, with equal steps and from the same start; 0 if it does anything else.

    Rows without a number are skipped. One block has at least three rows; several have that many on average.
    """
    numbers = np.array([number for number in column.numbers if number is not None])
    if len(numbers) < 3 or not np.isfinite(numbers).all() or column.words:
        return 0
    steps = np.diff(numbers)
    restarts = np.flatnonzero(steps < 0)
    ups = steps[steps > 0]
    if len(ups) == 0 or (steps == 0).any() or len(numbers) < 3 * (len(restarts) + 1):
        return 0
    starts = numbers[np.concatenate([[0], restarts + 1])]
    equal = np.mean(np.isclose(ups, np.median(ups))) >= 0.9
    return len(starts) if equal and (starts == starts[0]).all() else 0


def _settings_vary(table: Table, roles: Roles, step: str) -> bool:
    """Whether any setting varies that is no schedule of a single run, as the learning rate may be."""
    return any(
        len(table.columns[name].levels) > 1
        for name in roles.columns("setting", "either")
        if name != step and words_of(name).isdisjoint(SCHEDULES) and not is_measured_name(name)
    )
