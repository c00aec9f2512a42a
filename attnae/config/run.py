"""`RunConfig`: every option of one run, frozen, checked, and documented where it is declared.

The groups below are the panels of `--help`. Each default, help text and range is written once, here.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from attnae.config.datasets import DATASETS
from attnae.errors import UserError
from attnae.model.activations import ACTIVATIONS
from attnae.model.attention import ATTENTIONS

if TYPE_CHECKING:
    Activation = str
    Attention = str
    DatasetName = str
else:
    Activation = Literal[tuple(ACTIVATIONS)]
    Attention = Literal[tuple(ATTENTIONS)]
    DatasetName = Literal[tuple({"auto": None, **DATASETS})]

# The largest number that PyTorch accepts as a seed, and limits that no images and no machine come near.
MOST, MOST_PIXELS, MOST_THREADS = 2**32 - 1, 2**14, 1024

# The older options for two values of `attention`: option -> the value that it stands for.
SWITCHES = {"spatial_attention": "spatial", "channel_attention": "channel"}
# Option -> the options that it replaces where it is set: the two are one choice, and only one of them is recorded.
REPLACES = {"attention": tuple(SWITCHES), "beta": ("kl_weight",)}

# The smallest value of each option that has only a lower limit.
_LEAST: dict[str, float] = {
    "block_depth": 1,
    "latent_dim": 1,
    "channel_reduction": 1,
    "kl_weight": 0,
    "beta": 0,
    "kl_warmup": 0,
    "grad_clip": 0,
    "weight_decay": 0,
    "epochs": 1,
    "batch_size": 2,
    "min_lr": 0,
    "seed": 0,
    "val_size": 0,
    "limit_train": 3,
    "limit_test": 1,
    "image_size": 1,
    "num_nodes": 1,
    "threads": 1,
    "picture_every": 0,
    "iw_samples": 0,
}


class OptionError(UserError):
    """The value of an option is out of range; `option` is the name of that option."""

    def __init__(self, message: str, option: str = "") -> None:
        super().__init__(message)
        self.option = option


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """The layers of the model and their sizes."""

    attention: Attention | None = None
    """Attention module in every convolution block (docs/attention.md).
    Unset: the modules that --spatial-attention and --channel-attention turn on, or none."""
    spatial_attention: bool = False
    """Multiply each position of the feature maps by an attention weight, in every convolution block.
    This is the layer that the article studies, and the same as --attention spatial."""
    channel_attention: bool = False
    """Multiply each channel of the feature maps by an attention weight, the same as --attention channel.
    With --spatial-attention both are built, the channel attention first."""
    batch_norm: bool = True
    """Batch normalization in every convolution block. Turn it off to measure its effect."""
    dropout: bool = True
    """Dropout in every convolution block. Turn it off to measure its effect, or if the model underfits."""
    dropout_rate: float = 0.2
    """Probability that dropout sets a value to zero. Has no effect with --no-dropout."""
    act: Activation = "relu"
    """Activation function of the convolution blocks."""
    units: tuple[int, ...] = (35, 25, 15, 5)
    """Number of filters of the stem, of each stage, and of the code map: at least 3 numbers, separated by spaces.
    Each stage halves the images; give more or larger numbers for larger images."""
    block_depth: int = 3
    """Number of convolution blocks in each dense block. Larger values make a deeper and slower model."""
    latent_dim: int = 2
    """Number of dimensions of the latent code. Two can be plotted; more give better reconstructions."""
    attention_kernel_size: int = 5
    """Kernel size of the spatial attention, an odd number. Larger values look at a larger neighbourhood.
    --attention cbam always has 7."""
    attention_norm: bool = False
    """Batch normalization inside the spatial attention, before its sigmoid.
    --attention cbam always has it."""
    channel_reduction: int = 4
    """The attention modules channel, cbam, se and coordinate have (number of channels / this number) hidden units, but
    at least 1. Their authors use 16 or 32, in networks with more channels."""
    coord_conv: bool = False
    """Give the encoder two more input channels, the row and the column of each pixel (CoordConv).
    Use it as a positive control for claims about positions (docs/attention.md)."""
    variational: bool = True
    """Train a variational autoencoder. Turn it off to train a plain autoencoder with the same layers."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Loss and optimization."""

    kl_weight: float = 0.001
    """Weight of the KL divergence: loss = bce (mean over pixels) + kl_weight * kl (nats per image).
    Increase it for a smoother latent space, decrease it for sharper reconstructions."""
    beta: float | None = None
    """Weight of the KL divergence in place of --kl-weight: kl_weight = beta / (pixels * channels).
    With 1 the loss is the negative ELBO, divided by the number of pixels and channels."""
    kl_warmup: int = 0
    """Number of epochs in which the weight of the KL divergence rises linearly from 0 to its value.
    It is logged as train/kl_weight. The losses val/loss and test/loss always have the whole weight."""
    epochs: int = 25
    """Number of passes over the training images."""
    batch_size: int = 64
    """Number of images in one optimizer step, summed over all devices."""
    lr: float = 0.005
    """Learning rate of Adam at the first step. Decrease it if the run diverges."""
    min_lr: float = 0.0001
    """Sets how fast the learning rate decays: at step t it is lr / (1 + t * 2 * (lr - min_lr) / epochs)."""
    grad_clip: float = 0.0
    """Largest norm of the gradient of all weights together; a longer gradient is scaled down to it. 0: no limit.
    Set it, for example to 1, if single steps make the run diverge."""
    weight_decay: float = 0.0
    """Decoupled weight decay, as in AdamW: each step also multiplies all weights by 1 - learning rate * this."""
    seed: int = 768
    """Seed of the initial weights, the validation split, the order of the images, dropout and sampling.
    Repeat a run with other seeds to see how much its results vary."""


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """The images."""

    dataset: DatasetName = "auto"
    """Data set to train on.
    auto: MNIST if it is on disk or can be downloaded, otherwise digits (8x8, always available).
    folder: your own images in --data-dir."""
    data_dir: Path = Path("data")
    """Directory that the data set is read from or downloaded to. With --dataset folder: the directory of images."""
    val_size: int = 5000
    """Number of training images held out for validation, at most 1/12 of them.
    0: validate on the test set, as in the article."""
    limit_train: int | None = None
    """Use only this many training images, always the same ones, to try something quickly.
    The validation images are taken from them."""
    limit_test: int | None = None
    """Use only this many test images, always the same ones, to try something quickly."""
    image_size: int | None = None
    """Scale the images of --dataset folder to this height and width, in pixels.
    Unset: they must all be squares of one size."""
    binarize: Literal["none", "dynamic", "static"] = "none"
    """Make each pixel black or white at random, with its grey value as the probability of white (docs/attention.md).
    static: once for all runs. dynamic: the training images anew in every epoch, the others once."""
    channels: Literal[1, 3] | None = None
    """Convert the images of --dataset folder to grey (1) or colour (3). Unset: they stay as they are."""


