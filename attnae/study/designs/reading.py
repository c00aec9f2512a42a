"""The keys of a study file that say which cells are trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from attnae.config import RunConfig, check_options, cut, suggestion
from attnae.errors import UserError
from attnae.study.designs.cells import Cell, cell_key, cell_name, level_text
from attnae.study.designs.distributions import Distribution, DistributionKind, Space
from attnae.study.designs.plan import Plan

PLAN_KEYS = ("sample", "fraction", "exclude", "cells", "noise")
_DISTRIBUTIONS = ("uniform", "loguniform", "int", "choice")


def read_levels(path: Path, name: str, given: Any) -> tuple[Any, ...] | Distribution:
    """The levels of a factor, given as a list or a distribution; `UserError` names the factor."""
    if isinstance(given, dict):
        return _distribution(path, name, given)
    if not isinstance(given, list) or not given:
        raise UserError(f"{name}: give its levels as a list, such as [{level_text(getattr(RunConfig, name))}]")
    levels: list[Any] = []
    for value in given:
        level = _typed(path, name, value)
        if level in levels:
            raise UserError(f"{name}: the level {level_text(level)} is given twice: delete one of them")
        levels.append(level)
    return tuple(levels)


def read_plan(path: Path, content: Mapping[str, Any], space: Space) -> Plan:
    """The plan in the content of a study file; `UserError` names the key."""
    sample = _number("sample", content.get("sample"))
    drawn = {name: levels for name, levels in space.items() if isinstance(levels, Distribution)}
    if drawn and sample is None:
        raise UserError(f"{next(iter(drawn))} is a range: say how many cells are drawn, such as `sample: 40`")
    fraction = _fraction(content.get("fraction"))
    if sample is not None and fraction is not None:
        raise UserError("sample and fraction exclude each other: delete one of them")
    cells = _cells(path, "cells", content.get("cells"), space, whole=True)
    if len({cell_key(cell) for cell in cells}) < len(cells):
        raise UserError("cells: one cell is given twice: delete one of them")
    exclude = _cells(path, "exclude", content.get("exclude"), space, whole=False)
    if fraction == Fraction(1):
        fraction, cells = None, ()
    return Plan(sample, fraction, exclude, cells, _noise(content.get("noise")), drawn)


def _distribution(path: Path, name: str, given: dict[str, Any]) -> tuple[Any, ...] | Distribution:
    if len(given) != 1:
        raise UserError(f"{name}: give one of {', '.join(_DISTRIBUTIONS)}, such as {{loguniform: [0.0001, 0.01]}}")
    [(kind, ends)] = given.items()
    if kind == "choice":
        return read_levels(path, name, ends)
    if kind not in _DISTRIBUTIONS:
        text = cut(str(kind))
        raise UserError(
            f"{name}: unknown distribution {text}{suggestion(str(kind), _DISTRIBUTIONS)}; "
            f"there are {', '.join(_DISTRIBUTIONS)}"
        )
    what = f"{name}: {kind}"
    if not isinstance(ends, list) or len(ends) != 2:
        raise UserError(f"{what}: give the lowest and the highest value, such as {{{kind}: [1, 10]}}")
    default = getattr(RunConfig, name)
    if isinstance(default, bool) or not isinstance(default, (int, float)):
        raise UserError(f"{what}: {name} is not a number: give its levels as a list")
    if kind != "int" and isinstance(default, int):
        raise UserError(f"{what}: {name} takes whole numbers: use int instead of {kind}")
    low, high = (_typed(path, name, end) for end in ends)
    if not (math.isfinite(low) and math.isfinite(high) and math.isfinite(high - low)):
        raise UserError(f"{what}: [{low}, {high}]: both ends must be finite numbers")
    if kind == "int" and not (float(low).is_integer() and float(high).is_integer()):
        raise UserError(f"{what}: [{low}, {high}]: both ends must be whole numbers")
    if not low < high:
        raise UserError(f"{what}: [{low}, {high}]: the first value must be below the second")
    if kind == "loguniform" and low <= 0:
        raise UserError(f"{what}: [{low}, {high}]: both ends must be above 0; use uniform for a range that begins at 0")
    return Distribution(cast(DistributionKind, kind), low, high)


def _cells(path: Path, key: str, given: Any, space: Space, *, whole: bool) -> tuple[Cell, ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or not given or not all(isinstance(cell, dict) and cell for cell in given):
        example = ", ".join(f"{name}: ..." for name in list(space)[:2])
        raise UserError(f"{key}: give a list of cells, each such as {{{example}}}")
    return tuple(_cell(path, key, cell, space, whole=whole) for cell in given)


def _cell(path: Path, key: str, given: Mapping[Any, Any], space: Space, *, whole: bool) -> Cell:
    for name in given:
        if name not in space:
            raise UserError(
                f"{key}: {cut(str(name))} is not a factor of this study{suggestion(str(name), list(space))}"
            )
    if missing := [name for name in space if whole and name not in given]:
        raise UserError(f"{key}: a cell lacks {', '.join(missing)}: give a level of every factor")
    cell = check_options({name: given[name] for name in space if name in given}, path)
    for name, level in cell.items():
        levels = space[name]
        if isinstance(levels, Distribution):
            if not whole:
                raise UserError(f"{key}: {name} is drawn from a range: only levels of lists can be excluded")
        elif level not in levels:
            raise UserError(
                f"{key}: {cell_name(cell)} matches no cell: {name} has the levels {', '.join(map(level_text, levels))}"
            )
    return cell


def _typed(path: Path, name: str, value: Any) -> Any:
    return check_options({name: value}, path)[name]


def _number(key: str, given: Any) -> int | None:
    if given is not None and (not isinstance(given, int) or isinstance(given, bool)):
        raise UserError(f"{key}: {cut(repr(given))} is not a number of cells")
    if given is not None and given < 2:
        raise UserError(f"{key}: {given}: must be at least 2")
    return given


def _fraction(given: Any) -> Fraction | int | None:
    if given is None or (isinstance(given, int) and not isinstance(given, bool)):
        return _number("fraction", given)
    try:
        fraction = Fraction(given) if isinstance(given, str) else None
    except (ValueError, ZeroDivisionError):
        fraction = None
    if fraction is None or not 0 < fraction <= 1:
        raise UserError(f"fraction: {cut(repr(given))}: give a fraction such as 1/2, or a number of cells such as 16")
    return fraction


def _noise(given: Any) -> float | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 < given < math.inf:
        raise UserError(
            f"noise: {cut(repr(given))}: give the standard deviation between runs that differ only in their seeds, "
            "a number above 0"
        )
    return float(given)
