"""MLflow's file store: a directory for each run with meta.yaml, and a file for each parameter and metric."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from attnae.errors import UserError
from attnae.reading.mlflow.content import DELETED, NUMBERED, RUN_NAME, Record, runs_of
from attnae.reading.run import Format, Request, Run
from attnae.reading.settings import load_yaml, number_of

META = "meta.yaml"
MAX_PARAM_BYTES = 1 << 16
MAX_METRIC_BYTES = 1 << 28
MAX_DEPTH = 10


def recognises(path: Path) -> bool:
    """The meta.yaml of a run, beside its folders; that of an experiment has no run_id."""
    if path.name != META or not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(1 << 16)
    return b"run_id:" in head and b"lifecycle_stage:" in head


def read(path: Path, request: Request) -> list[Run]:
    """The run of one meta.yaml; empty if it was deleted, or has neither parameters nor metrics.

    Raises:
        UserError: meta.yaml is damaged.
    """
    return read_all(path.parent, [path], request)


def read_all(root: Path, files: Sequence[Path], request: Request) -> list[Run]:
    """The runs of several meta.yaml files, named as MLflow names them.

    Raises:
        UserError: the meta.yaml of every run is damaged.
    """
    records, mistakes = [], []
    experiments: dict[Path, tuple[str, str]] = {}
    for file in files:
        try:
            meta = _meta(file)
        except ValueError as error:
            mistakes.append(f"{file} cannot be read: {error}")
            continue
        outer = file.parent.parent
        if outer not in experiments:
            experiments[outer] = _experiment(outer / META)
        name, stage = experiments[outer]
        if DELETED not in (stage, meta.get("lifecycle_stage")):
            records.append(_record(file, meta, name))
    if mistakes and not records:
        raise UserError(mistakes[0])
    if mistakes and records:
        records[0].problems += mistakes
    return runs_of(records)


def _meta(file: Path) -> dict[str, Any]:
    tree = load_yaml(file)
    if not isinstance(tree, dict):
        raise ValueError("it holds no names with values")
    return tree


def _experiment(file: Path) -> tuple[str, str]:
    """The name and the stage of life of an experiment; the name of its directory if there is no meta.yaml."""
    try:
        meta = _meta(file)
    except ValueError:
        return file.parent.name, ""
    return str(meta.get("name", file.parent.name)), str(meta.get("lifecycle_stage", ""))


def _record(file: Path, meta: dict[str, Any], experiment: str) -> Record:
    directory = file.parent
    status = str(meta.get("status", ""))
    record = Record(
        run_id=str(meta.get("run_id", directory.name)),
        name=str(meta.get("run_name") or "") or _text(directory / "tags" / RUN_NAME) or "",
        status=NUMBERED.get(status, status),
        experiment=experiment,
        started=_number(meta.get("start_time")),
        ended=_number(meta.get("end_time")),
        directory=directory,
        source=str(directory),
    )
    for name, path in _files(directory / "params"):
        text = _text(path)
        if text is None:
            record.problems.append(f"params/{name} cannot be read, or is larger than {MAX_PARAM_BYTES >> 10} KiB")
        else:
            record.params[name] = text
    for name, path in _files(directory / "metrics"):
        points = list(_points(path, name, record.problems))
        if points:
            record.points[name] = points
    return record


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files below a folder, with their paths in it as names; links are not followed."""
    for place, folders, names in os.walk(folder, followlinks=False):
        depth = len(Path(place).relative_to(folder).parts)
        folders[:] = sorted(folders) if depth < MAX_DEPTH else []
        for name in sorted(names):
            path = Path(place, name)
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(folder).as_posix(), path


def _text(path: Path) -> str | None:
    try:
        if not path.is_file() or path.stat().st_size > MAX_PARAM_BYTES:
            return None
        return path.read_text(encoding="utf-8", errors="replace").removesuffix("\n")
    except OSError:
        return None


def _points(path: Path, name: str, problems: list[str]) -> Iterator[tuple[int, int, float]]:
    """The points of a metric: lines of timestamp, value and step; the oldest versions wrote no step."""
    damaged = 0
    try:
        if path.stat().st_size > MAX_METRIC_BYTES:
            problems.append(f"metrics/{name} is larger than {MAX_METRIC_BYTES >> 20} MiB and is left out")
            return
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if (point := _point(line.split())) is not None:
                    yield point
                else:
                    damaged += bool(line.strip())
    except OSError as error:
        problems.append(f"metrics/{name} cannot be read: {error.strerror or error}")
    if damaged:
        problems.append(f"metrics/{name}: {damaged} line(s) are damaged and are left out")


def _point(fields: Sequence[str]) -> tuple[int, int, float] | None:
    if len(fields) not in (2, 3, 5):
        return None
    timestamp, value, step = _whole(fields[0]), number_of(fields[1]), _whole(fields[2]) if len(fields) > 2 else 0
    return None if timestamp is None or value is None or step is None else (step, timestamp, value)


def _whole(text: str) -> int | None:
    return int(text) if text.lstrip("-").isascii() and text.lstrip("-").isdigit() and len(text) < 19 else None


def _number(value: Any) -> float | None:
    number = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    return number if number is None or math.isfinite(number) else None


MLFLOW_FILES = Format(
    "MLflow",
    "a directory mlruns/ of MLflow",
    recognises,
    read,
    belongs=("params", "metrics", "tags", "artifacts", "inputs", "outputs"),
    read_all=read_all,
)
