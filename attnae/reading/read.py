"""The reader: TensorBoard log directories and CSV tables, anyone's, to one `Run` a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnae.errors import UserError
from attnae.reading.run import DIVERGED, FINISHED, UNFINISHED, UNKNOWN, Run, Series
from attnae.reading.settings import name_matcher
from attnae.reading.tables import read_table
from attnae.reading.tensorboard.directories import EVENT_FILE, Identity, Matcher, gather, run_name, walk
from attnae.reading.tensorboard.events import Log

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Run", "Series", "read_logs", "read_runs"]

METRICS_FILE = "metrics.json"
MAX_JSON_BYTES = 1 << 24


def read_logs(paths: str | Path | Sequence[str | Path], *, name_pattern: str | None = None) -> list[Run]:
    """Read every run below some log directories, and every row of some CSV tables. Nothing is ever written.

    Args:
        paths: a log directory, an event file, a CSV table with a row a run; or several of these.
        name_pattern: how run names spell hyper-parameters, such as `{act}-{bn}`; they add to those logged.

    Returns:
        The runs, sorted by name within each path. With several paths, names start with the path's own name.

    Raises:
        UserError: a path does not exist or holds no run, or no run's name fits the pattern.
    """
    given = [Path(path) for path in ([paths] if isinstance(paths, (str, Path)) else paths)]
    match = name_matcher(name_pattern) if name_pattern is not None else None
    labels = [path.resolve().name for path in given]
    if len(set(labels)) < len(labels):
        labels = [path.as_posix() for path in given]
    seen: set[Identity] = set()
    runs: list[Run] = []
    for path, label in zip(given, labels, strict=True):
        found = _read_path(path, match, seen)
        runs += [replace(run, name=f"{label}/{run.name}") for run in found] if len(given) > 1 else found
    if not runs:
        where = f"no event files (*{EVENT_FILE}*) below {', '.join(map(str, given))}"
        raise UserError(f"{where}: give the directory that holds the runs")
    if match is not None and not any(match(run.name) for run in runs):
        raise UserError(f"--name-pattern {name_pattern!r} fits no run: names look like {runs[0].name!r}")
    return runs


def read_runs(log_dir: str | Path | Sequence[str | Path], *, name_pattern: str | None = None) -> pd.DataFrame:
    """One row a run: `run`, `status`, the hyper-parameters, and the last value of every scalar tag.

    A tag that has the name of a hyper-parameter (such as `lr`) is called `scalar/<tag>`. Arguments and errors
    are those of `read_logs`.
    """
    import pandas as pd

    runs = read_logs(log_dir, name_pattern=name_pattern)
    taken = {"run", "status"}.union(*(run.hparams for run in runs))
    rows = []
    for run in runs:
        last = {tag: series.values[-1] for tag, series in run.scalars.items()}
        named = {f"scalar/{tag}" if tag in taken else tag: value for tag, value in last.items()}
        rows.append({"run": run.name, "status": run.status, **run.hparams, **named})
    return pd.DataFrame(rows)


def _read_path(path: Path, match: Matcher | None, seen: set[Identity]) -> list[Run]:
    if not path.exists():
        raise UserError(f"{path} does not exist: give a log directory, such as logs/, or a .csv table")
    if path.is_dir():
        logs = {place: Log(problems=problems).read(files) for place, files, problems in walk(path, seen)}
    elif EVENT_FILE in path.name:
        path, logs = path.parent, {path.parent: Log().read([path])}
    else:
        return read_table(path)
    found = gather(path, logs, match).items()
    runs = [_run(run_name(path, directory), directory, log) for directory, log in found]
    if any(run.status != UNKNOWN for run in runs):
        runs = [replace(run, status=UNFINISHED) if run.status == UNKNOWN else run for run in runs]
    return sorted(runs, key=lambda run: run.name)


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
    except (OSError, ValueError, RecursionError) as error:
        problems.append(f"{METRICS_FILE} cannot be read: {error}")
        return {}
    return content if isinstance(content, dict) else {}
