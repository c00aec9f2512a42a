"""YAML files of options: read as if each line had been typed as a flag, so that its type is checked alike."""

from __future__ import annotations

import contextlib
import difflib
import io
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tyro.conf import OmitArgPrefixes

from attnae.config.checks import choices, flag
from attnae.config.plain_yaml import cut, read_yaml
from attnae.config.run import (
    GROUPS,
    DataOptions,
    HardwareOptions,
    ModelOptions,
    OutputOptions,
    RunConfig,
    TrainingOptions,
    option_names,
)
from attnae.errors import UserError
from attnae.files import write_text


@dataclass(frozen=True)
class OptionGroups:
    """All options of a run, in the groups in which `--help` shows them."""

    model: OmitArgPrefixes[ModelOptions]
    training: OmitArgPrefixes[TrainingOptions]
    data: OmitArgPrefixes[DataOptions]
    hardware: OmitArgPrefixes[HardwareOptions]
    output: OmitArgPrefixes[OutputOptions]

    def run_config(self) -> RunConfig:
        """The options as one `RunConfig`; `UserError` for a value out of range."""
        return RunConfig(**{name: value for group in GROUPS for name, value in vars(getattr(self, group)).items()})


def groups_of(config: RunConfig) -> dict[str, Any]:
    """The options as the fields of `OptionGroups`."""
    return {
        group: kind(**{name: getattr(config, name) for name in option_names(group)}) for group, kind in GROUPS.items()
    }


def flags_of(options: Mapping[str, Any], source: Path | str) -> list[str]:
    """The flags that stand for these options; `UserError` names the source and the option of a wrong name or type.

    Ranges are checked once all sources are merged.
    """
    flags = {name: _flags_of_one(name, value, source) for name, value in options.items()}
    everything = [token for tokens in flags.values() for token in tokens]
    if parse(everything) is None:
        for name, tokens in flags.items():
            if parse(tokens) is None:
                raise UserError(f"{source}: {name}: {cut(repr(options[name]))} is not {_expected(name)}")
    return everything


def parse(args: Sequence[str]) -> OptionGroups | None:
    """The options that these flags give, or None where a name or a type is wrong."""
    import tyro

    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return tyro.cli(OptionGroups, args=args)
    except SystemExit:
        return None


def _flags_of_one(name: Any, value: Any, source: Path | str) -> list[str]:
    known = option_names(*GROUPS)
    if name not in known:
        raise UserError(f"{source}: unknown option {cut(str(name))}{suggestion(str(name), known)}")
    if isinstance(value, bool) and isinstance(getattr(RunConfig, name), bool):
        return [flag(name) if value else flag(f"no_{name}")]
    if isinstance(value, bool) and "on" in choices(_declared(name)):  # YAML reads a bare on or off so
        value = "on" if value else "off"
    if not _fits(value, _declared(name)):
        raise UserError(f"{source}: {name}: {cut(repr(value))} is not {_expected(name)}")
    if isinstance(value, list):
        return [flag(name), *map(str, value)]
    # `--name=value`, since a value may begin with a dash.
    return [f"{flag(name)}={value}"]


def _declared(name: str) -> Any:
    return typing.get_type_hints(RunConfig)[name]


def _fits(value: Any, declared: Any) -> bool:
    """Whether a flag could hold this value of YAML, in kind; what its text means is seen when it is parsed."""
    if value is None:
        return type(None) in typing.get_args(declared)
    if isinstance(value, list):
        return typing.get_origin(declared) is tuple and all(type(item) is int for item in value)
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _expected(name: str) -> str:
    """What an option takes, in words."""
    declared = _declared(name)
    kinds = [kind for kind in typing.get_args(declared) if kind is not type(None)]
    kind = kinds[0] if len(kinds) == 1 else declared
    if typing.get_origin(kind) is typing.Literal:
        return f"one of {', '.join(map(str, typing.get_args(kind)))}"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text: put it in quotes"}
    words[Path] = words[str]
    return words.get(kind, "a list of whole numbers")


def read_config(path: Path) -> RunConfig:
    """The options in a YAML file, such as the config.yaml of a run; what it leaves out has its default."""
    groups = parse(flags_of(read_yaml(path), path))
    assert groups is not None
    try:
        return groups.run_config()
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def write_config(path: Path, config: RunConfig) -> None:
    """All options as YAML: `read_config` gives them back."""
    write_text(path, as_yaml(config))


def as_yaml(config: RunConfig) -> str:
    """All options as YAML text, a line each."""
    return yaml.safe_dump(config.plain(), sort_keys=False, allow_unicode=True, default_flow_style=None)


def typed_options(args: Sequence[str]) -> list[str]:
    """The names of the options that stand in a command line, whatever their values."""
    names = [token[2:].partition("=")[0].replace("-", "_") for token in args if token.startswith("--")]
    known = set(option_names(*GROUPS))
    return [name.removeprefix("no_") if name not in known else name for name in names]


def suggestion(name: str, known: Sequence[str]) -> str:
    """`; perhaps you meant ...`, or nothing where no choice is close."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; perhaps you meant {close[0]}" if close else ""
