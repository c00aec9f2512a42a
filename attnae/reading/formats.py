"""The formats of logs that can be read. A line in `FORMATS` adds one."""

from __future__ import annotations

from pathlib import Path

from attnae.errors import UserError
from attnae.reading.run import Format
from attnae.reading.table import TABLE
from attnae.reading.tensorboard.reader import TENSORBOARD

# The first format that recognises a path reads it. Place a new format before these two, which accept, between them,
# every directory and every file.
FORMATS: list[Format] = [
    TENSORBOARD,
    TABLE,
]


def find_format(path: Path) -> Format:
    """The format of an existing path.

    Raises:
        UserError: no format recognises the path.
    """
    for candidate in FORMATS:
        if candidate.recognises(path):
            return candidate
    raise UserError(f"{path} is in no known format: give {known_formats()}")


def known_formats() -> str:
    """The formats with their examples, for messages."""
    return " or ".join(f"{known.example} ({known.name})" for known in FORMATS)
