"""Lightning's logger of this project: one event file per invocation, and no tag that nobody asked for."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from torch.utils.tensorboard import summary

from attnae.rundir.event_file import EventFile


class EventLogger(Logger):
    """Writes to `directory`; steps from `purge_step` on that earlier invocations wrote there are dropped.

    Lightning's own TensorBoardLogger would add an `epoch` tag, a `hp_metric` and an hparams.yaml, and start another
    event file after each fit and test.
    """

    def __init__(self, directory: Path, purge_step: int | None = None) -> None:
        super().__init__()
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
            # Readers take event files in the order of their names, which start with the second they were opened in:
            # a run that is resumed within a second would come before what it goes on with.
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
        """A text; TensorBoard shows it as Markdown."""
        self.experiment.add(summary.text(tag, text), step)

    @rank_zero_only
    def log_picture(self, tag: str, pixels: np.ndarray, step: int) -> None:
        """A picture: uint8 (H, W, C)."""
        self.experiment.add(summary.image(tag, pixels, dataformats="HWC"), step)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any], metrics: tuple[str, ...] = ()) -> None:  # type: ignore[override]
        """The hyper-parameters, with the names of the metrics that will be scored.

        They are written without values, so that no metric has a made-up first point, and at the start of a run, so
        that one that is killed has them too. Lists become text, since HParams has none. Unset options are left out:
        with a text among its numbers, TensorBoard could not sort its table by such a column.
        """
        values = {
            name: " ".join(map(str, value)) if isinstance(value, list) else value
            for name, value in params.items()
            if value is not None
        }
        # torch's add_hparams would write booleans as numbers, and a first value for each metric.
        infos = [api_pb2.HParamInfo(name=name, type=_kind(value)) for name, value in values.items()]
        scores = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag)) for tag in metrics]
        experiment = api_pb2.Experiment(hparam_infos=infos, metric_infos=scores)
        self.experiment.add(_experiment_summary(experiment))
        self.experiment.add(hparams_pb(values))

    @rank_zero_only
    def save(self) -> None:
        """Returns once everything logged is on the disk."""
        if self._file is not None:
            self._file.sync()

    def finalize(self, status: str) -> None:
        """Nothing: Lightning calls this after the fit and after the test, the run closes at its end."""

    @rank_zero_only
    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _experiment_summary(experiment: api_pb2.Experiment) -> Summary:
    """The summary that tells the HParams page of its columns."""
    content = plugin_data_pb2.HParamsPluginData(experiment=experiment)
    value = Summary.Value(
        tag=metadata.EXPERIMENT_TAG,
        metadata=metadata.create_summary_metadata(content),
        tensor=metadata.NULL_TENSOR,
    )
    return Summary(value=[value])


def _kind(value: bool | float | str) -> int:
    """TensorBoard's type of a hyper-parameter: it decides how the HParams page filters by it."""
    if isinstance(value, bool):
        return api_pb2.DATA_TYPE_BOOL
    return api_pb2.DATA_TYPE_STRING if isinstance(value, str) else api_pb2.DATA_TYPE_FLOAT64
