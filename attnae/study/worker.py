"""The inside of a worker process: it trains the runs that come through a pipe, and dies with the parent.

torch is imported once, after the environment is set.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue

from attnae.process import Stopped, stop_on_signals
from attnae.study.design import PlannedRun
from attnae.study.events import Event

STOP_WITHIN_S = 30.0

Inbox = SimpleQueue[PlannedRun | None]


def work(connection: Connection, environment: Mapping[str, str], log: Path) -> None:
    """Train each `PlannedRun` that comes through the connection, sending `Event`s back, until it is closed.

    A run that raises is the last one: what it has left of the process, such as a broken CUDA context, must not reach
    the next. All output goes to the file `log`.
    """
    if hasattr(os, "setsid"):  # POSIX: a Ctrl-C in the terminal is the parent's to handle
        os.setsid()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.environ.update(environment)
    _redirect_output(log)
    inbox: Inbox = SimpleQueue()
    try:
        with stop_on_signals():
            threading.Thread(target=_listen, args=(connection, inbox), daemon=True).start()
            while (run := inbox.get()) is not None and _train(run, connection):
                pass
    except Stopped:
        return


def _train(run: PlannedRun, connection: Connection) -> bool:
    """Whether the run ended without an exception."""
    from attnae.study.task import describe_error, train_planned

    def tell(event: Event) -> None:
        # Nobody listens any more? Then we are about to be stopped.
        with contextlib.suppress(OSError):
            connection.send(event)

    try:
        tell(Event(run.name, train_planned(run, lambda epoch, loss: tell(Event(run.name, "epoch", epoch, loss)))))
    except Exception as error:
        print(f"\n{run.name}:", file=sys.stderr)
        traceback.print_exc()
        tell(Event(run.name, "failed", message=describe_error(error)))
        return False
    return True


def _listen(connection: Connection, inbox: Inbox) -> None:
    """Passes runs on. The connection ends when the parent closes it or is gone: then the run is stopped, resumable."""
    try:
        while True:
            inbox.put(connection.recv())
    except (EOFError, OSError):
        inbox.put(None)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_WITHIN_S)
    os._exit(1)


def _redirect_output(log: Path) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(descriptor, stream.fileno())
    os.close(descriptor)
    faulthandler.enable()
