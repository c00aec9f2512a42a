"""What the storages of Optuna have in common: how parameters are decoded, and how a run is made of a trial."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from attnae.reading.run import DIVERGED, FAILED, FINISHED, PRUNED, UNFINISHED, UNKNOWN, HParam, Run, Series
from attnae.reading.settings import plain_number, setting_of

STATUSES = {"COMPLETE": FINISHED, "PRUNED": PRUNED, "FAIL": FAILED, "RUNNING": UNFINISHED, "WAITING": UNFINISHED}
METRIC_NAMES = "study:metric_names"
GOALS: dict[str, Literal["min", "max"]] = {"MINIMIZE": "min", "MAXIMIZE": "max"}
INTEGERS = ("IntDistribution", "IntUniformDistribution", "IntLogUniformDistribution")


@dataclass
class Study:
    """A study. `directions` and `names` have one entry per objective."""

    name: str
    directions: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def tags(self, count: int) -> list[str]:
        """The names of the objectives: those that the study gives, else `value`, or `values_0` and so on."""
        if len(self.names) == count:
            return self.names
        return ["value"] if count == 1 else [f"values_{place}" for place in range(count)]


@dataclass
class Trial:
    """A trial of a study.

    Attributes:
        number: counts the trials of the study from 0.
        values: one value per objective, as far as there are any. Those of a pruned trial are its last reports.
        steps: the values reported on the way, by step.
        started, ended: seconds since 1970; NaN if unknown.
    """

    study: Study
    number: int
    state: str = ""
    params: dict[str, HParam] = field(default_factory=dict)
    values: dict[int, float] = field(default_factory=dict)
    steps: dict[int, float] = field(default_factory=dict)
    started: float = math.nan
    ended: float = math.nan
    problems: list[str] = field(default_factory=list)


def runs_of(trials: Sequence[Trial]) -> list[Run]:
    """A run per trial. Waiting trials, which nobody has begun, are left out."""
    several = len({trial.study.name for trial in trials}) > 1
    return [_run(trial, several) for trial in trials if trial.state != "WAITING"]


def _run(trial: Trial, several: bool) -> Run:
    study = trial.study
    tags = study.tags(max(len(study.directions), 1))
    scalars = {tags[place]: _series({0: value}) for place, value in trial.values.items() if place < len(tags)}
    if trial.steps:
        # Reports on the way are of the only objective: they are its curve, which ends in the value of the trial.
        curve = dict(trial.steps)
        if 0 in trial.values and trial.values[0] != curve[max(curve)]:
            curve[max(curve) + 1] = trial.values[0]
        scalars[tags[0]] = _series(curve)
    name = f"trial {trial.number}"
    return Run(
        name=f"{study.name}/{name}" if several else name,
        directory=None,
        hparams=trial.params,
        scalars=scalars,
        status=_status(trial),
        problems=tuple(trial.problems),
        metrics=tuple(tags),
        started=trial.started,
        seconds=trial.ended - trial.started,
        group=study.name,
        goal=GOALS.get(study.directions[0]) if study.directions else None,
    )


def _status(trial: Trial) -> str:
    """How a trial ended. Optuna calls it failed if the objective returned NaN; its last report is NaN then, too."""
    if trial.state == "FAIL" and trial.steps and math.isnan(trial.steps[max(trial.steps)]):
        return DIVERGED
    return STATUSES.get(trial.state, UNKNOWN)


def _series(points: Mapping[int, float]) -> Series:
    steps = sorted(points)
    return Series(np.array(steps, dtype=np.int64), np.array([points[step] for step in steps], dtype=np.float64))


def decode(value: Any, distribution: Any) -> HParam:
    """A parameter from its number in the storage: a category is the index of one of its choices.

    Args:
        distribution: its JSON, with `name` and `attributes`, as text or decoded.

    Raises:
        ValueError: the number does not fit the distribution.
    """
    try:
        if isinstance(distribution, (str, bytes)):
            distribution = json.loads(distribution)
        kind, attributes = str(distribution["name"]), distribution["attributes"]
        if kind == "CategoricalDistribution":
            index = int(value)
            if index < 0:
                raise ValueError("a choice has a negative number")
            choice = attributes["choices"][index]
            return "none" if choice is None else setting_of(choice)
        return int(value) if kind in INTEGERS else plain_number(float(value))
    except (KeyError, IndexError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None
