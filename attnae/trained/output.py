"""The output files of the subcommands: their paths, how they are written, and the line that reports them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from attnae.errors import UserError
from attnae.files import write_atomically
from attnae.text import clean


def output_path(out: Path | None, default: Path, endings: Sequence[str]) -> Path:
    """`out`, or `default` where it is None; `UserError` unless it has one of these suffixes."""
    path = default if out is None else out
    if path.suffix.lower() not in endings:
        raise UserError(f"--out {path}: unknown suffix: choose one of {', '.join(endings)}")
    return path


@contextmanager
def open_output(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that replaces the one at `path` once it is complete; `UserError` if it cannot be written."""
    try:
        with write_atomically(path) as file:
            yield file
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path} cannot be written ({reason}): choose another directory with --out") from error


def report_written(paths: Sequence[Path], what: str) -> int:
    """Print one line that says what was written to these files. The exit code: 0."""
    print(f"wrote {' and '.join(clean(path) for path in paths)}: {what}")
    return 0
