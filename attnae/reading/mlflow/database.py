"""MLflow's SQLite store, such as mlflow.db (`--backend-store-uri sqlite:///mlflow.db`)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from attnae.errors import UserError
from attnae.reading.mlflow.content import DELETED, RUN_NAME, Record, runs_of
from attnae.reading.run import Format, Request, Run
from attnae.reading.sqlite import Database, DatabaseDamaged, has_tables, open_database

TABLES = ("experiments", "runs", "params", "metrics", "tags")


def recognises(path: Path) -> bool:
    """An SQLite file with MLflow's tables."""
    return has_tables(path, TABLES)


def read(path: Path, request: Request) -> list[Run]:
    """All runs that are not deleted, of all experiments that are not.

    Raises:
        UserError: the file is damaged, or has no runs.
    """
    try:
        with open_database(path) as database:
            records = _records(database)
    except DatabaseDamaged as error:
        raise UserError(f"{path} cannot be read as a store of MLflow: {error}") from None
    runs = runs_of(records)
    if not runs:
        raise UserError(f"{path}: no run of this store of MLflow has parameters or metrics")
    return runs


def _records(database: Database) -> list[Record]:
    experiments = {
        key: str(name)
        for key, name, stage in database.read("experiments", ["experiment_id", "name", "lifecycle_stage"])
        if stage != DELETED
    }
    names = ["run_uuid", "experiment_id", "status", "start_time", "end_time", "lifecycle_stage"]
    has_name = "name" in database.columns("runs")  # not in the first versions of the schema
    records: dict[str, Record] = {}
    for key, experiment, status, started, ended, stage, *name in database.read(
        "runs", [*names, "name"] if has_name else names, ["start_time", "run_uuid"]
    ):
        if stage != DELETED and experiment in experiments:
            records[key] = Record(
                str(key),
                str(name[0] or "") if name else "",
                str(status),
                experiments[experiment],
                started=_number(started),
                ended=_number(ended),
            )
    for key, name_, value in database.read("tags", ["run_uuid", "key", "value"]):
        if name_ == RUN_NAME and key in records and not records[key].name:
            records[key].name = str(value)
    for key, name_, value in database.read("params", ["run_uuid", "key", "value"]):
        if key in records:
            records[key].params[str(name_)] = str(value)
    for key, name_, step, timestamp, value, is_nan in database.read(
        "metrics", ["run_uuid", "key", "step", "timestamp", "value", "is_nan"]
    ):
        if key not in records:
            continue
        number = math.nan if is_nan else _number(value)
        if number is None or not isinstance(step, int) or not isinstance(timestamp, int):
            records[key].problems.append(f"a value of {name_} is not a number and is left out")
        else:
            records[key].points.setdefault(str(name_), []).append((step, timestamp, number))
    return list(records.values())


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


MLFLOW_DATABASE = Format("MLflow", "an SQLite file of MLflow such as mlflow.db", recognises, read)
