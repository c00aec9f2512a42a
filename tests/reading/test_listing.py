"""`attnae list` for runs of any format."""

from __future__ import annotations

from pathlib import Path

import pytest

from attnae.cli import main
from tests.reading.event_logs import EventFile
from tests.reading.wandb.wandb_files import WandbFile


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.strip(" ─")]


def test_runs_of_one_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for run_id, act in (("a", "relu"), ("b", "elu")):
        config = {"act": act, "epochs": 3, "note": f"{act} " + "long" * 20}
        file = WandbFile(run_id, config, name=f"run-{act}").history(0, {"loss": 1.5})
        (file.exit(0) if act == "relu" else file.history(1, {"loss": 0.123456789})).write(tmp_path)
    assert main(["list", str(tmp_path)]) == 0
    shown = rows(capsys.readouterr().out)
    assert shown[0] == ["run", "status", "act", "note", "loss"]
    assert shown[1] == [
        "run-elu",
        "unfinished",
        "elu",
        "elu",
        f"{'long' * 4}…ong{'long' * 4}",
        "0.12346",
    ]
    assert shown[2][:3] == ["run-relu", "finished", "relu"]


def test_runs_of_several_formats_and_declared_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = EventFile().declared_metrics(["test/loss"]).hparams({"act": "relu"})
    events.scalar("test/loss", 2.5, 1).scalar("train/loss", 1.5, 1).write(tmp_path / "events")
    WandbFile("a", {"act": "elu"}, name="other").history(0, {"test/loss": 1.25}).write(tmp_path)
    assert main(["list", str(tmp_path)]) == 0
    assert rows(capsys.readouterr().out) == [
        ["run", "status", "format", "act", "test/loss"],
        ["events", "unknown", "TensorBoard", "relu", "2.5"],
        ["other", "unfinished", "W&B", "elu", "1.25"],
    ]


def test_no_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", str(tmp_path)]) == 2
    assert main(["list", str(tmp_path / "missing")]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"error: no runs found in {tmp_path}: give logs of TensorBoard")
    assert second.startswith(f"error: {tmp_path / 'missing'} does not exist: give")
