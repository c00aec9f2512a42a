"""One run: everything is prepared and checked, then a directory is claimed, then it trains, is tested and drawn."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from PIL import Image
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.model_summary import ModelSummary
from rich.console import Console
from rich.panel import Panel

from attnae.config import RunConfig
from attnae.errors import UserError
from attnae.files import write_atomically
from attnae.options import as_yaml, write_config
from attnae.tags import DIVERGED, FINAL_METRICS, FINISHED, MODEL_SUMMARY, STATUS
from attnae.training.callbacks import (
    Diverged,
    EpochCheckpoint,
    EpochLog,
    EpochPictures,
    EpochProgress,
    log_pictures,
)
from attnae.training.checkpoint import CHECKPOINT, AtomicCheckpointIO, read_checkpoint
from attnae.training.compilation import has_compiler, pays_back
from attnae.training.data import ImageData
from attnae.training.directory import (
    CONFIG,
    FIGURE,
    UNFINISHED,
    locked,
    make_run_directory,
    read_metrics,
    read_unfinished,
    write_metrics,
)
from attnae.training.event_logger import EventLogger
from attnae.training.module import AttentionVAE
from attnae.training.pictures import to_array
from attnae.training.provenance import git_commit, host, versions
from attnae.signals import Stopped, stop_on_signals
from attnae.training.sources import AUTO_LAYOUTS, DATASETS, MNIST, resolve_auto
from attnae.training.views import Views


@dataclass(frozen=True)
class RunResult:
    """How a run ended: `finished` or `diverged`, where it is, and the latest value of each metric by tag."""

    status: str
    directory: Path
    metrics: dict[str, float]


@dataclass(frozen=True)
class Prepared:
    """A run that can start: its options resolved, its images in memory, its model built."""

    config: RunConfig
    data: ImageData
    module: AttentionVAE
    warnings: tuple[str, ...]


def prepare(config: RunConfig) -> Prepared:
    """Resolve what depends on the machine and the data, and build. Writes nothing but a downloaded data set.

    Raises `UserError` for images that are missing or broken, or a model that does not fit them.
    """
    warnings = []
    if config.dataset == "auto":
        name, warning = resolve_auto(config.data_dir)
        config = config.replace(dataset=name)
        warnings += [warning] if warning else []
    images = DATASETS[config.dataset].load(config.data_dir, config.image_size, config.channels)
    _, channels, size, _ = images.train.images.shape
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    data = ImageData(
        images,
        batch_size=config.batch_size,
        val_size=config.val_size,
        limit_train=config.limit_train,
        limit_test=config.limit_test,
        seed=config.seed,
    )
    config = config.replace(image_size=size, channels=channels, threads=torch.get_num_threads())
    if config.compile == "on" and not has_compiler():
        warnings.append("--compile on: no C++ compiler is installed (such as g++), so nothing is compiled.")
    config = config.replace(compile="on" if pays_back(config, data.sizes["train"]) and has_compiler() else "off")
    return Prepared(config, data, build(config), tuple(warnings))


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
    _silence_lightning()
    prepared = prepare(config)
    config, is_main = prepared.config, rank_zero_only.rank == 0
    console = console if console is not None and is_main else Console(quiet=True)
    trainer = _trainer(config)
    with stop_on_signals():
        if not is_main:
            return _fit_and_test(prepared, trainer, resume or config.log_dir, resume is not None, console, callbacks)
        for warning in prepared.warnings:
            console.print(Panel(warning, title="Warning", style="bold yellow"))
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
    config, data, module = prepared.config, prepared.data, prepared.module
    checkpoint = directory / CHECKPOINT if resuming and (directory / CHECKPOINT).exists() else None
    done = 0 if checkpoint is None else int(read_checkpoint(checkpoint)["epoch"]) + 1
    logger = EventLogger(directory, purge_step=done + 1 if resuming else None)
    log = EpochLog(logger)
    trainer.loggers = [logger]
    trainer.callbacks += [  # type: ignore[attr-defined]
        log,
        EpochPictures(logger, config.picture_every),
        EpochCheckpoint(logger, directory / CHECKPOINT),
        *callbacks,
        EpochProgress(log, console),
    ]
    record = _Record(directory, prepared)
    try:
        if rank_zero_only.rank == 0:
            write_config(directory / CONFIG, config)
            record.write(UNFINISHED, {})
            logger.log_hyperparams(config.plain(), FINAL_METRICS)
            logger.experiment.add_text(MODEL_SUMMARY, f"```\n{ModelSummary(module, max_depth=3)}\n```")
            console.print(f"{'Resuming' if resuming else 'Training'} {directory}: {record.title}", highlight=False)
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint)
        trainer.test(module, datamodule=data, verbose=False)
        if trainer.is_global_zero:
            views = Views(module.vae, data)
            log_pictures(logger, views, config.epochs)
            with write_atomically(directory / FIGURE) as file:
                Image.fromarray(to_array(views.article_figure(log.curves, record.title))).save(file, format="png")
            logger.experiment.add_text(STATUS, FINISHED, config.epochs)
            logger.save()
            record.write(FINISHED, log.last())
        return RunResult(FINISHED, directory, log.last())
    except Diverged as error:
        if trainer.is_global_zero:
            record.write(DIVERGED, log.last(), reason=str(error))
        return RunResult(DIVERGED, directory, log.last())
    except Stopped as stop:
        if (kill := getattr(trainer.strategy.launcher, "kill", None)) is not None:
            kill(stop.signum)
        raise
    finally:
        logger.close()


def describe(config: RunConfig, console: Console) -> None:
    """What `train` would do: the options, the model, the directory. Writes and downloads nothing."""
    note = ""
    name = config.dataset
    if name == "auto":
        name = "mnist"
        if MNIST.find(config.data_dir, AUTO_LAYOUTS) is None:
            note = " (downloaded to --data-dir; digits if it cannot be)"
    shape = DATASETS[name].shape
    size, channels = shape["image_size"], shape["channels"]
    if size is None or channels is None:
        images = DATASETS[name].load(config.data_dir, config.image_size, config.channels).train.images
        size, channels = images.shape[2], images.shape[1]
    config = config.replace(dataset=name, image_size=size, channels=channels)
    module = build(config.replace(compile="off"))
    console.print(as_yaml(config).rstrip(), highlight=False)
    console.print(str(ModelSummary(module, max_depth=3)), highlight=False, soft_wrap=True)
    console.print(f"data set: {name}{note}\nwould train: {config.log_dir / (config.name or config.default_name())}",
                  highlight=False, soft_wrap=True)


def build(config: RunConfig) -> AttentionVAE:
    """The module; `UserError` where the images are too small for the units."""
    try:
        return AttentionVAE(config)
    except ValueError as error:
        raise UserError(f"--units {' '.join(map(str, config.units))}: {error}") from error


class _Record:
    """What metrics.json says of a run. The wall time counts all invocations."""

    def __init__(self, directory: Path, prepared: Prepared) -> None:
        self.directory = directory
        self.config, self.data = prepared.config, prepared.data
        self.parameters = sum(weight.numel() for weight in prepared.module.vae.parameters())
        self.warnings = prepared.warnings
        self.checksum = prepared.data.checksum()
        self.before = float(read_metrics(directory).get("wall_time_s", 0))
        self.started = time.monotonic()

    @property
    def title(self) -> str:
        """The units and the number of parameters, as in the article's figures."""
        return f"units {' '.join(map(str, self.config.units))}, {self.parameters:,} parameters"

    def write(self, status: str, metrics: dict[str, float], reason: str | None = None) -> None:
        content: dict[str, Any] = {
            "status": status,
            **({"reason": reason} if reason else {}),
            "metrics": metrics,
            "n_params": self.parameters,
            "seed": self.config.seed,
            "dataset": {"name": self.config.dataset, "sha256": self.checksum, "sizes": self.data.sizes},
            "warnings": list(self.warnings),
            "wall_time_s": round(self.before + time.monotonic() - self.started, 3),
            "versions": versions(),
            "git_commit": git_commit(),
            "host": host(next(iter(self.data.images.values())).device),
        }
        write_metrics(self.directory, content)


def _trainer(config: RunConfig) -> pl.Trainer:
    devices: str | int = int(config.devices) if config.devices.lstrip("-").isdigit() else config.devices
    try:
        return pl.Trainer(
            max_epochs=config.epochs,
            accelerator=config.accelerator,
            devices=devices,
            num_nodes=config.num_nodes,
            strategy=config.strategy,
            precision=config.precision,
            plugins=[AtomicCheckpointIO()],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        asked = f"--accelerator {config.accelerator} --devices {config.devices} --strategy {config.strategy}"
        raise UserError(f"{asked} --precision {config.precision}: {str(error).strip().splitlines()[0]}") from error


def _silence_lightning() -> None:
    """What Lightning says of itself; errors still come through."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric)\b")
