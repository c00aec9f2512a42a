"""Settings of a run: values spelled as text, a YAML file beside the logs, and names such as `relu-1`.

The YAML reader of `attnae.config` refuses what it does not expect, because a user wrote the file for this program. This
one leaves it out, because other programs write these files and a run should not be lost for one odd value.
"""

from __future__ import annotations

import math
import os
import re
import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attnae.errors import UserError
from attnae.reading.run import HParam, Matcher

# The first of these that holds any value is used. Lightning's command line writes both; `hparams.yaml` is shorter.
YAML_NAMES = ("hparams.yaml", "config.yaml")
MAX_YAML_BYTES = 1 << 23
MAX_ALIASED = 1 << 20  # characters by which aliases may let a file grow
MAX_NODES = 300_000
MAX_VALUES = 2_000
MAX_NAME = 500
MAX_DEPTH = 20
OMITTED = object()

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf)", re.IGNORECASE)
VERSION = re.compile(r"version_\d+")  # a directory that Lightning numbers
_WHOLE = re.compile(r"[+-]?\d{1,18}")


def plain_number(value: float) -> HParam:
    """Whole numbers as int, because logs store 64 as 64.0; NaN, which does not equal itself, and infinities as text."""
    if not math.isfinite(value):
        return str(value)
    return int(value) if value == int(value) and abs(value) < 2**53 else value


def value_of(text: str) -> HParam:
    """The truth value or number that `text` spells, or else the text itself."""
    text = text.strip()
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def number_of(text: str) -> float | None:
    """The number that `text` spells, also NaN and infinities; None for any other text."""
    text = text.strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def as_setting(value: HParam) -> HParam:
    """NaN, which does not equal itself, and infinities as text, since settings are compared with each other."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def read_yaml(directory: Path, problems: list[str]) -> dict[str, HParam]:
    """Plain values of the first file of `YAML_NAMES` in `directory` that has any; nested names joined by `/`.

    Values with a Python tag (`!!python/object...`) are left out; nothing is ever constructed from them.
    """
    for name in YAML_NAMES:
        if not os.path.isfile(f"{directory}/{name}"):
            continue
        values = read_yaml_file(directory / name, name, problems)
        if values:
            return values
    return {}


def read_yaml_file(path: Path, name: str, problems: list[str]) -> dict[str, HParam]:
    """Plain values of a YAML file, nested names joined by `/`; `name` is what `problems` call it."""
    try:
        tree = load_yaml(path)
        values: dict[str, HParam] = {}
        for key, value in flatten(tree) if isinstance(tree, dict) else ():
            if value is OMITTED:
                continue
            if len(key) > MAX_NAME:
                raise ValueError(f"a name is longer than {MAX_NAME} characters")
            values[key] = setting_of(value)
            if len(values) > MAX_VALUES:
                raise ValueError(f"it has more than {MAX_VALUES} values")
    except (ValueError, OverflowError) as error:
        problems.append(f"{name} cannot be read: {error}")
        return {}
    return values


def load_yaml(path: Path) -> Any:
    """The content of a YAML file, with `OMITTED` in place of each value that has a tag of its own.

    Raises:
        ValueError: the file cannot be read, or it is not plain YAML of a moderate size.
    """
    try:
        if path.stat().st_size > MAX_YAML_BYTES:
            raise ValueError(f"larger than {MAX_YAML_BYTES >> 20} MiB")
        return _load(path.read_text(encoding="utf-8"))
    # A tag such as !!bool or !!timestamp before a value of another type makes PyYAML raise any of these.
    except (OSError, ValueError, OverflowError, RecursionError, AttributeError, LookupError, TypeError) as error:
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from None


def _load(text: str) -> Any:
    import yaml

    class PlainLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Safe YAML in which unknown tags are not an error; a Python tuple is a sequence."""

    def untagged(loader: yaml.SafeLoader, node: yaml.Node) -> object:
        if isinstance(node, yaml.SequenceNode) and node.tag.endswith("python/tuple"):
            return loader.construct_sequence(node, deep=True)
        return OMITTED

    PlainLoader.add_constructor(None, untagged)
    try:
        depth = 0
        # libyaml composes recursively, and crashes if too deep; every node takes some 500 bytes.
        for count, event in enumerate(yaml.parse(text, Loader=PlainLoader)):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
            if count > MAX_NODES:
                raise ValueError(f"it has more than {MAX_NODES:,} values")
        loader = PlainLoader(text)
        root = loader.get_single_node()
        if root is None:
            return {}
        if _expanded_size(root, {}) > max(len(text), MAX_ALIASED):
            raise ValueError(f"its aliases expand to more than {MAX_ALIASED >> 20} MiB")
        return loader.construct_document(root)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _expanded_size(node: Any, known: dict[int, float]) -> float:
    """The least number of characters it takes to write the node with every alias and merge written out.

    A few aliases can expand to billions of values. An alias comes after the node it refers to, whose size is then in
    `known`; an alias inside the node it refers to never ends, so its size is infinite.
    """
    if id(node) not in known:
        known[id(node)] = math.inf
        if isinstance(node.value, str):
            known[id(node)] = 1 + len(node.value)
        else:
            parts = node.value if node.id == "sequence" else [part for pair in node.value for part in pair]
            known[id(node)] = 1 + sum(_expanded_size(part, known) for part in parts)
    return known[id(node)]


