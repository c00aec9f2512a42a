"""What a process does about signals, and about output streams that fail."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """The process was asked to stop. Not an `Exception`: nothing may take it for an error and go on.

    `resumable` is the directory of the run it interrupted, once there is one; `quiet` where another process tells.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum
        self.resumable: Path | None = None
        self.quiet = False

    @property
    def exit_code(self) -> int:
        """130 for SIGINT, 143 for SIGTERM, as shells have it."""
        return 128 + self.signum


def exit_on_signals() -> None:
    """SIGINT and SIGTERM end the process at once, with exit code 130 or 143.

    For the time of imports: an exception there can be lost in whatever is being imported.
    """

    def end(signum: int, frame: FrameType | None) -> None:
        os._exit(128 + signum)

    set_handlers(dict.fromkeys(STOPPING, end))


def handlers() -> dict[signal.Signals, Any]:
    """What SIGINT and SIGTERM do now."""
    return {signum: signal.getsignal(signum) for signum in STOPPING}


def set_handlers(wanted: Mapping[signal.Signals, Any]) -> None:
    """What they do from now on; in a thread that is not the main one, nothing changes."""
    if threading.current_thread() is threading.main_thread():
        for signum, handler in wanted.items():
            signal.signal(signum, handler)


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """SIGINT and SIGTERM raise `Stopped` inside; in a thread that is not the main one, nothing changes."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise Stopped(signum)

    before = handlers()
    set_handlers(dict.fromkeys(STOPPING, stop))
    try:
        yield
    finally:
        set_handlers(before)


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
