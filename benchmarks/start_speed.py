"""How soon train.py and analyze.py have a result, compared with another checkout of this project.

    git worktree add ../other COMMIT
    python benchmarks/start_speed.py --other ../other --logs logs/factorial

Each turn starts the same command from both checkouts, one after the other: `train.py --help`; `train.py` until it
prints the line of an epoch with one batch of digits; and, with `--logs`, the whole of `analyze.py`. With `--runs` the
logs of so many runs with scalars only are written, and read by `read_logs`. The ratios are those of this checkout to
the other one within a turn. Processor time, user and system, depends less than wall time on what else the machine does.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tyro
from read_speed import Options as Study
from read_speed import write_study

HERE = Path(__file__).resolve().parents[1]
TRAIN = "train.py --spatial-attention --act elu --dataset digits --epochs 1 --limit-train 64 --limit-test 12"
TRAIN += " --picture-every 0 --threads 1 --compile off --log-dir"
READ = """
import sys
try:
    from attnae.reading.read import read_logs
except ImportError:  # of an older version
    from attnae.analysis.events import read_logs
read_logs(sys.argv[1])
"""


@dataclasses.dataclass(frozen=True)
class Options:
    """Compare the start of this version with that of another one."""

    other: Path
    """Another checkout of this project."""
    logs: Path | None = None
    """Logs that analyze.py reads."""
    runs: int = 0
    """How many runs of one epoch read_logs reads."""
    only: str = ""
    """Measure only the commands whose names hold this text."""
    turns: int = 5
    """How often each command is started from each checkout."""


def measure(command: list[str], checkout: Path, until: str | None) -> tuple[float, float]:
    """The processor time and the wall time in seconds, until the command ends or prints `until`."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as users start it: modules are compiled once
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command], cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if until is not None and line.lstrip().startswith(until):
            process.kill()
            break
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != (0 if until is None else -9):
        sys.exit(f"{' '.join(command)} in {checkout} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - start


def main(options: Options) -> None:
    with tempfile.TemporaryDirectory() as folder:
        commands: dict[str, tuple[list[str], str | None]] = {
            "train.py --help": (["train.py", "--help"], None),
            "train.py, first epoch": ([*TRAIN.split(), folder], "epoch 1/1"),
        }
        if options.logs is not None:
            logs = shutil.copytree(options.logs, Path(folder) / "logs")  # analyze.py writes its report there
            commands["analyze.py"] = (["analyze.py", str(logs)], None)
        if options.runs:
            directory = Path(folder) / "study"
            directory.mkdir()
            write_study(directory, options.runs, Study(epochs=1), pictures=False)
            commands["read_logs"] = (["-c", READ, str(directory)], None)
        for name, (command, until) in commands.items():
            if options.only not in name:
                continue
            pairs = []
            for turn in range(options.turns):
                checkouts = [HERE, options.other.resolve()]
                order = checkouts if turn % 2 else checkouts[::-1]
                found = {checkout: measure(command, checkout, until) for checkout in order}
                pairs.append([found[checkout] for checkout in checkouts])
            for kind, label in enumerate(("processor", "wall")):
                ratios = [here[kind] / other[kind] for here, other in pairs]
                seconds = [statistics.median(each[side][kind] for each in pairs) for side in (0, 1)]
                print(
                    f"{name:22} {label:9} here {seconds[0]:6.2f} s, other {seconds[1]:6.2f} s, ratio "
                    f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})",
                    flush=True,
                )


if __name__ == "__main__":
    main(tyro.cli(Options))
