"""Studies as YAML: the file that the user writes, and study.yaml in the directory of a study, in the same format."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from attnae.config import RunConfig, check_options, cut, flag, read_yaml, suggestion
from attnae.errors import UserError
from attnae.files import write_text
from attnae.study.design import Design, Until, check_factor_name, first_seeds, make_design
from attnae.study.designs import EVERYTHING, Cell, Distribution, Plan, Space
from attnae.study.designs.reading import PLAN_KEYS, read_levels, read_plan

FIRST_LOOK = 3
KEYS = ("factors", "replicates", "seeds", "until", "options", *PLAN_KEYS)

# What differs from a single run, unless asked for: one thread a run, since many runs share the cores, and pictures
# only at the end.
STUDY_DEFAULTS: dict[str, Any] = {"threads": 1, "picture_every": 0}


@dataclass(frozen=True)
class StudyFile:
    """Factors with their levels or ranges, how often each cell is trained, and the options that every run shares.

    Levels and options have their declared types. `seeds` are shared by all cells, or their number; `replicates` is the
    number of runs of each cell, each with a seed of its own; at most one of the two is given. With `until`,
    `replicates` is the largest number of them. The plan says which combinations of levels are trained.
    """

    path: Path
    factors: Space
    seeds: tuple[int, ...] | int | None
    options: Mapping[str, Any]
    replicates: int | None = None
    plan: Plan = EVERYTHING
    until: Until | None = None

    def first_cell(self) -> dict[str, Any]:
        """The options of every run, completed by the first level of each factor, or the highest value of its range."""
        first = {
            name: levels.high if isinstance(levels, Distribution) else levels[0]
            for name, levels in self.factors.items()
        }
        return {**self.options, **first}

    def design(
        self,
        base: RunConfig,
        *,
        seeds: int | None = None,
        replicates: int | None = None,
        until: Until | None = None,
    ) -> Design:
        """The design with the options in `base`; what the command line gives replaces what the file says."""
        until = until or self.until
        shared: tuple[int, ...] | int | None = self.seeds
        if seeds is not None or replicates is not None:
            shared = seeds
        try:
            base = base.replace(name=base.name or self.path.stem)
            if shared is None:
                number = replicates or self.replicates or 1
                return make_design(self.factors, (), base, self.plan, replicates=number, until=until)
            if until is not None:
                raise UserError("until needs replicates with seeds of their own: leave out the shared seeds")
            chosen = shared if isinstance(shared, tuple) else first_seeds(base.seed, shared)
            return make_design(self.factors, chosen, base, self.plan)
        except UserError as error:
            raise UserError(f"{self.path}: {error}") from error

    def refuse(self, options: Iterable[str], source: str = "") -> None:
        """Raises `UserError` for an option that contradicts a factor or a list of seeds; it begins with `source`."""
        for option in options:
            if option in self.factors:
                raise UserError(f"{source}{flag(option)} is a factor of {self.path}, which gives its levels")
            if option == "seed" and isinstance(self.seeds, tuple):
                raise UserError(f"{source}{flag(option)} cannot be combined with the seeds that {self.path} lists")


def read_study_file(path: Path) -> StudyFile:
    """The study in a YAML file. `UserError` names the file and the entry that is unknown, given twice, or mistyped."""
    content = read_yaml(path)
    try:
        for key in content:
            if key not in KEYS:
                raise UserError(
                    f"unknown key {cut(key)}{suggestion(key, KEYS)}; a study has the keys {', '.join(KEYS)}"
                )
        factors, options = content.get("factors"), content.get("options") or {}
        if not isinstance(factors, dict) or not factors:
            raise UserError("there are no factors: give at least one, such as `factors: {act: [elu, relu]}`")
        if not isinstance(options, dict):
            raise UserError("options must hold lines such as `epochs: 10`")
        for name in factors:
            check_factor_name(name)
        space = {name: read_levels(path, name, given) for name, given in factors.items()}
        for name in options:
            if name in factors:
                raise UserError(f"{name} is both a factor and an option: delete one of them")
        plan = read_plan(path, content, space)
        seeds, replicates = _seeds(content.get("seeds")), _replicates(content.get("replicates"))
        if seeds is not None and replicates is not None:
            raise UserError(
                "seeds (shared by all cells) and replicates (each run its own seed) are both given: delete one of them"
            )
        until = None if content.get("until") is None else _until(content["until"], space, replicates)
    except UserError as error:
        message = str(error)
        raise UserError(message if message.startswith(str(path)) else f"{path}: {message}") from error
    return StudyFile(path, space, seeds, check_options(options, path), replicates, plan, until)


def read_design(path: Path) -> Design:
    """The design in the study.yaml of a study."""
    file = read_study_file(path)
    return file.design(RunConfig(**file.first_cell()))


def write_design(path: Path, design: Design) -> None:
    """Writes the design as YAML; `read_design` reads it back."""
    content = {
        "factors": {name: list(map(_plain, levels)) for name, levels in design.factors.items()}
        | {name: drawn.plain() for name, drawn in design.plan.ranges.items()},
        **_plan(design),
        **({"seeds": list(design.seeds)} if design.seeds else {"replicates": design.replicates}),
        **({} if design.until is None else {"until": _plain_until(design.until)}),
        "options": design.shared_options() | ({} if design.seeds else {"seed": design.base.seed}),
    }
    write_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None))


def _plan(design: Design) -> dict[str, Any]:
    """The keys of a study file for the plan and what it has led to."""
    plan = design.plan
    keys = {
        "sample": plan.sample,
        "fraction": str(plan.fraction) if isinstance(plan.fraction, Fraction) else plan.fraction,
        "noise": plan.noise,
        "exclude": [_plain_cell(cell) for cell in plan.exclude],
        "cells": [_plain_cell(cell) for cell in design.chosen],
    }
    return {key: value for key, value in keys.items() if value}


def _plain_cell(cell: Cell) -> dict[str, Any]:
    return {name: _plain(level) for name, level in cell.items()}


def _plain(level: Any) -> Any:
    """A level as YAML holds it."""
    return list(level) if isinstance(level, tuple) else level


def _seeds(given: Any) -> tuple[int, ...] | int | None:
    numbers = given if isinstance(given, list) else [given]
    if given is None:
        return None
    if not numbers or not all(isinstance(number, int) and not isinstance(number, bool) for number in numbers):
        raise UserError(f"seeds: {cut(repr(given))} is neither a number of seeds nor a list of seeds")
    if isinstance(given, list):
        if len(set(given)) < len(given):
            raise UserError("seeds: one seed is given twice: delete one of them")
        return tuple(given)
    if given < 1:
        raise UserError(f"seeds: {given}: must be at least 1")
    return int(given)


def until_decided(
    factors: Space,
    *,
    of_interest: Iterable[str] | None,
    negligible: float | None,
    replicates: int,
) -> Until:
    """The rule of `--until decided`; without factors of interest, all that vary. `UserError` where it cannot work."""
    levels = {name: own for name, own in factors.items() if not isinstance(own, Distribution)}
    if drawn := [name for name in factors if name not in levels]:
        raise UserError(f"--until decided compares levels, and {drawn[0]} is drawn from a range: list its levels")
    varied = [name for name, own in levels.items() if len(own) > 1]
    if not varied:
        raise UserError("--until decided: no factor has two levels, so there is nothing to decide")
    for name in of_interest or ():
        if name not in varied:
            raise UserError(f"--factors-of-interest {cut(str(name))}: choose from {', '.join(varied)}")
    if negligible is not None and not 0 < negligible < math.inf:
        raise UserError(f"--negligible {negligible}: choose a positive number, in units of test/loss")
    if replicates < FIRST_LOOK:
        raise UserError(
            f"--max-replicates {replicates}: must be at least {FIRST_LOOK}, since the first look comes then"
        )
    return Until(tuple(dict.fromkeys(of_interest or varied)), negligible)


def _until(given: Any, factors: Space, replicates: int | None) -> Until:
    example = "`until: {decided: [act], negligible: 0.03}`"
    if (
        not isinstance(given, dict)
        or set(given) - {"decided", "negligible"}
        or not isinstance(given.get("decided"), list)
    ):
        raise UserError(f"until: give the factors to decide, and what is negligible, such as {example}")
    if replicates is None:
        raise UserError("until needs replicates, the largest number of them: add `replicates: 20`")
    small = given.get("negligible")
    if small is not None and (isinstance(small, bool) or not isinstance(small, (int, float))):
        raise UserError(f"until: negligible: {cut(repr(small))} is not a number")
    small = None if small is None else float(small)
    return until_decided(factors, of_interest=given["decided"], negligible=small, replicates=replicates)


def _plain_until(until: Until) -> dict[str, Any]:
    small = {} if until.negligible is None else {"negligible": until.negligible}
    return {"decided": list(until.factors), **small}


def _replicates(given: Any) -> int | None:
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool):
        raise UserError(f"replicates: {cut(repr(given))} is not a number of runs of each cell")
    if given < 1:
        raise UserError(f"replicates: {given}: must be at least 1")
    return given
