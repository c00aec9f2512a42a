"""Logs as other programs write them: PyTorch's SummaryWriter, Lightning's logger, TensorFlow's HParams API."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from tensorboard.plugins.hparams import summary_v2 as tensorflow_hparams
from tensorboard.util.tensor_util import make_tensor_proto

from attnae.analysis.audit.audit import audit_runs
from attnae.reading.read import Run, read_logs
from tests.reading.event_logs import EventFile

HPARAMS = {"lr": 0.1, "act": "relu", "layers": 2, "bn": False}


def values(run: Run) -> dict[str, list[float]]:
    return {tag: series.values.tolist() for tag, series in run.scalars.items()}


@pytest.mark.parametrize("run_name", [None, ".", "final"])
def test_summary_writer_add_hparams(tmp_path: Path, run_name: str | None) -> None:
    from torch.utils.tensorboard import SummaryWriter

    for name, loss in (("a", 1.5), ("b", 2.5)):
        with SummaryWriter(str(tmp_path / name)) as writer:
            for step in range(3):
                writer.add_scalar("loss", loss + step, step)
            writer.add_histogram("weights", np.arange(5.0), 0)
            writer.add_hparams({**HPARAMS, "bn": name == "b"}, {"hparam/accuracy": loss}, run_name=run_name)
    runs = read_logs(tmp_path)
    assert [run.name for run in runs] == ["a", "b"]
    for run, loss in zip(runs, (1.5, 2.5), strict=True):
        assert run.hparams == {**HPARAMS, "bn": run.name == "b"}
        assert values(run) == {"hparam/accuracy": [loss], "loss": [loss, loss + 1, loss + 2]}
        assert run.metrics == ("hparam/accuracy",)
        assert run.problems == ()
        assert abs(run.started - time.time()) < 600
    assert audit_runs(runs).factors == ("bn",)


@pytest.mark.parametrize(("new_style", "double"), [(False, False), (True, False), (True, True)])
def test_summary_writer_scalars(tmp_path: Path, new_style: bool, double: bool) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("loss", 0.1, 3, new_style=new_style, double_precision=double)
    (run,) = read_logs(tmp_path)
    assert values(run) == {"loss": [0.1 if double else float(np.float32(0.1))]}
    assert run.scalars["loss"].steps.tolist() == [3]


def test_summary_writer_resumed_with_purge_step(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(5):
            writer.add_scalar("loss", step, step)
    time.sleep(1.1)  # the order of files is that of the seconds in their names
    with SummaryWriter(str(tmp_path), purge_step=2) as writer:
        writer.add_scalar("loss", 20, 2)
    (run,) = read_logs(tmp_path)
    assert values(run) == {"loss": [0, 1, 20]}


@pytest.mark.parametrize("default_hp_metric", [True, False])
def test_lightning(tmp_path: Path, default_hp_metric: bool) -> None:
    """Without `default_hp_metric` the events have no hyper-parameters; `hparams.yaml` has, nested."""
    from pytorch_lightning.loggers import TensorBoardLogger

    for version in range(2):
        logger = TensorBoardLogger(str(tmp_path), name="study", default_hp_metric=default_hp_metric)
        logger.log_hyperparams({"lr": 0.1, "model": {"act": ["relu", "elu"][version], "bn": False}})
        logger.log_metrics({"val_loss": 1.5}, step=1)
        logger.save()
        logger.finalize("success")
    runs = read_logs(tmp_path)
    assert [run.name for run in runs] == ["study/version_0", "study/version_1"]
    assert [run.hparams for run in runs] == [
        {"lr": 0.1, "model/act": act, "model/bn": False} for act in ("relu", "elu")
    ]
    assert [values(run) for run in runs] == [{"val_loss": [1.5]}] * 2


def test_tensorflow_hparams(tmp_path: Path) -> None:
    """`hp.hparams(...)` in the run's directory, scalars as tensors of one number."""
    for number, dropout in enumerate((0.0, 0.5)):
        summary = tensorflow_hparams.hparams_pb({"dropout": dropout, "optimizer": "adam", "bn": False})
        file = EventFile().event(0, summary=summary)
        file.tensor("accuracy", make_tensor_proto(np.float32(0.75)), 1)
        file.write(tmp_path / f"run-{number}")
    runs = read_logs(tmp_path)
    assert [run.hparams for run in runs] == [
        {"dropout": dropout, "optimizer": "adam", "bn": False} for dropout in (0, 0.5)
    ]
    assert [values(run) for run in runs] == [{"accuracy": [0.75]}] * 2