@dataclass(frozen=True, kw_only=True)
class HardwareOptions:
    """The hardware to train on."""

    accelerator: Literal["auto", "cpu", "cuda", "gpu", "mps", "tpu"] = "auto"
    """Kind of processor to train on.
    auto: a GPU or TPU if there is one, otherwise the CPU. Set it to cpu to leave the GPU to other jobs."""
    devices: str = "1"
    """Number of devices to train on, such as 2, or their indices, such as 0,3.
    auto: all available devices; on the CPU, one process.
    With several devices, each one trains on a part of every batch, and its batch norm uses only this part."""
    num_nodes: int = 1
    """Number of machines that train together. Start the same command on each of them."""
    strategy: str = "auto"
    """How several devices share the work: the name of a strategy of PyTorch Lightning, such as ddp.
    auto is right for a single device and in most other cases."""
    precision: Literal["32-true", "16-mixed", "bf16-mixed", "bf16-true", "64-true"] = "32-true"
    """Floating-point precision.
    bf16-mixed is faster and needs less memory on recent GPUs, but changes the results slightly.
    64-true is for comparisons to the last digit."""
    threads: int | None = None
    """Number of CPU threads. Unset: PyTorch decides.
    Set it if several runs share a machine, or to repeat a run exactly: the last digits depend on it."""
    compile: Literal["auto", "on", "off"] = "auto"
    """Compile the training step with torch.compile.
    auto: on the CPU, if the run is long enough to make up for the time that compiling takes; never on a GPU."""


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """What a run writes, and where."""

    log_dir: Path = Path("logs")
    """Directory in which the directory of the run is created."""
    name: str | None = None
    """Name of the directory of the run. Unset: made of the options that differ from their defaults, and the seed."""
    picture_every: int = 5
    """Log pictures to TensorBoard every so many epochs and at the end. 0: only at the end."""
    iw_samples: int = 0
    """Number of samples per image for test/nll, the importance-weighted estimate of the negative log-likelihood.
    Each sample decodes the whole test set once more; 0: do not compute it."""