def flatten(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The leaves of nested dictionaries, their names joined by `/`; also of lists that hold dictionaries or lists.

    Raises:
        ValueError: more than MAX_DEPTH levels.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        children = [(str(key), child) for key, child in value.items()]
    elif isinstance(value, (list, tuple)) and any(isinstance(item, (dict, list, tuple)) for item in value):
        children = [(str(index), child) for index, child in enumerate(value)]
    else:
        yield name, value
        return
    for key, child in children:
        yield from flatten(child, f"{name}/{key}" if name else key, depth + 1)


def setting_of(value: Any) -> HParam:
    """A leaf of a YAML or JSON file as a setting; a list becomes its items, separated by blanks."""
    if isinstance(value, (list, tuple)):
        return " ".join(str(item) for item in value if item is not OMITTED)
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return plain_number(value)
    return as_setting(value_of(str(value)))  # YAML 1.1 reads 1e-4 as text


def missing_settings(known: Mapping[str, HParam], extra: Mapping[str, HParam]) -> dict[str, HParam]:
    """Those of `extra` that `known` does not hold under the same name, nor the value under the same last name."""
    values = {(_last_name(name), value) for name, value in known.items()}
    return {
        name: value for name, value in extra.items() if name not in known and (_last_name(name), value) not in values
    }


def _last_name(name: str) -> str:
    return re.split(r"[/.]", name)[-1]


def name_matcher(pattern: str) -> Matcher:
    """Turn `{act}-{bn}` into a function from a run's name to its settings, empty where the name does not fit.

    A field matches one or more characters other than `/`, and `{}` matches a part to skip. The pattern has to match
    the whole name or its last parts, as many as the pattern has. Behind the name that the user chose, Lightning appends
    `version_0` and so on: the name without it is tried as well.

    Raises:
        UserError: the pattern has no fields, or a field twice, or is malformed.
    """
    problem = f"--name-pattern {pattern!r} must name settings in braces, each once, such as '{{act}}-{{bn}}'"
    try:
        parts = list(string.Formatter().parse(pattern))
    except ValueError:
        raise UserError(problem) from None
    fields = [field for _, field, _, _ in parts if field]
    if not fields or len(set(fields)) < len(fields) or any(spec or kind for _, _, spec, kind in parts):
        raise UserError(problem)
    expression = ""
    for literal, field, _, _ in parts:
        expression += re.escape(literal)
        if field is not None:
            expression += "([^/]+?)" if field else "[^/]+?"
    compiled = re.compile(expression)
    depth = pattern.count("/") + 1

    def match(name: str) -> dict[str, HParam]:
        names = (name, name.rpartition("/")[0]) if VERSION.fullmatch(name.rpartition("/")[2]) else (name,)
        tried = (text for whole in names for text in (whole, "/".join(whole.split("/")[-depth:])))
        found = next(filter(None, map(compiled.fullmatch, tried)), None)
        values = [as_setting(value_of(text)) for text in found.groups()] if found else []
        return dict(zip(fields, values, strict=True)) if found else {}

    return match
