"""One run: everything is prepared and checked, then a directory is claimed, then it trains, is tested and drawn."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytorch_lightning as pl
import torch
from PIL import Image
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities import rank_zero_only
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from attnae.config import RunConfig
from attnae.config.files import write_config
from attnae.data.module import check_ranks
from attnae.errors import UserError
from attnae.evaluation.pictures import to_array
from attnae.evaluation.quality import quality_metrics, quality_tags
from attnae.evaluation.views import Views
from attnae.files import write_atomically
from attnae.process import Stopped, stop_on_signals
from attnae.rundir.checkpoint import CHECKPOINT, epochs_done
from attnae.rundir.directory import (
    CONFIG,
    FIGURE,
    UNFINISHED,
    check_place,
    locked,
    make_run_directory,
    read_unfinished,
)
from attnae.rundir.events import EventLogger
from attnae.rundir.record import Record, RunResult
from attnae.tags import DIVERGED, FINAL_METRICS, FINISHED, MODEL_SUMMARY, STATUS
from attnae.training.allocator import keep_freed_memory
from attnae.training.callbacks import (
    Diverged,
    EpochCheckpoint,
    EpochLog,
    EpochPictures,
    EpochProgress,
    EpochRecord,
    log_pictures,
)
from attnae.training.prepare import Prepared, check_before_download, needs_download, prepare
from attnae.training.summary import model_markdown
from attnae.training.trainer import Together, make_trainer, silence_lightning


def is_main_process() -> bool:
    """Whether this is rank 0, known before anything is started: the only one that names, locks, writes and prints."""
    return getattr(rank_zero_only, "rank", 0) == 0


def train(
    config: RunConfig,
    *,
    resume: Path | None = None,
    console: Console | None = None,
    callbacks: Sequence[Callback] = (),
) -> RunResult:
    """Train and test one model; `resume` is the directory of a run to go on with, by its own options.

    `config` holds the options of the run, in a resumed one as `read_unfinished` gave them. What it shows goes to
    `console`; None shows nothing. Raises `UserError` for what the user can mend, before anything is written where
    that can be known, and `Stopped` on SIGINT and SIGTERM; the directory can then be resumed.
    """
    silence_lightning()
    keep_freed_memory()
    console = console or Console(quiet=True)
    with stop_on_signals(), _one_voice(), _threads_kept():
        trainer = make_trainer(config)
        if resume is None and needs_download(config):
            check_before_download(config, trainer.world_size)
            if is_main_process():
                check_place(config)
        prepared = prepare(config)
        config = prepared.config
        check_ranks(config.batch_size, prepared.data.sizes["train"], trainer.world_size)
        if not is_main_process():
            return _fit_and_test(prepared, trainer, resume or config.log_dir, resume is not None, console, callbacks)
        for warning in prepared.warnings:
            console.print(Panel(Text(warning), title="Warning", style="bold yellow"))
        directory = resume or make_run_directory(config)
        with locked(directory):
            if resume is not None:
                read_unfinished(resume)  # it may have ended since we looked
            return _fit_and_test(prepared, trainer, directory, resume is not None, console, callbacks)


def _fit_and_test(
    prepared: Prepared,
    trainer: pl.Trainer,
    directory: Path,
    resuming: bool,
    console: Console,
    callbacks: Sequence[Callback],
) -> RunResult:
    config = prepared.config
    checkpoint = directory / CHECKPOINT if resuming and (directory / CHECKPOINT).exists() else None
    done = 0 if checkpoint is None else epochs_done(checkpoint, prepared.module)
    # What the last invocation logged after its last checkpoint is dropped; after the last epoch, that is the test.
    logger = EventLogger(directory, purge_step=min(done + 1, config.epochs) if resuming else None)
    log = EpochLog(logger)
    record = Record(
        directory,
        config,
        parameters=sum(weight.numel() for weight in prepared.module.vae.parameters()),
        checksum=prepared.data.checksum,
        sizes=prepared.data.sizes,
        warnings=prepared.warnings,
        device=trainer.strategy.root_device,
    )
    trainer.loggers = [logger]
    trainer.callbacks += [  # type: ignore[attr-defined]
        log,
        EpochPictures(logger, config.picture_every),
        EpochCheckpoint(logger, directory / CHECKPOINT),
        EpochRecord(record, log),
        *callbacks,
        EpochProgress(log, console),
    ]
    if resuming:
        record.check_images()
    try:
        return _from_first_to_last(prepared, trainer, record, log, checkpoint, console)
    except OSError as error:
        going_on = f"; then go on with --resume {directory}" if (directory / CONFIG).is_file() else ""
        raise UserError(f"{directory} cannot be written to: {error.strerror or error}{going_on}") from error
    except Stopped as stop:
        if is_main_process():
            stop.resumable = directory
            with contextlib.suppress(OSError):  # what it was stopped for may be a full disk
                record.write(UNFINISHED, log.last())
        raise
    finally:
        logger.close()


def _from_first_to_last(
    prepared: Prepared,
    trainer: pl.Trainer,
    record: Record,
    log: EpochLog,
    checkpoint: Path | None,
    console: Console,
) -> RunResult:
    """The part of a run that writes."""
    config, data, module = prepared.config, prepared.data, prepared.module
    directory, logger = record.directory, log.logger
    try:
        if is_main_process():
            write_config(directory / CONFIG, config)
            record.write(UNFINISHED, record.before.get("metrics", {}))
            logger.log_hyperparams(
                config.plain() | {"name": directory.name.encode(errors="backslashreplace").decode()},
                FINAL_METRICS + quality_tags(config, data),
            )
            logger.log_text(MODEL_SUMMARY, model_markdown(module))
            doing = "Training" if logger.purge_step is None else "Resuming"
            console.print(f"{doing} {directory}: {record.title}", soft_wrap=True)
        trainer.callbacks.append(Together(trainer, console))  # type: ignore[attr-defined]
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint)
        trainer.test(module, datamodule=data, verbose=False)
        if trainer.is_global_zero:
            module.to(trainer.strategy.root_device)  # the test leaves it on the CPU
            log.write(quality_metrics(module.vae, data, config), config.epochs)
            views = Views(module.vae, data)
            log_pictures(logger, views, config.epochs)
            with write_atomically(directory / FIGURE) as file:
                Image.fromarray(to_array(views.article_figure(log.curves, record.title))).save(file, format="png")
            logger.log_text(STATUS, FINISHED, config.epochs)
            logger.save()
            record.write(FINISHED, log.last())
        return RunResult(FINISHED, directory, log.last())
    except Diverged as error:
        if trainer.is_global_zero:
            record.write(DIVERGED, log.last(), reason=str(error))
        return RunResult(DIVERGED, directory, log.last())


@contextlib.contextmanager
def _one_voice() -> Iterator[None]:
    """Of the processes that train together only the main one says that they were stopped."""
    try:
        yield
    except Stopped as stop:
        stop.quiet = not is_main_process()
        raise


@contextlib.contextmanager
def _threads_kept() -> Iterator[None]:
    """The run's threads are its own: the process has its number again afterwards."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
