"""trainer_state.json, as transformers' `TrainerState.save_to_json` writes it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from attnae.reading.read import Run, read_logs


def state(steps: int, max_steps: int, **more: Any) -> dict[str, Any]:
    """A log with training every 10 steps and an evaluation every 20."""
    log: list[dict[str, Any]] = []
    for step in range(10, steps + 1, 10):
        log.append({"epoch": step / 10, "grad_norm": 0.5, "learning_rate": 1e-4, "loss": 4 - step / 16, "step": step})
        if step % 20 == 0:
            log.append({"epoch": step / 10, "eval_loss": 5 - step / 16, "eval_runtime": 1.5, "step": step})
    return {
        "best_metric": None,
        "global_step": steps,
        "max_steps": max_steps,
        "num_train_epochs": 3,
        "train_batch_size": 8,
        "trial_name": None,
        "trial_params": None,
        "log_history": log,
        **more,
    }


def write(directory: Path, content: Any) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (directory / "trainer_state.json").write_text(text)


def by_name(root: Path) -> dict[str, Run]:
    return {run.name: run for run in read_logs(root)}


END = {"epoch": 4.0, "step": 40, "total_flos": 1e9, "train_loss": 2.75, "train_runtime": 12.5}


def test_a_finished_run(tmp_path: Path) -> None:
    content = state(40, 40)
    content["log_history"].append(END)
    write(tmp_path / "out" / "bert-lr1e-4", content)
    run = by_name(tmp_path)["out/bert-lr1e-4"]
    assert (run.format, run.status, run.seconds) == ("Hugging Face Trainer", "finished", 12.5)
    assert run.hparams == {"train_batch_size": 8, "num_train_epochs": 3}
    assert run.scalars["eval_loss"].steps.tolist() == [20, 40]
    assert run.scalars["eval_loss"].values.tolist() == [3.75, 2.5]
    assert run.scalars["loss"].steps.tolist() == [10, 20, 30, 40]
    assert sorted(run.scalars) == ["eval_loss", "grad_norm", "learning_rate", "loss", "train_loss"]
    assert run.problems == ()


def test_checkpoints_repeat_the_log_and_the_longest_counts(tmp_path: Path) -> None:
    for steps in (20, 40, 100):
        write(tmp_path / "out" / f"checkpoint-{steps}", state(steps, 200))
    run = by_name(tmp_path)["out"]
    assert (run.directory, run.status) == (tmp_path / "out", "unfinished")
    assert run.scalars["loss"].steps.tolist() == list(range(10, 101, 10))
    assert run.problems == ("the last state is of step 100 of 200: interrupted, or stopped early",)
    write(tmp_path / "out", state(60, 200))
    assert len(by_name(tmp_path)["out"].scalars["loss"].steps) == 10
    write(tmp_path / "out", state(200, 200))
    assert by_name(tmp_path)["out"].status == "finished"


def test_stopped_early_is_finished_if_the_trainer_said_so(tmp_path: Path) -> None:
    content = state(40, 200)
    content["log_history"].append(END)
    write(tmp_path / "out", content)
    assert by_name(tmp_path)["out"].status == "finished"


def test_a_search_gives_the_settings(tmp_path: Path) -> None:
    for number, rate in enumerate((1e-4, 1e-3)):
        params = {"learning_rate": rate, "seed": number, "optim": "adamw"}
        write(tmp_path / f"run-{number}" / "checkpoint-40", state(40, 40, trial_params=params, trial_name="x"))
    runs = by_name(tmp_path)
    assert {name: run.hparams for name, run in runs.items()} == {
        "run-0": {"learning_rate": 1e-4, "seed": 0, "optim": "adamw"},
        "run-1": {"learning_rate": 1e-3, "seed": 1, "optim": "adamw"},
    }


def test_nan_is_bare_and_settings_may_stand_in_yaml(tmp_path: Path) -> None:
    content = state(20, 20)
    content["log_history"][-1]["eval_loss"] = math.nan
    del content["train_batch_size"], content["num_train_epochs"]
    write(tmp_path / "out", content)
    (tmp_path / "out" / "config.yaml").write_text("act: relu\n")
    run = by_name(tmp_path)["out"]
    assert math.isnan(run.final["eval_loss"])
    assert run.hparams == {"act": "relu"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "trainer_state.json cannot be read"),
        ("[" * 100_000, "trainer_state.json cannot be read"),
        ("[]", "trainer_state.json has no log_history"),
        ('{"log_history": 3}', "trainer_state.json has no log_history"),
        ("", "trainer_state.json cannot be read"),
    ],
)
def test_a_damaged_state_is_named_and_a_checkpoint_serves(tmp_path: Path, text: str, problem: str) -> None:
    write(tmp_path / "out", text)
    run = by_name(tmp_path)["out"]
    assert run.problems[0].startswith(problem)
    assert (run.scalars, run.status) == ({}, "unknown")
    write(tmp_path / "out" / "checkpoint-20", state(20, 20))
    run = by_name(tmp_path)["out"]
    assert len(run.scalars["loss"].steps) == 2
    assert run.problems[0].startswith(problem)


@pytest.mark.parametrize(
    "entries",
    [
        [None, 3, {"loss": 1.5}, {"step": "x", "loss": 1.5}, {"step": 1e300, "loss": 1.5}, {"step": True, "loss": 1.5}],
        [{"step": 1, "loss": 10**400}, {"step": 1, "loss": "text"}, {"step": 1, "loss": None}],
    ],
)
def test_odd_entries_are_left_out(tmp_path: Path, entries: list[Any]) -> None:
    write(tmp_path, state(10, 10, log_history=[*entries, {"step": 10, "loss": 0.5}]))
    (run,) = read_logs(tmp_path)
    assert run.scalars["loss"].values.tolist() == [0.5]