GROUPS: dict[str, type] = {
    "model": ModelOptions,
    "training": TrainingOptions,
    "data": DataOptions,
    "hardware": HardwareOptions,
    "output": OutputOptions,
}


@dataclass(frozen=True, kw_only=True)
class RunConfig(OutputOptions, HardwareOptions, DataOptions, TrainingOptions, ModelOptions):
    """Every option of one run. Raises `OptionError` for a value that is out of range."""

    def __post_init__(self) -> None:
        # Callers from Python may give texts for paths. The order of the units means nothing: the largest comes first.
        for option in ("data_dir", "log_dir"):
            object.__setattr__(self, option, Path(getattr(self, option)))
        object.__setattr__(self, "units", tuple(sorted(self.units, reverse=True)))
        for option, problem in _mistakes(self):
            raise OptionError(f"{flag(option)} {_shown(getattr(self, option))}: {problem}", option)
        if self.attention is not None:  # the switches say the same: the attention is recorded once
            for option in SWITCHES:
                object.__setattr__(self, option, False)

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
            "attention": self.attention or "none",
            "spatial_attention": self.spatial_attention,
            "attention_kernel_size": self.attention_kernel_size,
            "attention_norm": self.attention_norm,
            "channel_attention": self.channel_attention,
            "channel_reduction": self.channel_reduction,
            "coord_conv": self.coord_conv,
            "act": self.act,
            "variational": self.variational,
            "in_channels": self.channels,
            "image_size": self.image_size,
        }

    @property
    def loss_kl_weight(self) -> float:
        """The weight of the KL divergence in the loss; with `beta`, `image_size` and `channels` must be resolved."""
        return self.kl_weight if self.beta is None else self.beta / self.image_values

    @property
    def image_values(self) -> int:
        """Values in one image: pixels times channels; `image_size` and `channels` must be resolved."""
        assert self.image_size is not None
        assert self.channels is not None
        return self.image_size**2 * self.channels

    def plain(self) -> dict[str, bool | int | float | str | list[int] | None]:
        """The options as YAML and JSON can hold them, in the order of `--help`.

        What can be chosen in two ways is recorded as it was chosen: `attention`, or if that is None the switches;
        `beta`, or else `kl_weight`. Both would be two factors of a study that say the same.
        """
        unused = [old for option, replaced in REPLACES.items() if getattr(self, option) is not None for old in replaced]
        return {option: _plain(getattr(self, option)) for option in option_names(*GROUPS) if option not in unused}

    def changed(self) -> list[str]:
        """The model, training and data options that differ from the defaults, but the seed and what the data decide."""
        return [
            option
            for option in option_names("model", "training", "data")
            if option not in ("seed", "data_dir", "image_size", "channels")
            and getattr(self, option) != getattr(RunConfig, option)
        ]

    def default_name(self) -> str:
        """A readable name: the model, training and data options that differ from the defaults, then the seed."""
        parts = []
        for option in self.changed():
            value = getattr(self, option)
            if isinstance(value, bool):
                parts.append(option if value else f"no_{option}")
            else:
                parts.append(f"{option}={'-'.join(map(str, value)) if isinstance(value, tuple) else value}")
        return ",".join([*parts, f"seed={self.seed}"])


