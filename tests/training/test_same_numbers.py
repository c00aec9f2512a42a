"""Runs of one seed by one process and by two: what agrees, and how well, as docs/reproducibility.md says."""

import subprocess
import sys

import pytest
import torch

from attnae.training.checkpoint import CHECKPOINT
from attnae.training.directory import read_metrics
from tests.conftest import ROOT, tiny_flags


def assert_equal_up_to_rounding(one, other, tolerance):
    """Weights and metrics."""
    first, second = (torch.load(run / CHECKPOINT, weights_only=True)["state_dict"] for run in (one, other))
    torch.testing.assert_close(first, second, rtol=tolerance, atol=tolerance)
    expected = read_metrics(other)["metrics"]
    assert read_metrics(one)["metrics"] == pytest.approx(expected, rel=tolerance, abs=tolerance)


def train_by(processes, name, folder, **options):
    """Trains in processes of its own."""
    flags = [*tiny_flags(**options), f"--log-dir={folder}", f"--name={name}", "--accelerator=cpu"]
    command = [sys.executable, str(ROOT / "train.py"), *flags, f"--devices={processes}"]
    if processes > 1:
        command.append("--strategy=ddp")
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder / name


@pytest.mark.slow
def test_two_processes_agree_with_one_to_rounding_where_no_layer_sees_the_part(tmp_path):
    """Batch norm takes the statistics of a process's own images; dropout and sampling draw noise of its own."""
    plain = {"batch_norm": False, "dropout": False, "variational": False, "spatial_attention": True}
    one, two = (train_by(processes, f"by{processes}", tmp_path, **plain) for processes in (1, 2))
    assert_equal_up_to_rounding(two, one, 1e-4)


@pytest.mark.slow
def test_two_processes_agree_with_two_to_the_bit(tmp_path):
    one, two = (train_by(2, name, tmp_path, spatial_attention=True) for name in ("first", "again"))
    assert_equal_up_to_rounding(two, one, 0)
