"""Files that are written whole or not at all, and names that file systems accept."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class WriteError(OSError):
    """One of our own files could not be written, as opposed to any other `OSError`."""


@contextmanager
def write_errors() -> Iterator[None]:
    """Inside, every `OSError` becomes a `WriteError` with the same arguments."""
    try:
        yield
    except OSError as error:
        raise WriteError(*error.args) from error


@contextmanager
def write_atomically(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`, and rename it to `path` once everything is on the disk.

    If writing fails, the file that was at `path` before is unchanged and the temporary file is deleted. One that
    a killed process left behind is overwritten by the next call. Raises `WriteError`.
    """
    beside = path.with_name(f".{path.name}.partial")
    with write_errors():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` in UTF-8, whole or not at all."""
    with write_atomically(path) as file:
        file.write(text.encode())


def short_name(name: str, limit: int = 150) -> str:
    """The name, or where it is longer than `limit`: its beginning, its CRC-32, and its end, which holds the seed."""
    if len(name) <= limit:
        return name
    return f"{name[: limit - 40]}...{zlib.crc32(name.encode()):08x}...{name[-20:]}"
