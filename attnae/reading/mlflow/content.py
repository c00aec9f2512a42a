"""What the two stores of MLflow have in common: the words of its records, and how a run is made of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from attnae.reading.run import FAILED, FINISHED, UNFINISHED, UNKNOWN, HParam, Run, Series
from attnae.reading.settings import as_setting, value_of

STATUSES = {
    "RUNNING": UNFINISHED,
    "SCHEDULED": UNFINISHED,
    "FINISHED": FINISHED,
    "FAILED": FAILED,
    "KILLED": FAILED,
}
# The file store numbers them.
NUMBERED = {
    str(number): name for number, name in enumerate(("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"), 1)
}
DELETED = "deleted"
RUN_NAME = "mlflow.runName"
LARGEST = 1.7976931348623157e308  # which MLflow stores in place of infinity


@dataclass
class Record:
    """One run as MLflow keeps it.

    Attributes:
        params: text, by name.
        points: (step, timestamp, value), by the name of the metric, in any order.
        started, ended: milliseconds since 1970; None if unknown.
    """

    run_id: str
    name: str = ""
    status: str = ""
    experiment: str = ""
    params: dict[str, str] = field(default_factory=dict)
    points: dict[str, list[tuple[int, int, float]]] = field(default_factory=dict)
    started: float | None = None
    ended: float | None = None
    directory: Path | None = None
    source: str = ""
    problems: list[str] = field(default_factory=list)


def runs_of(records: Sequence[Record]) -> list[Run]:
    """The runs; those without parameters and metrics, such as the parents of sweeps, are left out."""
    kept = [record for record in records if record.params or record.points]
    repeated = {name for name, count in Counter(_name(record) for record in kept).items() if count > 1}
    return [_run(record, _name(record) in repeated) for record in kept]


def _name(record: Record) -> str:
    return record.name or record.run_id


def _run(record: Record, repeated: bool) -> Run:
    name = _name(record)
    seconds = math.nan
    if record.started is not None and record.ended is not None:
        seconds = (record.ended - record.started) / 1000
    return Run(
        name=f"{name} ({record.run_id[:8]})" if repeated else name,
        directory=record.directory,
        hparams={key: setting(text) for key, text in record.params.items()},
        scalars={key: _series(points) for key, points in record.points.items()},
        status=STATUSES.get(record.status, UNKNOWN),
        problems=tuple(record.problems),
        started=math.nan if record.started is None else record.started / 1000,
        seconds=seconds,
        group=record.experiment,
        source=record.source,
        uid=record.run_id,
    )


def setting(text: str) -> HParam:
    """MLflow keeps every parameter as text. `None` stays text: it is a value that somebody chose."""
    return as_setting(value_of(text))


def _series(points: Sequence[tuple[int, int, float]]) -> Series:
    """Of several values at one step, the latest counts."""
    ordered = sorted(points, key=lambda point: point[:2])
    steps = np.array([step for step, _, _ in ordered], dtype=np.int64)
    values = np.array([value for _, _, value in ordered], dtype=np.float64)
    values[np.abs(values) >= LARGEST] *= np.inf
    return Series.from_writes(steps, values)
