"""A CSV table with one row per run -> runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from attnae.reading.run import PRUNED, UNKNOWN, Format, HParam, Request, Run, Series
from attnae.reading.table.cells import Column, Table, read_table
from attnae.reading.table.layouts import Layout, duration_of, find_layout, time_of
from attnae.reading.table.not_runs import check_header, check_rows
from attnae.reading.table.objects import expand
from attnae.reading.table.roles import Roles, find_roles
from attnae.reading.table.statuses import read_statuses
from attnae.reading.table.words import is_result_name
from attnae.text import listed

T = TypeVar("T")
FIRST_STEP = np.zeros(1, dtype=np.int64)


def recognises(path: Path) -> bool:
    """Any file: one that is not a table is an error of `read`, which says where."""
    return path.is_file()


def read(path: Path, request: Request) -> list[Run]:
    """Every row becomes a run, and every numeric result a series of one point.

    The header tells which program wrote the table; `roles` decides what each column is. A number that may be a setting
    as well as a result is both, so that `--response` can name it. What is odd about the file is a problem of the first
    run.

    Raises:
        UserError: the file is not such a table; the message names the line, or says what the file is.
    """
    table = read_table(path)
    check_header(path, table.columns)
    layout = find_layout({*table.columns})
    if layout.objects:
        table = expand(table, dict(layout.objects))
    roles = find_roles(table.columns, layout)
    check_rows(path, table, roles)
    marks, problems = _statuses(table, roles, layout)
    problems = [*table.problems, *problems, *_objectives(roles, layout)]
    if not roles.main:
        lost = [name for name in table.empty if is_result_name(name)]
        problems.append(
            f"{listed(lost)} {'has' if len(lost) == 1 else 'have'} no values"
            if lost
            else "no column looks like a result"
        )
    names = _names(table, roles, layout)
    metrics = tuple(roles.labels[name] for name in roles.main)
    settings = {roles.labels[name]: table.columns[name].settings for name in roles.columns("setting", "either")}
    # Numbers that may be settings are results only beside one that is a result: a table without any has no response.
    measured = roles.columns("result", "either") if roles.main else []
    results = {roles.labels[name]: _points(table.columns[name].numbers) for name in measured}
    details = {name: table.columns[name].settings for name in roles.columns("detail")}
    runs: list[Run] = []
    for row in range(table.rows):
        hparams: dict[str, HParam] = _given(settings, row)
        scalars = _given(results, row)
        if layout.parents and not hparams and not scalars:
            continue  # the parent of a sweep
        started, seconds = _times(table, layout, row)
        run = Run(
            name=names[row],
            directory=None,
            hparams=hparams,
            scalars=scalars,
            status=marks[row],
            problems=() if runs else tuple(problems),
            metrics=metrics,
            started=started,
            seconds=seconds,
            group=_group(table, layout, row),
            goal="max" if layout.goal_is_max else None,
            format=layout.name,
            source=str(path),
            details=_given(details, row),
        )
        runs.append(run)
    return runs


TABLE = Format("CSV table", "a CSV table with one row per run", recognises, read, scanned=False)


def _names(table: Table, roles: Roles, layout: Layout) -> list[str]:
    given = roles.columns("name")
    texts = table.columns[given[0]].texts if given else [""] * table.rows
    return [layout.called.format(text) if text else f"row {row}" for row, text in enumerate(texts, start=1)]


def _given(columns: Mapping[str, Sequence[T | None]], row: int) -> dict[str, T]:
    """The values of a row that are not empty."""
    return {name: value for name, values in columns.items() if (value := values[row]) is not None}


def _statuses(table: Table, roles: Roles, layout: Layout) -> tuple[list[str], list[str]]:
    """The status of each row, and problems. Words such as OOM among the results are a problem as well."""
    given = roles.columns("status")
    marks, problems = read_statuses(table.columns[given[0]]) if given else ([UNKNOWN] * table.rows, [])
    problems += [
        f"{name} has words in {table.columns[name].words} of {table.rows} rows, which are read as no value"
        for name in roles.columns("result")
        if table.columns[name].words
    ]
    if layout.budget in table.columns and not given:
        marks, more = _budgets(table.columns[layout.budget])
        problems += more
    return marks, problems


def _budgets(column: Column) -> tuple[list[str], list[str]]:
    """Statuses from how far each run was trained: a run that ends before the others was stopped by a scheduler.

    If only one run reached the last step, each run may have ended where it was meant to.
    """
    steps = [-math.inf if number is None else number for number in column.numbers]
    last = max(steps)
    if min(steps) == last:
        return [UNKNOWN] * len(steps), []
    if steps.count(last) < 2:
        return [UNKNOWN] * len(steps), [f"the runs ended at different values of {column.name}, from {min(steps):g} on"]
    marks = [UNKNOWN if step == last else PRUNED for step in steps]
    count = marks.count(PRUNED)
    return marks, [
        f"{count} of {len(marks)} runs ended before {column.name} {last:g}, where the others did: they count as pruned"
    ]


def _objectives(roles: Roles, layout: Layout) -> list[str]:
    """What has to be said if a study has several objectives."""
    if len(roles.main) < 2 or not layout.objectives:
        return []
    labels = [roles.labels[name] for name in roles.main]
    return [f"the study has {len(labels)} objectives: --response chooses one of {', '.join(labels)}"]


def _times(table: Table, layout: Layout, row: int) -> tuple[float, float]:
    """Start, in seconds since 1970, and duration in seconds; NaN if unknown."""

    def cell(name: str | None) -> str:
        return table.columns[name].texts[row] if name in table.columns else ""

    started, ended = time_of(cell(layout.started)), time_of(cell(layout.ended))
    seconds = duration_of(cell(layout.seconds))
    if math.isnan(seconds):
        seconds = ended - started
    return ended - seconds if math.isnan(started) else started, seconds


def _group(table: Table, layout: Layout, row: int) -> str:
    text = table.columns[layout.group].texts[row] if layout.group in table.columns else ""
    return f"{layout.group} {text}" if text else ""


def _points(numbers: Sequence[float | None]) -> list[Series | None]:
    values = np.array(numbers, dtype=np.float64)  # None becomes NaN
    return [None if numbers[i] is None else Series(FIRST_STEP, values[i : i + 1]) for i in range(len(values))]
