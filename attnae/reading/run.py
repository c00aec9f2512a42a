"""What every format of logs has to give: runs. Nothing after the reader knows which format they came from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

HParam = bool | float | int | str
Matcher = Callable[[str], dict[str, HParam]]

FINISHED, DIVERGED, UNFINISHED, UNKNOWN = "finished", "diverged", "unfinished", "unknown"
# How runs of other programs end: with an error or by a user, or stopped early because they looked unpromising.
FAILED, PRUNED = "failed", "pruned"


@dataclass(frozen=True, slots=True)
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
        if len(steps) > 1 and not np.all(steps[1:] > steps[:-1]):
            order = np.argsort(steps, kind="stable")
            steps, values = steps[order], values[order]
            latest = np.append(steps[1:] != steps[:-1], True)
            steps, values = steps[latest], values[latest]
        return cls(steps, values)


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        name: unique within the path that was read; for a directory of logs, the path relative to it.
        directory: where the run is stored; None for a row of a table.
        hparams: the settings, by name; nested names are joined by `/`. The seed is one of them.
        scalars: the series that were logged, by tag. A result that has no history is a series of one point.
        status: FINISHED, DIVERGED, UNFINISHED, FAILED, PRUNED, or UNKNOWN where the logs do not record it.
        provenance: versions, commit and data set, by name, nested names joined by `/`; empty if nothing is recorded.
        problems: what could not be read of this run, each as a sentence for the report.
        metrics: the tags that the run itself declares as its results, in its order.
        started: time at which the run began, in seconds since 1970; NaN if unknown.
        seconds: how long it took; NaN if unknown.
        group: the study or experiment that the run belongs to, where its format has such; empty otherwise. Runs of
            different groups are never compared with one another.
        goal: whether the run declares that less ("min") or more ("max") of the first of `metrics` is better.
        uid: the identifier that a tracker gave to the run, by which it is recognised in another store of that tracker;
            empty if there is none.
        format: the name of the format it was read from; filled in by `read_logs` if the reader leaves it empty.
        source: the file or directory that it was read from; filled in by `read_logs` where the reader has not.
        details: what the logs say about the run that was neither set nor measured, such as its user, host and notes,
            by name. It is not compared, unless the user names it with `--factors`.
        notes: what could not be read in the directory that was searched, each as a sentence for the report. The first
            run of the directory has them, although they are not about this run.
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
    seconds: float = math.nan
    group: str = ""
    goal: Literal["min", "max"] | None = None
    uid: str = ""
    format: str = ""
    source: str = ""
    details: dict[str, HParam] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def final(self) -> dict[str, float]:
        """The last value of every series, by tag."""
        return {tag: float(series.values[-1]) for tag, series in self.scalars.items()}


@dataclass
class Request:
    """What holds for all paths of one call of `read_logs`. Most formats need none of it.

    Attributes:
        match: the settings that a run's name spells (`--name-pattern`), empty where the pattern does not fit; None
            without a pattern.
        visited: (device, inode) of the directories and files already read, so that overlapping paths give each run
            once.
    """

    match: Matcher | None = None
    visited: set[tuple[int, int]] = field(default_factory=set)


@dataclass(frozen=True)
class Format:
    """One format of logs. Adding one takes a file that defines a `Format`, and a line in `formats.FORMATS`.

    A directory is searched at any depth. Every directory and every file in it is offered to the formats in the order
    of `FORMATS`, and the first that recognises it reads it. A recognised directory is read whole, and is not searched
    further.

    Attributes:
        name: what the format is called.
        example: what to give to `analyze.py`, as it is shown to users.
        recognises: whether an existing file or directory is of this format. It is asked for every path, before
            anything is read, so it should look at the name first, and then at the first bytes only.
        read: the runs of a recognised path. Damage is reported in `Run.problems`; `UserError` is for a path without
            any run. `Run.directory` is the directory of a run that has one of its own: it gives the run its name.
        scanned: whether a directory is searched for this format; if not, only the file itself can be given.
        belongs: patterns of the names of directories beside a recognised file that are part of its run, such as
            `checkpoint-*`; they are not searched.
        read_all: for a format that must see all its files to tell the runs apart: the runs of all recognised files
            below a root. It is used in place of `read` when a directory is searched, and names the runs itself.
    """

    name: str
    example: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, Request], Sequence[Run]]
    scanned: bool = True
    belongs: tuple[str, ...] = ()
    read_all: Callable[[Path, Sequence[Path], Request], Sequence[Run]] | None = None
