"""Studies as YAML: the file that the user writes, and study.yaml in the directory of a study, in the same format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from attnae.config import RunConfig, check_options, cut, flag, read_yaml, suggestion
from attnae.errors import UserError
from attnae.files import write_text
from attnae.study.design import Design, check_factor_name, first_seeds, level_text, make_design

KEYS = ("factors", "seeds", "options")

# What differs from a single run, unless asked for: one thread a run, since many runs share the cores, and pictures
# only at the end.
STUDY_DEFAULTS: dict[str, Any] = {"threads": 1, "picture_every": 0}


@dataclass(frozen=True)
class StudyFile:
    """Factors with their levels, the seeds or their number, and the options that every run shares.

    Levels and options have their declared types.
    """

    path: Path
    factors: Mapping[str, tuple[Any, ...]]
    seeds: tuple[int, ...] | int | None
    options: Mapping[str, Any]

    def first_cell(self) -> dict[str, Any]:
        """The options of every run, completed by the first level of each factor."""
        return {**self.options, **{name: levels[0] for name, levels in self.factors.items()}}

    def design(self, base: RunConfig, seeds: int | None = None) -> Design:
        """The design with the options in `base`; `seeds` is their number, if the command line gives it."""
        number = self.seeds if seeds is None else seeds
        try:
            base = base.replace(name=base.name or self.path.stem)
            chosen = number if isinstance(number, tuple) else first_seeds(base.seed, number or 1)
            return make_design(self.factors, chosen, base)
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
        levels = {name: _levels(path, name, given) for name, given in factors.items()}
        for name in options:
            if name in factors:
                raise UserError(f"{name} is both a factor and an option: delete one of them")
        seeds = _seeds(content.get("seeds"))
    except UserError as error:
        message = str(error)
        raise UserError(message if message.startswith(str(path)) else f"{path}: {message}") from error
    return StudyFile(path, levels, seeds, check_options(options, path))


def read_design(path: Path) -> Design:
    """The design in the study.yaml of a study."""
    file = read_study_file(path)
    return file.design(RunConfig(**file.first_cell()))


def write_design(path: Path, design: Design) -> None:
    """Writes the design as YAML; `read_design` reads it back."""
    content = {
        "factors": {
            name: [list(level) if isinstance(level, tuple) else level for level in levels]
            for name, levels in design.factors.items()
        },
        "seeds": list(design.seeds),
        "options": design.shared_options(),
    }
    write_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None))


def _levels(path: Path, name: Any, given: Any) -> tuple[Any, ...]:
    check_factor_name(name)
    if not isinstance(given, list) or not given:
        raise UserError(f"{name}: give its levels as a list, such as [{level_text(getattr(RunConfig, name))}]")
    levels: list[Any] = []
    for value in given:
        level = check_options({name: value}, path)[name]
        if level in levels:
            raise UserError(f"{name}: the level {level_text(level)} is given twice: delete one of them")
        levels.append(level)
    return tuple(levels)


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
