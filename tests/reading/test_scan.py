"""Directories that hold several formats, at any depth: what is found, how it is named, and what is not read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from attnae.errors import UserError
from attnae.reading import scan as scanning
from attnae.reading.read import Run, read_logs, read_runs
from tests.reading.event_logs import EventFile
from tests.reading.wandb.wandb_files import WandbFile

KERAS = "epoch,loss,val_loss\n0,1.5,1.75\n1,1.25,1.375\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def by_name(root: Path | list[Path], **options: str) -> dict[str, Run]:
    return {run.name: run for run in read_logs(root, **options)}


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Runs of five formats at several depths, and files that belong to none."""
    root = tmp_path / "mixed"
    EventFile().hparams({"act": "relu"}).scalar("loss", 2.5, 1).write(root / "tb" / "run")
    WandbFile("abc", {"act": "elu"}, name="wandb run").history(0, {"loss": 1.5}).write(root / "deep" / "er")
    write(root / "lightning" / "version_0" / "metrics.csv", "step,epoch,loss\n0,0,1.125\n")
    write(root / "keras" / "a" / "log.csv", KERAS)
    write(root / "hf" / "trainer_state.json", '{"log_history": [{"step": 1, "loss": 0.5}], "max_steps": 1}')
    write(root / "runs.csv", "act,loss\nrelu,1\nelu,2\n")
    write(root / "notes.txt", "words")
    return root


def test_every_format_is_found(mixed: Path) -> None:
    runs = by_name(mixed)
    assert {name: run.format for name, run in runs.items()} == {
        "hf": "Hugging Face Trainer",
        "keras/a": "Keras CSVLogger",
        "lightning/version_0": "Lightning CSVLogger",
        "tb/run": "TensorBoard",
        "wandb run": "W&B",
    }
    assert list(runs) == sorted(runs)
    assert runs["keras/a"].source == str(mixed / "keras" / "a" / "log.csv")
    assert runs["tb/run"].source == str(mixed / "tb" / "run")


def test_the_table_has_the_same_columns_for_all(mixed: Path) -> None:
    table = read_runs([mixed, mixed / "runs.csv"])
    assert list(table)[:4] == ["run", "status", "format", "source"]
    assert set(table["format"]) == {
        *("TensorBoard", "W&B", "Lightning CSVLogger", "Keras CSVLogger", "Hugging Face Trainer", "CSV table")
    }
    assert not table[["run", "status", "format", "source"]].isna().any().any()
    assert table["run"].is_unique


def test_settings_that_are_called_as_a_column(tmp_path: Path) -> None:
    EventFile().hparams({"format": "wide", "lr": 0.5}).scalar("lr", 0.25, 1).scalar("status", 1.0, 1).write(
        tmp_path / "a"
    )
    (row,) = read_runs(tmp_path).to_dict(orient="records")
    assert (row["format"], row["setting/format"], row["lr"]) == ("TensorBoard", "wide", 0.5)
    assert (row["scalar/lr"], row["scalar/status"], row["status"]) == (0.25, 1.0, "unknown")


def test_overlapping_paths_give_each_run_once(mixed: Path) -> None:
    paths = [mixed / "keras", mixed / "lightning" / "version_0" / "metrics.csv", mixed, mixed]
    runs = read_logs(paths)
    assert len(runs) == 5
    assert sorted(run.format for run in runs) == sorted(run.format for run in read_logs(mixed))


def test_files_and_directories_may_be_given_directly(mixed: Path) -> None:
    wandb = next(mixed.glob("deep/er/wandb/*/*.wandb"))
    for path, name in {
        wandb: "wandb run",
        wandb.parent: "wandb run",
        mixed / "hf" / "trainer_state.json": "hf",
        mixed / "hf": "hf",
        mixed / "keras" / "a" / "log.csv": "a",
        mixed / "lightning" / "version_0": "version_0",
    }.items():
        assert list(by_name(path)) == [name]


