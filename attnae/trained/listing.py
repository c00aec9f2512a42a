"""The runs below a directory, read from their config.yaml and metrics.json."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from attnae.config import RunConfig, option_names, read_yaml
from attnae.errors import UserError
from attnae.rundir.directory import CONFIG, UNFINISHED, read_metrics
from attnae.tags import STAGES
from attnae.text import clean

UNREADABLE = "unreadable"
WIDE = 100_000  # columns of characters


class ListedRun(NamedTuple):
    """The status, the options and the test metrics of a run."""

    name: str
    status: str
    options: dict[str, Any]  # of model, training and data; {} if config.yaml cannot be read
    metrics: dict[str, Any]  # {tag: value} of the test


def read_runs(log_dir: Path) -> list[ListedRun]:
    """The runs in a directory or below it, sorted by path; `UserError` if there are none."""
    if not os.path.isdir(log_dir):
        raise UserError(f"{log_dir} is not a directory: give one that holds runs, such as logs")
    found = []
    for folder, subfolders, files in os.walk(log_dir):
        subfolders.sort()
        if CONFIG in files:
            found.append(_read_run(Path(folder), log_dir))
    if not found:
        raise UserError(f"{log_dir} holds no runs: no {CONFIG} below it")
    return found


def _read_run(directory: Path, log_dir: Path) -> ListedRun:
    content = read_metrics(directory)
    metrics = content.get("metrics")
    test = {tag: value for tag, value in metrics.items() if _is_test(tag)} if isinstance(metrics, dict) else {}
    name = directory.resolve().name if directory == log_dir else directory.relative_to(log_dir).as_posix()
    try:
        written = read_yaml(directory / CONFIG)
    except UserError:
        written = {}
    if not written.keys() & set(_compared()):
        return ListedRun(name, UNREADABLE, {}, test)
    options = {option: written.get(option, getattr(RunConfig, option)) for option in _compared()}
    return ListedRun(name, str(content.get("status", UNFINISHED)), options, test)


def runs_table(runs: list[ListedRun]) -> Table:
    """A table with one row per run: name, status, the options in which the runs differ, the test metrics."""
    readable = [run.options for run in runs if run.options]
    options = [option for option in _compared() if len({_level(values[option]) for values in readable}) > 1]
    metrics = list(dict.fromkeys(tag for run in runs for tag in run.metrics))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("run", "status", *options, *map(clean, metrics)):
        table.add_column(Text(heading), overflow="fold")
    for run in runs:
        levels = [_level(run.options[option]) if run.options else "" for option in options]
        numbers = [_number(run.metrics.get(tag, "")) for tag in metrics]
        cells = [run.name, run.status, *levels, *numbers]
        table.add_row(*(Text(clean(cell)) for cell in cells))
    return table


def holds_runs(log_dir: Path) -> bool:
    """Whether a directory holds a run of train.py, one whose options can be read."""
    try:
        return any(run.status != UNREADABLE for run in read_runs(log_dir))
    except UserError:
        return False


def print_table(table: Table) -> None:
    """Print a table; output to a file or another program has one line for each row, however wide."""
    Console(width=None if Console().is_terminal else WIDE).print(table)


def _compared() -> list[str]:
    """The options by which runs are compared: neither the data directory nor the hardware."""
    return [option for option in option_names("model", "training", "data") if option != "data_dir"]


def _is_test(tag: str) -> bool:
    return tag.startswith(f"{STAGES[-1]}/")


def _level(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "on", False: "off", None: ""}[value]
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _number(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
