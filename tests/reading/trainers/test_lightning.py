"""Lightning's CSVLogger, written by Lightning itself, and the layouts of public projects."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

from attnae.errors import UserError
from attnae.reading.read import Run, read_logs


def log(logger: CSVLogger | TensorBoardLogger, hparams: dict[str, object], shift: float = 0.0) -> None:
    """Three epochs of ten steps: training and validation in different rows, a test in a last one."""
    logger.log_hyperparams(hparams)
    for epoch in range(3):
        step = 10 * epoch + 9
        logger.log_metrics({"train_loss": 3.25 - epoch + shift, "epoch": epoch}, step)
        logger.log_metrics({"val_loss": 3.375 - epoch + shift, "val_acc": math.nan, "epoch": epoch}, step)
    logger.log_metrics({"test_loss": 1.125 + shift, "epoch": 3}, 30)
    logger.save()
    logger.finalize("success")


def by_name(root: Path, **options: str) -> dict[str, Run]:
    return {run.name: run for run in read_logs(root, **options)}


def test_what_lightning_writes(tmp_path: Path) -> None:
    hparams = {"act": "relu", "bn": True, "lr": 1e-4, "seed": 3, "units": [35, 25], "optimizer": {"name": "adam"}}
    log(CSVLogger(tmp_path, name="study"), hparams)
    log(CSVLogger(tmp_path, name="study"), {**hparams, "act": "elu"}, 0.5)
    runs = by_name(tmp_path)
    assert list(runs) == ["study/version_0", "study/version_1"]
    run = runs["study/version_0"]
    assert (run.format, run.status, run.problems) == ("Lightning CSVLogger", "unknown", ())
    assert run.hparams == {
        "act": "relu",
        "bn": True,
        "lr": 1e-4,
        "seed": 3,
        "units": "35 25",
        "optimizer/name": "adam",
    }
    assert run.scalars["train_loss"].steps.tolist() == [9, 19, 29]
    assert run.scalars["train_loss"].values.tolist() == [3.25, 2.25, 1.25]
    assert run.scalars["val_loss"].values.tolist() == [3.375, 2.375, 1.375]
    assert run.scalars["test_loss"].steps.tolist() == [30]
    assert all(math.isnan(value) for value in run.scalars["val_acc"].values)
    assert sorted(run.scalars) == ["test_loss", "train_loss", "val_acc", "val_loss"]
    assert runs["study/version_1"].final["test_loss"] == 1.625


def test_the_file_itself_may_be_given(tmp_path: Path) -> None:
    log(CSVLogger(tmp_path, name="study"), {"act": "relu"})
    (run,) = read_logs(tmp_path / "study" / "version_0" / "metrics.csv")
    assert (run.name, run.hparams, run.final["test_loss"]) == ("version_0", {"act": "relu"}, 1.125)


def test_both_loggers_of_a_run_are_one_run(tmp_path: Path) -> None:
    """In one directory, and in directories of their own; runs of other results stay apart."""
    for shift, act in ((0.0, "relu"), (0.5, "elu")):
        log(CSVLogger(tmp_path, name="same", version=int(2 * shift)), {"act": act}, shift)
        log(TensorBoardLogger(tmp_path, name="same", version=int(2 * shift)), {"act": act}, shift)
        for logger in (CSVLogger(tmp_path, name="csv"), TensorBoardLogger(tmp_path, name="tb")):
            log(logger, {"act": act}, shift + 0.25)
    runs = by_name(tmp_path)
    assert list(runs) == ["csv/version_0", "csv/version_1", "same/version_0", "same/version_1"]
    assert {run.format for run in runs.values()} == {"Lightning CSVLogger + TensorBoard"}
    assert [run.hparams["act"] for run in runs.values()] == ["relu", "elu"] * 2
    assert [run.final["test_loss"] for run in runs.values()] == [1.375, 1.875, 1.125, 1.625]
    assert [list(run.scalars["val_loss"].steps) for run in runs.values()] == [[9, 19, 29]] * 4


def test_settings_in_the_names_and_empty_hparams(tmp_path: Path) -> None:
    for name in ("lr0.01_bn1", "lr0.1_bn0"):
        log(CSVLogger(tmp_path, name=name, version=""), {})
    runs = by_name(tmp_path, name_pattern="lr{lr}_bn{bn}")
    assert {name: run.hparams for name, run in runs.items()} == {
        "lr0.01_bn1": {"lr": 0.01, "bn": 1},
        "lr0.1_bn0": {"lr": 0.1, "bn": 0},
    }


@pytest.mark.parametrize("pattern", ["lr{lr}_bn{bn}", "lr{lr}_bn{bn}/{}", "{}/lr{lr}_bn{bn}/version_0"])
def test_settings_in_the_names_above_the_versions(tmp_path: Path, pattern: str) -> None:
    for name in ("lr0.01_bn1", "lr0.1_bn0"):
        log(CSVLogger(tmp_path / "lightning_logs", name=name), {})
    runs = by_name(tmp_path, name_pattern=pattern)
    assert {name: run.hparams for name, run in runs.items()} == {
        "lightning_logs/lr0.01_bn1/version_0": {"lr": 0.01, "bn": 1},
        "lightning_logs/lr0.1_bn0/version_0": {"lr": 0.1, "bn": 0},
    }


def test_eighty_abandoned_versions(tmp_path: Path) -> None:
    for number in range(80):
        directory = tmp_path / "lightning_logs" / f"version_{number}"
        directory.mkdir(parents=True)
        (directory / "hparams.yaml").write_text("lr: 0.1\n")
    with pytest.raises(UserError, match=r"There are 80 files hparams\.yaml, but not metrics\.csv or an event file"):
        read_logs(tmp_path)
    log(CSVLogger(tmp_path, name="lightning_logs", version=80), {"lr": 0.1})
    (run,) = read_logs(tmp_path)
    assert run.name == "lightning_logs/version_80"
    assert run.notes == ("80 starts logged nothing but hparams.yaml, such as lightning_logs/version_0",)


def test_mixed_schemas(tmp_path: Path) -> None:
    """Columns that only some runs have, and old versions without the column of the epoch."""
    log(CSVLogger(tmp_path, version=0), {"lr": 0.1})
    old = tmp_path / "old"
    old.mkdir()
    (old / "metrics.csv").write_text("step,loss,created_at\n0,1.5,2020-01-01\n1,,2020-01-01\n2,0.5,2020-01-02\n")
    (old / "hparams.yaml").write_text("{}\n")
    run = by_name(tmp_path)["old"]
    assert {tag: series.values.tolist() for tag, series in run.scalars.items()} == {"loss": [1.5, 0.5]}


def test_pickled_models_do_not_lose_the_settings(tmp_path: Path) -> None:
    log(CSVLogger(tmp_path, name="a", version=0), {"lr": 0.1})
    model = "model: !!python/object:torch.nn.Linear\n  weights: !!binary |\n" + "    AAAA\n" * 400_000
    (tmp_path / "a" / "version_0" / "hparams.yaml").write_text(f"lr: 0.1\n{model}act: relu\n")
    (run,) = read_logs(tmp_path)
    assert (run.hparams, run.problems) == ({"lr": 0.1, "act": "relu"}, ())


@pytest.mark.parametrize(
    ("text", "values", "problem"),
    [
        ("step,epoch,loss\n0,0,1.5\n1,0,2.5,9\n2,1\n", [1.5, 2.5], "2 line(s), such as line 3, have more or fewer"),
        ("step,epoch,loss\n0,0,1.5\nx,0,2.5\n,,3.5\n", [1.5], "2 line(s) without a whole step are left out"),
        ("step,epoch,loss\n0,0,1.5\n1,0,\x00\n", [1.5], ""),
        ("step,epoch,loss\n0,0,1.5\n1,0," + "9" * 200_000 + "\n", [1.5], "cannot be read to its end"),
        ("step,epoch,loss\n0,0,1.5\n99999999999999999999,0,2.5\n", [1.5], "without a whole step"),
        ("step,epoch,loss\n0,0,inf\n1,0,1_000\n2,0,tensor(1.)\n", [math.inf], ""),
        ("step,epoch,loss\n0,0,1.5\n1,0,0.5", [1.5, 0.5], ""),
    ],
)
def test_damaged_files(tmp_path: Path, text: str, values: list[float], problem: str) -> None:
    (tmp_path / "metrics.csv").write_text(text)
    (run,) = read_logs(tmp_path)
    assert run.scalars["loss"].values.tolist() == values
    assert problem in " ".join(run.problems)
