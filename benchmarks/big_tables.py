"""Processor time and memory of analyze.py on CSV tables of one megabyte, whatever their shape.

    python benchmarks/big_tables.py
    python benchmarks/big_tables.py --kilobytes 20 --tables words optuna

The responses are noise. Each table is analysed in a process of its own with one thread; its start counts as well.
"""

from __future__ import annotations

import compileall
import dataclasses
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import tyro

ROOT = Path(__file__).resolve().parents[1]
MAX_ROWS = 100_000
SAMPLE = 200
Table = dict[str, np.ndarray]
Make = Callable[[np.random.Generator, int], Table]


def with_losses(settings: Callable[[np.random.Generator, int], Table]) -> Make:
    return lambda rng, rows: {**settings(rng, rows), "val_loss": rng.normal(1, 0.1, rows).round(4)}


def numbers(count: int, levels: int) -> Make:
    """Whole numbers from 1 on."""
    return with_losses(lambda rng, rows: {f"s{i}": rng.integers(1, levels + 1, rows) for i in range(count)})


WORDS = np.array(["v0", "v1"])


def words(count: int) -> Make:
    """Two words for each setting."""
    return with_losses(lambda rng, rows: {f"w{i}": WORDS[rng.integers(0, 2, rows)] for i in range(count)})


def continuous(count: int) -> Make:
    return with_losses(lambda rng, rows: {f"x{i}": rng.uniform(0, 1, rows).round(6) for i in range(count)})


def few_rows(rng: np.random.Generator, rows: int) -> Table:
    """Eight different rows, over and over."""
    which = rng.integers(0, 8, rows)
    return {
        "act": np.array(["relu", "elu"])[which % 2],
        "depth": which // 2,
        "val_loss": rng.normal(1, 0.1, 8).round(4)[which],
    }


def search(rng: np.random.Generator, rows: int) -> Table:
    return {
        "lr": 10 ** rng.uniform(-5, -1, rows),
        "dropout": rng.uniform(0, 0.5, rows),
        "layers": rng.integers(1, 7, rows),
        "optimizer": np.array(["sgd", "adam", "lion"])[rng.integers(0, 3, rows)],
    }


def optuna(rng: np.random.Generator, rows: int) -> Table:
    """As `study.trials_dataframe()` gives it."""
    started = np.datetime64("2026-01-01T00:00:00") + 60 * np.arange(rows).astype("timedelta64[s]")
    return {
        "number": np.arange(rows),
        "value": rng.normal(1, 0.1, rows),
        "datetime_start": started,
        "datetime_complete": started + np.timedelta64(50, "s"),
        "duration": np.repeat("0 days 00:00:50", rows),
        **{f"params_{name}": values for name, values in search(rng, rows).items()},
        "state": np.where(rng.random(rows) < 0.1, "PRUNED", "COMPLETE"),
    }


def mlflow(rng: np.random.Generator, rows: int) -> Table:
    """As `mlflow.search_runs` gives it."""
    return {
        "run_id": np.array([f"{run:032x}" for run in range(rows)]),
        "experiment_id": np.ones(rows, dtype=int),
        "status": np.repeat("FINISHED", rows),
        "metrics.val_loss": rng.normal(1, 0.1, rows),
        **{f"params.{name}": values for name, values in search(rng, rows).items()},
    }


TABLES: dict[str, Make] = {
    "wide": numbers(1900, 2),
    "words": words(150),
    "numbers": numbers(31, 2),
    "continuous": continuous(5),
    "optuna": optuna,
    "mlflow": mlflow,
    "few-rows": few_rows,
    "two-settings": numbers(2, 5),
    "five-settings": numbers(5, 4),
}


@dataclasses.dataclass(frozen=True)
class Options:
    """Measure analyze.py on large tables."""

    kilobytes: int = 1000
    """Size of each table."""
    tables: tuple[str, ...] = tuple(TABLES)
    """Names of the tables."""


def write_table(path: Path, make: Make, size: int) -> tuple[int, int]:
    """A CSV file of about `size` bytes; its rows and columns."""
    sample = pd.DataFrame(make(np.random.default_rng(0), SAMPLE)).to_csv(index=False)
    head = sample.index("\n") + 1
    rows = round(SAMPLE * (size - head) / (len(sample) - head))
    table = pd.DataFrame(make(np.random.default_rng(0), min(MAX_ROWS, max(rows, 20))))
    table.to_csv(path, index=False)
    return table.shape


def measure(path: Path) -> tuple[float, float]:
    """Processor seconds, and the largest memory in MB, of one analysis."""
    command = [sys.executable, str(ROOT / "analyze.py"), str(path), "--out", str(path.parent / "report")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as users start it: modules are compiled once, before the first
    with open(os.devnull, "wb") as nowhere:
        process = subprocess.Popen(command, stdout=nowhere, env=environment)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # it was waited for, which the object does not know
    if process.returncode:
        sys.exit(f"{path.name}: exit code {process.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1000


def main(options: Options) -> None:
    compileall.compile_dir(ROOT / "attnae", quiet=1)
    print(f"{os.cpu_count()} CPUs, Python {sys.version.split()[0]}; load {os.getloadavg()[0]:.1f}")
    for name in options.tables:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.csv"
            rows, columns = write_table(path, TABLES[name], 1000 * options.kilobytes)
            seconds, memory = measure(path)
        print(f"{name:14} {rows:>7,} runs, {columns:>5,} columns: {seconds:5.1f} s, {memory:4.0f} MB", flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options))
