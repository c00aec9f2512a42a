"""Which directories are runs, what they are called, and where their hyper-parameters come from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tensorboard.util.tensor_util import make_tensor_proto

from attnae.errors import UserError
from attnae.reading.read import Run, read_logs, read_runs
from tests.reading.event_logs import EventFile, write_study


def write(directory: Path, loss: float = 1.0, **hparams: Any) -> Path:
    file = EventFile()
    if hparams:
        file.hparams(hparams)
    return file.scalar("loss", loss, 1).write(directory)


def by_name(root: Path | list[Path], **options: Any) -> dict[str, Run]:
    return {run.name: run for run in read_logs(root, **options)}


def test_false_and_zero_are_values_and_whole_numbers_are_whole(tmp_path: Path) -> None:
    write(tmp_path / "a", bn=False, dropout=0.0, batch=64.0, lr=5e-3, act="", big=1e300, odd=float("nan"))
    (run,) = read_logs(tmp_path)
    assert run.hparams == {
        "act": "",
        "batch": 64,
        "big": 1e300,
        "bn": False,
        "dropout": 0,
        "lr": 5e-3,
        "odd": "nan",
    }
    assert [type(run.hparams[name]) for name in ("bn", "batch", "lr", "big")] == [bool, int, float, float]


def test_names_are_paths_and_the_log_directory_has_its_own(tmp_path: Path) -> None:
    write(tmp_path / "b" / "version_1", x=1)
    write(tmp_path / "b" / "version_0", x=0)
    write(tmp_path / "a", x=2)
    assert list(by_name(tmp_path)) == ["a", "b/version_0", "b/version_1"]
    assert list(by_name(tmp_path / "a")) == ["a"]
    assert by_name(tmp_path)["b/version_1"].directory == tmp_path / "b" / "version_1"


def test_several_directories(tmp_path: Path) -> None:
    for study in ("one", "two"):
        write(tmp_path / study / "run", x=study)
    assert list(by_name([tmp_path / "one", tmp_path / "two"])) == ["one/run", "two/run"]
    write(tmp_path / "else" / "one" / "run", x="else")
    twins = list(by_name([tmp_path / "one", tmp_path / "else" / "one"]))
    assert twins == [f"{tmp_path}/one/run", f"{tmp_path}/else/one/run"]


def test_no_run_is_read_twice(tmp_path: Path) -> None:
    write(tmp_path / "a" / "run", x=1)
    write(tmp_path / "b", x=2)
    (tmp_path / "z_link").symlink_to(tmp_path / "b", target_is_directory=True)
    assert list(by_name([tmp_path / "a", tmp_path])) == ["a/run", f"{tmp_path.name}/b"]


def test_an_event_file_may_be_given(tmp_path: Path) -> None:
    path = write(tmp_path / "run", x=1)
    EventFile().scalar("loss", 9.0, 9).write(tmp_path / "run", number=1)
    (run,) = read_logs(path)
    assert (run.name, run.scalars["loss"].steps.tolist()) == ("run", [1])


def test_symbolic_links_are_not_followed_and_those_that_lead_out_are_named(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    write(logs / "run", x=1)
    write(tmp_path / "elsewhere", x=2)
    write(tmp_path / "outside", x=3)
    (logs / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (logs / "run" / "circle").symlink_to(logs, target_is_directory=True)
    (logs / "up").symlink_to(tmp_path, target_is_directory=True)
    (logs / "nowhere").symlink_to(tmp_path / "missing")
    (logs / "notes").symlink_to(write(tmp_path / "file").parent / "notes.txt")
    (run,) = read_logs(logs)
    assert (run.name, run.hparams) == ("run", {"x": 1})
    assert run.problems == ()
    assert run.notes == (f"links that lead out of {logs} are not followed (linked and up): give their targets as well",)
    assert list(by_name([logs, logs / "linked"])) == ["logs/run", "elsewhere/elsewhere"]


def test_a_directory_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "good", x=1)
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def refuse(path: str) -> Iterator[os.DirEntry[str]]:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    runs = by_name(tmp_path)
    assert runs["locked"].problems == ("the directory cannot be read: Permission denied",)
    assert runs["good"].problems == ()


def test_hparams_in_a_child_named_by_the_time_belong_to_the_run(tmp_path: Path) -> None:
    """`SummaryWriter.add_hparams` without `run_name`."""
    write(tmp_path / "run", loss=3.0)
    child = EventFile().hparams({"lr": 0.1}).scalar("hparam/accuracy", 0.5)
    child.write(tmp_path / "run" / "1700000000.1234567")
    (run,) = read_logs(tmp_path)
    assert (run.name, run.hparams) == ("run", {"lr": 0.1})
    assert {tag: series.values.tolist() for tag, series in run.scalars.items()} == {
        "hparam/accuracy": [0.5],
        "loss": [3.0],
    }


def test_hparams_in_a_child_of_any_name_belong_to_a_run_that_has_none(tmp_path: Path) -> None:
    write(tmp_path / "run")
    EventFile().hparams({"lr": 0.1}).write(tmp_path / "run" / "final")
    (run,) = read_logs(tmp_path)
    assert (run.name, run.hparams, list(run.scalars)) == ("run", {"lr": 0.1}, ["loss"])


def test_children_that_contradict_each_other_are_separate_runs(tmp_path: Path) -> None:
    """One writer, `add_hparams` in a loop, as in PyTorch's documentation."""
    EventFile().write(tmp_path / "writer")
    for number in range(3):
        write(tmp_path / "writer" / f"170000000{number}.5", loss=number, lr=0.1 * number)
    assert list(by_name(tmp_path)) == [f"writer/170000000{number}.5" for number in range(3)]


