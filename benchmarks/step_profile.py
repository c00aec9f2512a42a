"""Where a training step spends its time: kernels by their time, with the bytes that they read, beside a plain copy.

    python benchmarks/step_profile.py --data-dir DIR             # eager
    python benchmarks/step_profile.py --data-dir DIR --compile   # compiled; fused kernels by the operations they hold

The step is that of train_speed.py (all layers on, 64 images of 28x28), with one thread. The times are those of
PyTorch's profiler per step. The bytes are those of all tensors that a kernel is given; a copy, which reads and writes,
shows what the memory allows. Kernels of less than `--least` percent are summed up.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import torch
import torch._inductor.config as inductor
from torch.profiler import ProfilerActivity, profile
from train_speed import ALL_LAYERS, Options, bare_loop, images_of, keep_freed_memory, prepare

from attnae.config import RunConfig

SIZES = {"float": 4, "double": 8, "int": 4, "long int": 8, "short": 2, "bool": 1}
COPIED = (64, 110, 28, 28)  # the largest map of the model


def bytes_given(event: Any) -> int:
    """The bytes of all tensors among the arguments of one call."""
    types = event.input_dtypes if hasattr(event, "input_dtypes") else []
    types = types or ["float"] * len(event.input_shapes)
    return sum(
        math.prod(shape) * SIZES.get(kind, 4)
        for shape, kind in zip(event.input_shapes, types, strict=False)
        if shape and all(isinstance(side, int) for side in shape)
    )


def copy_rate(turns: int = 20) -> float:
    """GB/s that are read by a copy, which writes as much."""
    source, target = torch.rand(COPIED), torch.rand(COPIED)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(turns):
            target.copy_(source)
    taken = min(event.self_cpu_time_total for event in profiler.events() if event.name == "aten::copy_")
    return 4 * math.prod(COPIED) / taken / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"), help="the folder of MNIST")
    parser.add_argument("--compile", action="store_true", help="compile the model")
    parser.add_argument("--steps", type=int, default=8, help="steps that are profiled, after three others")
    parser.add_argument("--least", type=float, default=1.0, help="the least share that is listed, in percent")
    options = parser.parse_args()
    inductor.cpp.enable_kernel_profile = options.compile
    torch.set_num_threads(1)
    keep_freed_memory()
    images = images_of(Options(data_dir=options.data_dir))
    config = RunConfig(**ALL_LAYERS, **images, threads=1, compile="on" if options.compile else "off")
    loop = bare_loop(prepare(config).config)
    for _ in range(3):
        next(loop)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profiler:
        for _ in range(options.steps):
            next(loop)
    kernels: dict[str, list[float]] = {}
    for event in profiler.events():
        row = kernels.setdefault(event.name, [0.0, 0.0, 0.0])
        row[0] += event.self_cpu_time_total / 1e3 / options.steps
        row[1] += 1 / options.steps
        row[2] += bytes_given(event) / 1e6 / options.steps
    total = sum(milliseconds for milliseconds, _, _ in kernels.values())
    print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}; a copy reads {copy_rate():.1f} GB/s")
    print("| kernel | calls | ms | share | MB read | GB/s |\n|---|---|---|---|---|---|")
    rest = 0.0
    for name, (milliseconds, calls, megabytes) in sorted(kernels.items(), key=lambda item: -item[1][0]):
        if milliseconds < options.least / 100 * total:
            rest += milliseconds
            continue
        known = f"{megabytes:.0f} | {megabytes / milliseconds:.1f}" if megabytes else " | "
        print(f"| `{name[:60]}` | {calls:.0f} | {milliseconds:.1f} | {milliseconds / total:.1%} | {known} |")
    print(f"| all others | | {rest:.1f} | {rest / total:.1%} | | |\n| the step | | {total:.1f} | 100% | | |")


if __name__ == "__main__":
    main()
