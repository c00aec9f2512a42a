"""Speed of a small study: two workers of one thread, one worker of two threads, and a shell loop.

    python benchmarks/study_speed.py                  # eager, about ten minutes on two cores
    python benchmarks/study_speed.py --compiled       # also the compiled runs
    python benchmarks/study_speed.py --other ../other # also two workers of another checkout of this project

The variants train the same runs in new processes. The times include everything from start to end, imports as well. The
variants take turns, and the order is reversed after each turn. Compare the ratios of the wall times within a turn and
their median over the turns, because the times themselves change with the other work of the machine.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tyro
import yaml

HERE = Path(__file__).resolve().parents[1]
FACTORS: dict[str, list[bool] | list[str]] = {"spatial_attention": [False, True], "act": ["elu", "relu"]}
FIRST_SEED = 768


@dataclasses.dataclass(frozen=True)
class Options:
    """Compare ways to train a study of four cells on two cores."""

    turns: int = 5
    """Turns of each variant."""
    seeds: int = 2
    """Seeds per cell; there are four cells."""
    epochs: int = 5
    """Epochs of each run."""
    limit_train: int | None = None
    """Number of training images; unset: all of the digits."""
    other: Path | None = None
    """Another checkout of this project, whose study of two workers is measured as well."""
    compiled: bool = False
    """Also measure with --compile on, after one turn that fills the compiler's cache and is not counted."""


def main(options: Options) -> None:
    runs = options.seeds * len(list(itertools.product(*FACTORS.values())))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {runs} runs per variant")
    measure("eager", options, ["--compile", "off"], warm_up=0)
    if options.compiled:
        measure("compiled", options, ["--compile", "on"], warm_up=1)


def measure(title: str, options: Options, flags: list[str], warm_up: int) -> None:
    flags = [*flags, "--dataset", "digits", "--epochs", str(options.epochs)]
    flags += ["--limit-train", str(options.limit_train)] if options.limit_train else []
    variants: dict[str, Callable[[Path], None]] = {
        "2 workers x 1 thread": lambda folder: study(folder, options.seeds, [*flags, "--workers", "2"]),
        "1 worker x 2 threads": lambda folder: study(
            folder, options.seeds, [*flags, "--workers", "1", "--threads", "2"]
        ),
        "shell loop, 2 threads": lambda folder: loop(folder, options.seeds, [*flags, "--threads", "2"]),
    }
    if options.other is not None:
        other = options.other.resolve()
        variants["2 workers of the other"] = lambda folder: study(
            folder, options.seeds, [*flags, "--workers", "2"], other
        )
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(-warm_up, options.turns):
        for name in list(variants) if turn % 2 == 0 else reversed(variants):
            taken = timed(variants[name])
            if turn >= 0:
                times[name].append(taken)
                print(f"  {title}, turn {turn + 1}, {name}: {taken:.1f} s", flush=True)
    best, *others = times  # the ratios are to the first variant
    print(f"{title}: {best}: median {statistics.median(times[best]):.1f} s")
    for other in others:
        ratios = [slow / fast for slow, fast in zip(times[other], times[best], strict=True)]
        print(
            f"{title}: {other}: median {statistics.median(times[other]):.1f} s, "
            f"{statistics.median(ratios):.2f} times as long (turns: {', '.join(f'{ratio:.2f}' for ratio in ratios)})"
        )


def timed(variant: Callable[[Path], None]) -> float:
    """Seconds that the variant takes in an empty folder."""
    folder = Path(tempfile.mkdtemp())
    try:
        start = time.perf_counter()
        variant(folder)
        return time.perf_counter() - start
    finally:
        shutil.rmtree(folder)


def study(folder: Path, seeds: int, flags: list[str], checkout: Path = HERE) -> None:
    (folder / "study.yaml").write_text(yaml.safe_dump({"factors": FACTORS}))
    call(["--study", "study.yaml", "--name", "runs", "--seeds", str(seeds), *flags], folder, checkout)


def loop(folder: Path, seeds: int, flags: list[str]) -> None:
    for seed, attention, act in itertools.product(range(seeds), *FACTORS.values()):
        chosen = ["--spatial-attention" if attention else "--no-spatial-attention", "--act", str(act)]
        call([*chosen, "--seed", str(FIRST_SEED + seed), "--picture-every", "0", *flags], folder)


def call(arguments: list[str], folder: Path, checkout: Path = HERE) -> None:
    command = [sys.executable, str(checkout / "train.py"), *arguments]
    output: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(command, cwd=folder, env=environment, check=False, **output)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")


if __name__ == "__main__":
    main(tyro.cli(Options))
