"""Ultralytics' results.csv and the files of Keras' CSVLogger."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from attnae.reading.read import Run, read_logs


def by_name(root: Path) -> dict[str, Run]:
    return {run.name: run for run in read_logs(root)}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


PADDED = "                  epoch,         train/box_loss,       metrics/mAP50(B)\n      0,      2.5,      0.25\n"


@pytest.mark.parametrize(
    ("text", "steps", "seconds"),
    [
        ("epoch,time,train/box_loss,metrics/mAP50(B)\n1,2.5,2.25,0.1\n2,5.5,2.5,0.25\n", [1, 2], 5.5),
        (PADDED, [0], math.nan),
    ],
)
def test_ultralytics(tmp_path: Path, text: str, steps: list[int], seconds: float) -> None:
    write(tmp_path / "detect" / "train2" / "results.csv", text)
    write(
        tmp_path / "detect" / "train2" / "args.yaml",
        "task: detect\nlr0: 0.01\nseed: 0\nname: train2\nsave_dir: runs/train2\nfreeze: null\n",
    )
    run = by_name(tmp_path)["detect/train2"]
    assert (run.format, run.status) == ("Ultralytics", "unknown")
    assert run.hparams == {"task": "detect", "lr0": 0.01, "seed": 0, "freeze": "None"}
    assert run.scalars["train/box_loss"].steps.tolist() == steps
    assert run.final == {"train/box_loss": 2.5, "metrics/mAP50(B)": 0.25}
    assert run.seconds == seconds or math.isnan(seconds)


KERAS = "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,1.5,0.25,1.75\n1,0.75,NA,NA,NA\n2,0.875,nan,0.5,1.25\n"


def test_keras_alone_in_a_directory_is_named_by_it(tmp_path: Path) -> None:
    write(tmp_path / "relu-1" / "training.log", KERAS)
    write(tmp_path / "elu-0" / "training.log", KERAS.replace(",", ";"))
    write(tmp_path / "elu-0" / "hparams.yaml", "act: elu\n")
    runs = by_name(tmp_path)
    assert {name: run.hparams for name, run in runs.items()} == {"elu-0": {"act": "elu"}, "relu-1": {}}
    for run in runs.values():
        assert run.format == "Keras CSVLogger"
        assert run.scalars["val_loss"].steps.tolist() == [0, 2]
        assert run.scalars["val_loss"].values.tolist() == [1.75, 1.25]
        assert math.isnan(run.final["loss"])
        assert sorted(run.scalars) == ["accuracy", "loss", "val_accuracy", "val_loss"]


def test_several_keras_logs_in_a_directory_are_named_by_their_files(tmp_path: Path) -> None:
    write(tmp_path / "logs" / "relu-1.csv", KERAS)
    write(tmp_path / "logs" / "elu-0.csv", KERAS)
    runs = {run.name: run for run in read_logs(tmp_path, name_pattern="{act}-{bn}")}
    assert {name: run.hparams for name, run in runs.items()} == {
        "logs/elu-0": {"act": "elu", "bn": 0},
        "logs/relu-1": {"act": "relu", "bn": 1},
    }


@pytest.mark.parametrize(
    "text",
    [
        "epoch,loss,lr\n0,1.5,0.1\n1,1.25,0.1\n",  # no twin
        "epoch,loss,val_loss\n10,1.5,0.1\n20,1.25,0.1\n",  # a table whose epochs are a setting
        "act,epoch,loss,val_loss\nrelu,0,1.5,0.1\n",
        "epoch,loss,val_loss\n",
        "",
    ],
)
def test_other_tables_are_not_taken_for_a_log_of_keras(tmp_path: Path, text: str) -> None:
    write(tmp_path / "log.csv", text)
    write(tmp_path / "run" / "training.log", KERAS)
    assert list(by_name(tmp_path)) == ["run"]
