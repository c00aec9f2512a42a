"""Whether compiling the training step pays back."""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path

from attnae.config import RunConfig

# Compiling takes about a minute on two cores, and then saves a small part of each step: a run of hours gains.
PAYS_BACK_VALUES = 1_000_000_000


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
