"""Runs of one seed by several processes: docs/reproducibility.md says what agrees."""

import subprocess
import sys

import pytest
import torch

from attnae.rundir.checkpoint import CHECKPOINT
from attnae.rundir.directory import read_metrics
from tests.conftest import PATIENCE, ROOT, read_points, tiny_flags


def train_by(processes, name, folder, **options):
    """Trains in processes of its own."""
    flags = [*tiny_flags(**options), f"--log-dir={folder}", f"--name={name}", "--accelerator=cpu"]
    command = [sys.executable, str(ROOT / "train.py"), *flags, f"--devices={processes}"]
    if processes > 1:
        command.append("--strategy=ddp")
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return folder / name


@pytest.mark.slow
def test_two_processes_agree_with_two_to_the_bit(tmp_path):
    one, two = (train_by(2, name, tmp_path, spatial_attention=True) for name in ("first", "again"))
    first, second = (torch.load(run / CHECKPOINT, weights_only=True)["state_dict"] for run in (one, two))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert read_metrics(one)["metrics"] == read_metrics(two)["metrics"]
    assert read_points(one) == read_points(two)
