"""Compiling the training step, and whether it pays back."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from attnae.config import RunConfig

# Compiling takes 75 s on two cores, and saves a seventh of each step then: after about 80 million values they are back
# (docs/performance.md), and more than twice as many make it worth the wait.
PAYS_BACK_VALUES = 200_000_000


def pays_back(config: RunConfig, training_images: int) -> bool:
    """Whether to compile: as asked, and for `auto` by the values (pixels and channels) the whole run trains on."""
    if config.compile == "auto":
        return training_images * config.epochs * config.image_values >= PAYS_BACK_VALUES
    return config.compile == "on"


def has_compiler() -> bool:
    """Whether there is what torch.compile needs: a C++ compiler, and Python's headers to compile against."""
    compilers = (os.environ.get("CXX", "c++"), "g++", "clang++")
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    return any(shutil.which(name) for name in compilers) and headers.is_file()


def compiled(forward: Callable[..., Any], device: torch.device) -> Callable[..., Any]:
    """The same computation, compiled at its first call; on a GPU it is replayed as CUDA graphs.

    On the CPU it draws the random numbers that it would draw uncompiled.
    """
    options: dict[str, Any] = {"triton.cudagraphs": True} if device.type == "cuda" else {"fallback_random": True}
    return torch.compile(forward, dynamic=False, options=options)
