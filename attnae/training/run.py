"""One run: everything is prepared and checked, then a directory is claimed, then it trains, is tested and drawn."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pytorch_lightning as pl
import torch
from PIL import Image
from pytorch_lightning.callbacks import Callback
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from attnae.config import RunConfig, read_config, write_config
from attnae.data.module import check_ranks
from attnae.errors import UserError
from attnae.evaluation.pictures import to_array
from attnae.evaluation.quality import quality_metrics, quality_tags
from attnae.evaluation.views import Views
from attnae.files import WriteError, write_atomically
from attnae.process import STOPPING, Stopped, set_handlers, stop_on_signals
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
from attnae.training.load import OtherLoad
from attnae.training.prepare import Prepared, check_before_download, needs_download, prepare
from attnae.training.summary import model_markdown
from attnae.training.trainer import StopChildProcesses, lightning_silenced, trainer_in_its_environment


def train(
    config: RunConfig,
    *,
    resume: Path | None = None,
    console: Console | None = None,
    callbacks: Sequence[Callback] = (),
    varied: Collection[str] = (),
) -> RunResult:
    """Train and test one model; `resume` is the directory of a run to go on with, by its own options.

    `config` holds the options of the run; those of a resumed run are what `read_unfinished` returns. Progress is
    printed to `console`, which is made quiet in processes other than the main one; None prints nothing. TensorBoard's
    HParams page has the options in `varied` first, or else those that differ from their defaults. Raises
    `UserError` for a mistake of the user's, before anything is written where it can be known that early, and `Stopped`
    on SIGINT and SIGTERM; the directory can then be resumed.

    The process is left as it was: its warning filters, its logging levels, its environment variables, PyTorch's number
    of threads and its global random generators (of the CPU and the device used). What stays changed: glibc's allocator
    keeps freed memory (see `keep_freed_memory`), and PyTorch's generators of other GPUs have been seeded. Signal
    handlers, warning filters and environment variables belong to the whole process, so call this from one thread at a
    time.
    """
    keep_freed_memory()
    load = OtherLoad()
    console = console or Console(quiet=True)
    with (
        stop_on_signals(),
        lightning_silenced(),
        trainer_in_its_environment(config) as trainer,
        _one_voice(trainer),
        _process_settings_restored(trainer.strategy.root_device),
    ):
        if not trainer.is_global_zero:
            console.quiet = True
        if resume is None and needs_download(config):
            check_before_download(config, trainer.world_size)
            if trainer.is_global_zero:
                check_place(config)
        prepared = _prepared(config, trainer)
        config = prepared.config
        check_ranks(config.batch_size, prepared.data.sizes["train"], trainer.world_size)
        if not trainer.is_global_zero:
            begun = None if resume is None else read_config(resume / CONFIG)
            return _fit_and_test(prepared, trainer, resume or config.log_dir, begun, console, callbacks, varied)
        # That the machine is busy is shown and not recorded: it changes no number.
        for warning in filter(None, (*prepared.warnings, load.warning(config.threads or 1))):
            _show_warning(console, warning)
        directory = resume or make_run_directory(config)
        with locked(directory):
            begun = None if resume is None else read_unfinished(resume)  # it may have ended since we looked
            return _fit_and_test(prepared, trainer, directory, begun, console, callbacks, varied)


def _prepared(config: RunConfig, trainer: pl.Trainer) -> Prepared:
    """`prepare` for this trainer; its options and warnings name the precision that is really used."""
    device, used = trainer.strategy.root_device.type, str(trainer.precision)
    prepared = prepare(config.replace(precision=used), device)
    warnings = []
    if used != config.precision:
        warnings.append(
            f"--precision {config.precision} is not available on a {device} device: {used} is used instead."
        )
    if trainer.world_size > 1:
        warnings.append(
            f"Each of the {trainer.world_size} devices trains on {config.batch_size // trainer.world_size} images of a "
            "batch, and batch norm uses only these: the numbers differ from those of a single device."
        )
    return dataclasses.replace(prepared, warnings=(*warnings, *prepared.warnings))


def _fit_and_test(
    prepared: Prepared,
    trainer: pl.Trainer,
    directory: Path,
    begun: RunConfig | None,
    console: Console,
    callbacks: Sequence[Callback],
    varied: Collection[str],
) -> RunResult:
    """Train, test and draw; `begun` holds the options by which a resumed run was trained until now."""
    config, resuming = prepared.config, begun is not None
    checkpoint = directory / CHECKPOINT if resuming and (directory / CHECKPOINT).exists() else None
    done = 0 if checkpoint is None else epochs_done(checkpoint, prepared.module)
    # What the last invocation logged after its last checkpoint is dropped; after the last epoch, that is the test.
    purge_step = min(done + 1, config.epochs) if resuming else None
    logger = EventLogger(directory, purge_step, varied=(*(varied or config.changed()), "seed"))
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
    if begun is not None:
        record.check_images()
        if done:
            record.note_resume(done, begun)

    def warn(message: str) -> None:
        """Of what is found out only while it trains; the options may have changed with it."""
        if trainer.is_global_zero:
            _show_warning(console, message)
            record.facts["warnings"].append(message)
            if done:
                record.note_changes(done, {"compile": config.compile}, {"compile": prepared.module.config.compile})
            write_config(directory / CONFIG, prepared.module.config)

    prepared.module.warn = warn
    try:
        return _from_first_to_last(prepared, trainer, record, log, checkpoint, console)
    except WriteError as error:  # any other OSError is of a callback, the compiler or the network
        going_on = f"; then go on with --resume {directory}" if (directory / CONFIG).is_file() else ""
        raise UserError(f"{directory} cannot be written to: {error.strerror or error}{going_on}") from error
    except Stopped as stop:
        if trainer.is_global_zero:
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
        if trainer.is_global_zero:
            # What a resumed run changes is recorded before config.yaml holds the new values.
            record.write(UNFINISHED, record.before.get("metrics", {}))
            write_config(directory / CONFIG, config)
            logger.log_hyperparams(
                config.plain() | {"name": directory.name.encode(errors="backslashreplace").decode()},
                FINAL_METRICS + quality_tags(config, data),
            )
            logger.log_text(MODEL_SUMMARY, model_markdown(module))
            doing = "Training" if logger.purge_step is None else "Resuming"
            console.print(f"{doing} {directory}: {record.title}", soft_wrap=True)
        trainer.callbacks.append(StopChildProcesses(trainer, console))  # type: ignore[attr-defined]
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


def _show_warning(console: Console, message: str) -> None:
    console.print(Panel(Text(message), title="Warning", style="bold yellow"))


@contextlib.contextmanager
def _one_voice(trainer: pl.Trainer) -> Iterator[None]:
    """Of the processes that train together only the main one prints that they were stopped."""
    try:
        yield
    except Stopped as stop:
        if not trainer.is_global_zero:
            # The main process passes its signal on, also where Ctrl-C has reached all of them.
            set_handlers(dict.fromkeys(STOPPING, signal.SIG_IGN))
            stop.quiet = True
        raise


@contextlib.contextmanager
def _process_settings_restored(device: torch.device) -> Iterator[None]:
    """Afterwards PyTorch has its number of threads again, and its global generators the state they had."""
    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        torch.set_num_threads(threads)
