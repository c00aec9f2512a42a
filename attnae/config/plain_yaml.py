"""YAML files as the user writes them: plain values, each key once, every value written where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from attnae.errors import UserError

MOST_BYTES = 1 << 20
MOST_DIGITS = 100


class _Refused(yaml.YAMLError):
    """What is YAML, and yet not what a file of options may hold."""

    def __init__(self, problem: str, mark: yaml.Mark) -> None:
        super().__init__(f"line {mark.line + 1}: {problem}")


class PlainLoader(yaml.SafeLoader):
    """Safe YAML that refuses keys given twice, aliases, and numbers that no option could hold.

    Other readers keep the last of two equal keys, and the user would miss the first. Aliases let a few lines unfold
    into billions of values.
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
    """The mapping in a YAML file, plain values only; `UserError` names the file, and the line where it is no YAML."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise UserError(f"{path} is larger than {MOST_BYTES >> 20} MiB: that is no file of options")
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


def cut(text: str, most: int = 60) -> str:
    """A text from a file, as long as a message can show it."""
    return text if len(text) <= most else f"{text[:most]}..."
