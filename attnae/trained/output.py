"""Where a command writes: beside the run unless told otherwise, by an ending it knows, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from attnae.errors import UserError
from attnae.files import write_atomically


def output_path(out: Path | None, default: Path, endings: Sequence[str]) -> Path:
    """`out`, or `default` where it is not given; `UserError` lists the endings that it may have."""
    path = default if out is None else out
    if path.suffix.lower() not in endings:
        raise UserError(f"--out {path}: unknown ending: choose one of {', '.join(endings)}")
    return path


@contextmanager
def written(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of what stands at `path` once it is whole; `UserError` where it cannot."""
    try:
        with write_atomically(path) as file:
            yield file
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path} cannot be written ({reason}): choose another place with --out") from error