def test_parts_of_a_run_are_not_searched(tmp_path: Path) -> None:
    path = WandbFile("abc", {"act": "elu"}, name="n").history(0, {"loss": 1.5}).write(tmp_path)
    EventFile().scalar("other", 1.5, 1).write(path.parent / "files" / "tb")
    write(tmp_path / "out" / "trainer_state.json", '{"log_history": [{"step": 1, "loss": 0.5}], "max_steps": 1}')
    EventFile().scalar("train/loss", 0.5, 1).write(tmp_path / "out" / "runs" / "Jan01_host")
    write(tmp_path / ".git" / "metrics.csv", "step,epoch,loss\n0,0,1.125\n")
    assert list(by_name(tmp_path)) == ["n", "out"]


def test_nothing_outside_of_the_directory_is_read(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    for name in ("linked", "file"):
        write(tmp_path / name / "metrics.csv", "step,epoch,loss\n0,0,9.5\n")
    write(logs / "run" / "metrics.csv", "step,epoch,loss\n0,0,1.125\n")
    (logs / "directory").symlink_to(tmp_path / "linked", target_is_directory=True)
    (logs / "single").mkdir()
    (logs / "single" / "metrics.csv").symlink_to(tmp_path / "file" / "metrics.csv")
    (logs / "single" / "self").symlink_to("self")
    (run,) = read_logs(logs)
    assert (run.name, run.final) == ("run", {"loss": 1.125})
    assert "(single/metrics.csv and directory)" in run.notes[0] or "(directory and single" in run.notes[0]
    link = tmp_path / "link"
    link.symlink_to(logs, target_is_directory=True)
    assert list(by_name(link)) == ["run"]
    os.remove(logs / "run" / "metrics.csv")
    with pytest.raises(UserError, match=r"links that lead out of .* are not followed"):
        read_logs(logs)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            ["a/hparams.yaml", "b/hparams.yaml"],
            r"2 files hparams\.yaml, but not metrics\.csv or an event file beside it",
        ),
        (["a/args.yaml"], r"1 file args\.yaml, but not results\.csv beside it"),
        (["a/params.json"], r"1 file params\.json, but not result\.json or progress\.csv beside it"),
        (["0/.hydra/overrides.yaml"], r"1 file overrides\.yaml, but not logs of the run beside the directory \.hydra"),
        (["runs.csv", "results.tsv"], r"2 CSV files: give a table with one row per run itself"),
        ([".aim/meta", "x"], r"a store of Aim, which cannot be read: export its runs as CSV"),
        (["a.txt", "b.txt"], r"There are 2 other files"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, files: list[str], message: str) -> None:
    for file in files:
        write(tmp_path / file, "a: 1\n")
    with pytest.raises(UserError, match=f"no runs found in .*: give logs of .*{message}"):
        read_logs(tmp_path)


def test_an_endless_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        write(tmp_path / str(number) / "metrics.csv", "step,epoch,loss\n0,0,1.125\n")
    monkeypatch.setattr(scanning, "MAX_ENTRIES", 50)
    with pytest.raises(UserError, match="holds more than 50 files: give the directory of the logs itself"):
        read_logs(tmp_path)


def test_a_deep_directory(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*"d" * 400)
    write(deep / "metrics.csv", "step,epoch,loss\n0,0,1.125\n")
    assert list(by_name(tmp_path)) == ["/".join("d" * 400)]


def test_files_that_cannot_be_read(mixed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions do not bind the superuser, so that opening is made to fail."""
    import builtins

    opened = builtins.open

    def refuse(file: object, *args: object, **options: object) -> object:
        if str(file).endswith((".csv", ".wandb", ".json")):
            raise PermissionError(13, "Permission denied", file)
        return opened(file, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(builtins, "open", refuse)
    runs = by_name(mixed)
    assert "Permission denied" in " ".join(runs["offline-run-20260101_000000-abc"].problems)
    assert runs["tb/run"].problems == ()


def test_special_files(tmp_path: Path) -> None:
    """A named pipe would wait for a writer for ever."""
    for name in ("metrics.csv", "trainer_state.json", "run-a.wandb", "log.csv", "events.out.tfevents.1.h"):
        os.mkfifo(tmp_path / name)
    write(tmp_path / "run" / "metrics.csv", "step,epoch,loss\n0,0,1.125\n")
    assert list(by_name(tmp_path)) == ["run"]
    with pytest.raises(UserError):
        read_logs(tmp_path / "run-a.wandb")
