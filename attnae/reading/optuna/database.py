"""Optuna's SQLite storage, such as optuna.db (`storage="sqlite:///optuna.db"`)."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

from attnae.errors import UserError
from attnae.reading.optuna.content import METRIC_NAMES, Study, Trial, decode, runs_of
from attnae.reading.run import Format, Request, Run
from attnae.reading.sqlite import Database, DatabaseDamaged, has_tables, open_database

TABLES = ("studies", "study_directions", "trials", "trial_params", "trial_values", "trial_intermediate_values")
INFINITIES = {"INF_POS": math.inf, "INF_NEG": -math.inf}


def recognises(path: Path) -> bool:
    """An SQLite file with Optuna's tables."""
    return has_tables(path, TABLES)


def read(path: Path, request: Request) -> list[Run]:
    """All trials of all studies.

    Raises:
        UserError: the file is damaged, or has no trials.
    """
    try:
        with open_database(path) as database:
            trials = _trials(database)
    except DatabaseDamaged as error:
        raise UserError(f"{path} cannot be read as a storage of Optuna: {error}") from None
    if not trials:
        raise UserError(f"{path}: this storage of Optuna has no trials")
    return runs_of(list(trials.values()))


def _trials(database: Database) -> dict[Any, Trial]:
    studies = {key: Study(str(name)) for key, name in database.read("studies", ["study_id", "study_name"])}
    directions = ["study_id", "direction", "objective"]
    for key, direction, _ in database.read("study_directions", directions, ["study_id", "objective"]):
        if key in studies:
            studies[key].directions.append(str(direction))
    if "study_system_attributes" in database.tables:
        for key, name, text in database.read("study_system_attributes", ["study_id", "key", "value_json"]):
            if name == METRIC_NAMES and key in studies:
                studies[key].names = _names(text)
    trials = {
        key: Trial(studies[study], int(number or 0), str(state), started=_seconds(begin), ended=_seconds(end))
        for key, study, number, state, begin, end in database.read(
            "trials",
            ["trial_id", "study_id", "number", "state", "datetime_start", "datetime_complete"],
            ["study_id", "number"],
        )
        if study in studies
    }
    columns = ["trial_id", "param_name", "param_value", "distribution_json"]
    for key, name, value, distribution in database.read("trial_params", columns, ["param_id"]):
        if key in trials:
            try:
                trials[key].params[str(name)] = decode(value, distribution)
            except ValueError as error:
                trials[key].problems.append(f"the parameter {name} cannot be decoded: {error}")
    for key, objective, number in _numbers(database, "trial_values", "objective", "value"):
        if key in trials and number is not None:
            trials[key].values[objective] = number
    for key, step, number in _numbers(database, "trial_intermediate_values", "step", "intermediate_value"):
        if key in trials:
            trials[key].steps[step] = math.nan if number is None else number
    return trials


def _numbers(database: Database, table: str, place: str, value: str) -> list[tuple[Any, int, float | None]]:
    """(trial, place, number) of each row. Infinities are named in another column, and NaN is NULL."""
    kind = f"{value}_type"  # not in the first versions of the schema
    typed = kind in database.columns(table)
    found = []
    for key, at, number, *types in database.read(table, ["trial_id", place, value, *([kind] if typed else [])]):
        if not isinstance(at, int) or abs(at) >= 2**62:
            raise DatabaseDamaged(f"{table} has the {place} {at!r}")
        known = float(number) if isinstance(number, (int, float)) else None
        found.append((key, at, INFINITIES.get(types[0], known) if types else known))
    return found


def _names(text: Any) -> list[str]:
    try:
        names = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return []
    return [str(name) for name in names] if isinstance(names, list) else []


def _seconds(text: Any) -> float:
    """Seconds since 1970 of a time such as `2026-01-31 10:00:00.000000`, which is local and names no zone."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except (ValueError, OverflowError, OSError):
        return math.nan


OPTUNA_DATABASE = Format("Optuna", "an SQLite file of Optuna such as optuna.db", recognises, read)
