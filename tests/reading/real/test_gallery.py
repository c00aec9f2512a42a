"""The scripts of docs/gallery.md that need a tracker, with few runs."""

import subprocess

import pytest

from attnae.reading.read import read_logs
from tests.conftest import PATIENCE, ROOT

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("script", "options", "runs", "settings"),
    [
        ("docs/gallery/mlflow_digits.py", ["--states=1"], 8, {"criterion", "max_features", "bootstrap"}),
        ("docs/gallery/optuna_digits.py", ["--trials=8"], 8, {"C", "gamma", "kernel", "shrinking"}),
    ],
)
def test_the_script_writes_logs_that_are_read(script, options, runs, settings, tracker_python, tmp_path):
    subprocess.run([tracker_python, ROOT / script, tmp_path / "logs", *options], check=True, timeout=PATIENCE)
    found = read_logs(tmp_path / "logs")
    assert len(found) == runs
    assert all(settings <= set(run.hparams) for run in found)
