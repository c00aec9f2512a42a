"""Lightning's trainer as a run uses it: made, silenced, stopped with all its processes."""

from __future__ import annotations

import logging
import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytorch_lightning as pl
import torch.distributed as dist
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities import rank_zero_only
from rich.console import Console

from attnae.config import RunConfig, flag
from attnae.errors import UserError
from attnae.process import LAUNCHER_VARIABLES, STOPPING, Stopped, handlers, set_handlers
from attnae.rundir.checkpoint import AtomicCheckpointIO

THREADS = "OMP_NUM_THREADS"


@contextmanager
def trainer_in_its_environment(config: RunConfig) -> Iterator[pl.Trainer]:
    """The trainer of a run, and for as long as it is in use an environment that agrees with it.

    A process joins others only where `config` asks for more than one device. Otherwise the variables of a launcher,
    which every process below an `srun` inherits, are removed. Lightning also reads a rank from them when it is
    imported; that rank becomes the trainer's, so that loggers and Lightning's warnings follow the trainer, too.
    Afterwards the variables and the rank are as before.
    """
    connected = dist.is_available() and dist.is_initialized()
    threads = os.environ.get(THREADS)  # Lightning sets it where several processes train, and leaves it
    variables, rank = _launcher_variables(), rank_zero_only.rank  # type: ignore[attr-defined]
    try:
        _set_launcher_variables({})
        trainer = make_trainer(config)
        if trainer.num_devices * trainer.num_nodes > 1:
            _set_launcher_variables(variables)
            trainer = make_trainer(config)
        rank_zero_only.rank = trainer.global_rank  # type: ignore[attr-defined]
        yield trainer
        # Lightning leaves the communication of CPUs open, whose threads can then end the interpreter with an abort.
        if dist.is_available() and dist.is_initialized() and not connected:
            dist.destroy_process_group()
    finally:
        _set_launcher_variables(variables)
        os.environ.pop(THREADS, None)
        os.environ.update({} if threads is None else {THREADS: threads})
        rank_zero_only.rank = rank  # type: ignore[attr-defined]


def _launcher_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if LAUNCHER_VARIABLES.fullmatch(name)}


def _set_launcher_variables(variables: dict[str, str]) -> None:
    """These, and no others of their kind."""
    for name in _launcher_variables():
        del os.environ[name]
    os.environ.update(variables)


def make_trainer(config: RunConfig) -> pl.Trainer:
    """The trainer; `UserError` where the hardware that `config` asks for is not available."""
    devices: str | int = int(config.devices) if config.devices.lstrip("-").isdigit() else config.devices
    try:
        return pl.Trainer(
            max_epochs=config.epochs,
            accelerator=config.accelerator,
            devices=devices,
            num_nodes=config.num_nodes,
            strategy=config.strategy,
            precision=config.precision,
            gradient_clip_val=config.grad_clip or None,
            plugins=[AtomicCheckpointIO()],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
    except KeyError as error:
        raise UserError(f"the environment variable {error.args[0]} is missing: its launcher sets it") from error
    except (MisconfigurationException, ValueError, TypeError, RuntimeError, ImportError) as error:
        options = ("accelerator", "devices", "num_nodes", "strategy", "precision")
        asked = " ".join(f"{flag(option)} {getattr(config, option)}" for option in options)
        raise UserError(f"{asked} is not available on this machine: {str(error).strip().splitlines()[0]}") from error


@contextmanager
def lightning_silenced() -> Iterator[None]:
    """Inside, Lightning's messages and warnings about itself are not shown, except errors."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric)\b")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


class StopChildProcesses(Callback):
    """Where several processes train one model: what stops the main process also stops those that it has started.

    They are stopped before Lightning ends the communication, which they would take for an error. Where several machines
    train together, this also prints which address the process waits at.
    """

    def __init__(self, trainer: pl.Trainer, console: Console) -> None:
        self.handlers = handlers()
        if trainer.num_nodes > 1:
            environment = trainer.strategy.cluster_environment  # type: ignore[attr-defined]
            console.print(
                f"Machine {environment.node_rank() + 1} of {trainer.num_nodes}: waiting for the others at "
                f"{environment.main_address}:{environment.main_port} (set by MASTER_ADDR, MASTER_PORT and NODE_RANK)",
                soft_wrap=True,
            )
            # PyTorch waits outside Python, where no handler is called.
            set_handlers(dict.fromkeys(STOPPING, signal.SIG_DFL))

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """All processes have met."""
        set_handlers(self.handlers)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Lightning has replaced our handlers by one that talks to the other processes, whatever they are doing.
        set_handlers(self.handlers)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        set_handlers(self.handlers)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        kill = getattr(trainer.strategy.launcher, "kill", None)
        if kill is not None and isinstance(exception, (Stopped, OSError)):
            kill(exception.signum if isinstance(exception, Stopped) else signal.SIGTERM)
