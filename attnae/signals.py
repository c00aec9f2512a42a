"""Ctrl-C and SIGTERM: first the end of the process, then, once there is something to lose, an exception."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

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
