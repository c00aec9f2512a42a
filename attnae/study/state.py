"""The directory of a study: the record of its design, its lock, and the state of its runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from attnae.config import RunConfig, read_yaml, write_config
from attnae.errors import UserError
from attnae.rundir.directory import CONFIG, LOCK, read_metrics, run_lock
from attnae.rundir.locks import lock_error
from attnae.study.attempt import forget_attempt
from attnae.study.design import Design, PlannedRun
from attnae.study.designs import cell_key, cell_name, level_text
from attnae.study.file import read_design, write_design
from attnae.tags import DIVERGED, FINISHED

STUDY = "study.yaml"
LOG = "workers.log"
WAITING = "waiting"
HALF_DONE = "half done"
ENDED = (FINISHED, DIVERGED)

# These options may differ between two invocations of a study: they do not change what is computed. In a run they may
# also differ from the design once they have been resolved.
_FREE = {"log_dir", "name", "picture_every", "data_dir", "devices"}
_RESOLVED = {"image_size", "channels", "compile", "threads"}


@dataclass(frozen=True)
class RunState:
    """The state of a run: `waiting`, `half done`, `finished` or `diverged`, and the content of its metrics.json."""

    status: str
    metrics: Mapping[str, Any]

    @property
    def seconds(self) -> float:
        """The wall time of the run so far, in seconds."""
        return float(self.metrics.get("wall_time_s", 0))


@contextmanager
def lock_study(design: Design) -> Iterator[None]:
    """Make the directory of the study, lock it for this process, and write the design to it.

    Raises `UserError` if another process has locked it, or it holds something other than this design or a part of it.
    """
    directory = design.directory
    check_record(design)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(directory / LOCK)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(f"{directory}: another process runs this study; wait, or choose another --name") from error
    except (OSError, NotImplementedError) as error:
        raise lock_error(directory, error) from error
    try:
        check_record(design)  # another process may have written it before this one had the lock
        write_design(directory / STUDY, design)
        yield
    finally:
        lock.release()


def recorded_design(directory: Path) -> Design | None:
    """The design of the study in the directory; None if the directory is missing or empty."""
    if (directory / STUDY).is_file():
        return read_design(directory / STUDY)
    if directory.is_dir() and not all(path.name.startswith(".") for path in directory.iterdir()):
        raise UserError(f"{directory} is not empty and holds no study: choose another --name")
    if directory.exists() and not directory.is_dir():
        raise UserError(f"{directory} is a file: choose another --name")
    return None


def check_record(design: Design) -> None:
    """Raise `UserError` unless the directory is new, or holds a design to which this one at most adds runs."""
    recorded = recorded_design(design.directory)
    changes = [] if recorded is None else list(_changes(recorded, design))
    if changes:
        raise UserError(
            f"{design.directory} holds a study of another design ({'; '.join(changes)}): "
            f"continue it with --study {design.directory / STUDY}, or choose another --name"
        )


def _changes(recorded: Design, asked: Design) -> Iterator[str]:
    """The changes by which recorded runs would not belong to the new design. More levels, cells or seeds add runs."""
    for factor in {**recorded.factors, **asked.factors}:
        if factor not in asked.factors or factor not in recorded.factors:
            yield f"{factor} is {'no longer a factor' if factor in recorded.factors else 'a new factor'}"
            continue
        if gone := [level_text(level) for level in recorded.factors[factor] if level not in asked.factors[factor]]:
            yield f"{factor} lacks {_some(gone)}"
        drawn, wanted = (design.plan.ranges.get(factor, "a list") for design in (recorded, asked))
        if drawn != wanted:
            yield f"{factor} was {drawn} and is {wanted}"
    if recorded.factors.keys() == asked.factors.keys():
        cells = {cell_key(cell) for cell in asked.cells()}
        if missing := [cell_name(cell) for cell in recorded.cells() if cell_key(cell) not in cells]:
            yield f"it has {len(missing)} more cells, such as {missing[0]}"
    if recorded.until is not None or asked.until is not None:
        yield from _changed_plan(recorded, asked)
    elif bool(recorded.seeds) != bool(asked.seeds):
        yield (
            "its runs share seeds, and those of this command have a seed each"
            if recorded.seeds
            else "its runs have a seed each, and those of this command share seeds"
        )
    elif missing_seeds := [str(seed) for seed in recorded.seeds if seed not in asked.seeds]:
        yield f"seeds lack {', '.join(missing_seeds)}"
    elif recorded.replicates > asked.replicates:
        yield f"there were {recorded.replicates} replicates and are {asked.replicates}"
    if bool(recorded.replicates) and bool(asked.replicates) and recorded.base.seed != asked.base.seed:
        yield f"seed was {recorded.base.seed} and is {asked.base.seed}"
    factors = {*recorded.factors, *asked.factors}
    before = recorded.shared_options()
    for option, value in asked.shared_options().items():
        if option not in _FREE | factors and value != before.get(option):
            yield f"{option} was {before.get(option)} and is {value}"


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _changed_plan(recorded: Design, asked: Design) -> Iterator[str]:
    """Changes of what `--until decided` fixes before the first run."""
    if recorded.until is None or asked.until is None:
        yield "--until decided has to be planned before the first run, and the study was planned " + (
            "without it" if recorded.until is None else "with it"
        )
        return
    if recorded.replicates != asked.replicates:
        yield f"max_replicates was {recorded.replicates} and is {asked.replicates}"
    if set(recorded.until.factors) != set(asked.until.factors):
        yield f"factors_of_interest were {', '.join(recorded.until.factors)} and are {', '.join(asked.until.factors)}"
    if recorded.until.negligible != asked.until.negligible:
        yield f"negligible was {recorded.until.negligible} and is {asked.until.negligible}"
    if len(recorded.cells()) < len(asked.cells()):
        yield "its cells were fixed before the first run, and there are new ones"


def run_state(run: PlannedRun) -> RunState:
    """The state of the run; `UserError` if its directory holds a run with other options."""
    path = run.directory / CONFIG
    if path.is_file():
        # A run of an earlier version does not record the options that it did not have: it has their defaults.
        recorded, planned = RunConfig().plain() | read_yaml(path), run.config.plain()
        for option, value in planned.items():
            if option not in _FREE | _RESOLVED and recorded.get(option) != value:
                raise UserError(
                    f"{run.directory} holds a run with {option} {recorded.get(option)}, but the study has "
                    f"{value}: move it away"
                )
    return read_state(run)


def read_state(run: PlannedRun) -> RunState:
    """The state of the run, without a look at its options."""
    metrics = read_metrics(run.directory)
    status = metrics.get("status")
    if status in ENDED:
        return RunState(str(status), metrics)
    return RunState(HALF_DONE if metrics else WAITING, metrics)


def to_do(runs: Iterable[PlannedRun]) -> list[PlannedRun]:
    """The runs that have not ended, in the order of the design, but half-done runs first."""
    states = [(read_state(run).status, run) for run in runs]
    return [run for wanted in (HALF_DONE, WAITING) for status, run in states if status == wanted]


def make_directory(run: PlannedRun) -> None:
    """Make the directory of a run with its config.yaml, unless it is there."""
    run.directory.mkdir(exist_ok=True)
    if not (run.directory / CONFIG).is_file():
        write_config(run.directory / CONFIG, run.config)


def prepare_runs(runs: Sequence[PlannedRun]) -> None:
    """Make the directories of the runs with their config.yaml, so that any worker can train them.

    Runs that failed before are to be tried again.
    """
    for run in runs:
        make_directory(run)
        try:
            with run_lock(run.directory).acquire(timeout=0):
                forget_attempt(run.directory)
        except Timeout:
            continue  # another worker trains it already