def test_children_of_one_setting_with_numbered_names_are_separate_runs(tmp_path: Path) -> None:
    """Repetitions: `add_hparams(..., run_name=f"rep{i}")` on one writer."""
    write(tmp_path / "cell", loss=3.0)
    for number in range(3):
        write(tmp_path / "cell" / f"rep{number}", loss=number, lr=0.1)
    assert list(by_name(tmp_path)) == ["cell", *(f"cell/rep{number}" for number in range(3))]


@pytest.mark.parametrize("names", [("1700000000.5", "1700000001.5"), ("end", "start")])
def test_several_sessions_of_a_run_are_reported(tmp_path: Path, names: tuple[str, str]) -> None:
    write(tmp_path / "run", loss=3.0)
    for number, name in enumerate(names):
        write(tmp_path / "run" / name, loss=number, lr=0.1)
    (run,) = read_logs(tmp_path)
    assert run.scalars["loss"].values.tolist() == [1.0]
    assert run.problems == ("loss has values of 2 sessions of one run, read as one curve",)


def test_the_curve_of_one_session_is_not_a_repetition(tmp_path: Path) -> None:
    write(tmp_path / "run", loss=3.0)
    file = EventFile().hparams({"lr": 0.1})
    for step in range(5):
        file.scalar("val/loss", step, step)
    file.write(tmp_path / "run" / "1700000000.5")
    (run,) = read_logs(tmp_path)
    assert run.problems == ()


def test_directories_without_hparams_belong_to_the_run_above(tmp_path: Path) -> None:
    """Keras: hyper-parameters in the run's directory, scalars in `train` and `validation` below it."""
    EventFile().hparams({"units": 16}).write(tmp_path / "run")
    for part, value in (("train", 0.25), ("validation", 0.5)):
        file = EventFile().tensor("epoch_loss", make_tensor_proto(np.float32(value)), 1)
        file.write(tmp_path / "run" / part)
    (run,) = read_logs(tmp_path)
    assert {tag: series.values.tolist() for tag, series in run.scalars.items()} == {
        "train/epoch_loss": [0.25],
        "validation/epoch_loss": [0.5],
    }


