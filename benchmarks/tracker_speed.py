"""Seconds from the SQLite file of a tracker to the report, for the same search stored by MLflow and by Optuna.

    python benchmarks/tracker_speed.py               # 5,000 runs
    python benchmarks/tracker_speed.py --runs 500

The files have the tables and columns of MLflow 3 and Optuna 4, so that neither has to be installed: a search at random
over four settings, of which two change the loss, with one loss per epoch. Reading is timed in this process, and all of
analyze.py, with its start, in one of its own.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import tyro

from attnae.reading.read import read_logs

ROOT = Path(__file__).resolve().parents[1]
ACTS = ("relu", "elu", "gelu")
LEARNING_RATE = {"name": "FloatDistribution", "attributes": {"step": None, "low": 1e-5, "high": 0.1, "log": True}}
DROPOUT = {"name": "FloatDistribution", "attributes": {"step": None, "low": 0.0, "high": 0.5, "log": False}}
LAYERS = {"name": "IntDistribution", "attributes": {"step": 1, "low": 1, "high": 6, "log": False}}
ACT = {"name": "CategoricalDistribution", "attributes": {"choices": ACTS}}


@dataclasses.dataclass(frozen=True)
class Options:
    """Time the analysis of stores of trackers."""

    runs: int = 5000
    """Number of runs."""
    epochs: int = 10
    """Values of the loss of each run."""


@dataclasses.dataclass(frozen=True)
class Search:
    """The settings, one value per run, and the losses, shape (runs, epochs)."""

    lr: np.ndarray
    dropout: np.ndarray
    layers: np.ndarray
    act: np.ndarray
    losses: np.ndarray

    @classmethod
    def draw(cls, options: Options) -> Search:
        rng = np.random.default_rng(0)
        lr, dropout = 10 ** rng.uniform(-5, -1, options.runs), rng.uniform(0, 0.5, options.runs)
        layers, act = rng.integers(1, 7, options.runs), rng.integers(0, len(ACTS), options.runs)
        final = 1 + 0.2 * (np.log10(lr) + 3) ** 2 + 0.1 * (act == 0) + rng.normal(0, 0.1, options.runs)
        return cls(lr, dropout, layers, act, final[:, None] + np.linspace(1, 0, options.epochs))


def write_mlflow(path: Path, search: Search) -> None:
    """The tables of MLflow's store that hold runs."""
    with closing(sqlite3.connect(path)) as store:
        store.executescript(
            """
            CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name TEXT, lifecycle_stage TEXT);
            CREATE TABLE runs (run_uuid TEXT PRIMARY KEY, name TEXT, status TEXT, start_time BIGINT, end_time BIGINT,
                lifecycle_stage TEXT, experiment_id INTEGER);
            CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
            CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
            CREATE TABLE metrics (key TEXT, value DOUBLE, timestamp BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN);
            INSERT INTO experiments VALUES (1, 'search', 'active');
            """
        )
        for run, losses in enumerate(search.losses):
            key, started = f"{run:032x}", 1_700_000_000_000 + 60_000 * run
            row = (key, f"run-{run}", started, started + 50_000)
            store.execute("INSERT INTO runs VALUES (?, ?, 'FINISHED', ?, ?, 'active', 1)", row)
            numbers = {"lr": search.lr[run], "dropout": search.dropout[run], "layers": search.layers[run]}
            params = [*numbers.items(), ("act", ACTS[search.act[run]])]
            rows = [(name, str(value), key) for name, value in params]
            store.executemany("INSERT INTO params VALUES (?, ?, ?)", rows)
            points = [("val_loss", loss, started + step, key, step) for step, loss in enumerate(losses.tolist())]
            store.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, 0)", points)
        store.commit()


def write_optuna(path: Path, search: Search) -> None:
    """The tables of Optuna's storage that hold trials."""
    with closing(sqlite3.connect(path)) as store:
        store.executescript(
            """
            CREATE TABLE studies (study_id INTEGER PRIMARY KEY, study_name TEXT);
            CREATE TABLE study_directions (direction TEXT, study_id INTEGER, objective INTEGER);
            CREATE TABLE trials (trial_id INTEGER PRIMARY KEY, number INTEGER, study_id INTEGER, state TEXT,
                datetime_start DATETIME, datetime_complete DATETIME);
            CREATE TABLE trial_params (param_id INTEGER PRIMARY KEY, trial_id INTEGER, param_name TEXT,
                param_value FLOAT, distribution_json TEXT);
            CREATE TABLE trial_values (trial_id INTEGER, objective INTEGER, value FLOAT, value_type TEXT);
            CREATE TABLE trial_intermediate_values (trial_id INTEGER, step INTEGER, intermediate_value FLOAT,
                intermediate_value_type TEXT);
            INSERT INTO studies VALUES (1, 'search');
            INSERT INTO study_directions VALUES ('MINIMIZE', 1, 0);
            """
        )
        start = np.datetime64("2026-01-01T00:00:00")
        for run, losses in enumerate(search.losses):
            times = [str(start + 60 * run + seconds).replace("T", " ") for seconds in (0, 50)]
            store.execute("INSERT INTO trials VALUES (?, ?, 1, 'COMPLETE', ?, ?)", (run + 1, run, *times))
            params = [
                ("lr", search.lr[run], LEARNING_RATE),
                ("dropout", search.dropout[run], DROPOUT),
                ("layers", search.layers[run], LAYERS),
                ("act", search.act[run], ACT),
            ]
            store.executemany(
                "INSERT INTO trial_params VALUES (NULL, ?, ?, ?, ?)",
                [(run + 1, name, float(value), json.dumps(kind)) for name, value, kind in params],
            )
            store.execute("INSERT INTO trial_values VALUES (?, 0, ?, 'FINITE')", (run + 1, float(losses[-1])))
            points = [(run + 1, step, loss) for step, loss in enumerate(losses.tolist())]
            store.executemany("INSERT INTO trial_intermediate_values VALUES (?, ?, ?, 'FINITE')", points)
        store.commit()


def main(options: Options) -> None:
    print(f"{os.cpu_count()} CPUs, Python {sys.version.split()[0]}; load {os.getloadavg()[0]:.1f}")
    search = Search.draw(options)
    with tempfile.TemporaryDirectory() as folder:
        for write in (write_mlflow, write_optuna):
            path = Path(folder) / f"{write.__name__.removeprefix('write_')}.db"
            write(path, search)
            start = time.perf_counter()
            runs = read_logs(path)
            reading = time.perf_counter() - start
            last = {run.final[run.metrics[0] if run.metrics else "val_loss"] for run in runs}
            if last != {float(loss) for loss in search.losses[:, -1]}:
                sys.exit(f"{path.name}: the final values are not those that were written")
            command = [sys.executable, str(ROOT / "analyze.py"), str(path), "--out", str(Path(folder) / "report")]
            before = os.times()
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            whole = time.perf_counter() - start
            after = os.times()
            cpu = after.children_user + after.children_system - before.children_user - before.children_system
            print(
                f"{path.name:10} {path.stat().st_size / 1e6:.1f} MB, {len(runs):,} runs: read in {reading:.2f} s; "
                f"analyze.py {whole:.1f} s ({cpu:.1f} s of processor time)"
            )


if __name__ == "__main__":
    main(tyro.cli(Options))
