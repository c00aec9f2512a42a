"""Settings of Hydra's jobs, for logs of any format at or below the directory of the job."""

from __future__ import annotations

from pathlib import Path

import pytest

from attnae.reading.read import Run, read_logs
from tests.reading.event_logs import EventFile
from tests.reading.test_scan import KERAS, write


def job(directory: Path, config: str, overrides: str = "[]\n") -> Path:
    write(directory / ".hydra" / "config.yaml", config)
    write(directory / ".hydra" / "overrides.yaml", overrides)
    return directory


def by_name(root: Path) -> dict[str, Run]:
    return {run.name: run for run in read_logs(root)}


CONFIG = "seed: 1\nmodel: {lr: 0.1, act: relu, width: '${data.size}'}\ndata: {size: 8}\n"


def test_a_sweep(tmp_path: Path) -> None:
    """Each job has a number, its options, and logs somewhere below it."""
    root = tmp_path / "multirun"
    write(root / "2026" / "multirun.yaml", "hydra: {}\n")
    write(job(root / "2026" / "0", CONFIG, "- model.act=relu\n") / "log.csv", KERAS)
    other = job(root / "2026" / "1", CONFIG.replace("relu", "elu"), "- model.act=elu\n")
    EventFile().scalar("loss", 1.5, 1).write(other / "tensorboard" / "version_0")
    runs = by_name(root)
    assert {name: run.hparams for name, run in runs.items()} == {
        "2026/0": {"model/act": "relu", "seed": 1, "model/lr": 0.1, "data/size": 8},
        "2026/1/tensorboard/version_0": {"model/act": "elu", "seed": 1, "model/lr": 0.1, "data/size": 8},
    }
    assert next(iter(runs["2026/0"].hparams)) == "model/act"  # what was changed comes first


def test_several_event_directories_of_a_job_are_one_run(tmp_path: Path) -> None:
    directory = job(tmp_path / "job", CONFIG)
    for part in ("train", "val"):
        EventFile().scalar("loss", 1.5, 1).write(directory / part)
    (run,) = read_logs(tmp_path)
    assert (run.name, sorted(run.scalars), run.hparams["model/act"]) == ("job", ["train/loss", "val/loss"], "relu")


def test_logged_settings_come_first_and_overrides_complete_them(tmp_path: Path) -> None:
    """The model's own settings do not hold the batch size; what they hold under a shorter name is not repeated."""
    overrides = (
        "- model.lr=0.1\n- +data.batch=64\n- experiment=big\n- ~callbacks\n- trainer.name=${now:%H}\n- act=elu\n"
    )
    directory = job(tmp_path / "job", CONFIG + "act: elu\n", overrides)
    write(directory / "csv" / "version_0" / "metrics.csv", "step,epoch,loss\n0,0,1.5\n")
    write(directory / "csv" / "version_0" / "hparams.yaml", "lr: 0.1\nact: relu\n")
    (run,) = read_logs(tmp_path)
    assert run.hparams == {"lr": 0.1, "act": "relu", "data/batch": 64, "experiment": "big"}


def test_the_directory_of_the_job_may_be_given(tmp_path: Path) -> None:
    directory = job(tmp_path / "job", CONFIG)
    write(directory / "log.csv", KERAS)
    write(directory / "deep" / "metrics.csv", "step,epoch,loss\n0,0,1.5\n")
    assert [run.hparams["model/act"] for run in read_logs(directory)] == ["relu", "relu"]


def test_nothing_above_the_given_directory_is_read(tmp_path: Path) -> None:
    write(job(tmp_path, CONFIG) / "runs" / "a" / "log.csv", KERAS)
    (run,) = read_logs(tmp_path / "runs")
    assert run.hparams == {}


def test_a_yaml_file_above_the_run_but_not_that_of_the_study(tmp_path: Path) -> None:
    write(tmp_path / "config.yaml", "study: 1\n")
    write(tmp_path / "a" / "config.yaml", "act: relu\n")
    write(tmp_path / "a" / "logs" / "log.csv", KERAS)
    write(tmp_path / "b" / "log.csv", KERAS)
    assert {name: run.hparams for name, run in by_name(tmp_path).items()} == {"a/logs": {"act": "relu"}, "b": {}}


@pytest.mark.parametrize("text", ["", "[", "a: 1", "- 1\n- null\n- [x]\n", "- =\n- a\n", "- " + "[" * 50])
def test_damaged_overrides(tmp_path: Path, text: str) -> None:
    write(job(tmp_path / "job", CONFIG, text) / "log.csv", KERAS)
    (run,) = read_logs(tmp_path)
    assert run.hparams.items() >= {"seed": 1, "model/lr": 0.1, "model/act": "relu", "data/size": 8}.items()
