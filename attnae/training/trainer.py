"""Lightning's trainer as a run uses it: made, silenced, stopped with all its processes."""

from __future__ import annotations

import logging
import signal
import warnings

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback
from rich.console import Console

from attnae.config import RunConfig, flag
from attnae.errors import UserError
from attnae.process import STOPPING, Stopped, handlers, set_handlers
from attnae.rundir.checkpoint import AtomicCheckpointIO


def make_trainer(config: RunConfig) -> pl.Trainer:
    """The trainer; `UserError` where the hardware that `config` asks for is not here."""
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
    except (MisconfigurationException, ValueError, TypeError, RuntimeError, ImportError) as error:
        options = ("accelerator", "devices", "num_nodes", "strategy", "precision")
        asked = " ".join(f"{flag(option)} {getattr(config, option)}" for option in options)
        raise UserError(f"{asked} cannot be had here: {str(error).strip().splitlines()[0]}") from error


def silence_lightning() -> None:
    """What Lightning says of itself; errors still come through."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric)\b")


class Together(Callback):
    """Of several processes that train one model: what stops the main one stops those that it has started.

    They are told before Lightning ends the communication, which they would take for an error. On several machines it
    also says what it waits for.
    """

    def __init__(self, trainer: pl.Trainer, console: Console) -> None:
        self.handlers = handlers()
        if trainer.num_nodes > 1:
            environment = trainer.strategy.cluster_environment  # type: ignore[attr-defined]
            console.print(
                f"Machine {environment.node_rank() + 1} of {trainer.num_nodes}: waiting for all to meet at "
                f"{environment.main_address}:{environment.main_port}, as MASTER_ADDR, MASTER_PORT and NODE_RANK say",
                soft_wrap=True,
            )
            # PyTorch waits outside Python, where no handler is called.
            set_handlers(dict.fromkeys(STOPPING, signal.SIG_DFL))

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """All are here."""
        set_handlers(self.handlers)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Lightning has put a handler before ours, which talks to the other processes whatever they are doing.
        set_handlers(self.handlers)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        set_handlers(self.handlers)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        kill = getattr(trainer.strategy.launcher, "kill", None)
        if kill is not None and isinstance(exception, (Stopped, OSError)):
            kill(exception.signum if isinstance(exception, Stopped) else signal.SIGTERM)
