"""Files that are whole or not there."""

from __future__ import annotations

import os
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
    """A file to write to, beside `path`, which takes its place once it is whole and on the disk.

    Where writing fails, what stood at `path` before still stands, and nothing is left beside it; what a killed process
    left there is overwritten the next time. Raises `WriteError`.
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
    """`text` at `path`, in UTF-8, whole or not at all."""
    with write_atomically(path) as file:
        file.write(text.encode())
