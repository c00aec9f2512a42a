"""What each attention module costs: parameters, and the time of a training step against that without attention.

    python benchmarks/attentions.py

The models have the article's units, batch norm, dropout and elu. They take turns on batches of 64 images of noise,
28x28, in one process with one thread; ratios are of one turn, and what counts is their median.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator

import torch

from attnae.config import RunConfig
from attnae.model.attention import ATTENTIONS
from attnae.model.vae import VAE, kl_divergence, reconstruction_bce
from attnae.training.allocator import keep_freed_memory


def model(attention: str) -> VAE:
    config = RunConfig(attention=attention, act="elu", dataset="mnist", image_size=28, channels=1)
    return VAE(**config.model_arguments()).to(memory_format=torch.channels_last)


def training(vae: VAE) -> Iterator[None]:
    """Each `next` makes one step."""
    optimizer = torch.optim.Adam(vae.parameters(), fused=True)
    x = torch.rand(64, 1, 28, 28)
    while True:
        output = vae(x)
        loss = reconstruction_bce(output.logits, x) + 1e-3 * kl_divergence(output.mu, output.log_var)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=9, help="turns of each module")
    parser.add_argument("--steps", type=int, default=3, help="steps in a turn")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    keep_freed_memory()
    models = {name: model(name) for name in ATTENTIONS}
    runs = {name: training(vae) for name, vae in models.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(-1, options.turns):  # the first turn warms up
        for name, steps in runs.items():
            start = time.perf_counter()
            for _ in range(options.steps):
                next(steps)
            if turn >= 0:
                seconds[name].append(time.perf_counter() - start)
    print(
        "| attention | parameters | more than none | time of a step, none = 1 (range over turns) |\n|---|---|---|---|"
    )
    counts = {name: sum(parameter.numel() for parameter in vae.parameters()) for name, vae in models.items()}
    for name in runs:
        ratios = [taken / without for taken, without in zip(seconds[name], seconds["none"], strict=True)]
        time_of = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"| `{name}` | {counts[name]:,} | {counts[name] - counts['none']:,} | {time_of} |")


if __name__ == "__main__":
    main()
