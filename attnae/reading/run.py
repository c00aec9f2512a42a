"""What one run left behind: the row that everything after the reader works on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HParam = bool | float | int | str

FINISHED, DIVERGED, UNFINISHED, UNKNOWN = "finished", "diverged", "unfinished", "unknown"


@dataclass(frozen=True)
class Series:
    """The points of one scalar tag, sorted by step, one value a step.

    Attributes:
        steps: shape (N,), int64.
        values: shape (N,), float64; NaN and infinities as they were logged.
    """

    steps: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def from_writes(cls, steps: NDArray[np.int64], values: NDArray[np.float64]) -> Series:
        """Sort points given in the order of writing; where a step was written twice, the later write wins."""
        if not np.all(steps[1:] > steps[:-1]):
            order = np.argsort(steps, kind="stable")
            steps, values = steps[order], values[order]
            latest = np.append(steps[1:] != steps[:-1], True)
            steps, values = steps[latest], values[latest]
        return cls(steps, values)


@dataclass(frozen=True)
class Run:
    """One run of a study.

    Attributes:
        name: path relative to the log directory, with forward slashes.
        directory: where it lies; None for a row of a CSV table.
        hparams: hyper-parameters by name; nested names are joined by `/`.
        scalars: by tag.
        status: "finished" or "diverged" as its completion mark says; without a mark "unfinished" if others in
            the same log directory have one, else "unknown".
        provenance: versions, commit and data set, from `metrics.json`; empty where there is none.
        problems: what was unreadable or dropped, in plain words.
        metrics: the tags that the run itself declared as its results, in its order.
        started: seconds since the epoch of the first event; NaN where unknown.
    """

    name: str
    directory: Path | None
    hparams: dict[str, HParam]
    scalars: dict[str, Series]
    status: str = UNKNOWN
    provenance: dict[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    started: float = math.nan
