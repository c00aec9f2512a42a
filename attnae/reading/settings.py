"""Hyper-parameters of runs whose event files carry none: from a YAML file beside them, or from a name."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attnae.errors import UserError
from attnae.reading.run import HParam

# The first of these that says anything. Lightning's command line writes both; `hparams.yaml` is the shorter.
YAML_NAMES = ("hparams.yaml", "config.yaml", ".hydra/config.yaml")
MAX_YAML_BYTES = 1 << 20
MAX_VALUES = 2_000
MAX_NAME = 500
MAX_DEPTH = 20
OMITTED = object()

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf)", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?\d{1,18}")


def plain_number(value: float) -> HParam:
    """Whole numbers as int (logs know only doubles: 64.0 was 64); NaN, unequal to itself, as a word."""
    if not math.isfinite(value):
        return str(value)
    return int(value) if value == int(value) and abs(value) < 2**53 else value


def value_of(text: str) -> HParam:
    """The bool, number or word that `text` spells."""
    text = text.strip()
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def as_setting(value: HParam) -> HParam:
    """NaN, which is unequal to itself, and the infinities as words: a setting has to compare with itself."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def read_yaml(directory: Path, problems: list[str]) -> dict[str, HParam]:
    """Plain values of the first file of `YAML_NAMES` in `directory` that has any; nested names joined by `/`.

    Values with a Python tag (`!!python/object...`) are left out; nothing is ever constructed from them.
    """
    for name in YAML_NAMES:
        path = directory / name
        if not path.is_file():
            continue
        try:
            if path.stat().st_size > MAX_YAML_BYTES:
                raise ValueError(f"larger than {MAX_YAML_BYTES >> 20} MiB")
            values = _load(path.read_text(encoding="utf-8"))
        # A tag such as !!bool or !!timestamp before anything else makes PyYAML raise what it likes.
        except (OSError, ValueError, OverflowError, RecursionError, AttributeError, LookupError, TypeError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            problems.append(f"{name} cannot be read: {reason}")
            continue
        if values:
            return values
    return {}


def _load(text: str) -> dict[str, HParam]:
    import yaml

    class PlainLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Safe YAML in which unknown tags are no error; a Python tuple is a sequence."""

    def untagged(loader: yaml.SafeLoader, node: yaml.Node) -> object:
        if isinstance(node, yaml.SequenceNode) and node.tag.endswith("python/tuple"):
            return loader.construct_sequence(node, deep=True)
        return OMITTED

    PlainLoader.add_constructor(None, untagged)
    try:
        depth = 0
        for event in yaml.parse(text, Loader=PlainLoader):  # libyaml composes recursively, and crashes if too deep
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        loader = PlainLoader(text)
        root = loader.get_single_node()
        if root is None:
            return {}
        if _unfolded(root, {}) > MAX_YAML_BYTES:
            raise ValueError(f"its aliases unfold into more than {MAX_YAML_BYTES >> 20} MiB")
        tree = loader.construct_document(root)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    if not isinstance(tree, dict):
        return {}
    values: dict[str, HParam] = {}
    for name, value in _flatten(tree, "", 0):
        if len(name) > MAX_NAME:
            raise ValueError(f"a name of more than {MAX_NAME} characters")
        values[name] = value
        if len(values) > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES} values")
    return values


def _unfolded(node: Any, known: dict[int, float]) -> float:
    """The least number of characters it would take to write the node with every alias, or merge, written out.

    A few aliases can unfold into billions. An alias stands behind what it names, whose size is then in `known`; one
    within what it names has no end.
    """
    if id(node) not in known:
        known[id(node)] = math.inf
        if isinstance(node.value, str):
            known[id(node)] = 1 + len(node.value)
        else:
            parts = node.value if node.id == "sequence" else [part for pair in node.value for part in pair]
            known[id(node)] = 1 + sum(_unfolded(part, known) for part in parts)
    return known[id(node)]


def _flatten(value: Any, name: str, depth: int) -> Iterator[tuple[str, HParam]]:
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        children = [(str(key), child) for key, child in value.items()]
    elif isinstance(value, (list, tuple)) and any(isinstance(item, (dict, list, tuple)) for item in value):
        children = [(str(index), child) for index, child in enumerate(value)]
    else:
        if isinstance(value, (list, tuple)):
            yield name, " ".join(str(item) for item in value if item is not OMITTED)
        elif isinstance(value, bool):
            yield name, value
        elif isinstance(value, (int, float)):
            yield name, plain_number(value)
        elif value is not OMITTED:
            yield name, as_setting(value_of(str(value)))  # YAML 1.1 takes 1e-4 for a word
        return
    for key, child in children:
        yield from _flatten(child, f"{name}/{key}" if name else key, depth + 1)


def name_matcher(pattern: str) -> Callable[[str], dict[str, HParam]]:
    """Turn `{act}-{bn}` into a function from a run's name to its hyper-parameters, empty where it misfits.

    A field stands for one or more characters other than `/`, `{}` for a part to skip. The pattern has to fit
    the whole name, or its last part.
    """
    problem = f"--name-pattern {pattern!r} has to name settings in braces, such as '{{act}}-{{bn}}'"
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

    def match(name: str) -> dict[str, HParam]:
        found = compiled.fullmatch(name) or compiled.fullmatch(name.rsplit("/", 1)[-1])
        values = [as_setting(value_of(text)) for text in found.groups()] if found else []
        return dict(zip(fields, values, strict=True)) if found else {}

    return match
