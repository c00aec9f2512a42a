"""How long the layers between convolutions take on a CPU, backward on a slice of a gradient and on a copy of it.

    python benchmarks/layers.py

The map is one of the article's first dense block, in channels last. A dense block appends 25 channels to a map of 60;
the gradient of these 25 is a slice of that of all 85. Times are the shortest of many, in milliseconds, one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from attnae.model import elu
from attnae.model.activations import ACTIVATIONS
from attnae.model.attention.spatial import SpatialAttention, max_and_mean
from attnae.model.dropout import Dropout
from attnae.training.allocator import keep_freed_memory

BATCH, CHANNELS, SIDE, BEFORE = 64, 25, 28, 60


def layers() -> dict[str, Callable[[Tensor], Tensor]]:
    found: dict[str, Callable[[Tensor], Tensor]]
    found = {f"torch's {name}": getattr(nn, layer)() for name, layer in ACTIVATIONS.items()}
    found |= {"elu": elu.ELU(), "selu": elu.SELU(), "torch's dropout": nn.Dropout(0.2), "dropout": Dropout(0.2)}
    return {**found, "torch's maximum and mean of channels": max_and_mean, "the attention's": SpatialAttention().pooled}


def shortest(call: Callable[[], object], turns: int) -> float:
    """Milliseconds."""
    taken = []
    for _ in range(turns):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return 1e3 * min(taken)


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=15, help="times that each pass is made")
    turns = parser.parse_args().turns
    torch.set_num_threads(1)
    keep_freed_memory()
    torch.manual_seed(0)
    x = channels_last(torch.randn(BATCH, CHANNELS, SIDE, SIDE)).requires_grad_()
    whole = channels_last(torch.randn(BATCH, BEFORE + CHANNELS, SIDE, SIDE))
    print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
    print("| layer | forward | backward, slice | backward, copy (copying included) |\n|---|---|---|---|")
    for name, layer in layers().items():
        y = layer(x)
        piece = whole[:, BEFORE : BEFORE + y.shape[1]]

        def backward(gradient: Callable[[], Tensor], y: Tensor = y) -> None:
            torch.autograd.grad(y, x, gradient(), retain_graph=True)

        forward = shortest(lambda layer=layer: layer(x), turns)
        sliced, copied = (
            shortest(lambda g=g: backward(g), turns)
            for g in (lambda piece=piece: piece, lambda piece=piece: channels_last(piece))
        )
        print(f"| {name} | {forward:.1f} | {sliced:.1f} | {copied:.1f} |", flush=True)


if __name__ == "__main__":
    main()
