"""Files that W&B (offline) and tensorboardX write themselves."""

from __future__ import annotations

import itertools
import math
import subprocess
from pathlib import Path

import pytest

from attnae.reading.read import Run, read_logs

pytestmark = pytest.mark.slow

WRITER = """
import itertools, os, sys
os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", WANDB_ERROR_REPORTING="false")
import wandb
from tensorboardX import SummaryWriter

out = sys.argv[1]
cells = itertools.product(["relu", "elu"], [True, False], [1e-3, 1e-2])
for number, (act, bn, lr) in enumerate(cells):
    config = {"act": act, "bn": bn, "opt": {"lr": lr, "betas": [0.9, 0.99]}, "seed": number}
    settings = wandb.Settings(x_disable_stats=True)
    run = wandb.init(project="toys", name=f"run-{number}", dir=out, config=config, settings=settings)
    events = SummaryWriter(os.path.join(out, "events", f"run-{number}"))
    for step in range(3):
        loss = float("nan") if number == 7 and step == 2 else 3.25 - step + number / 8
        run.log({"loss": loss, "val/acc": (step + number) / 16, "nested": {"a": step}})
        events.add_scalar("loss", loss, step)
        events.add_scalar("val/acc", (step + number) / 16, step)
    run.summary["best"] = number / 4
    events.add_hparams({"act": act, "bn": bn, "lr": lr, "seed": number}, {"hparam/loss": loss})
    events.close()
    run.finish(exit_code=1 if number == 3 else 0)
"""


@pytest.fixture(scope="module")
def written(tracker_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("written")
    subprocess.run([str(tracker_python), "-c", WRITER, str(out)], check=True, capture_output=True, timeout=300)
    return out


def by_seed(root: Path) -> dict[int, Run]:
    return {int(run.hparams["seed"]): run for run in read_logs(root)}


def test_wandb(written: Path) -> None:
    runs = by_seed(written / "wandb")
    assert sorted(runs) == list(range(8))
    for number, (act, bn, lr) in enumerate(itertools.product(["relu", "elu"], [True, False], [1e-3, 1e-2])):
        run = runs[number]
        assert run.hparams == {"act": act, "bn": bn, "opt/lr": lr, "opt/betas": "0.9 0.99", "seed": number}
        assert (run.name, run.group, run.format) == (f"run-{number}", "toys", "W&B")
        assert run.status == ("failed" if number == 3 else "finished")
        assert run.problems == ()
        assert run.scalars["loss"].steps.tolist() == [0, 1, 2]
        assert run.scalars["loss"].values[:2].tolist() == [3.25 + number / 8, 2.25 + number / 8]
        assert run.scalars["val/acc"].values.tolist() == [(step + number) / 16 for step in range(3)]
        assert run.final["best"] == number / 4
        assert sorted(run.scalars) == ["best", "loss", "nested/a", "val/acc"]
        assert run.started > 1.7e9
        assert 0 <= run.seconds < 120
    assert math.isnan(runs[7].final["loss"])


def test_tensorboardx(written: Path) -> None:
    runs = by_seed(written / "events")
    assert sorted(runs) == list(range(8))
    for number, run in runs.items():
        assert run.scalars["val/acc"].values.tolist() == [(step + number) / 16 for step in range(3)]
        assert run.hparams["act"] == ("relu" if number < 4 else "elu")


def test_both_are_the_same_runs(written: Path) -> None:
    """Each run was written twice, in directories of their own."""
    runs = by_seed(written)
    assert len(read_logs(written)) == len(runs) == 8
    assert {run.format for run in runs.values()} == {"W&B + TensorBoard"}
    assert [runs[number].name for number in range(8)] == [f"run-{number}" for number in range(8)]
