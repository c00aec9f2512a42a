"""What the analysis of a search has to know about the runs, and that of a designed study does not."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from attnae.analysis.audit.names import last_part_matches, names_data
from attnae.analysis.audit.outcomes import USED
from attnae.analysis.audit.responses import EpochRule, has_one_point
from attnae.analysis.audit.roles import Roles
from attnae.reading.run import DIVERGED, PRUNED, UNFINISHED, Run

# Names of settings and notes that say how the runs of a search were chosen or stopped.
SAMPLER = re.compile(
    r"(.*[_-])?(sampler|searcher|search[_-]?alg(orithm)?|tuner|optuna|hpo|scheduler)([_-]?(name|type))?", re.IGNORECASE
)
SWEEP_METHOD = re.compile(r"(.*/)?sweep[/_-]?method", re.IGNORECASE)
# Names of columns that count the runs in the order in which they were chosen.
COUNT = re.compile(
    r"trial|step|run|iteration|experiment|((trial|run|iteration|experiment)[_-]?)?(number|no|nr|index|order)",
    re.IGNORECASE,
)
# No setting is called like this.
ORDER = "order of the runs"

History = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class SearchLog:
    """The runs of a search that take part, as `fit_search` reads them.

    Attributes:
        table: the rows of the runs that are finished, diverged, pruned or unfinished, with the column ORDER if it is
            known in which order they were chosen.
        settings: the columns that are settings.
        strata: the column of the data set, within which runs are compared; None if there is only one.
        order: ORDER; None if it is unknown.
        samplers: what the logs call the way in which runs were chosen or stopped, such as `TPESampler`.
        histories: steps and values of the response, one pair a row, empty for diverged runs; None if the runs have one
            value each, or if the response is not the last value.
    """

    table: pd.DataFrame
    settings: tuple[str, ...]
    strata: str | None
    order: str | None
    samplers: tuple[str, ...]
    histories: tuple[History, ...] | None


def search_log(runs: Sequence[Run], table: pd.DataFrame, roles: Roles, tag: str, rule: EpochRule) -> SearchLog:
    """The part of `runs.csv` that a search uses, with what is known about the order and the lengths of the runs."""
    rows = np.flatnonzero(table["status"].isin((*USED, DIVERGED, PRUNED, UNFINISHED))).tolist()
    # A run that never logged the response shares no step with others because it has none, which is its own reason.
    rows = [row for row in rows if tag in runs[row].scalars or table["status"].iloc[row] == DIVERGED]
    chosen = [runs[row] for row in rows]
    part = table.iloc[rows].reset_index(drop=True)
    strata = next((name for name in roles.settings if names_data(name)), None) if not roles.chosen else None
    order = _order(chosen)
    histories = None
    if rule.kind == "last" and not has_one_point(chosen, tag):
        histories = tuple(_history(run, tag, status) for run, status in zip(chosen, part["status"], strict=True))
    return SearchLog(
        table=part if order is None else part.assign(**{ORDER: order}),
        settings=tuple(name for name in roles.settings if name != strata),
        strata=strata,
        order=None if order is None else ORDER,
        samplers=_samplers(chosen),
        histories=histories,
    )


def _history(run: Run, tag: str, status: str) -> History:
    series = run.scalars.get(tag)
    if series is None or status == DIVERGED:
        return np.array([]), np.array([])
    return series.steps, series.values


def _order(runs: Sequence[Run]) -> list[float] | None:
    """When each run was chosen: its start, or a column that counts the runs; None if neither is known.

    Starts that many runs share are times of copying or of one job, and say nothing.
    """
    values = [_columns(run) for run in runs]
    names = dict.fromkeys(name for columns in values for name in columns if last_part_matches(name, COUNT))
    counts = [[_number(columns.get(name)) for columns in values] for name in names]
    for column in ([run.started for run in runs], *counts):
        if all(map(math.isfinite, column)) and 2 * len(set(column)) > len(column):
            return column
    return None


def _columns(run: Run) -> dict[str, object]:
    """All that is recorded of a run; the columns of a table may be results, too, if nobody says what they are."""
    return {**(run.final if run.directory is None else {}), **run.details, **run.hparams}


def _samplers(runs: Sequence[Run]) -> tuple[str, ...]:
    """The texts of all settings and notes that are called like a sampler or a scheduler, each once."""
    found: dict[str, None] = {}
    for run in runs:
        for name, value in (*run.hparams.items(), *run.details.items()):
            if isinstance(value, str) and (last_part_matches(name, SAMPLER) or SWEEP_METHOD.fullmatch(name)):
                found[value] = None
    return tuple(found)


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
