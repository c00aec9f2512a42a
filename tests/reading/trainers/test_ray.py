"""Directories of Ray Tune, in the layout of Ray 2.60."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from attnae.reading.read import Run, read_logs
from tests.reading.event_logs import EventFile

PICKLE = {"_type": "CLOUDPICKLE_FALLBACK", "value": "80049508"}


def write_trial(
    experiment: Path, trial_id: str, config: dict[str, Any], losses: list[float], *, csv: bool = False
) -> Path:
    directory = experiment / f"train_{trial_id}_1_act=x_2026-01-01_00-00-00"
    directory.mkdir(parents=True)
    (directory / "params.json").write_text(json.dumps(config))
    lines = [
        {
            "loss": loss,
            "nested": {"acc": number / 4},
            "training_iteration": number,
            "trial_id": trial_id,
            "time_total_s": 1.5 * number,
            "timestamp": 1_700_000_000 + 2 * number,
            "date": "2026-01-01_00-00-00",
            "done": False,
            "pid": 7,
            "hostname": "h",
            "config": config,
            "iterations_since_restore": number,
            "checkpoint_dir_name": None,
            "time_this_iter_s": 1.5,
        }
        for number, loss in enumerate(losses, start=1)
    ]
    if csv:
        rows = [f"{line['loss']},{line['nested']['acc']},{line['training_iteration']},1.5,1\n" for line in lines]
        header = "loss,nested/acc,training_iteration,time_total_s,config/lr\n"
        (directory / "progress.csv").write_text(header + "".join(rows))
    else:
        (directory / "result.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return directory


def write_state(experiment: Path, trials: dict[str, str], *, name: str = "2026-01-01_00-00-00") -> None:
    data = [
        [
            json.dumps({"trial_id": trial_id, "status": status, "_default_result_or_future": PICKLE}),
            json.dumps({"start_time": 1_600_000_000.0, "last_result": {}}),
        ]
        for trial_id, status in trials.items()
    ]
    (experiment / f"experiment_state-{name}.json").write_text(json.dumps({"trial_data": data, "stats": {}}))


def by_name(root: Path) -> dict[str, Run]:
    return {run.name.rsplit("/", 1)[-1].split("_")[1]: run for run in read_logs(root)}


def test_settings_series_and_statuses(tmp_path: Path) -> None:
    experiment = tmp_path / "study"
    config = {"act": "relu", "opt": {"lr": 1e-3}, "seed": 2, "fn": "<function f at 0x7f>", "model": PICKLE}
    write_trial(experiment, "aa", config, [2.5, 1.5])
    write_trial(experiment, "bb", {"act": "elu"}, [2.25, math.nan])
    write_trial(experiment, "cc", {"act": "elu"}, [])
    write_trial(experiment, "dd", {"act": "elu"}, [1.25])
    (experiment / f"{write_trial(experiment, 'ee', {}, [0.5]).name}" / "error.txt").write_text("Traceback")
    states = {"aa": "TERMINATED", "bb": "TERMINATED", "cc": "PENDING", "dd": "RUNNING", "ee": "ERROR"}
    write_state(experiment, dict.fromkeys(states, "PENDING"), name="2025-01-01_00-00-00")
    write_state(experiment, states)
    (experiment / "tuner.pkl").write_bytes(b"\x80\x04")
    runs = by_name(tmp_path)
    assert {name: run.status for name, run in runs.items()} == {
        "aa": "finished",
        "bb": "finished",
        "cc": "unfinished",
        "dd": "unfinished",
        "ee": "failed",
    }
    run = runs["aa"]
    assert run.hparams == {"act": "relu", "opt/lr": 1e-3, "seed": 2}
    assert run.scalars["loss"].steps.tolist() == [1, 2]
    assert run.scalars["loss"].values.tolist() == [2.5, 1.5]
    assert sorted(run.scalars) == ["loss", "nested/acc"]
    assert (run.started, run.seconds, run.group, run.format) == (1_600_000_000.0, 3.0, "study", "Ray Tune")
    assert math.isnan(runs["bb"].final["loss"])
    assert runs["cc"].scalars == {}


def test_without_the_state_of_the_experiment(tmp_path: Path) -> None:
    write_trial(tmp_path, "aa", {"act": "relu"}, [2.5, 1.5])
    run = by_name(tmp_path)["aa"]
    assert (run.status, run.group, run.started) == ("unknown", "", 1_700_000_000.5)


def test_progress_csv_serves_without_result_json(tmp_path: Path) -> None:
    write_trial(tmp_path, "aa", {"act": "relu"}, [2.5, 1.5], csv=True)
    run = by_name(tmp_path)["aa"]
    assert run.scalars["loss"].values.tolist() == [2.5, 1.5]
    assert sorted(run.scalars) == ["loss", "nested/acc"]


@pytest.mark.parametrize(
    ("lengths", "pruned"),
    [
        ([4, 4, 1, 4, 2, 1], [False, False, True, False, True, True]),  # the rungs of a scheduler
        ([4, 4, 4, 4], [False] * 4),
        ([5, 3, 4, 2], [False] * 4),  # each stopped early for a reason of its own
    ],
)
def test_trials_that_a_scheduler_stopped_are_pruned(tmp_path: Path, lengths: list[int], pruned: list[bool]) -> None:
    ids = [f"t{number}" for number in range(len(lengths))]
    for trial_id, length in zip(ids, lengths, strict=True):
        write_trial(tmp_path, trial_id, {"lr": 0.1}, [1.5] * length)
    write_state(tmp_path, dict.fromkeys(ids, "TERMINATED"))
    runs = by_name(tmp_path)
    assert [runs[trial_id].status == "pruned" for trial_id in ids] == pruned


def test_event_files_of_the_same_trial_are_the_same_run(tmp_path: Path) -> None:
    directory = write_trial(tmp_path, "aa", {"act": "relu", "opt": {"lr": 0.5}}, [2.5, 1.5])
    events = EventFile().hparams({"act": "relu", "opt/lr": 0.5})
    for step, loss in enumerate([2.5, 1.5], start=1):
        events.scalar("ray/tune/loss", loss, step).scalar("own/grad", step / 8, step)
    events.write(directory)
    run = by_name(tmp_path)["aa"]
    assert sorted(run.scalars) == ["loss", "nested/acc", "own/grad"]
    assert run.hparams == {"act": "relu", "opt/lr": 0.5}
    assert run.format == "Ray Tune + TensorBoard"


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"trial_data": 3}', '{"trial_data": [3, [], ["{"], [[1], {}]]}', "[" * 10**5]
)
def test_a_damaged_state_is_no_loss(tmp_path: Path, text: str) -> None:
    write_trial(tmp_path, "aa", {"act": "relu"}, [2.5])
    (tmp_path / "experiment_state-1.json").write_text(text)
    run = by_name(tmp_path)["aa"]
    assert (run.status, run.final["loss"]) == ("unknown", 2.5)


def test_half_a_line_and_odd_settings(tmp_path: Path) -> None:
    directory = write_trial(tmp_path, "aa", {"big": 10**400, "act": "relu"}, [2.5])
    with open(directory / "result.json", "a") as file:
        file.write('{"loss": 9.5, "training_ite')
    run = by_name(tmp_path)["aa"]
    assert run.final["loss"] == 2.5
    assert run.problems[0] == "result.json: 1 line(s) are not JSON objects and are left out"
    assert run.problems[1].startswith("params.json cannot be read")
