"""How long each convolution of the article's model takes on a CPU, and whether another way to compute it is faster.

    python benchmarks/convolutions.py

The convolutions are those of a step with 64 images of 28x28 and spatial attention, forward and backward with the
gradients of input and weights, one thread. Times are medians in milliseconds of processor time, of all convolutions of
that shape together:

    as it is     channels last, 32 bits, as the model computes them
    planes       in PyTorch's default memory format
    bfloat16     channels last, in bfloat16
    as groups    those of four models of the same shape as one convolution with four groups, a quarter of its time
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from train_speed import ALL_LAYERS, Convolutions

from attnae.config import RunConfig
from attnae.model.vae import VAE
from attnae.training.allocator import keep_freed_memory

MODELS = 4


def median(call: Callable[[], object], turns: int) -> float:
    """Milliseconds of processor time."""
    call()
    taken = []
    for _ in range(turns):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return 1e3 * statistics.median(taken)


def passes(x: Tensor, weight: Tensor, how: Sequence[Any], layout: torch.memory_format) -> Callable[[], object]:
    """The forward and backward pass of one convolution."""
    x, weight = (tensor.detach().contiguous(memory_format=layout).requires_grad_() for tensor in (x, weight))
    gradient = torch.randn_like(torch.convolution(x, weight, None, *how))
    return lambda: torch.autograd.grad(torch.convolution(x, weight, None, *how), (x, weight), gradient)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=9, help="times that each convolution is computed")
    turns = parser.parse_args().turns
    torch.set_num_threads(1)
    torch.manual_seed(0)
    keep_freed_memory()
    config = RunConfig(dataset="mnist", image_size=28, channels=1, **ALL_LAYERS)
    with Convolutions() as recorded:
        VAE(**config.model_arguments())(torch.rand(config.batch_size, 1, 28, 28))
    shapes: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for call in recorded.calls:
        shapes.setdefault((call[0].shape, call[1].shape, tuple(call[3])), []).append(call)
    print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
    print("| input | weights | stride | number | as it is | GFLOP/s | planes | bfloat16 | as groups |")
    print("|---|---|---|---|---|---|---|---|---|")
    totals = [0.0] * 4
    for (size, filters, stride), calls in shapes.items():
        x, weight, _, *how = calls[0]
        many = [torch.cat([tensor] * MODELS, axis) for tensor, axis in ((x, 1), (weight, 0))]
        last, planes, half = torch.channels_last, torch.contiguous_format, torch.bfloat16
        milliseconds = [
            len(calls) * median(each, turns) / models
            for each, models in (
                (passes(x, weight, how, last), 1),
                (passes(x, weight, how, planes), 1),
                (passes(x.to(half), weight.to(half), how, last), 1),
                (passes(*many, [*how[:-1], MODELS * how[-1]], last), MODELS),
            )
        ]
        totals = [total + each for total, each in zip(totals, milliseconds, strict=True)]
        # Forward and twice backward, two operations for each product.
        larger = x if how[3] else torch.convolution(x, weight, None, *how)
        operations = 6 * len(calls) * larger.numel() * weight[0].numel()
        now, *others = (f"{each:.1f}" for each in milliseconds)
        rate = operations / milliseconds[0] / 1e6
        kind = f"{stride[0]}, transposed" if how[3] else str(stride[0])
        columns = ["x".join(map(str, size)), "x".join(map(str, filters)), kind, str(len(calls)), now, f"{rate:.0f}"]
        print(f"| {' | '.join([*columns, *others])} |", flush=True)
    now, *others = (f"{total:.1f}" for total in totals)
    print(f"| all | | | {len(recorded.calls)} | {now} | | {' | '.join(others)} |")


if __name__ == "__main__":
    main()
