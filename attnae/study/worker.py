"""A worker: it trains the next run of a study that has not ended and is not locked, and goes on until none is left.

Workers need nothing but the directory of the study, so there may be any number of them, on any machine that shares it,
started by anything: `train.py --study`, a shell, an array job of a scheduler.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from attnae.config import write_config
from attnae.errors import UserError
from attnae.process import LAUNCHER_VARIABLES, Stopped, stop_on_signals
from attnae.rundir.directory import CONFIG, read_metrics, read_unfinished, run_lock
from attnae.rundir.locks import lock_error
from attnae.study.attempt import DIED, Attempt, forget_attempt, read_attempt, this_process, write_attempt
from attnae.study.design import Design, PlannedRun
from attnae.study.file import read_design
from attnae.study.sequential import advance, open_runs
from attnae.study.state import ENDED, LOG, STUDY, to_do
from attnae.tags import DIVERGED

POLL_S = 0.5
STOP_WITHIN_S = 30.0


@dataclass(frozen=True)
class WorkOptions:
    """What a worker does.

    Attributes:
        directory: the directory of the study.
        data_dir: the directory of the images; None: as the study records it.
        retries: how often a run that crashed is tried again, by whichever worker.
        max_runs: the number of runs to train at most; None: no limit.
        deadline: the time, in seconds since 1970, at which to stop, so that the run can be resumed; None: never.
        stop_on_failure: take no further run once one has failed for good.
        wait: wait for the runs that others train, which may crash, instead of leaving when no run can be taken.
        parent: the process without which this one ends; None: it ends by itself.
    """

    directory: Path
    data_dir: Path | None = None
    retries: int = 2
    max_runs: int | None = None
    deadline: float | None = None
    stop_on_failure: bool = False
    wait: bool = False
    parent: int | None = None

    def to_json(self) -> str:
        """As the argument of `python -m attnae.study.worker`."""
        plain = asdict(self)
        return json.dumps({name: str(value) if isinstance(value, Path) else value for name, value in plain.items()})

    @classmethod
    def from_json(cls, text: str) -> WorkOptions:
        """The options that `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        for name, value in values.items():
            values[name] = Path(value) if isinstance(value, str) else value
        return cls(**values)


class Crash(Exception):
    """A run raised an exception, which is recorded. What it left of this process must not reach the next run."""


def work(options: WorkOptions, tell: Callable[[str], None] = lambda line: None) -> int:
    """Train runs until none can be taken, or a limit of `options` is reached; the number of runs that ended.

    Args:
        tell: is called with a line for each run that is taken, and that ends.

    Raises:
        UserError: there is no study in the directory.
        Crash: a run raised; `max_runs` of the next worker should be less by the runs that this one has ended.
        Stopped: by SIGINT or SIGTERM, or at the deadline.
    """
    queue = Queue(options)
    ended = 0
    while (options.max_runs is None or ended < options.max_runs) and (run := queue.take(tell)) is not None:
        try:
            tell(f"training {run.name}")
            status = _train(run, queue.attempt)
        except Exception as error:
            queue.crashed(error)
            tell(f"crashed  {run.name}  {describe_error(error)}")
            raise Crash(ended) from error
        except Stopped:
            queue.give_back()
            raise
        queue.ended()
        ended += 1
        tell(f"{status} {run.name}")
        queue.advance(tell)
    return ended


class Queue:
    """The runs of a study that have not ended, and the one of them that this process trains, which it has locked."""

    def __init__(self, options: WorkOptions) -> None:
        self.options = options
        self.design = planned_design(options.directory, options.data_dir)
        self.open = to_do(open_runs(self.design))
        self.attempt = Attempt()
        self._taken: tuple[PlannedRun, FileLock] | None = None

    def advance(self, tell: Callable[[str], None]) -> bool:
        """Take the looks that are due, if the study has looks; whether there are more runs now, by whoever's look."""
        if self.design.until is None:
            return False
        for line in advance(self.design):
            tell(line)
        before = {run.name for run in self.open}
        self.open = to_do(open_runs(self.design))
        return any(run.name not in before for run in self.open)

    def take(self, tell: Callable[[str], None] = lambda line: None) -> PlannedRun | None:
        """The next run, locked, or None if none is left for this worker."""
        # The next replicate may depend on the runs that others train.
        wait = self.options.wait or self.design.until is not None
        while not (self.options.stop_on_failure and self._any_failed()):
            others = False
            for run in list(self.open):
                lock = run_lock(run.directory)
                try:
                    lock.acquire(timeout=0)
                except Timeout:
                    others = True
                    continue
                except (OSError, NotImplementedError) as error:
                    raise lock_error(run.directory, error) from error
                if self._claim(run):
                    self._taken = run, lock
                    return run
                lock.release()
            if others and wait:
                time.sleep(POLL_S)
            elif not self.advance(tell):
                break
        return None

    def _any_failed(self) -> bool:
        attempts = (read_attempt(run.directory) for run in self.open)
        return any(attempt is not None and attempt.crashes > self.options.retries for attempt in attempts)

    def _claim(self, run: PlannedRun) -> bool:
        """Take a run that this process has locked, unless it has ended or failed since."""
        if read_metrics(run.directory).get("status") in ENDED:
            self.open.remove(run)
            return False
        attempt = read_attempt(run.directory) or Attempt()
        if attempt.process:  # whoever trained it is dead, since we hold the lock
            attempt = attempt.crashed(DIED)
            write_attempt(run.directory, attempt)
        if attempt.crashes > self.options.retries:
            return False
        self.attempt = replace(attempt, process=this_process())
        write_attempt(run.directory, self.attempt)
        return True

    def ended(self) -> None:
        """The run has finished or diverged."""
        with self._released() as run:
            forget_attempt(run.directory)
            self.open.remove(run)

    def give_back(self) -> None:
        """The run was interrupted and can be resumed."""
        with self._released() as run:
            write_attempt(run.directory, replace(read_attempt(run.directory) or self.attempt, process=""))

    def crashed(self, error: Exception) -> None:
        """The run raised; the traceback goes to the log of the study."""
        with self._released() as run:
            attempt = read_attempt(run.directory) or self.attempt
            write_attempt(run.directory, attempt.crashed(describe_error(error)))
            with (self.options.directory / LOG).open("a", encoding="utf-8") as log:
                log.write(f"\n{run.name}:\n{''.join(traceback.format_exception(error))}")

    @contextlib.contextmanager
    def _released(self) -> Iterator[PlannedRun]:
        assert self._taken is not None
        run, lock = self._taken
        try:
            yield run
        finally:
            self._taken = None
            lock.release()


def planned_runs(directory: Path, data_dir: Path | None = None) -> list[PlannedRun]:
    """The runs of the study in a directory, wherever the directory is now. `UserError` if there is no study."""
    return planned_design(directory, data_dir).runs()


def planned_design(directory: Path, data_dir: Path | None = None) -> Design:
    """The design of the study in a directory, wherever the directory is now. `UserError` if there is no study."""
    if not (directory / STUDY).is_file():
        raise UserError(
            f"{directory} holds no study on this machine: give one that `train.py --study` has made, on storage that "
            "all machines share"
        )
    design = read_design(directory / STUDY)
    base = design.base.replace(log_dir=directory.parent, name=directory.name, data_dir=data_dir or design.base.data_dir)
    return replace(design, base=base)


def _train(run: PlannedRun, attempt: Attempt) -> str:
    """Train a run of a study, or resume it, and return how it ended."""
    import pytorch_lightning as pl
    import torch
    from pytorch_lightning.callbacks import Callback

    from attnae.tags import scalar
    from attnae.training.callbacks import EpochLog
    from attnae.training.run import train

    class Progress(Callback):
        """Says in worker.json how far the run is."""

        def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            write_attempt(run.directory, replace(attempt, epoch=trainer.current_epoch))

        def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            log = next(callback for callback in trainer.callbacks if isinstance(callback, EpochLog))  # type: ignore[attr-defined]
            loss = log.last().get(scalar("val", "loss"), math.nan)
            write_attempt(run.directory, replace(attempt, epoch=trainer.current_epoch + 1, loss=loss))

    if not (run.directory / CONFIG).is_file():
        write_config(run.directory / CONFIG, run.config)
    recorded = read_unfinished(run.directory)
    config = recorded.replace(data_dir=run.config.data_dir, picture_every=run.config.picture_every)
    # The compiler stops compiling a function after a few models, but a worker trains many.
    torch.compiler.reset()
    return train(config, resume=run.directory, callbacks=[Progress()], varied=run.cell).status


def describe_error(error: BaseException) -> str:
    """The type and the first line of an exception; of a `UserError` the message alone."""
    lines = str(error).strip().splitlines() or [""]
    return lines[0] if isinstance(error, UserError) else f"{type(error).__name__}: {lines[0]}"


def serve(options: WorkOptions, tell: Callable[[str], None]) -> int:
    """Work in this process, and after a crash in a fresh one that takes its place.

    The deadline, or the end of the parent, stops the run as SIGTERM does. Returns the exit code: 1 if by then a run of
    the study has failed or diverged, otherwise 0.
    """
    with stop_on_signals():
        threading.Thread(target=_watch, args=(options,), daemon=True).start()
        try:
            work(options, tell)
        except Crash as crash:
            left = None if options.max_runs is None else options.max_runs - 1 - int(crash.args[0])
            if left != 0:
                sys.stdout.flush()
                sys.stderr.flush()
                command, environment = worker_process(replace(options, max_runs=left))
                os.execve(command[0], command, environment)
        except Stopped:
            if options.deadline is None or time.time() < options.deadline:
                raise
            tell("the time limit is reached; the run can be resumed")
    return int(_any_failed_or_diverged(options))


def _any_failed_or_diverged(options: WorkOptions) -> bool:
    for run in planned_runs(options.directory):
        attempt = read_attempt(run.directory)
        failed = attempt is not None and attempt.crashes > options.retries
        if failed or read_metrics(run.directory).get("status") == DIVERGED:
            return True
    return False


def worker_process(options: WorkOptions) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment of a worker in a process of its own.

    It imports this very package, also where that is not installed, and does not take itself for a part of the job of a
    launcher such as SLURM.
    """
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    kept = {name: value for name, value in os.environ.items() if not LAUNCHER_VARIABLES.fullmatch(name)}
    return [sys.executable, "-m", "attnae.study.worker", options.to_json()], kept | {"PYTHONPATH": path}


def _watch(options: WorkOptions) -> None:
    """Stop this process at the deadline, or when its parent is gone."""
    while True:
        gone = options.parent is not None and os.getppid() != options.parent
        if gone or (options.deadline is not None and time.time() >= options.deadline):
            break
        time.sleep(POLL_S)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_WITHIN_S)
    os._exit(1)


def main() -> int:
    """`python -m attnae.study.worker OPTIONS`: how one worker starts another."""
    try:
        return serve(WorkOptions.from_json(sys.argv[1]), lambda line: print(line, flush=True))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Stopped as stop:
        return stop.exit_code


if __name__ == "__main__":
    sys.exit(main())
