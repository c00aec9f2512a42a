"""What is known of the training of one run of a study: worker.json, which is there until the run has ended.

The worker that trains the run writes it, and holds the lock of the run at the same time. All others only read it. That
is all that workers and those who watch them have to know of one another.
"""

from __future__ import annotations

import json
import math
import os
import platform
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from attnae.files import write_text
from attnae.rundir.directory import LOCK

WORKER = "worker.json"
DIED = "the process that trained it ended without an error message: it was killed, or ran out of memory"


def this_process() -> str:
    """The name of this process, unique among the machines that share a study."""
    return f"{platform.node()}:{os.getpid()}"


@dataclass(frozen=True)
class Attempt:
    """How far a run is, and how often it has crashed.

    Attributes:
        process: the process that trains it, as `this_process` names it; empty: none.
        epoch: the number of epochs done; `loss` is the validation loss after them, NaN before the first.
        crashes: how often a worker died with the run, or the run raised an exception.
        message: why it crashed the last time, in one line.
    """

    process: str = ""
    epoch: int = 0
    loss: float = math.nan
    crashes: int = 0
    message: str = ""

    def crashed(self, message: str) -> Attempt:
        """The same after one more crash."""
        return replace(self, process="", crashes=self.crashes + 1, message=message)


def read_attempt(directory: Path) -> Attempt | None:
    """What worker.json of a run says; None where there is no such file, or it is damaged."""
    try:
        found = json.loads((directory / WORKER).read_text(encoding="utf-8"))
        loss = math.nan if found["loss"] is None else float(found["loss"])
        return Attempt(str(found["process"]), int(found["epoch"]), loss, int(found["crashes"]), str(found["message"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def write_attempt(directory: Path, attempt: Attempt) -> None:
    """Write worker.json of a run. JSON has no NaN: an unknown loss is null."""
    content = asdict(attempt) | {"loss": attempt.loss if math.isfinite(attempt.loss) else None}
    write_text(directory / WORKER, json.dumps(content) + "\n")


def forget_attempt(directory: Path) -> None:
    """The run has ended, or is to be tried anew."""
    (directory / WORKER).unlink(missing_ok=True)


def record_death(directory: Path, process: str, message: str) -> bool:
    """Record a crash of the run if `process`, which is dead, trained it and nobody else has taken it since."""
    attempt = read_attempt(directory)
    if attempt is None or attempt.process != process:
        return False
    try:
        with FileLock(directory / LOCK, timeout=0):
            attempt = read_attempt(directory)
            if attempt is None or attempt.process != process:
                return False
            write_attempt(directory, attempt.crashed(message))
    except Timeout:
        return False
    return True
