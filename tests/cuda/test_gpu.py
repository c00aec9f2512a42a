"""Runs on a GPU, compared with the same runs on the CPU, and with one another."""

import json
import os
import subprocess
import sys

import pytest
import torch
from pytorch_lightning.callbacks import Callback

from attnae.config import read_config
from attnae.rundir.checkpoint import CHECKPOINT, load
from attnae.rundir.directory import read_metrics, read_unfinished
from attnae.training.compilation import has_compiler
from attnae.training.run import train
from tests.conftest import PATIENCE, ROOT, tiny_flags

LOSSES = ("train/loss", "val/loss", "test/loss")
# Dropout and sampling draw from the device's own generator: without them the devices compute the same numbers.
DETERMINISTIC = {"dropout": False, "variational": False}


class Look(Callback):
    """What holds while the run trains."""

    def on_train_start(self, trainer, module):
        self.devices = {split: images.device.type for split, images in trainer.datamodule.images.items()}
        self.dtype = next(module.parameters()).dtype
        self.scaler = getattr(trainer.precision_plugin, "scaler", None)

    def on_train_end(self, trainer, module):
        self.steps_made = trainer.optimizers[0].param_groups[0]["steps"]
        self.steps_tried = trainer.global_step


def test_a_gpu_computes_what_the_cpu_computes(cuda, tiny):
    options = {**DETERMINISTIC, "precision": "64-true", "epochs": 2}
    gpu = train(cuda(name="gpu", **options))
    cpu = train(tiny(name="cpu", accelerator="cpu", spatial_attention=True, **options))
    for tag in LOSSES:
        assert gpu.metrics[tag] == pytest.approx(cpu.metrics[tag], rel=1e-9)
    assert json.loads((gpu.directory / "metrics.json").read_text())["host"]["device"] == "cuda"
    assert next(load(gpu.directory).parameters()).device.type == "cpu"


def test_the_images_are_on_the_gpu(cuda):
    look = Look()
    train(cuda(epochs=1), callbacks=[look])
    assert set(look.devices.values()) == {"cuda"}


def test_images_that_do_not_fit_stay_in_host_memory(cuda, monkeypatch):
    expected = train(cuda(name="on the GPU", epochs=1)).metrics
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (1000, 1000))
    look = Look()
    metrics = train(cuda(name="on the host", epochs=1), callbacks=[look]).metrics
    assert set(look.devices.values()) == {"cpu"}
    for tag in LOSSES:
        assert metrics[tag] == pytest.approx(expected[tag], rel=1e-4)


def test_compiled_training_is_that_of_eager_training(cuda):
    if not has_compiler():
        pytest.skip("no C++ compiler with Python's headers on this machine")
    options = {**DETERMINISTIC, "precision": "64-true", "batch_size": 40}
    eager = train(cuda(name="eager", compile="off", **options))
    fused = train(cuda(name="fused", compile="on", **options))
    assert read_config(fused.directory / "config.yaml").compile == "on"  # else it has fallen back
    for tag in LOSSES:
        assert fused.metrics[tag] == pytest.approx(eager.metrics[tag], rel=1e-9)


@pytest.mark.parametrize("precision", ["16-mixed", "bf16-mixed", "bf16-true"])
def test_half_precision_trains_the_same_model_less_exactly(cuda, precision):
    full = train(cuda(name="full", **DETERMINISTIC)).metrics
    look = Look()
    half = train(cuda(name="half", precision=precision, **DETERMINISTIC), callbacks=[look])
    assert look.dtype == (torch.bfloat16 if precision == "bf16-true" else torch.float32)
    assert read_config(half.directory / "config.yaml").precision == precision
    assert half.metrics["train/loss"] != full["train/loss"]
    for tag in LOSSES:
        assert half.metrics[tag] == pytest.approx(full[tag], rel=0.05)


def test_steps_that_overflow_are_skipped_and_not_counted(cuda):
    """A loss scale of 2^40 overflows the first gradients in 16 bits; the scaler halves it until they do not."""

    class Overflow(Look):
        def on_train_start(self, trainer, module):
            super().on_train_start(trainer, module)
            self.scaler._init_scale = 2.0**40

    look = Overflow()
    result = train(cuda(precision="16-mixed", epochs=12), callbacks=[look])
    assert result.status == "finished"
    assert 0 < look.steps_made < look.steps_tried
    weights = torch.load(result.directory / CHECKPOINT, weights_only=True)["state_dict"].values()
    assert all(torch.isfinite(value.float()).all() for value in weights)


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(cuda):
    class Stop(Callback):
        def on_train_epoch_start(self, trainer, module):
            if trainer.current_epoch == 2:
                raise ConnectionError

    whole = train(cuda(name="whole", epochs=4))
    with pytest.raises(ConnectionError):
        train(cuda(name="parts", epochs=4), callbacks=[Stop()])
    directory = whole.directory.parent / "parts"
    resumed = train(read_unfinished(directory), resume=directory)
    for tag in LOSSES:
        assert resumed.metrics[tag] == pytest.approx(whole.metrics[tag], rel=1e-4)


def start(folder, name, *flags, **options):
    """`train.py` in a process of its own."""
    command = [sys.executable, str(ROOT / "train.py"), *tiny_flags(spatial_attention=True, **options)]
    return subprocess.Popen(
        [*command, "--accelerator=cuda", f"--log-dir={folder}", f"--name={name}", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def assert_finished(process):
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output


@pytest.mark.slow
def test_two_runs_share_a_gpu(cuda, tmp_path):
    """Both train at the same time, and compute what each computes alone."""
    alone = train(cuda(name="alone", epochs=4, **DETERMINISTIC)).metrics
    for process in [start(tmp_path, name, epochs=4, **DETERMINISTIC) for name in ("one", "two")]:
        assert_finished(process)
    for name in ("one", "two"):
        metrics = read_metrics(tmp_path / name)["metrics"]
        for tag in LOSSES:
            assert metrics[tag] == pytest.approx(alone[tag], rel=1e-3)


@pytest.mark.slow
def test_two_gpus_train_one_model(cuda, tmp_path):
    """Each device sees half of a batch, and its batch norm only this half: the loss is that of one device roughly."""
    if torch.cuda.device_count() < 2:
        pytest.skip("fewer than two CUDA devices on this machine")
    assert_finished(start(tmp_path, "two", "--devices=2", batch_size=30, epochs=4, **DETERMINISTIC))
    single = train(cuda(name="single", batch_size=30, epochs=4, **DETERMINISTIC)).metrics
    found = read_metrics(tmp_path / "two")
    assert found["metrics"]["train/loss"] == pytest.approx(single["train/loss"], rel=0.1)
    assert any("Each of the 2 devices trains on 15 images" in warning for warning in found["warnings"])
