"""Optuna's journal: a file with a line of JSON for everything that happened to its studies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from attnae.errors import UserError
from attnae.reading.json_files import json_lines
from attnae.reading.optuna.content import METRIC_NAMES, Study, Trial, decode, runs_of
from attnae.reading.run import Format, Request, Run

HEAD_BYTES = 1 << 12
# The numbers of the operations that are read, of the directions and of the states.
CREATE_STUDY, DELETE_STUDY, SET_STUDY_ATTRIBUTE, CREATE_TRIAL = 0, 1, 3, 4
SET_PARAM, SET_STATE, SET_STEP = 5, 6, 7
DIRECTIONS = {1: "MINIMIZE", 2: "MAXIMIZE"}
STATES = dict(enumerate(("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING")))
# What a damaged line raises: a name that is missing, or a value of another type.
DAMAGE = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)


def recognises(path: Path) -> bool:
    """A file whose first line is a journal's: JSON with an operation and a worker."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        line = file.read(HEAD_BYTES).partition(b"\n")[0]
    return line.lstrip().startswith(b"{") and b'"op_code"' in line and b'"worker_id"' in line


def read(path: Path, request: Request) -> list[Run]:
    """All trials of the studies that were not deleted.

    Raises:
        UserError: there are no trials.
    """
    journal = Journal()
    problems: list[str] = []
    damaged = 0
    for entry in json_lines(path, problems):
        try:
            journal.apply(entry)
        except DAMAGE:
            damaged += 1
    if damaged:
        problems.append(f"{path.name}: {damaged} line(s) do not fit the lines before them and are left out")
    trials = [trial for trial in journal.trials if id(trial.study) not in journal.deleted]
    if not trials:
        raise UserError(f"{path}: this journal of Optuna has no trials{': ' if problems else ''}{'; '.join(problems)}")
    trials[0].problems += problems
    return runs_of(sorted(trials, key=lambda trial: (trial.study.name, trial.number)))


class Journal:
    """The studies and trials so far. The numbers of both count from 0 in the order of their creation."""

    def __init__(self) -> None:
        self.studies: list[Study] = []
        self.deleted: set[int] = set()
        self.trials: list[Trial] = []
        self._counts: dict[int, int] = {}

    def apply(self, entry: Mapping[str, Any]) -> None:
        """One line. Raises one of `DAMAGE` if it does not fit the lines before it."""
        code = entry["op_code"]
        if code == CREATE_STUDY:
            directions = [DIRECTIONS.get(number, "") for number in entry["directions"]]
            self.studies.append(Study(str(entry["study_name"]), directions))
        elif code == DELETE_STUDY:
            self.deleted.add(id(_at(self.studies, entry["study_id"])))
        elif code == SET_STUDY_ATTRIBUTE:
            names = entry["system_attr"].get(METRIC_NAMES)
            if names is not None:
                _at(self.studies, entry["study_id"]).names = [str(name) for name in names]
        elif code == CREATE_TRIAL:
            self._create(_at(self.studies, entry["study_id"]), entry)
        elif code == SET_PARAM:
            trial = _at(self.trials, entry["trial_id"])
            value = decode(entry["param_value_internal"], entry["distribution"])
            trial.params[str(entry["param_name"])] = value
        elif code == SET_STATE:
            _finish(_at(self.trials, entry["trial_id"]), entry)
        elif code == SET_STEP:
            _at(self.trials, entry["trial_id"]).steps[int(entry["step"])] = _number(entry["intermediate_value"])

    def _create(self, study: Study, entry: Mapping[str, Any]) -> None:
        """A trial that was enqueued or copied brings its content along."""
        number = self._counts.setdefault(id(study), 0)
        self._counts[id(study)] += 1
        trial = Trial(study, number, "RUNNING")
        self.trials.append(trial)  # first, since the numbers of later trials count it
        distributions = entry.get("distributions", {})
        for name, value in entry.get("params", {}).items():
            trial.params[str(name)] = decode(value, distributions[name])
        for step, value in entry.get("intermediate_values", {}).items():
            trial.steps[int(step)] = _number(value)
        _finish(trial, entry)


def _finish(trial: Trial, entry: Mapping[str, Any]) -> None:
    if "state" in entry:
        trial.state = STATES[entry["state"]]
    values = entry.get("values")
    if values is None and entry.get("value") is not None:
        values = [entry["value"]]
    for place, value in enumerate(values or ()):
        trial.values[place] = _number(value)
    if entry.get("datetime_start"):
        trial.started = _seconds(entry["datetime_start"])
    if entry.get("datetime_complete"):
        trial.ended = _seconds(entry["datetime_complete"])


def _at(items: list[Any], number: Any) -> Any:
    if not isinstance(number, int) or number < 0:
        raise IndexError(number)
    return items[number]


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _seconds(text: str) -> float:
    """Seconds since 1970 of a time such as `2026-01-31T10:00:00`, which is of the zone UTC unless it names one."""
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp()


OPTUNA_JOURNAL = Format("Optuna", "a journal of Optuna such as optuna.log", recognises, read)
