"""Logs of any format, as a list of runs or as a table with one row per run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from attnae.errors import UserError
from attnae.reading.formats import find_format, known_formats
from attnae.reading.run import Request, Run, Series
from attnae.reading.settings import name_matcher

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Run", "Series", "read_logs", "read_runs"]


def read_logs(paths: str | Path | Sequence[str | Path], *, name_pattern: str | None = None) -> list[Run]:
    """Read all runs at one or more paths. Nothing is ever written.

    Args:
        paths: log directories, event files, CSV tables with one row per run, or any other format of `FORMATS`.
        name_pattern: how the names of runs spell settings, such as `{act}-{bn}`; these are added to the settings that
            were logged.

    Returns:
        The runs, sorted by name within each path. With several paths, each name starts with the path's own name.

    Raises:
        UserError: a path does not exist or is in no known format, there are no runs, or the name of no run fits the
            pattern.
    """
    given = [Path(path) for path in ([paths] if isinstance(paths, (str, Path)) else paths)]
    request = Request(name_matcher(name_pattern) if name_pattern is not None else None)
    labels = [path.resolve().name for path in given]
    if len(set(labels)) < len(labels):
        labels = [path.as_posix() for path in given]
    runs: list[Run] = []
    for path, label in zip(given, labels, strict=True):
        if not path.exists():
            raise UserError(f"{path} does not exist: give {known_formats()}")
        log_format = find_format(path)
        for run in log_format.read(path, request):
            name = f"{label}/{run.name}" if len(given) > 1 else run.name
            runs.append(replace(run, name=name, format=run.format or log_format.name))
    if not runs:
        raise UserError(f"no runs found in {', '.join(map(str, given))}: give {known_formats()}")
    if request.match is not None and not any(request.match(run.name) for run in runs):
        raise UserError(f"--name-pattern {name_pattern!r} does not fit the name of any run, such as {runs[0].name!r}")
    return runs


def read_runs(log_dir: str | Path | Sequence[str | Path], *, name_pattern: str | None = None) -> pd.DataFrame:
    """One row per run: `run`, `status`, the settings, and the last value of every scalar tag.

    A tag that has the name of a setting (such as `lr`) is called `scalar/<tag>`. Arguments and errors are those of
    `read_logs`.
    """
    import pandas as pd

    runs = read_logs(log_dir, name_pattern=name_pattern)
    taken = {"run", "status"}.union(*(run.hparams for run in runs))
    rows = []
    for run in runs:
        final = {f"scalar/{tag}" if tag in taken else tag: value for tag, value in run.final.items()}
        rows.append({"run": run.name, "status": run.status, **run.hparams, **final})
    return pd.DataFrame(rows)
