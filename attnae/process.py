"""How a process reacts to SIGINT and SIGTERM, and to output streams that fail."""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

# The environment variables by which SLURM, LSF, torchrun and Lightning itself tell a process that it is one of several.
LAUNCHER_VARIABLES = re.compile(
    r"(SLURM|JSM|TORCHELASTIC)_.*|(LOCAL_|GROUP_|NODE_)?RANK|(LOCAL_)?WORLD_SIZE|MASTER_(ADDR|PORT)"
)

STOPPING = (signal.SIGINT, signal.SIGTERM)
NEW_OBJECTS = 100_000


class Stopped(BaseException):
    """The process was asked to stop by a signal. Not an `Exception`, so that no `except Exception` swallows it.

    `resumable` is the directory of the run that was interrupted, if it can be resumed. `quiet` is true where another
    process of the same run prints the message.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum
        self.resumable: Path | None = None
        self.quiet = False

    @property
    def exit_code(self) -> int:
        """128 + the signal's number, as in shells: 130 for SIGINT, 143 for SIGTERM."""
        return 128 + self.signum


def exit_on_signals() -> None:
    """Make SIGINT and SIGTERM end the process at once, with exit code 130 or 143.

    Used while packages are imported, since an exception could be lost in the package that is being imported.
    """

    def end(signum: int, frame: FrameType | None) -> None:
        os._exit(128 + signum)

    set_handlers(dict.fromkeys(STOPPING, end))


def handlers() -> dict[signal.Signals, Any]:
    """The current handlers of SIGINT and SIGTERM."""
    return {signum: signal.getsignal(signum) for signum in STOPPING}


def set_handlers(wanted: Mapping[signal.Signals, Any]) -> None:
    """Set the handlers of signals. Python allows it in the main thread only: elsewhere nothing changes."""
    if threading.current_thread() is threading.main_thread():
        for signum, handler in wanted.items():
            signal.signal(signum, handler)


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """A context in which SIGINT and SIGTERM raise `Stopped`. Outside the main thread nothing changes."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise Stopped(signum)

    before = handlers()
    set_handlers(dict.fromkeys(STOPPING, stop))
    try:
        yield
    finally:
        set_handlers(before)


@contextmanager
def rare_garbage_collection() -> Iterator[None]:
    """A context in which Python looks for cycles of unused objects after 100,000 new objects rather than after 700.

    Importing packages and reading logs make many objects that stay in use, through which every search goes again.
    """
    before = gc.get_threshold()
    if gc.isenabled():
        gc.set_threshold(NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


class TolerantStream:
    """A text stream that does not raise OSError: after the first one, everything written to it is discarded.

    A full disk or a closed pipe at standard output then does not end a training. `error` is the first error, or None.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.error: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        with self._tolerate_errors():
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._tolerate_errors():
            self.stream.flush()

    @contextmanager
    def _tolerate_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = error
            # Python flushes the stream once more when it exits, which must not fail again.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)

    @property
    def reader_left(self) -> bool:
        """Whether the stream is a pipe whose reader, such as `head`, has closed it."""
        return self.error is not None and self.error.errno == errno.EPIPE

    @property
    def failure(self) -> str:
        """The message for an error other than a closed pipe; empty if there is none."""
        if self.error is None or self.reader_left:
            return ""
        return f"standard output cannot be written to: {self.error.strerror}"


@contextmanager
def tolerant_streams() -> Iterator[TolerantStream]:
    """Make standard output and error tolerant of OSError and of characters that their encoding lacks.

    Yields the stream that stands for standard output.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    output = TolerantStream(sys.stdout)
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(TolerantStream(sys.stderr)):
        try:
            yield output
        finally:
            output.flush()
