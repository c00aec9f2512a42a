"""Checkpoints: written atomically, read without executing anything, and turned back into a model."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from torch import Tensor

from attnae.config import RunConfig
from attnae.errors import UserError
from attnae.files import write_atomically
from attnae.model.vae import VAE
from attnae.rundir.directory import CHECKPOINTS

CHECKPOINT = Path(CHECKPOINTS) / "last.ckpt"
# What a run needs to resume; Lightning writes more.
PARTS = {
    "epoch": int,
    "global_step": int,
    "pytorch-lightning_version": str,
    "loops": dict,
    "callbacks": dict,
    "state_dict": dict,
    "optimizer_states": list,
    "lr_schedulers": list,
}


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints atomically, and loads tensors and plain values only."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | os.PathLike, storage_options: Any = None) -> None:
        # Built in memory first: torch hides the cause of a failed write, such as a full disk, behind its own errors.
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with write_atomically(Path(path)) as file:
            file.write(content.getbuffer())

    def load_checkpoint(
        self,
        path: str | os.PathLike,
        map_location: Callable | None = lambda storage, location: storage,
        weights_only: bool | None = True,
    ) -> dict[str, Any]:
        return read_checkpoint(Path(path), map_location)


def read_checkpoint(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """The tensors and plain values of a checkpoint; `UserError` if it is missing, damaged, or holds anything else."""
    try:
        content = torch.load(path, map_location=map_location, weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: the run was stopped before its first epoch ended") from error
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is damaged, or holds more than weights; it was not loaded, because loading it could execute code"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise UserError(f"{path} is a damaged checkpoint: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is not a checkpoint: it holds a {type(content).__name__}")
    return content


def epochs_done(path: Path, module: torch.nn.Module) -> int:
    """The number of epochs that the run had finished at the checkpoint.

    `UserError` where it is not the checkpoint of a run, or does not fit `module`.
    """
    content = read_checkpoint(path)
    lacking = [part for part, kind in PARTS.items() if not isinstance(content.get(part), kind) or content[part] == []]
    if lacking:
        raise UserError(
            f"{path} is damaged (no valid entry {', '.join(lacking)}): delete it to start the run from the beginning"
        )
    _check_weights(path, module.state_dict(), content["state_dict"])
    return content["epoch"] + 1


def _check_weights(path: Path, expected: Mapping[str, Tensor], found: Mapping[str, Any]) -> None:
    """Raise `UserError` unless the weights have the names and shapes of the model."""
    shapes, others = _shapes(expected), _shapes(found)
    for name in [*shapes, *others]:
        if shapes.get(name) != others.get(name):
            raise UserError(
                f"{path} does not fit the options in config.yaml: {name} is {others.get(name, 'missing')} in the "
                f"checkpoint and {shapes.get(name, 'missing')} in the model"
            )


def _shapes(weights: Mapping[str, Any]) -> dict[str, str]:
    """{name: its shape as text, such as 6x1x3x3}."""
    return {name: "x".join(map(str, getattr(value, "shape", "?"))) or "a number" for name, value in weights.items()}


def load(run_directory: str | os.PathLike) -> VAE:
    """The trained model of a run, on the CPU and in evaluation mode.

    Nothing in the directory is executed. Raises `UserError` where its `config.yaml` or checkpoint is missing or
    damaged.
    """
    from attnae.config import read_config

    directory = Path(run_directory)
    return load_model(directory, read_config(directory / "config.yaml"))


def load_model(directory: Path, config: RunConfig) -> VAE:
    """As `load`, for a caller that has read the options in the run's config.yaml already."""
    if config.image_size is None or config.channels is None:
        raise UserError(f"{directory / 'config.yaml'} lacks image_size or channels: it was not written by a run")
    vae = VAE(**config.model_arguments())
    state = read_checkpoint(directory / CHECKPOINT).get("state_dict")
    weights = {name.removeprefix("vae."): value for name, value in state.items()} if isinstance(state, dict) else {}
    _check_weights(directory / CHECKPOINT, vae.state_dict(), weights)
    vae.load_state_dict(weights)
    return vae.eval()
