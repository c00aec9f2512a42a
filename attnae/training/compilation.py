"""Whether compiling the training step pays back."""

from __future__ import annotations

import os
import shutil

from attnae.config import RunConfig

# Compiling takes about a minute on two cores and makes a step a fifth faster there: measured in docs/performance.md.
PAYS_BACK_VALUES = 1_000_000_000


def pays_back(config: RunConfig, training_images: int) -> bool:
    """Whether to compile: as asked, and for `auto` by the values (pixels and channels) the whole run trains on."""
    if config.compile == "auto":
        return training_images * config.epochs * config.image_values >= PAYS_BACK_VALUES
    return config.compile == "on"


def has_compiler() -> bool:
    """Whether there is a C++ compiler, which torch.compile needs."""
    return any(shutil.which(name) for name in (os.environ.get("CXX", "c++"), "g++", "clang++"))
