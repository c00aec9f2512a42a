"""The same runs in the layout of every program have the effects of those in event files."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytorch_lightning.loggers import CSVLogger

from tests.reading.checks import check_effects
from tests.reading.experiment import LOSS, experiment
from tests.reading.trainers.test_hugging_face import END, state
from tests.reading.trainers.test_ray import write_state, write_trial
from tests.reading.wandb.wandb_files import WandbFile

Runs = list[dict[str, Any]]


def lightning(root: Path, runs: Runs) -> None:
    for number, run in enumerate(runs):
        logger = CSVLogger(root, name="lightning_logs", version=number)
        logger.log_hyperparams(run["settings"])
        for epoch, loss in enumerate(run["losses"]):
            logger.log_metrics({LOSS: loss, "epoch": epoch}, 10 * epoch + 9)
        logger.save()


def keras(root: Path, runs: Runs) -> None:
    for directory, run in directories(root, runs, "hparams.yaml"):
        with open(directory / "training.log", "w", newline="") as file:
            csv.writer(file).writerows(
                [("epoch", "loss", LOSS), *((epoch, 0.5, loss) for epoch, loss in enumerate(run["losses"]))]
            )


def ultralytics(root: Path, runs: Runs) -> None:
    for directory, run in directories(root, runs, "args.yaml"):
        rows = [(epoch, loss) for epoch, loss in enumerate(run["losses"], start=1)]
        with open(directory / "results.csv", "w", newline="") as file:
            csv.writer(file).writerows([("epoch", LOSS), *rows])


def hugging_face(root: Path, runs: Runs) -> None:
    for directory, run in directories(root, runs, "hparams.yaml"):
        log = [{"epoch": epoch, LOSS: loss, "step": 10 * epoch} for epoch, loss in enumerate(run["losses"], start=1)]
        content = state(0, 30, log_history=[*log, END], global_step=30)
        (directory / "trainer_state.json").write_text(json.dumps(content))


def ray(root: Path, runs: Runs) -> None:
    states = {"finished": "TERMINATED", "failed": "ERROR", "pruned": "TERMINATED"}
    for number, run in enumerate(runs):
        write_trial(root / "study", f"{number:02}", run["settings"], run["losses"])
    write_state(root / "study", {f"{number:02}": states[run["end"]] for number, run in enumerate(runs)})


def wandb(root: Path, runs: Runs) -> None:
    for number, run in enumerate(runs):
        file = WandbFile(f"r{number}", run["settings"])
        for step, loss in enumerate(run["losses"]):
            file.history(step, {LOSS: loss})
        if run["end"] != "pruned":
            file.exit(run["end"] == "failed")
        file.write(root)


def table(root: Path, runs: Runs) -> Path:
    path = root / "runs.csv"
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, ["status", "lr", "act", "wide", "seed", LOSS])
        writer.writeheader()
        for run in runs:
            writer.writerow({"status": run["end"], **run["settings"], LOSS: (run["losses"] or [""])[-1]})
    return path


def directories(root: Path, runs: Runs, settings: str):
    for number, run in enumerate(runs):
        directory = root / f"run-{number}"
        directory.mkdir(parents=True)
        (directory / settings).write_text(yaml.safe_dump(run["settings"]))
        yield directory, run


# Whether the layout says that a run failed or was pruned. The others get only the runs that ended well or diverged.
KNOWS_ENDS = {
    lightning: False,
    keras: False,
    ultralytics: False,
    hugging_face: False,
    ray: True,
    wandb: True,
    table: True,
}


@pytest.mark.parametrize("write", KNOWS_ENDS, ids=lambda write: write.__name__)
def test_effects_are_those_of_event_files(write: Callable[[Path, Runs], Path | None], tmp_path: Path) -> None:
    runs = [run for run in experiment() if KNOWS_ENDS[write] or run["end"] == "finished"]
    assert any(map(math.isnan, runs[3]["losses"]))
    (tmp_path / "logs").mkdir()
    path = write(tmp_path / "logs", runs) or tmp_path / "logs"
    check_effects(path, tmp_path, response="loss" if write is ray else LOSS)
