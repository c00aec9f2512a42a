"""The directory of a study: its record, its lock, and how far each of its runs is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from attnae.config.plain_yaml import read_yaml
from attnae.errors import UserError
from attnae.rundir.directory import CONFIG, LOCK, read_metrics
from attnae.study.design import Design, PlannedRun, level_text
from attnae.study.file import read_design, write_design
from attnae.tags import DIVERGED, FINISHED

STUDY = "study.yaml"
LOG = "workers.log"
MISSING = "missing"
HALF_DONE = "half done"
ENDED = (FINISHED, DIVERGED)

# What may differ between two invocations of a study, or between its design and a run as it was resolved: where things
# are and how they look, not what is computed.
_FREE = {"log_dir", "name", "picture_every", "data_dir", "devices"}
_RESOLVED = {"image_size", "channels", "compile", "threads"}


@dataclass(frozen=True)
class RunState:
    """How far a run is: `missing`, `half done`, `finished` or `diverged`; its metrics.json."""

    status: str
    metrics: Mapping[str, Any]

    @property
    def seconds(self) -> float:
        """The time it has taken so far."""
        return float(self.metrics.get("wall_time_s", 0))


@contextmanager
def lock_study(design: Design) -> Iterator[None]:
    """The directory of the study, made, locked for this process, and holding the record of this design.

    Raises `UserError` where another process holds it, or it holds anything but this design or a part of it.
    """
    directory = design.directory
    check_record(design)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(directory / LOCK)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(f"{directory}: another process runs this study; wait, or choose another --name") from error
    except OSError as error:
        raise UserError(f"{directory} cannot be written to: {error.strerror}") from error
    try:
        check_record(design)  # it may have been written since we looked
        write_design(directory / STUDY, design)
        yield
    finally:
        lock.release()


def recorded_design(directory: Path) -> Design | None:
    """The design that the directory holds; None where nothing is there yet."""
    if (directory / STUDY).is_file():
        return read_design(directory / STUDY)
    if directory.is_dir() and not all(path.name.startswith(".") for path in directory.iterdir()):
        raise UserError(f"{directory} is not empty and holds no study: choose another --name")
    if directory.exists() and not directory.is_dir():
        raise UserError(f"{directory} is a file: choose another --name")
    return None


def check_record(design: Design) -> None:
    """`UserError` unless the directory is new, or holds this design, or one to which this one only adds runs."""
    recorded = recorded_design(design.directory)
    changes = [] if recorded is None else list(_changes(recorded, design))
    if changes:
        raise UserError(
            f"{design.directory} holds a study of another design ({'; '.join(changes)}): "
            f"go on with --study {design.directory / STUDY}, or choose another --name"
        )


def _changes(recorded: Design, asked: Design) -> Iterator[str]:
    """What the recorded runs have and the asked ones lack. More levels or seeds only add runs."""
    for factor in {**recorded.factors, **asked.factors}:
        if factor not in asked.factors or factor not in recorded.factors:
            yield f"{factor} is {'no factor now' if factor in recorded.factors else 'a new factor'}"
            continue
        if gone := [level_text(level) for level in recorded.factors[factor] if level not in asked.factors[factor]]:
            yield f"{factor} lacks {', '.join(gone)}"
    if missing_seeds := [str(seed) for seed in recorded.seeds if seed not in asked.seeds]:
        yield f"seeds lack {', '.join(missing_seeds)}"
    factors = {*recorded.factors, *asked.factors}
    before = recorded.shared_options()
    for option, value in asked.shared_options().items():
        if option not in _FREE | factors and value != before[option]:
            yield f"{option} was {before[option]} and is {value}"


def run_state(run: PlannedRun) -> RunState:
    """How far the run is; `UserError` where its directory holds a run of other options."""
    path = run.directory / CONFIG
    if not path.is_file():
        return RunState(MISSING, {})
    recorded, planned = read_yaml(path), run.config.plain()
    for option, value in planned.items():
        if option not in _FREE | _RESOLVED and recorded.get(option) != value:
            raise UserError(
                f"{run.directory} holds a run with {option} {recorded.get(option)}, the study has {value}: move it away"
            )
    metrics = read_metrics(run.directory)
    status = metrics.get("status")
    return RunState(status if status in ENDED else HALF_DONE, metrics)
