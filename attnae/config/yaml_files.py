"""YAML files of options: read as plain values, checked against the declared types, and written."""

from __future__ import annotations

import contextlib
import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from attnae.config.run import GROUPS, OptionError, RunConfig, check_choices, choices, option_names
from attnae.errors import UserError
from attnae.files import write_text

if TYPE_CHECKING:
    import pydantic

MOST_BYTES = 1 << 20
MOST_DIGITS = 100


class _Refused(yaml.YAMLError):
    """Valid YAML that a file of options may not contain."""

    def __init__(self, problem: str, mark: yaml.Mark) -> None:
        super().__init__(f"line {mark.line + 1}: {problem}")


class PlainLoader(yaml.SafeLoader):
    """Safe YAML that refuses duplicate keys, aliases, and numbers too long for any option.

    Other loaders silently keep the last of two equal keys. With aliases, a few lines can expand to billions of values.
    """

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise _Refused(f"*{event.anchor}: write out what it stands for", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise _Refused(f"{cut(name)} is given twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > MOST_DIGITS:
            raise _Refused(f"a number of {len(node.value)} digits", node.start_mark)
        return super().construct_yaml_int(node)


PlainLoader.add_constructor("tag:yaml.org,2002:int", PlainLoader.construct_yaml_int)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file, plain values only. `UserError` names the file, and the line that is not YAML."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise UserError(f"{path} is larger than {MOST_BYTES >> 20} MiB, too large for a file of options")
        tree = PlainLoader(content.decode("utf-8")).get_single_data()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not text: {error.reason}") from error
    except _Refused as error:
        raise UserError(f"{path}, {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = cut(str(getattr(error, "problem", None) or error), 200)
        raise UserError(f"{path}{line} is not plain YAML: {problem}") from error
    except UserError:
        raise
    except (RecursionError, ValueError, AttributeError, LookupError, TypeError) as error:
        raise UserError(f"{path} is not plain YAML: {cut(str(error), 200)}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
        raise UserError(f"{path} must hold lines such as `act: elu`")
    return tree


def check_options(options: Mapping[str, Any], source: Path | str) -> dict[str, Any]:
    """The options with values of their declared types.

    Raises `UserError` that names the source and the option if a name is unknown, a value has a wrong type, or two
    options contradict each other. Ranges are checked by `RunConfig`, once all sources are merged.
    """
    known = option_names(*GROUPS)
    for name in options:
        if name not in known:
            hint = suggestion(str(name), known) or "; `python train.py --help` lists the options"
            raise UserError(f"{source}: unknown option {cut(str(name))}{hint}")
    import pydantic  # slow to import, and tyro spends more time on options where it is imported

    try:
        checked = _checker().model_validate(dict(options))
    except pydantic.ValidationError as error:
        name = str(error.errors(include_url=False)[0]["loc"][0])
        raise UserError(f"{source}: {name}: {_shown(options[name])} is not {_expected(name)}") from error
    values = {name: getattr(checked, name) for name in options}
    try:
        check_choices(values)
    except OptionError as error:
        raise UserError(f"{source}: {error}") from error
    return values


def read_config(path: Path) -> RunConfig:
    """The options in a YAML file, such as the config.yaml of a run; options that are not in it have their defaults."""
    try:
        return RunConfig(**check_options(read_yaml(path), path))
    except OptionError as error:
        raise OptionError(f"{path}: {error}", error.option) from error


def write_config(path: Path, config: RunConfig) -> None:
    """Writes all options as YAML; `read_config` reads them back."""
    write_text(path, as_yaml(config))


def as_yaml(config: RunConfig) -> str:
    """All options as YAML text, one line each."""
    return yaml.safe_dump(config.plain(), sort_keys=False, allow_unicode=True, default_flow_style=None)


@cache
def _checker() -> type[pydantic.BaseModel]:
    """A model of all options that refuses values of another type, such as 1.5 or true for a whole number."""
    import pydantic

    fields: dict[str, Any] = {name: (kind, None) for name, kind in typing.get_type_hints(RunConfig).items()}
    return pydantic.create_model(
        "Options",
        __config__=pydantic.ConfigDict(strict=True),
        __validators__={"as_declared": pydantic.field_validator("*", mode="before")(_as_declared)},
        **fields,
    )


def _as_declared(value: Any, info: pydantic.ValidationInfo) -> Any:
    """A value as its option declares it, where YAML has another type for the same text; any other value as it is."""
    kinds = _kinds(str(info.field_name))
    if isinstance(value, bool) and "on" in kinds:  # YAML reads a bare on or off as a boolean,
        return "on" if value else "off"
    if isinstance(value, (bool, float)) and type(value) not in kinds:  # True and 1.0 equal 1 in Python
        raise ValueError("another type")
    if isinstance(value, str) and float in kinds:  # and 1e-4, without a point, as text
        with contextlib.suppress(ValueError):
            return float(value)
    if type(value) is int and str in kinds:  # `devices: 2`
        return str(value)
    if isinstance(value, str) and Path in kinds:
        return Path(value)
    return tuple(value) if isinstance(value, list) else value


@cache  # type hints are evaluated anew by each call, and a list of cells has thousands of values
def _kinds(name: str) -> tuple[Any, ...]:
    """The types that an option accepts, without None; for a choice its values."""
    declared = typing.get_type_hints(RunConfig)[name]
    optional = isinstance(declared, types.UnionType)
    members = choices(declared) or (typing.get_args(declared) if optional else (declared,))
    return tuple(kind for kind in members if kind not in (None, type(None)))


def _expected(name: str) -> str:
    """What an option accepts, in words."""
    text = "a text: put it in quotes"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: text, Path: text}
    words[tuple[int, ...]] = "a list of whole numbers"
    kinds = _kinds(name)
    return words.get(kinds[0]) or f"one of {', '.join(map(str, kinds))}"


def _shown(value: Any) -> str:
    """A value of the wrong type, as a message shows it; `epochs:` with nothing behind it is None to YAML."""
    return "an empty value" if value is None else cut(repr(value))


def cut(text: str, most: int = 60) -> str:
    """A text from a file, shortened to fit into a message."""
    return text if len(text) <= most else f"{text[:most]}..."


def suggestion(name: str, known: Sequence[str]) -> str:
    """`; perhaps you meant ...`, or nothing if no known name is similar."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; perhaps you meant {close[0]}" if close else ""
