"""Training one run of a study: the function that every launcher calls in its workers."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytorch_lightning as pl
import torch
from filelock import FileLock, Timeout
from pytorch_lightning.callbacks import Callback

from attnae.config import write_config
from attnae.errors import UserError
from attnae.rundir.directory import CONFIG, LOCK, read_metrics, read_unfinished
from attnae.study.design import PlannedRun
from attnae.study.events import Ending
from attnae.study.state import ENDED, STUDY
from attnae.tags import scalar
from attnae.training.callbacks import EpochLog
from attnae.training.run import train

# The lock of a killed worker is released with it; on network storage only when the server notices.
LOCK_PATIENCE_S = 120.0

Report = Callable[[int, float], None]  # (epochs done, validation loss; NaN: none yet)


class EpochReport(Callback):
    """Calls `report` when training starts or resumes, and at the end of each epoch."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.report(trainer.current_epoch, math.nan)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        log = next(callback for callback in trainer.callbacks if isinstance(callback, EpochLog))  # type: ignore[attr-defined]
        self.report(trainer.current_epoch + 1, log.last()[scalar("val", "loss")])


def train_planned(run: PlannedRun, report: Report) -> Ending:
    """Train a run of a study, or resume it, and return how it ended. A run that has ended is not trained again.

    Raises what `train` raises, and `UserError` if the directory of the study is not on this machine.
    """
    directory = run.directory
    if not (directory.parent / STUDY).is_file():
        raise UserError(f"{directory.parent} is not on this machine: put --log-dir on storage that all machines share")
    directory.mkdir(exist_ok=True)
    _await_lock(directory)
    status = read_metrics(directory).get("status")
    if status not in ENDED:
        if not (directory / CONFIG).is_file():
            write_config(directory / CONFIG, run.config)
        config = read_unfinished(directory).replace(
            data_dir=run.config.data_dir, picture_every=run.config.picture_every
        )
        # The compiler stops compiling a function after a few models, but a worker trains many.
        torch.compiler.reset()
        status = train(config, resume=directory, callbacks=[EpochReport(report)]).status
    return cast(Ending, status)


def describe_error(error: BaseException) -> str:
    """The type and the first line of an exception; of a `UserError` the message alone."""
    lines = str(error).strip().splitlines() or [""]
    return lines[0] if isinstance(error, UserError) else f"{type(error).__name__}: {lines[0]}"


def _await_lock(directory: Path) -> None:
    """Wait until no other process trains the run; if one still does after the time limit, `train` raises the error."""
    with contextlib.suppress(Timeout), FileLock(directory / LOCK, timeout=LOCK_PATIENCE_S):
        pass
