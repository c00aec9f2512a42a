"""How much slower training is beside another busy process, and which setting of OpenMP's threads keeps it usable.

    python benchmarks/busy_cores.py

Each contestant is a process of its own, since OpenMP reads its settings when it is loaded. All of them train the
digits' model and take turns: first each makes its steps on a quiet machine, then each does beside one busy process
that is bound to the first core. Ratios are to the default on the quiet machine in the same turn; what counts is
their median. The machine must do nothing else.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import statistics
import subprocess
import sys
import time
from typing import Any

import tyro

# Threads and environment of each contestant.
CONTESTANTS: dict[str, tuple[int, dict[str, str]]] = {
    "default": (2, {}),
    "OMP_WAIT_POLICY=passive": (2, {"OMP_WAIT_POLICY": "passive"}),
    "GOMP_SPINCOUNT=0": (2, {"GOMP_SPINCOUNT": "0"}),
    "GOMP_SPINCOUNT=1000": (2, {"GOMP_SPINCOUNT": "1000"}),
    "GOMP_SPINCOUNT=10000": (2, {"GOMP_SPINCOUNT": "10000"}),
    "GOMP_SPINCOUNT=100000": (2, {"GOMP_SPINCOUNT": "100000"}),
    "one thread": (1, {}),
}

# A line on standard input is a number of steps to make; the answer is the seconds they took.
TRAIN = """
import sys, time, torch
from attnae.config import RunConfig
from attnae.model.vae import VAE, kl_divergence, reconstruction_bce
from attnae.training.allocator import keep_freed_memory

keep_freed_memory()
torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)
config = RunConfig(dataset="digits", spatial_attention=True, act="elu", image_size=8, channels=1)
vae = VAE(**config.model_arguments()).to(memory_format=torch.channels_last)
optimizer = torch.optim.Adam(vae.parameters(), lr=config.lr, fused=True)
x = torch.rand(config.batch_size, 1, 8, 8).to(memory_format=torch.channels_last)

def steps(count):
    for _ in range(count):
        output = vae(x)
        loss = reconstruction_bce(output.logits, x) + config.kl_weight * kl_divergence(output.mu, output.log_var)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

steps(3)
print("ready", flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    steps(int(line))
    print(time.perf_counter() - start, flush=True)
"""


@dataclasses.dataclass(frozen=True)
class Options:
    """Train beside a busy process."""

    turns: int = 5
    """Turns of all contestants, quiet and busy."""
    steps: int = 20
    """Steps of 64 digits that a contestant makes in a turn on a quiet machine, and a fifth of them on a busy one."""


class Contestant:
    """A process that waits, with all its threads asleep, until it is told to train."""

    def __init__(self, threads: int, environment: dict[str, str]) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-c", TRAIN, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=inherited | environment,
        )
        assert self._answer() == "ready"

    def seconds_per_step(self, steps: int) -> float:
        """The mean over so many steps."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return float(self._answer()) / steps

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


def busy_process() -> subprocess.Popen:
    """A process that keeps the first core busy."""
    code = "import os\nif hasattr(os, 'sched_setaffinity'): os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    process = subprocess.Popen([sys.executable, "-c", f"{code}while True: pass"])
    time.sleep(0.5)
    return process


def main() -> None:
    options = tyro.cli(Options)
    contestants = {name: Contestant(*settings) for name, settings in CONTESTANTS.items()}
    ratios: dict[str, dict[str, list[float]]] = {name: {"quiet": [], "busy": []} for name in contestants}
    try:
        for _ in range(options.turns):
            quiet = {name: each.seconds_per_step(options.steps) for name, each in contestants.items()}
            other = busy_process()
            try:
                steps = max(2, options.steps // 5)
                busy = {name: each.seconds_per_step(steps) for name, each in contestants.items()}
            finally:
                other.kill()
                other.wait()
            for name in contestants:
                ratios[name]["quiet"].append(quiet[name] / quiet["default"])
                ratios[name]["busy"].append(busy[name] / quiet["default"])
    finally:
        for each in contestants.values():
            each.stop()
    print(f"{platform.machine()}, {os.cpu_count()} cores, {options.turns} turns; time of a step, default and quiet: 1")
    print(f"{'':<26}{'quiet':>22}{'beside a busy process':>28}")
    for name, found in ratios.items():
        print(f"{name:<26}{_summary(found['quiet']):>22}{_summary(found['busy']):>28}")


def _summary(values: list[Any]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
