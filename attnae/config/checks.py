"""What is wrong with the values of a `RunConfig`. A type is checked where it is parsed, a range here."""

from __future__ import annotations

import math
import re
import typing
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from attnae.data.sources import DATASETS

if TYPE_CHECKING:
    from attnae.config.run import RunConfig

# The least value of each option that has only a lower limit.
_LEAST: dict[str, float] = {
    "block_depth": 1,
    "latent_dim": 1,
    "channel_reduction": 1,
    "kl_weight": 0,
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


# What PyTorch counts with; no images and no machine's cores come near the others.
MOST, MOST_PIXELS, MOST_THREADS = 2**32 - 1, 2**14, 1024


def flag(option: str) -> str:
    """The option as it is typed: `batch_norm` -> `--batch-norm`."""
    return "--" + option.replace("_", "-")


def mistakes(config: RunConfig) -> Iterator[str]:
    """A line for each value out of range: the flag, the value, and what it must be."""
    for option, kind in typing.get_type_hints(type(config)).items():
        allowed = choices(kind)
        if allowed and getattr(config, option) not in allowed:
            yield f"{flag(option)} {getattr(config, option)}: choose one of {', '.join(map(str, allowed))}"
    if len(config.units) < 3:
        yield f"--units {' '.join(map(str, config.units))}: give at least 3, such as 35 25 5"
    if max(config.units) > MOST:
        yield f"--units {' '.join(map(str, config.units))}: must be at most {MOST}"
    if min(config.units) < 1:
        yield f"--units {' '.join(map(str, config.units))}: all must be positive"
    if not 0 <= config.dropout_rate < 1:
        yield f"--dropout-rate {config.dropout_rate}: must be at least 0 and below 1"
    if config.attention_kernel_size < 1 or config.attention_kernel_size % 2 == 0:
        yield f"--attention-kernel-size {config.attention_kernel_size}: must be odd, such as 5"
    if config.attention_kernel_size > MOST_PIXELS:
        yield f"--attention-kernel-size {config.attention_kernel_size}: must be at most {MOST_PIXELS}"
    if config.image_size is not None and config.image_size > MOST_PIXELS:
        yield f"--image-size {config.image_size}: must be at most {MOST_PIXELS}"
    for option, least in _LEAST.items():
        value = getattr(config, option)
        if value is not None and not (least <= value < math.inf):
            yield f"{flag(option)} {value}: must be at least {least}"
        if isinstance(value, int) and value > MOST:
            yield f"{flag(option)} {value}: must be at most {MOST}"
    if not 0 < config.lr < math.inf:
        yield f"--lr {config.lr}: must be positive"
    if config.min_lr > config.lr:
        yield f"--min-lr {config.min_lr}: must be at most --lr, {config.lr}"
    if not re.fullmatch(r"auto|-1|\d{1,4}(,\d{1,4})*", config.devices) or config.devices == "0":
        yield f"--devices {config.devices}: give auto, a number such as 2, or numbers such as 0,3"
    if config.threads is not None and config.threads > MOST_THREADS:
        yield f"--threads {config.threads}: must be at most {MOST_THREADS}"
    if re.search("spawn|fork|notebook", config.strategy):
        yield f"--strategy {config.strategy}: starts its processes from a notebook's memory; choose ddp"
    for option in ("data_dir", "log_dir", "name"):
        if not _is_text(str(getattr(config, option))):
            yield f"{flag(option)} {str(getattr(config, option))!a}: must be plain text (UTF-8)"
    if config.dataset in DATASETS and config.dataset != "folder":
        for option in ("image_size", "channels"):
            native = DATASETS[config.dataset].shape[option]
            if getattr(config, option) not in (None, native):
                yield f"{flag(option)} {getattr(config, option)}: {config.dataset} has {native}; for --dataset folder"
    if config.name is not None and _is_text(config.name):
        yield from _name_mistakes(config.name)


def _name_mistakes(name: str) -> Iterator[str]:
    if name in ("", ".", "..") or re.search(r"[/\\\x00-\x1f\x7f]", name):
        yield f"--name {name!r}: must be the name of one folder, without / or \\; --log-dir says where it is made"
    if len(name.encode()) > 200:
        yield f"--name {name[:40]!r}...: must be at most 200 bytes long"


def _is_text(value: str) -> bool:
    """Whether it can be written as UTF-8, bytes that are none reach Python as lone surrogates, and holds no NUL."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def choices(kind: Any) -> tuple[Any, ...]:
    """The values of a `Literal`, and None where it may be left unset; nothing for any other type."""
    if typing.get_origin(kind) is Literal:
        return typing.get_args(kind)
    members = typing.get_args(kind)
    if members and any(typing.get_origin(member) is Literal for member in members):
        return tuple(value for member in members for value in (typing.get_args(member) or (None,)))
    return ()