def layered(sources: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The options of several sources, of which later ones override earlier ones.

    An option and those that it replaces (`REPLACES`) are one choice: a source that gives either overrides the other in
    the sources before it.
    """
    merged: dict[str, Any] = {}
    for options in sources:
        for option, replaced in REPLACES.items():
            chosen_anew = replaced if options.get(option) is not None else (option,) if {*replaced} & {*options} else ()
            for name in chosen_anew:
                merged.pop(name, None)
        merged.update(options)
    return merged


def check_choices(options: Mapping[str, Any]) -> None:
    """Raises `OptionError` for options of one source that contradict each other.

    These are `attention` and a switch, on or off, that says otherwise, and `beta` beside `kl_weight`.
    """
    attention = options.get("attention")
    for option, meaning in SWITCHES.items():
        if attention and option in options and options[option] != (attention == meaning):
            typed = flag(option) if options[option] else flag(f"no_{option}")
            raise OptionError(f"--attention {attention}: {typed} says otherwise; give one of the two", "attention")
    if options.get("beta") is not None and "kl_weight" in options:
        raise OptionError(f"--beta {options['beta']}: --kl-weight sets the same weight; give one of the two", "beta")


def option_names(*groups: str) -> list[str]:
    """The names of the options in these groups, in the order of `--help`."""
    return [field.name for group in groups for field in dataclasses.fields(GROUPS[group])]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def flag(option: str) -> str:
    """The option as it is typed: `batch_norm` -> `--batch-norm`."""
    return "--" + option.replace("_", "-")


def choices(kind: Any) -> tuple[Any, ...]:
    """The values of a `Literal`, and None if the option may be unset; nothing for any other type."""
    if typing.get_origin(kind) is Literal:
        return typing.get_args(kind)
    members = typing.get_args(kind)
    if any(typing.get_origin(member) is Literal for member in members):
        return tuple(value for member in members for value in (typing.get_args(member) or (None,)))
    return ()


@functools.cache  # a study makes thousands of configurations
def _choices() -> dict[str, tuple[Any, ...]]:
    """The options that take one of a few values, with these."""
    return {option: found for option, kind in typing.get_type_hints(RunConfig).items() if (found := choices(kind))}


def _mistakes(config: RunConfig) -> Iterator[tuple[str, str]]:
    """(option, what its value must be) for each value that is out of range."""
    for option, allowed in _choices().items():
        if getattr(config, option) not in allowed:
            yield option, f"choose one of {', '.join(map(str, allowed))}"
    for option, meaning in SWITCHES.items():
        if config.attention not in (None, meaning) and getattr(config, option):
            yield "attention", f"{flag(option)} says otherwise; give one of the two"
    if config.beta is not None and config.kl_weight != RunConfig.kl_weight:
        yield "beta", "--kl-weight sets the same weight; give one of the two"
    if len(config.units) < 3:
        yield "units", "give at least 3, such as 35 25 5"
    if max(config.units) > MOST:
        yield "units", f"must be at most {MOST}"
    if min(config.units) < 1:
        yield "units", "all must be positive"
    if not 0 <= config.dropout_rate < 1:
        yield "dropout_rate", "must be at least 0 and below 1"
    if config.attention_kernel_size < 1 or config.attention_kernel_size % 2 == 0:
        yield "attention_kernel_size", "must be odd, such as 5"
    most_pixels = dict.fromkeys(("attention_kernel_size", "image_size"), MOST_PIXELS)
    for option, most in {**dict.fromkeys(_LEAST, MOST), **most_pixels, "threads": MOST_THREADS}.items():
        value = getattr(config, option)
        if isinstance(value, int) and value > most:
            yield option, f"must be at most {most}"
    for option, least in _LEAST.items():
        value = getattr(config, option)
        if value is not None and not (least <= value < math.inf):
            yield option, f"must be at least {least}"
    if not 0 < config.lr < math.inf:
        yield "lr", "must be positive"
    if config.min_lr > config.lr:
        yield "min_lr", f"must be at most --lr, {config.lr}"
    if config.kl_warmup >= config.epochs:
        yield "kl_warmup", f"must be less than --epochs, {config.epochs}: the whole weight would never be used"
    if config.weight_decay * config.lr >= 1:
        yield "weight_decay", f"must be less than 1 / --lr, {1 / config.lr:g}"
    if not re.fullmatch(r"auto|-1|\d{1,4}(,\d{1,4})*", config.devices) or config.devices == "0":
        yield "devices", "give auto, a number such as 2, or numbers such as 0,3"
    if re.search("spawn|fork|notebook", config.strategy):
        yield "strategy", "strategies that spawn or fork from a notebook are not supported; choose ddp"
    for option in ("data_dir", "log_dir", "name"):
        if not _is_text(str(getattr(config, option))):
            yield option, "must be plain text (UTF-8)"
    if config.dataset in DATASETS and config.dataset != "folder":
        for option in ("image_size", "channels"):
            native = getattr(DATASETS[config.dataset], option)
            if getattr(config, option) not in (None, native):
                yield option, f"{config.dataset} has {native}; this option is for --dataset folder"
    if config.name is not None:
        if config.name in ("", ".", "..") or re.search(r"[/\\\x00-\x1f\x7f]", config.name):
            yield "name", "must be the name of one folder, without / or \\; --log-dir says where it is created"
        if len(config.name.encode()) > 200:
            yield "name", "must be at most 200 bytes long"


def _shown(value: Any) -> str:
    """A value as a message shows it: text as it is typed, in quotes if that would not be readable."""
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    text = str(value)
    if not isinstance(value, (str, Path)):
        return text
    if len(text) > 60:
        return f"{text[:40]!r}..."
    return text if re.fullmatch(r"[\w.,-]+", text) else repr(text)


def _is_text(value: str) -> bool:
    """Whether it can be written as UTF-8 and holds no NUL. Bytes that are not UTF-8 reach Python as lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value
