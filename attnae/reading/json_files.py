"""JSON files of other programs: bounded, and with with the bare words NaN and Infinity."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAX_JSON_BYTES = 1 << 26
MAX_LINE_BYTES = 1 << 22
MAX_LINES_BYTES = 1 << 29


def parse_json(text: str | bytes) -> Any:
    """The content of a JSON text.

    Raises:
        ValueError: it is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_json(path: Path, limit: int = MAX_JSON_BYTES) -> Any:
    """The content of a JSON file.

    Raises:
        ValueError: the file cannot be read, is larger than `limit` bytes, or is no JSON.
    """
    try:
        if path.stat().st_size > limit:
            raise ValueError(f"larger than {limit >> 20} MiB")
        return parse_json(path.read_bytes())
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None


def json_lines(path: Path, problems: list[str]) -> Iterator[dict[str, Any]]:
    """The objects of a file with one JSON object per line, one line in memory at a time.

    Lines that are no object, such as the half line at the end of a killed process, are counted in `problems`.
    """
    damaged = 0
    try:
        with open(path, "rb") as file:
            while line := file.readline(MAX_LINE_BYTES):
                if file.tell() > MAX_LINES_BYTES:
                    problems.append(f"{path.name}: what follows the first {MAX_LINES_BYTES >> 20} MiB is left out")
                    break
                if not line.strip():
                    continue
                try:
                    content = parse_json(line)
                except ValueError:
                    content = None
                if isinstance(content, dict):
                    yield content
                else:
                    damaged += 1
    except OSError as error:
        problems.append(f"{path.name} cannot be read: {error.strerror or error}")
    if damaged:
        problems.append(f"{path.name}: {damaged} line(s) are not JSON objects and are left out")
