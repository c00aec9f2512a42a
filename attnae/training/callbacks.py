"""What a run logs, draws, saves and shows at the end of an epoch.

The callbacks run in the order in which `run.py` lists them: scalars, pictures, then the checkpoint. Everything up to
the epoch of a checkpoint has therefore been logged.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from attnae.evaluation.pictures import to_array
from attnae.evaluation.views import Views
from attnae.rundir.directory import UNFINISHED
from attnae.rundir.events import EventLogger
from attnae.rundir.record import Record
from attnae.tags import DIVERGED, KL_WEIGHT, LEARNING_RATE, STATUS, scalar
from attnae.training.module import AttentionVAE


class Diverged(Exception):
    """A metric became NaN or infinite; the message names the metric and the epoch."""

    def __init__(self, tag: str, epoch: int) -> None:
        super().__init__(f"{tag} became NaN or infinite in epoch {epoch}")


class EpochLog(Callback):
    """Logs the metrics of each epoch, with step = epoch from 1, and those of the test. Raises `Diverged`.

    `curves` maps each tag to {step: value}. It is saved in the checkpoint, so that it is complete after a resume.
    """

    def __init__(self, logger: EventLogger) -> None:
        self.logger = logger
        self.curves: dict[str, dict[int, float]] = {}

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: AttentionVAE) -> None:  # type: ignore[override]
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        metrics = pl_module.epoch_metrics("train") | pl_module.epoch_metrics("val") | {LEARNING_RATE: float(rate)}
        if pl_module.config.kl_warmup:
            metrics[KL_WEIGHT] = pl_module.kl_weight("train")
        self.write(metrics, trainer.current_epoch + 1)

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: AttentionVAE) -> None:  # type: ignore[override]
        self.write(pl_module.epoch_metrics("test"), trainer.current_epoch)

    def write(self, metrics: dict[str, float], step: int) -> None:
        """Log {tag: value} at this step; raises `Diverged` if a value is not finite."""
        self.logger.log_metrics(metrics, step)
        for tag, value in metrics.items():
            self.curves.setdefault(tag, {})[step] = value
        for tag, value in metrics.items():
            if not math.isfinite(value):
                self.logger.log_text(STATUS, DIVERGED, step)
                self.logger.save()
                raise Diverged(tag, step)

    def last(self) -> dict[str, float]:
        """The latest value of each tag."""
        return {tag: points[max(points)] for tag, points in self.curves.items()}

    def state_dict(self) -> dict[str, Any]:
        return {"curves": self.curves}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the curves, and log again the points that the logger drops because they have the step of the test."""
        self.curves = state_dict["curves"]
        for tag, points in self.curves.items():
            for step, value in points.items():
                if step >= (self.logger.purge_step or math.inf):
                    self.logger.log_metrics({tag: value}, step)


class EpochPictures(Callback):
    """Logs pictures every so many epochs, except after the last epoch, whose pictures the run draws at its end."""

    def __init__(self, logger: EventLogger, every: int) -> None:
        self.logger = logger
        self.every = every

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: AttentionVAE) -> None:  # type: ignore[override]
        epoch = trainer.current_epoch + 1
        if self.every and epoch % self.every == 0 and epoch != trainer.max_epochs and trainer.is_global_zero:
            log_pictures(self.logger, Views(pl_module.vae, trainer.datamodule), epoch)  # type: ignore[attr-defined]


def log_pictures(logger: EventLogger, views: Views, epoch: int) -> None:
    """Log the pictures of one epoch."""
    for tag, figure in views.figures().items():
        logger.log_picture(tag, to_array(figure), epoch)


class EpochCheckpoint(Callback):
    """Syncs the log to the disk, then writes the checkpoint, which replaces that of the epoch before."""

    def __init__(self, logger: EventLogger, path: Path) -> None:
        self.logger = logger
        self.path = path

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.logger.save()
        trainer.save_checkpoint(self.path, weights_only=False)


class EpochRecord(Callback):
    """Writes metrics.json: the latest metrics, and the time so far."""

    def __init__(self, record: Record, log: EpochLog) -> None:
        self.record = record
        self.epoch_log = log

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            self.record.write(UNFINISHED, self.epoch_log.last())


class EpochProgress(Callback):
    """Shows a progress bar for the whole run, with the loss and the time left, and a line for each finished epoch."""

    def __init__(self, log: EpochLog, console: Console) -> None:
        self.epoch_log = log
        self.console = console
        self.progress: Progress | None = None
        self._shown = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        assert trainer.max_epochs is not None
        batches = int(trainer.num_training_batches)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=self.console,
            transient=True,
            speed_estimate_period=120,
        )
        self.progress.start()
        self.task = self.progress.add_task(
            "", total=trainer.max_epochs * batches, completed=trainer.current_epoch * batches, loss="..."
        )

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        # Reading the loss waits for the device, so it is shown at most twice a second.
        if self.progress is None or time.monotonic() - self._shown < 0.5:
            return
        self._shown = time.monotonic()
        self.progress.update(
            self.task,
            completed=trainer.current_epoch * int(trainer.num_training_batches) + batch_idx + 1,
            description=f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}",
            loss=f"{float(outputs['loss']):.4f}",
        )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.progress is None:
            return
        last = self.epoch_log.last()
        self.progress.console.print(
            f"epoch {trainer.current_epoch + 1:>{len(str(trainer.max_epochs))}}/{trainer.max_epochs}"
            f"  train loss {last[scalar('train', 'loss')]:.4f}  val loss {last[scalar('val', 'loss')]:.4f}"
        )

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._stop()

    def _stop(self) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress = None
