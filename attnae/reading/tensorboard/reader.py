"""TensorBoard: event files in a directory per run, and the `metrics.json` that train.py leaves beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from attnae.reading.run import DIVERGED, FINISHED, UNFINISHED, UNKNOWN, Format, Request, Run
from attnae.reading.settings import flatten
from attnae.reading.tensorboard.directories import EVENT_FILE, gather, run_name, walk
from attnae.reading.tensorboard.events import Log

METRICS_FILE = "metrics.json"
MAX_JSON_BYTES = 1 << 24


def recognises(path: Path) -> bool:
    """Any directory, which is searched for event files, or an event file."""
    return path.is_dir() or EVENT_FILE in path.name


def read(path: Path, request: Request) -> list[Run]:
    """The runs at or below a directory, or of one event file, sorted by name.

    A run without a completion mark is UNFINISHED if other runs below the path have one, else UNKNOWN.
    """
    if path.is_dir():
        logs = {place: Log(problems=problems).read(files) for place, files, problems in walk(path, request.visited)}
    else:
        path, logs = path.parent, {path.parent: Log().read([path])}
    found = gather(path, logs, request.match).items()
    runs = [_run(run_name(path, directory), directory, log) for directory, log in found]
    if any(run.status != UNKNOWN for run in runs):
        runs = [replace(run, status=UNFINISHED) if run.status == UNKNOWN else run for run in runs]
    return sorted(runs, key=lambda run: run.name)


TENSORBOARD = Format("TensorBoard", "a directory with event files below it, such as logs/", recognises, read)


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
    )


def _read_metrics(directory: Path, problems: list[str]) -> dict[str, Any]:
    path = directory / METRICS_FILE
    try:
        if not path.is_file():
            return {}
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ValueError(f"larger than {MAX_JSON_BYTES >> 20} MiB")
        content = json.loads(path.read_text(encoding="utf-8"))
        return dict(flatten(content)) if isinstance(content, dict) else {}
    except (OSError, ValueError, RecursionError) as error:
        problems.append(f"{METRICS_FILE} cannot be read: {error}")
        return {}
