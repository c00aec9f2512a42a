"""Logs of any format, as a list of runs or as a table with one row per run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from attnae.errors import UserError
from attnae.process import rare_garbage_collection
from attnae.reading.formats import find_format, known_formats
from attnae.reading.merge import unite
from attnae.reading.own_runs import with_one_attention
from attnae.reading.run import Request, Run, Series
from attnae.reading.scan import is_new, scan
from attnae.reading.settings import name_matcher

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Run", "Series", "read_logs", "read_runs"]


@rare_garbage_collection()
def read_logs(paths: str | Path | Sequence[str | Path], *, name_pattern: str | None = None) -> list[Run]:
    """Read all runs at one or more paths. Nothing is ever written.

    Args:
        paths: directories, which are searched for all formats of `FORMATS`, and files of any of them.
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
        for run in scan(path, request) if path.is_dir() else _read_file(path, request):
            spelled = request.match(run.name) if request.match is not None else {}
            name = f"{label}/{run.name}" if len(given) > 1 else run.name
            source = run.source or str(run.directory or path)
            if spelled or (name, source) != (run.name, run.source):  # a copy takes longer than the rest
                run = replace(run, name=name, hparams={**run.hparams, **spelled}, source=source)
            runs.append(run)
    if not runs:
        raise UserError(f"no runs found in {', '.join(map(str, given))}: give {known_formats()}")
    if request.match is not None and not any(request.match(run.name) for run in runs):
        raise UserError(f"--name-pattern {name_pattern!r} does not fit the name of any run, such as {runs[0].name!r}")
    return _with_own_names(with_one_attention(unite(runs)))


def _read_file(path: Path, request: Request) -> Sequence[Run]:
    if not path.is_file():  # opening a named pipe would wait for a writer
        raise UserError(f"{path} is neither a file nor a directory: give {known_formats()}")
    log_format = find_format(path)
    if log_format is None:
        raise UserError(f"{path} is in no known format: give {known_formats()}")
    if not is_new(path, request.visited):
        return []
    return [run if run.format else replace(run, format=log_format.name) for run in log_format.read(path, request)]


def _with_own_names(runs: list[Run]) -> list[Run]:
    """The runs; a name that several of them have is followed by the format, or else by a number."""
    names: set[str] = set()
    found = []
    for run in runs:
        candidates = (f"{run.name} ({mark})" for mark in chain([run.format], count(2)))
        name = run.name if run.name not in names else next(name for name in candidates if name not in names)
        names.add(name)
        found.append(run if name == run.name else replace(run, name=name))
    return found


def read_runs(log_dir: str | Path | Sequence[str | Path], *, name_pattern: str | None = None) -> pd.DataFrame:
    """One row per run, with the same columns for all formats.

    The columns are `run`, `status`, `format`, `source` (the file or directory that it was read from), the settings,
    and the last value of every scalar tag. A tag that has the name of an earlier column (such as `lr`) is called
    `scalar/<tag>`, and such a setting `setting/<name>`. Arguments and errors are those of `read_logs`.
    """
    import pandas as pd

    runs = read_logs(log_dir, name_pattern=name_pattern)
    about = {"run", "status", "format", "source"}
    taken = about.union(*(run.hparams for run in runs))
    rows = []
    for run in runs:
        settings = {f"setting/{name}" if name in about else name: value for name, value in run.hparams.items()}
        final = {f"scalar/{tag}" if tag in taken else tag: value for tag, value in run.final.items()}
        rows.append(
            {"run": run.name, "status": run.status, "format": run.format, "source": run.source, **settings, **final}
        )
    return pd.DataFrame(rows)
