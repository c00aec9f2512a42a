"""Lightning's trainer as a run uses it: made, silenced, stopped with all its processes."""

from __future__ import annotations

import logging
import warnings

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException

from attnae.checks import flag
from attnae.config import RunConfig
from attnae.errors import UserError
from attnae.training.checkpoint import AtomicCheckpointIO


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


def meeting(trainer: pl.Trainer) -> str:
    """What a run on several machines waits for before it can begin."""
    environment = trainer.strategy.cluster_environment  # type: ignore[attr-defined]
    return (
        f"Machine {environment.node_rank() + 1} of {trainer.num_nodes}: waiting for all to meet at "
        f"{environment.main_address}:{environment.main_port}, as MASTER_ADDR, MASTER_PORT and NODE_RANK say on each"
    )


def stop_others(trainer: pl.Trainer, signum: int) -> None:
    """Passes a signal on to the processes that this one has started, if any."""
    if (kill := getattr(trainer.strategy.launcher, "kill", None)) is not None:
        kill(signum)
