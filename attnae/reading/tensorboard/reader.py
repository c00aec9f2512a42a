"""TensorBoard: event files in a directory per run, and the `metrics.json` that train.py leaves beside them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from attnae.reading.curves import as_float
from attnae.reading.json_files import read_json
from attnae.reading.run import DIVERGED, FINISHED, UNFINISHED, UNKNOWN, Format, Request, Run
from attnae.reading.settings import flatten
from attnae.reading.tensorboard.directories import EVENT_FILE, gather, run_name
from attnae.reading.tensorboard.events import Log

METRICS_FILE = "metrics.json"
WALL_TIME = "wall_time_s"  # of all invocations of a run of train.py
MAX_JSON_BYTES = 1 << 24


def recognises(path: Path) -> bool:
    """An event file."""
    return EVENT_FILE in path.name and path.is_file()


def read(path: Path, request: Request) -> list[Run]:
    """The run of one event file."""
    return read_all(path.parent, [path], request)


def read_all(root: Path, files: Sequence[Path], request: Request) -> list[Run]:
    """The runs of event files at or below a directory, sorted by name.

    A run without a completion mark is UNFINISHED if other runs below the directory have one, else UNKNOWN.
    """
    by_directory: dict[Path, list[Path]] = defaultdict(list)
    for file in files:
        by_directory[file.parent].append(file)
    logs = {directory: Log().read(files) for directory, files in by_directory.items()}
    found = gather(root, logs, request.match).items()
    runs = [_run(run_name(root, directory), directory, log) for directory, log in found]
    if any(run.status != UNKNOWN for run in runs):
        runs = [replace(run, status=UNFINISHED) if run.status == UNKNOWN else run for run in runs]
    return sorted(runs, key=lambda run: run.name)


TENSORBOARD = Format(
    "TensorBoard", "a directory with event files below it, such as logs/", recognises, read, read_all=read_all
)


def _run(name: str, directory: Path, log: Log) -> Run:
    provenance = _read_metrics(directory, log.problems)
    status = log.mark or provenance.get("status")
    return Run(
        name=name,
        directory=directory,
        hparams=log.hparams,
        scalars=log.series(),
        status=status if status in (FINISHED, DIVERGED) else UNKNOWN,
        provenance=provenance,
        problems=tuple(log.problems),
        metrics=tuple(dict.fromkeys(log.metrics)),
        started=log.started,
        seconds=as_float(provenance.get(WALL_TIME)) or log.seconds,
        details={"host": ", ".join(sorted(log.hosts))} if log.hosts else {},
    )


def _read_metrics(directory: Path, problems: list[str]) -> dict[str, Any]:
    if not os.path.isfile(f"{directory}/{METRICS_FILE}"):
        return {}
    try:
        content = read_json(directory / METRICS_FILE, MAX_JSON_BYTES)
        return dict(flatten(content)) if isinstance(content, dict) else {}
    except ValueError as error:
        problems.append(f"{METRICS_FILE} cannot be read: {error}")
        return {}
