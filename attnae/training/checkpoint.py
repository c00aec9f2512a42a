"""Checkpoints: written whole or not at all, read without running anything, and turned back into a model."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from attnae.config import RunConfig
from attnae.errors import UserError
from attnae.files import write_atomically
from attnae.model.vae import VAE

CHECKPOINT = Path("checkpoints") / "last.ckpt"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, syncs to the disk and renames; loads tensors and plain values only."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | os.PathLike, storage_options: Any = None) -> None:
        with write_atomically(Path(path)) as file:
            torch.save(checkpoint, file)

    def load_checkpoint(
        self,
        path: str | os.PathLike,
        map_location: Callable | None = lambda storage, location: storage,
        weights_only: bool | None = True,
    ) -> dict[str, Any]:
        return read_checkpoint(Path(path), map_location)


def read_checkpoint(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """The checkpoint's tensors and plain values. `UserError` where it is missing, corrupt, or holds anything else."""
    try:
        content = torch.load(path, map_location=map_location, weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: the run was stopped before its first epoch ended") from error
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is corrupt, or holds more than weights; it was not loaded, since that could run code"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise UserError(f"{path} is not a whole checkpoint: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is not a checkpoint: it holds a {type(content).__name__}")
    return content


def epochs_done(path: Path) -> int:
    """How many epochs the run had finished at the checkpoint; `UserError` where it is not one of a run."""
    epoch = read_checkpoint(path).get("epoch")
    if not isinstance(epoch, int):
        raise UserError(f"{path} is not the checkpoint of a run: take it away to start the run from its beginning")
    return epoch + 1


def load(run_directory: str | os.PathLike) -> VAE:
    """The trained model of a run, on the CPU and in evaluation mode.

    Nothing in the directory is executed. Raises `UserError` where its `config.yaml` or checkpoint is missing or
    damaged.
    """
    from attnae.options import read_config

    directory = Path(run_directory)
    return load_model(directory, read_config(directory / "config.yaml"))


def load_model(directory: Path, config: RunConfig) -> VAE:
    """`load`, where the options in the run's config.yaml are known already."""
    if config.image_size is None or config.channels is None:
        raise UserError(f"{directory / 'config.yaml'} lacks image_size or channels: it was not written by a run")
    vae = VAE(**config.model_arguments())
    state = read_checkpoint(directory / CHECKPOINT).get("state_dict", {})
    try:
        vae.load_state_dict({name.removeprefix("vae."): value for name, value in state.items()})
    except (RuntimeError, AttributeError) as error:
        reason = str(error).splitlines()[-1].strip()[:200]
        raise UserError(f"{directory / CHECKPOINT} does not fit the options in config.yaml: {reason}") from error
    return vae.eval()
