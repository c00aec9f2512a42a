"""What each column of a table is: the decision list, in which the first rule that fits counts.

1. The columns of the status and of the run's name.
2. A seed, with or without a prefix, is a setting.
3. A prefix of a tracker decides (`params.lr`, `metrics.loss`, `tags.user`). Where any column has the prefix of a
   setting, columns without one are never settings.
4. In the table of a tracker, its bookkeeping: times, hosts, identifiers.
5. The page export of W&B has its settings before its results, each in alphabetical order: where the order is broken
   exactly once, that place separates them.
6. Text and truth values are settings, and dates that are mostly different are bookkeeping.
7. Numbers whose names say that they are results are results; numbers named like hyper-parameters are settings.
8. A number with a single value, or with a few whole or round values that repeat, is a setting.
9. Other numbers that differ in most rows are results to the right of the first result, and settings to the left of it.

Everything here looks at names, at places and at values of the column itself, never at how it goes with the results.
Whether a setting follows from others is for the audit, which knows all runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from attnae.reading.run import HParam
from attnae.reading.table.cells import Column
from attnae.reading.table.layouts import (
    DETAIL_PREFIXES,
    PLAIN,
    RESULT_PREFIXES,
    Layout,
    is_book,
    prefix_of,
    setting_prefix,
)
from attnae.reading.table.statuses import find_status
from attnae.reading.table.words import (
    SEED,
    is_hyperparameter_name,
    is_measured_name,
    is_result_name,
    is_secondary,
)

# A setting is compared; a result can be the response; a number that may be either is both; a detail is neither.
Role = Literal["setting", "result", "either", "detail", "name", "status"]

FEW_LEVELS = 6
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?|\d{1,2}/\d{1,2}/\d{4}.*|(\d+ days? )?\d+:\d\d(:\d\d.*)?")


@dataclass(frozen=True)
class Roles:
    """The role of each column.

    Attributes:
        of: the role, by column.
        labels: the name without its prefix, by column; a result keeps it where a setting has the same name.
        main: the results of which one is to be explained, in the order of the file.
    """

    of: dict[str, Role]
    labels: dict[str, str]
    main: tuple[str, ...]

    def columns(self, *roles: Role) -> list[str]:
        """The columns that have one of the roles."""
        return [name for name, role in self.of.items() if role in roles]


def find_roles(columns: Mapping[str, Column], layout: Layout) -> Roles:
    """The role of every column, by the rules above."""
    of: dict[str, Role] = {}
    status, naming = find_status(columns), _find_name(columns, layout)
    prefixed = any(setting_prefix(name, layout) for name in columns)
    for name, column in columns.items():
        role = _by_name(column, layout, prefixed)
        if name in (status, naming):
            of[name] = "status" if name == status else "name"
        elif role is not None:
            of[name] = role
    if layout.ordered and not prefixed:
        of |= _by_order({name: column for name, column in columns.items() if name not in of})
    rest = {name: column for name, column in columns.items() if name not in of}
    of |= _by_values(rest, columns, of)
    of = {name: of[name] for name in columns}
    results = [name for name, role in of.items() if role == "result"]
    return Roles(of, _labels(columns, layout), tuple(_main(results, columns, layout)))


def _find_name(columns: Mapping[str, Column], layout: Layout) -> str | None:
    """The first column that may name runs and in which no two rows have the same value."""
    lower = {name if layout is not PLAIN else name.lower(): name for name in columns}
    for candidate in layout.names:
        column = columns.get(lower.get(candidate, ""))
        if column is not None and len(column.levels) == sum(value is not None for value in column.settings):
            return column.name
    return None


def _by_name(column: Column, layout: Layout, prefixed: bool) -> Role | None:
    """The role that the name of a column gives it, if any does."""
    name = column.name
    known = layout is not PLAIN
    result: Role = "result" if _has_numbers(column) else "detail"
    if SEED.fullmatch(name) and not prefix_of(name, RESULT_PREFIXES):
        return "setting"
    if setting_prefix(name, layout):
        return "setting"
    if known and (name in layout.names or name == layout.group or is_book(name)):
        return "detail"
    if prefix_of(name, RESULT_PREFIXES) or (layout.results is not None and layout.results.fullmatch(name)):
        return result
    if prefix_of(name, DETAIL_PREFIXES) or name.startswith("_"):
        return "detail"
    if prefixed:
        return result
    return None


def _by_order(columns: Mapping[str, Column]) -> dict[str, Role]:
    """Rule 5: the roles of the remaining columns, if their alphabetical order is broken exactly once."""
    names = list(columns)
    for key in (str, str.casefold):
        falls = [place for place in range(1, len(names)) if key(names[place]) < key(names[place - 1])]
        if len(falls) == 1:
            return {
                name: "setting" if place < falls[0] else "result" if _has_numbers(columns[name]) else "detail"
                for place, name in enumerate(names)
            }
    return {}


def _by_values(rest: Mapping[str, Column], columns: Mapping[str, Column], known: Mapping[str, Role]) -> dict[str, Role]:
    """Rules 6 to 9: the roles of columns without a prefix, by names, values and places."""
    of: dict[str, Role] = {}
    for name, column in rest.items():
        if is_result_name(name) and _has_numbers(column):
            of[name] = "result"
        elif not column.is_numeric:
            of[name] = "detail" if _is_date(column) else "setting"
    places = {name: place for place, name in enumerate(columns)}
    numbers = [name for name in rest if name not in of]
    results = [name for name in (*known, *of) if {**known, **of}[name] == "result"]
    if not results:  # the last number is the result, unless all of them are called like settings
        numbers_left = [name for name in numbers if not is_hyperparameter_name(name)]
        candidates = [name for name in numbers_left if not is_measured_name(name)] or numbers_left
        results = [name for name in candidates if len(columns[name].levels) > 1][-1:] or candidates[-1:]
        of |= dict.fromkeys(results, "result")
    first = min((places[name] for name in results), default=len(places))
    for name in numbers:
        if name not in of:
            of[name] = "result" if _is_measured(columns[name], places[name] > first) else "either"
    settings = [name for name, role in {**known, **of}.items() if role in ("setting", "either")]
    if not any(len(columns[name].levels) > 1 for name in settings):
        # Without this a table whose results come first would have no settings at all.
        of |= {name: "either" for name in numbers if name not in results and not is_measured_name(name)}
    return of


def _is_measured(column: Column, after_results: bool) -> bool:
    """Rules 8 and 9 for a number without a telling name."""
    if len(column.levels) < 2 or _is_grid(column) or 2 * len(column.levels) <= column.given:
        return False
    if is_measured_name(column.name):
        return True
    return after_results and not is_hyperparameter_name(column.name)


def _is_grid(column: Column) -> bool:
    """Whether the values are at most six whole or round numbers, each of them in several rows."""
    values = [value for value in column.settings if value is not None]
    return len(column.levels) <= FEW_LEVELS and all(
        values.count(level) > 1 and _is_round(level) for level in column.levels
    )


def _is_round(value: HParam) -> bool:
    """Whether a number is whole or has at most two significant digits."""
    return isinstance(value, int) or (isinstance(value, float) and float(f"{value:.2g}") == value)


def _is_date(column: Column) -> bool:
    """Whether all cells are dates or durations, mostly different ones, as those that a program notes."""
    texts = [str(value) for value in column.settings if value is not None]
    return 2 * len(column.levels) > len(texts) and all(_DATE.fullmatch(text) for text in texts)


def _has_numbers(column: Column) -> bool:
    """Whether a column can be a result: at least half of its cells are numbers, and the others are words like OOM."""
    return column.given > 0 and 2 * column.words < column.given


def _labels(columns: Mapping[str, Column], layout: Layout) -> dict[str, str]:
    """Names without prefixes. Where a setting and a result have the same, as `lr` may, the result keeps its prefix."""
    bare = {name: name.removeprefix(_prefix(name, layout)) for name in columns}
    owners: dict[str, str] = {}
    for name in sorted(columns, key=lambda name: not setting_prefix(name, layout)):
        owners.setdefault(bare[name], name)
    return {name: label if owners[label] == name else name for name, label in bare.items()}


def _prefix(name: str, layout: Layout) -> str:
    """The prefix to leave out. The number of an objective is no name, so `values_0` stays."""
    objective = prefix_of(name, layout.objectives)
    if objective and not name.removeprefix(objective).isdigit():
        return objective
    return setting_prefix(name, layout) or prefix_of(name, RESULT_PREFIXES)


def _main(results: list[str], columns: Mapping[str, Column], layout: Layout) -> list[str]:
    """The results that the program declares, else those named like results, else all; without mere companions."""
    declared = [name for name in results if layout.results is not None and layout.results.fullmatch(name)]
    named = declared or [name for name in results if is_result_name(name)] or results
    varying = [name for name in named if len(columns[name].levels) > 1] or named
    return [name for name in varying if not is_secondary(name)] or varying
