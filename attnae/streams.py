"""Standard output and standard error that may fail: a terminal that is gone, a closed pipe, a full disk."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO


class Lasting:
    """A text stream that outlives its target: from the first error on, what is written to it is dropped.

    `error` is that first error, None as long as all is well.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.error: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        with self._kept():
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._kept():
            self.stream.flush()

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = error
            # Python writes what is left in the stream when it exits: that must not fail again.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)

    @property
    def reader_left(self) -> bool:
        """Whether it is a pipe whose reader has had enough, such as `head`."""
        return self.error is not None and self.error.errno == errno.EPIPE

    @property
    def failure(self) -> str:
        """What to say of an error that is none of the reader's choice; nothing where all is well."""
        if self.error is None or self.reader_left:
            return ""
        return f"standard output cannot be written to: {self.error.strerror}"


@contextmanager
def lasting_streams() -> Iterator[Lasting]:
    """Standard output and error that never raise OSError, nor stumble over what their encoding lacks; the former."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    output = Lasting(sys.stdout)
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(Lasting(sys.stderr)):
        try:
            yield output
        finally:
            output.flush()