def test_a_yaml_file_of_the_study_does_not_make_it_one_run(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("epochs: 3")
    write(tmp_path / "relu-1")
    write(tmp_path / "elu-0")
    runs = by_name(tmp_path)
    assert {name: run.hparams for name, run in runs.items()} == {"elu-0": {}, "relu-1": {}}
    named = by_name(tmp_path, name_pattern="{act}-{bn}")
    assert named["relu-1"].hparams == {"act": "relu", "bn": 1}


def test_events_come_before_yaml_and_the_pattern_adds_to_both(tmp_path: Path) -> None:
    for name in ("both-1", "yaml-2"):
        write(tmp_path / name, **({"lr": 0.5} if name == "both-1" else {}))
        (tmp_path / name / "config.yaml").write_text("lr: 1e-4\nmodel: {act: relu, units: [35, 25]}\n")
    runs = by_name(tmp_path, name_pattern="{}-{number}")
    assert runs["both-1"].hparams == {"lr": 0.5, "number": 1}
    assert runs["yaml-2"].hparams == {"lr": 1e-4, "model/act": "relu", "model/units": "35 25", "number": 2}


def test_a_run_directory_with_only_yaml_gathers_what_is_below(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name / "train")
        (tmp_path / name / "hparams.yaml").write_text(f"act: {name}")
    runs = by_name(tmp_path)
    assert {name: (run.hparams, list(run.scalars)) for name, run in runs.items()} == {
        "a": ({"act": "a"}, ["train/loss"]),
        "b": ({"act": "b"}, ["train/loss"]),
    }


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("act", "must name settings in braces"),
        ("{}", "must name settings in braces"),
        ("{a}-{a}", "must name settings in braces"),
        ("{a", "must name settings in braces"),
        ("{a!r}", "must name settings in braces"),
        ("{a}_{b}", "does not fit the name of any run, such as 'relu-1'"),
    ],
)
def test_patterns_that_do_not_work_are_errors(tmp_path: Path, pattern: str, message: str) -> None:
    write(tmp_path / "relu-1")
    with pytest.raises(UserError, match=message):
        read_logs(tmp_path, name_pattern=pattern)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing does not exist: give logs of TensorBoard"):
        read_logs(tmp_path / "missing")
    with pytest.raises(UserError, match=r"no runs found in .*: give logs of TensorBoard"):
        read_logs(tmp_path)


def test_provenance_comes_from_metrics_json(tmp_path: Path) -> None:
    for name, text in {
        "good": json.dumps({"status": "finished", "versions": {"torch": "2.6"}}),
        "bad": "{",
        "deep": '{"a":' * 30 + "1" + "}" * 30,
    }.items():
        write(tmp_path / name, x=1)
        (tmp_path / name / "metrics.json").write_text(text)
    runs = by_name(tmp_path)
    assert runs["good"].provenance["versions/torch"] == "2.6"
    assert (runs["good"].status, runs["bad"].status) == ("finished", "unfinished")
    assert runs["bad"].provenance == {}
    assert runs["bad"].problems[0].startswith("metrics.json cannot be read: ")
    assert runs["deep"].problems == ("metrics.json cannot be read: nested deeper than 20 levels",)


def test_read_runs_gives_one_row_per_run(tmp_path: Path) -> None:
    EventFile().hparams({"lr": 0.5}).scalar("lr", 0.1, 1).scalar("loss", 1.0, 1).scalar("loss", 2.0, 2).write(
        tmp_path / "a"
    )
    expected = {"run": ["a"], "status": ["unknown"], "lr": [0.5], "loss": [2.0]}
    table = read_runs(tmp_path)
    pd.testing.assert_frame_equal(table[list(expected)], pd.DataFrame(expected))
    assert table["scalar/lr"].tolist() == [np.float32(0.1)]


def test_a_table_written_to_event_files_is_read_back_unchanged(tmp_path: Path) -> None:
    table = pd.DataFrame({"act": ["elu", "relu"] * 2, "bn": [True, True, False, False], "lr": [0.1, 0.2] * 2})
    table["seed"], table["response"] = [1, 2, 3, 4], [0.5, 1.5, 2.5, float("nan")]
    write_study(tmp_path, table, ["act", "bn", "lr"], "val/acc", constants={"epochs": 25})
    found = read_runs(tmp_path)
    assert found["status"].tolist() == ["finished"] * 4
    assert found["epochs"].tolist() == [25] * 4
    renamed = found.rename(columns={"val/acc": "response"})[list(table)]
    pd.testing.assert_frame_equal(renamed, table)


def test_reading_changes_no_file(tmp_path: Path) -> None:
    def state() -> dict[str, tuple[str, int]]:
        return {
            str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
            for path in sorted(tmp_path.rglob("*"))
            if path.is_file()
        }

    write(tmp_path / "run", x=1).open("ab").write(b"cut off")
    (tmp_path / "run" / "hparams.yaml").write_text("a: 1")
    (tmp_path / "run" / "metrics.json").write_text("{}")
    before = state()
    read_logs(tmp_path)
    assert state() == before
