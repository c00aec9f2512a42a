"""One TensorBoard event file, each record on its way to the disk before the next is begun."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from attnae.files import write_errors


class EventFile:
    """A new event file in `directory`; steps from `purge_step` on that earlier files there hold are void.

    PyTorch's `SummaryWriter` hands its records to a thread, which tells of a full disk late, and by a traceback. Here
    what cannot be written raises `WriteError` where it is written. `add` takes what `torch.utils.tensorboard.summary`
    makes.
    """

    def __init__(self, directory: Path, purge_step: int | None = None) -> None:
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.0"
        with write_errors():
            self._file = (directory / name).open("xb")
        self._records = RecordWriter(self._file)
        self._write(Event(file_version="brain.Event:2"))
        if purge_step is not None:
            self._write(Event(step=purge_step, session_log=SessionLog(status=SessionLog.START)))

    def add(self, summary: Summary, step: int = 0) -> None:
        """Write one summary at this step."""
        self._write(Event(step=step, summary=summary))

    def sync(self) -> None:
        """Returns once everything is on the disk."""
        with write_errors():
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file. Each record was written or told of its error before, so that no error is news here."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _write(self, event: Any) -> None:
        event.wall_time = time.time()
        with write_errors():
            self._records.write(event.SerializeToString())
            self._file.flush()
