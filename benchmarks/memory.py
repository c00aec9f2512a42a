"""How much memory train.py holds at each stage of a run, compared with another checkout of this project.

    python benchmarks/memory.py --data-dir DIR [--other ../other]

The model has all layers on and trains on 640 images of MNIST in DIR, then it is tested on the whole test set and draws
its pictures. The numbers are MB of resident memory, `VmRSS` of proc(5), after each stage, and the peak, `VmHWM`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

STAGES = """
import re, sys

def say(stage, field="VmRSS"):
    kilobytes = re.search(field + r":\\s+(\\d+)", open("/proc/self/status").read())[1]
    print(f"{stage}|{int(kilobytes) / 1024:.0f}", file=sys.stderr, flush=True)

def after(owner, name, stage):
    function, said = getattr(owner, name), []
    def call(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        finally:
            if not said:
                said.append(say(stage))
    setattr(owner, name, call)

say("Python")
import torch
say("import of torch")
import pytorch_lightning as pl
say("import of Lightning")
from attnae.cli import train_command
from attnae.training.module import AttentionVAE
say("all imports")
fit = pl.Trainer.fit
pl.Trainer.fit = lambda *args, **kwargs: (say("images read, model built"), fit(*args, **kwargs))[1]
after(AttentionVAE, "optimizer_step", "first step")
after(pl.Trainer, "fit", "training")
after(pl.Trainer, "test", "test")
code = train_command(sys.argv[1:])
say("end")
say("peak", "VmHWM")
sys.exit(code)
"""
FLAGS = "--spatial-attention --act elu --epochs 1 --limit-train 640 --picture-every 0"


def measure(checkout: Path, flags: list[str]) -> dict[str, int]:
    """MB after each stage."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", STAGES, *FLAGS.split(), *flags, "--log-dir", folder]
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{checkout}: {done.stdout}{done.stderr}")
    lines = [line.split("|") for line in done.stderr.splitlines() if line.count("|") == 1]
    return {stage: int(megabytes) for stage, megabytes in lines}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"), help="the folder of MNIST")
    parser.add_argument("--dataset", default="mnist", help="as in train.py")
    parser.add_argument("--other", type=Path, help="another checkout of this project")
    parser.add_argument("--compile", choices=["off", "on"], default="off", help="as in train.py")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    options = parser.parse_args()
    flags = ["--dataset", options.dataset, "--data-dir", str(options.data_dir.resolve())]
    flags += ["--compile", options.compile, "--threads", str(options.threads)]
    checkouts = [Path(__file__).resolve().parents[1], *([options.other.resolve()] if options.other else [])]
    measured = [measure(checkout, flags) for checkout in checkouts]
    print(
        f"| after | this version{' | the other' if options.other else ''} |\n|---|---|{'---|' if options.other else ''}"
    )
    for stage in measured[0]:
        print(f"| {stage} | {' | '.join(str(each.get(stage, '')) for each in measured)} |")


if __name__ == "__main__":
    main()
