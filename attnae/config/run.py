"""`RunConfig`: every option of one run, frozen, checked, and documented where it is declared.

The groups below are the panels of `--help`. A default is written once, here.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.extras import literal_type_from_choices

from attnae.config.checks import mistakes
from attnae.data.sources import DATASETS
from attnae.errors import UserError
from attnae.model.activations import ACTIVATIONS

if TYPE_CHECKING:
    Activation = str
    DatasetName = str
else:
    Activation = literal_type_from_choices(ACTIVATIONS)
    DatasetName = literal_type_from_choices(["auto", *DATASETS])


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What the model is built of."""

    spatial_attention: bool = False
    """Scale each position of a map by its spatial attention, in every convolution block."""
    channel_attention: bool = False
    """Scale each channel of a map by its channel attention, before the spatial one: the other half of CBAM."""
    batch_norm: bool = True
    """Batch norm in every convolution block."""
    dropout: bool = True
    """Dropout in every convolution block."""
    dropout_rate: float = 0.2
    """Probability of dropping a value, where dropout is on."""
    act: Activation = "relu"
    """Activation of the convolution blocks."""
    units: tuple[int, ...] = (35, 25, 15, 5)
    """Filters of the stem, of each stage, and of the code map. Images are halved once per stage."""
    block_depth: int = 3
    """Convolution blocks in each dense block."""
    latent_dim: int = 2
    """Dimensions of the latent code."""
    attention_kernel_size: int = 5
    """Side of the kernel of the spatial attention: odd."""
    attention_norm: bool = False
    """Batch norm inside the spatial attention, before its sigmoid, as in CBAM."""
    channel_reduction: int = 4
    """Hidden units of the channel attention: channels divided by this, at least 1. CBAM: 16, of more channels."""
    variational: bool = True
    """A variational autoencoder; off: the plain autoencoder of the same parts."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Loss and training."""

    kl_weight: float = 0.001
    """Weight of the KL term: loss = bce (mean over pixels) + kl_weight * kl (nats per image)."""
    epochs: int = 25
    """Passes over the training images."""
    batch_size: int = 64
    """Images in one optimiser step, over all devices."""
    lr: float = 0.005
    """Adam's learning rate at the first step."""
    min_lr: float = 0.0001
    """Sets the decay per step: the rate at step t is lr / (1 + t * 2 * (lr - min_lr) / epochs)."""
    seed: int = 768
    """Decides the initial weights, the validation split, the order of images, dropout and sampling."""


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Images."""

    dataset: DatasetName = "auto"
    """auto takes MNIST where it is on disk or can be downloaded, else digits (8x8, always there)."""
    data_dir: Path = Path("data")
    """Where the images are, or are downloaded to; with --dataset folder, the folder of images."""
    val_size: int = 5000
    """Training images held out for monitoring, at most 1/12 of them; 0: monitor on the test set."""
    limit_train: int | None = None
    """Use only this many training images, a fixed choice (the held-out ones are taken from them)."""
    limit_test: int | None = None
    """Use only this many test images, a fixed choice."""
    image_size: int | None = None
    """Side to which the images of a folder are scaled; unset: they must all be squares of one size."""
    channels: Literal[1, 3] | None = None
    """1 (grey) or 3 (colour), for the images of a folder; unset: as they are."""


@dataclass(frozen=True, kw_only=True)
class HardwareOptions:
    """Hardware."""

    accelerator: Literal["auto", "cpu", "cuda", "gpu", "mps", "tpu"] = "auto"
    """Lightning's accelerator."""
    devices: str = "auto"
    """How many devices, or which: 2, or 0,3."""
    num_nodes: int = 1
    """Machines that train together."""
    strategy: str = "auto"
    """Lightning's strategy, such as ddp."""
    precision: Literal["32-true", "16-mixed", "bf16-mixed", "bf16-true", "64-true"] = "32-true"
    """Arithmetic."""
    threads: int | None = None
    """Threads of the CPU; unset: PyTorch's choice. The last bits of the numbers depend on it."""
    compile: Literal["auto", "on", "off"] = "auto"
    """Compile the training step; auto: only where it pays back within the run."""


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Output."""

    log_dir: Path = Path("logs")
    """The run's directory is made in here."""
    name: str | None = None
    """The run's directory; unset: made of the options that differ from the defaults, and the seed."""
    picture_every: int = 5
    """Pictures to TensorBoard every so many epochs, besides those at the end; 0: only at the end."""
    iw_samples: int = 0
    """Samples an image of test/nll, the importance-weighted bound; each decodes the whole test set. 0: none."""


GROUPS: dict[str, type] = {
    "model": ModelOptions,
    "training": TrainingOptions,
    "data": DataOptions,
    "hardware": HardwareOptions,
    "output": OutputOptions,
}


@dataclass(frozen=True, kw_only=True)
class RunConfig(OutputOptions, HardwareOptions, DataOptions, TrainingOptions, ModelOptions):
    """Every option of one run. `UserError` says which value is out of range."""

    def __post_init__(self) -> None:
        # Callers from Python may give texts for paths. The order of the units means nothing: the largest comes first.
        for option in ("data_dir", "log_dir"):
            object.__setattr__(self, option, Path(getattr(self, option)))
        object.__setattr__(self, "units", tuple(sorted(self.units, reverse=True)))
        for message in mistakes(self):
            raise UserError(message)

    def replace(self, **changes: Any) -> RunConfig:
        """The same options but for the changes, checked again."""
        return dataclasses.replace(self, **changes)

    def model_arguments(self) -> dict[str, Any]:
        """The arguments of `VAE`; `image_size` and `channels` must be resolved."""
        return {
            "units": self.units,
            "block_depth": self.block_depth,
            "latent_dim": self.latent_dim,
            "batch_norm": self.batch_norm,
            "dropout": self.dropout_rate if self.dropout else 0.0,
            "spatial_attention": self.spatial_attention,
            "attention_kernel_size": self.attention_kernel_size,
            "attention_norm": self.attention_norm,
            "channel_attention": self.channel_attention,
            "channel_reduction": self.channel_reduction,
            "act": self.act,
            "variational": self.variational,
            "in_channels": self.channels,
            "image_size": self.image_size,
        }

    @property
    def image_values(self) -> int:
        """Values in one image: pixels times channels; `image_size` and `channels` must be resolved."""
        assert self.image_size is not None
        assert self.channels is not None
        return self.image_size**2 * self.channels

    def plain(self) -> dict[str, bool | int | float | str | list[int] | None]:
        """The options as YAML and JSON can hold them, in the order of `--help`."""
        return {option: _plain(getattr(self, option)) for option in option_names(*GROUPS)}

    def default_name(self) -> str:
        """A readable name: the model, training and data options that differ from the defaults, then the seed."""
        parts = []
        for option in option_names("model", "training", "data"):
            value = getattr(self, option)
            if option in ("seed", "data_dir", "image_size", "channels") or value == getattr(RunConfig, option):
                continue
            if isinstance(value, bool):
                parts.append(option if value else f"no_{option}")
            else:
                parts.append(f"{option}={'-'.join(map(str, value)) if isinstance(value, tuple) else value}")
        return ",".join([*parts, f"seed={self.seed}"])


def option_names(*groups: str) -> list[str]:
    """The names of the options in these groups, in the order of `--help`."""
    return [field.name for group in groups for field in dataclasses.fields(GROUPS[group])]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value
