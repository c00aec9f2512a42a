"""The records of a `.wandb` file -> settings, series and how the run ended.

The numbers of the fields are those of W&B's `wandb_internal.proto`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attnae.reading.curves import Curves, as_float, as_step
from attnae.reading.json_files import parse_json
from attnae.reading.run import FAILED, FINISHED, UNFINISHED, HParam
from attnae.reading.settings import MAX_VALUES, OMITTED, flatten, setting_of
from attnae.reading.wandb.records import fields, read_records

HISTORY, SUMMARY, CONFIG, RUN, EXIT = 2, 3, 5, 17, 18  # of a record
RUN_PROJECT, RUN_CONFIG, RUN_NAME, RUN_START = 3, 4, 8, 17
HISTORY_ITEM, HISTORY_STEP = 1, 2
UPDATE, REMOVE = 1, 2  # of the configuration and of the summary
KEY, NESTED_KEY, NONE, BOOL, INT, DOUBLE, TEXT, JSON, JSON_TEXT = 1, 2, 3, 4, 5, 6, 7, 8, 16


@dataclass
class Content:
    """What the files of one run say; `summary` holds the last values that W&B itself keeps."""

    problems: list[str] = field(default_factory=list)
    name: str = ""
    project: str = ""
    started: float = math.nan
    status: str = UNFINISHED
    config: dict[str, HParam] = field(default_factory=dict)
    summary: dict[str, float] = field(default_factory=dict)
    seconds: float = math.nan

    def __post_init__(self) -> None:
        self.curves = Curves(self.problems)

    def read(self, path: Path) -> None:
        """Add the records of a file."""
        undecodable = 0
        for record in read_records(path, self.problems):
            try:
                for number, value in fields(record):
                    if isinstance(value, bytes):
                        self._take(number, value)
            except (ValueError, OverflowError, RecursionError):
                undecodable += 1
        if undecodable:
            self.problems.append(f"{path.name}: {undecodable} record(s) cannot be decoded and are left out")

    def configure(self, name: str, value: Any) -> None:
        """Set one entry of the configuration; those of W&B itself are left out."""
        if name.startswith("_wandb") or name == "wandb_version":
            return
        for leaf, child in flatten(value, name):
            if child is not OMITTED and len(self.config) < MAX_VALUES:
                self.config[leaf] = setting_of(child)

    def summarise(self, name: str, value: Any) -> None:
        """Set one entry of the summary; `_runtime` is how long the run took."""
        for leaf, child in _numbers(name, value):
            if leaf == "_runtime":
                self.seconds = child
            elif not leaf.startswith("_"):
                self.summary[leaf] = child

    def finish(self) -> None:
        """Make a result without a history, such as `run.summary["best"]`, a series of one point."""
        step = self.curves.last_step
        for name, value in self.summary.items():
            if name not in self.curves:
                self.curves.add(name, step, value)

    def _take(self, number: int, message: bytes) -> None:
        if number == HISTORY:
            self._take_history(message)
        elif number == SUMMARY:
            for name, value in _items(message, UPDATE):
                self.summarise(name, value)
            for name, _ in _items(message, REMOVE):
                self.summary.pop(name, None)
        elif number == CONFIG:
            self._take_config(message)
        elif number == RUN:
            self._take_run(message)
        elif number == EXIT:
            code = dict(fields(message)).get(1, 0)
            self.status = FINISHED if code == 0 else FAILED

    def _take_run(self, message: bytes) -> None:
        for number, value in fields(message):
            if not isinstance(value, bytes):
                continue
            if number == RUN_CONFIG:
                self._take_config(value)
            elif number == RUN_NAME:
                self.name = value.decode(errors="replace")
            elif number == RUN_PROJECT:
                self.project = value.decode(errors="replace")
            elif number == RUN_START and math.isnan(self.started):
                time = dict(fields(value))
                self.started = (as_float(time.get(1)) or 0.0) + (as_float(time.get(2)) or 0.0) / 1e9

    def _take_config(self, message: bytes) -> None:
        for name, value in _items(message, UPDATE):
            self.configure(name, value)
        for name, _ in _items(message, REMOVE):
            for leaf in [leaf for leaf in self.config if leaf == name or leaf.startswith(f"{name}/")]:
                del self.config[leaf]

    def _take_history(self, message: bytes) -> None:
        step = None
        for number, value in fields(message):
            if number == HISTORY_STEP and isinstance(value, bytes):
                step = as_step(dict(fields(value)).get(1, 0))
        row = dict(_items(message, HISTORY_ITEM))
        step = as_step(row.get("_step")) if step is None else step
        if step is None:
            return
        for name, value in row.items():
            for leaf, child in _numbers(name, value):
                if leaf == "_runtime":
                    self.seconds = child
                elif not leaf.startswith("_"):
                    self.curves.add(leaf, step, child)


def _items(message: bytes, wanted: int) -> Iterator[tuple[str, Any]]:
    """Name and value of the items in one field of a message; nested names are joined by `/`."""
    for number, item in fields(message):
        if number != wanted or not isinstance(item, bytes):
            continue
        keys: list[str] = []
        content: Any = None
        for part, value in fields(item):
            if part in (KEY, NESTED_KEY) and isinstance(value, bytes):
                keys.append(value.decode(errors="replace"))
            else:
                content = _value(part, value, content)
        yield "/".join(keys), content


def _value(kind: int, value: int | bytes, otherwise: Any) -> Any:
    """The value in a field of an item: a JSON text, or a typed value of newer versions."""
    if isinstance(value, bytes):
        if kind in (JSON, JSON_TEXT):
            return parse_json(value)
        return value.decode(errors="replace") if kind == TEXT else otherwise
    if kind == BOOL:
        return bool(value)
    if kind == INT:
        return value - (1 << 64) if value >= 1 << 63 else value
    return struct.unpack("<d", value.to_bytes(8, "little"))[0] if kind == DOUBLE else otherwise


def _numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """The numbers in a value; not those of pictures, tables and histograms, which have a `_type`."""
    if isinstance(value, dict):
        if "_type" not in value:
            for key, child in value.items():
                yield from _numbers(f"{name}/{key}", child)
    elif (number := as_float(value)) is not None:
        yield name, number
