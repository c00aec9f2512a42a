"""TensorBoard event files of a run, and the Lightning logger that writes them: one file per invocation."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard import summary

from attnae.files import write_errors


class EventFile:
    """A new event file in `directory`. Readers ignore what earlier files there hold from step `purge_step` on.

    A record is handed to the operating system before the next one begins. PyTorch's `SummaryWriter` leaves its records
    to a thread, which reports a full disk late and as a traceback; here `add` raises `WriteError` at once.
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
        """Write a summary, made by `torch.utils.tensorboard.summary`, at this step."""
        self._write(Event(step=step, summary=summary))

    def sync(self) -> None:
        """Return once everything is on the disk."""
        with write_errors():
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file. Its errors are ignored: what could not be written has raised one in `add`."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _write(self, event: Any) -> None:
        event.wall_time = time.time()
        with write_errors():
            self._records.write(event.SerializeToString())
            self._file.flush()


class EventLogger(Logger):
    """Lightning's logger for a run: writes to `directory` and drops earlier invocations' steps from `purge_step` on.

    `varied` are the hyper-parameters in which the run differs from others: TensorBoard's HParams page has their columns
    first, and those of all others behind them, both in alphabetical order.

    Lightning's own TensorBoardLogger would add an `epoch` tag, a `hp_metric` and an hparams.yaml, and start another
    event file after each fit and test.
    """

    def __init__(self, directory: Path, purge_step: int | None = None, varied: Collection[str] = ()) -> None:
        super().__init__()
        self.varied = varied
        self.directory = directory
        self.purge_step = purge_step
        self._file: EventFile | None = None

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def version(self) -> str:
        return ""

    @property
    def log_dir(self) -> str:
        return str(self.directory)

    @property
    @rank_zero_experiment
    def experiment(self) -> EventFile:
        """The event file, opened at its first use."""
        if self._file is None:
            # Readers sort event files by name, which starts with the second in which the file was opened. A run that is
            # resumed within the same second could otherwise be sorted before the file that it continues.
            while any(self.directory.glob(f"events.out.tfevents.{int(time.time()):010d}.*")):
                time.sleep(0.05)
            self._file = EventFile(self.directory, self.purge_step)
        return self._file

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        for tag, value in metrics.items():
            self.experiment.add(summary.scalar(tag, value), step or 0)

    @rank_zero_only
    def log_text(self, tag: str, text: str, step: int = 0) -> None:
        """Log a text, which TensorBoard shows as Markdown."""
        self.experiment.add(summary.text(tag, text), step)

    @rank_zero_only
    def log_picture(self, tag: str, pixels: np.ndarray, step: int) -> None:
        """Log a picture: uint8 (H, W, C)."""
        self.experiment.add(summary.image(tag, pixels, dataformats="HWC"), step)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any], metrics: tuple[str, ...] = ()) -> None:  # type: ignore[override]
        """Log the hyper-parameters, with the tags of the metrics that the run will compute.

        They are written at the start of a run, so that a run that is killed has them too, and the metrics have no
        values yet, so that no metric gets an invented first point. HParams has no lists: they become text. Options
        that are not set are left out, because TensorBoard cannot sort a column that mixes text and numbers.
        """
        values = {
            name: " ".join(map(str, value)) if isinstance(value, list) else value
            for name, value in params.items()
            if value is not None
        }
        # torch's add_hparams would write booleans as numbers, and a first value for each metric.
        infos = [
            api_pb2.HParamInfo(name=name, type=_kind(value), differs=name in self.varied)
            for name, value in values.items()
        ]
        scores = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag)) for tag in metrics]
        experiment = api_pb2.Experiment(hparam_infos=infos, metric_infos=scores)
        self.experiment.add(_experiment_summary(experiment))
        self.experiment.add(hparams_pb(values))

    @rank_zero_only
    def save(self) -> None:
        """Return once everything logged is on the disk."""
        if self._file is not None:
            self._file.sync()

    def finalize(self, status: str) -> None:
        """Do nothing: Lightning calls this after the fit and again after the test; the run itself calls `close`."""

    @rank_zero_only
    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _experiment_summary(experiment: api_pb2.Experiment) -> Summary:
    """The summary from which the HParams page takes its columns."""
    content = plugin_data_pb2.HParamsPluginData(experiment=experiment)
    value = Summary.Value(
        tag=metadata.EXPERIMENT_TAG,
        metadata=metadata.create_summary_metadata(content),
        tensor=metadata.NULL_TENSOR,
    )
    return Summary(value=[value])


def _kind(value: bool | float | str) -> int:
    """TensorBoard's type of a hyper-parameter, which decides how the HParams page filters by it."""
    if isinstance(value, bool):
        return api_pb2.DATA_TYPE_BOOL
    return api_pb2.DATA_TYPE_STRING if isinstance(value, str) else api_pb2.DATA_TYPE_FLOAT64
