"""Compiling the training step, and whether it pays off."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch._functorch.config as functorch_config

from attnae.config import RunConfig

# On two cores compiling takes 75 s and then saves a seventh of each step: it pays off after about 80 million values
# (docs/performance.md). With more than twice as many it is worth the wait.
PAYS_BACK_VALUES = 200_000_000
# PyTorch 2.6 has no such setting; a failure in the backward pass ends the run there.
EAGER_BACKWARD = {name: True for name in ("force_non_lazy_backward_lowering",) if hasattr(functorch_config, name)}


def pays_back(config: RunConfig, training_images: int, device: str) -> bool:
    """Whether to compile: as asked; for `auto` by the values (pixels and channels) that the whole run trains on.

    The threshold was measured on CPUs, so `auto` compiles on no other device.
    """
    if config.compile == "auto":
        return device == "cpu" and training_images * config.epochs * config.image_values >= PAYS_BACK_VALUES
    return config.compile == "on"


def has_compiler() -> bool:
    """Whether there is what torch.compile needs: a C++ compiler, and Python's headers to compile against."""
    compilers = (os.environ.get("CXX", "c++"), "g++", "clang++")
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    return any(shutil.which(name) for name in compilers) and headers.is_file()


def compiled(
    forward: Callable[..., Any], device: torch.device, on_failure: Callable[[str], None]
) -> Callable[..., Any]:
    """The same computation, compiled at its first call; on a GPU it is replayed as CUDA graphs.

    On the CPU it draws the random numbers that it would draw uncompiled. Where the first call fails, `on_failure` is
    called with a sentence that names the cause, and the computation stays uncompiled.
    """
    options: dict[str, Any] = {"triton.cudagraphs": True} if device.type == "cuda" else {"fallback_random": True}
    call = torch.compile(forward, dynamic=False, options=options)
    tried = False

    def compiled_forward(*args: Any) -> Any:
        nonlocal call, tried
        if tried:
            return call(*args)
        tried = True
        try:
            # Lazily, the backward pass would be compiled only after this call, where nobody catches its failure.
            with functorch_config.patch(EAGER_BACKWARD):
                return call(*args)
        except Exception as error:  # of the compiler, the C++ compiler, the driver: there is no common type
            cause = (str(error).strip().splitlines() or [""])[0]
            on_failure(f"--compile on failed, and training goes on without it: {type(error).__name__}: {cause}")
            call = forward
            return forward(*args)

    return compiled_forward
