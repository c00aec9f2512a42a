"""Killed anywhere and resumed, a run ends as if nothing had happened: weights, numbers and curves, to the bit."""

import json
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import torch

from attnae import tags
from attnae.errors import UserError
from attnae.options import write_config
from attnae.training.checkpoint import CHECKPOINT
from attnae.training.directory import locked, read_metrics, read_unfinished
from attnae.training.prepare import prepare
from attnae.training.run import train
from tests.conftest import ROOT, read_events, read_points, tiny_flags

# Where the process kills itself, in a subclass or patch installed before `train` is called.
KILLS = {
    "mid-epoch": """
        class Kill(Callback):
            def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
                if trainer.current_epoch == 1 and batch_idx == 1: die()
    """,
    "before the first checkpoint": """
        class Kill(Callback):
            def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
                if trainer.current_epoch == 0 and batch_idx == 2: die()
    """,
    "between the last batch and validation": """
        class Kill(Callback):
            def on_validation_start(self, trainer, pl_module):
                if trainer.current_epoch == 1: die()
    """,
    "between the scalars and the checkpoint": """
        from attnae.training.checkpoint import AtomicCheckpointIO
        save = AtomicCheckpointIO.save_checkpoint
        def save_or_die(self, checkpoint, path, storage_options=None):
            die() if checkpoint["epoch"] == 1 else save(self, checkpoint, path)
        AtomicCheckpointIO.save_checkpoint = save_or_die
        class Kill(Callback): pass
    """,
    "while the checkpoint is written": """
        import attnae.training.checkpoint as module
        save = module.torch.save
        def half(checkpoint, file):
            if checkpoint["epoch"] == 1:
                file.write(b"half a checkpoint"); file.flush(); die()
            save(checkpoint, file)
        module.torch.save = half
        class Kill(Callback): pass
    """,
    "right after the checkpoint": """
        class Kill(Callback):
            def on_train_epoch_end(self, trainer, pl_module):
                if trainer.current_epoch == 1: die()
    """,
    "in the test": """
        class Kill(Callback):
            def on_test_batch_end(self, *args, **options): die()
    """,
    "after everything but metrics.json": """
        from attnae.training.record import Record
        write = Record.write
        Record.write = lambda self, status, *rest: die() if status == "finished" else write(self, status, *rest)
        class Kill(Callback): pass
    """,
    "after the test, before it is marked finished": """
        from attnae.training.views import Views
        Views.__init__ = lambda *args: die()
        class Kill(Callback): pass
    """,
}


def train_and_die(config, where, tmp_path):
    """Trains in a process of its own that kills itself."""
    write_config(tmp_path / "options.yaml", config)
    script = f"""
import os, signal, sys
from pathlib import Path
from pytorch_lightning.callbacks import Callback
from attnae.options import read_config
from attnae.training.prepare import prepare
from attnae.training.run import train
def die(): os.kill(os.getpid(), signal.SIGKILL)
{textwrap.dedent(KILLS[where])}
train(read_config(Path({str(tmp_path / "options.yaml")!r})), callbacks=[Kill()])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    from attnae.config import RunConfig
    from tests.conftest import TINY

    config = RunConfig(log_dir=tmp_path_factory.mktemp("logs"), name="run", **{**TINY, "epochs": 3, "picture_every": 1})
    return config, train(config)


def assert_same_end(one, other):
    """Weights, optimiser and schedule, numbers and TensorBoard's curves are equal to the bit."""
    first, second = (torch.load(run / CHECKPOINT, weights_only=True) for run in (one, other))
    assert first["global_step"] == second["global_step"]
    for part in ("state_dict", "optimizer_states", "lr_schedulers"):
        torch.testing.assert_close(first[part], second[part], rtol=0, atol=0)
    assert read_metrics(one)["status"] == read_metrics(other)["status"] == "finished"
    assert read_metrics(one)["metrics"] == read_metrics(other)["metrics"]
    assert read_points(one) == read_points(other)


# The others differ from these in nothing that a resume sees.
QUICK = {
    "mid-epoch",
    "before the first checkpoint",
    "between the scalars and the checkpoint",
    "while the checkpoint is written",
    "after everything but metrics.json",
}


@pytest.mark.parametrize(
    "where", [where if where in QUICK else pytest.param(where, marks=pytest.mark.slow) for where in KILLS]
)
def test_killed_and_resumed(undisturbed, tmp_path, where):
    config, expected = undisturbed
    train_and_die(config.replace(log_dir=tmp_path / "logs"), where, tmp_path)
    directory = tmp_path / "logs" / "run"
    assert read_metrics(directory)["status"] == "unfinished"
    resumed = train(read_unfinished(directory), resume=directory)
    assert resumed.directory == directory
    assert resumed.metrics == expected.metrics
    assert_same_end(directory, expected.directory)
    assert len(list(directory.glob("events.*"))) == 2
    assert not list((directory / "checkpoints").glob(".*"))
    steps = [image.step for image in read_events(directory).Images("pictures/latent_walk")]
    assert steps == [1, 2, 3]
    status = read_events(directory).Tensors(tags.STATUS_EVENT)[-1]
    assert (status.step, status.tensor_proto.string_val[0]) == (3, b"finished")


def test_the_figure_of_a_resumed_run_has_the_whole_curve(undisturbed, tmp_path):
    from PIL import Image, ImageChops

    config, expected = undisturbed
    train_and_die(config.replace(log_dir=tmp_path / "logs"), "right after the checkpoint", tmp_path)
    directory = tmp_path / "logs" / "run"
    train(read_unfinished(directory), resume=directory)
    with Image.open(directory / "figure.png") as one, Image.open(expected.directory / "figure.png") as other:
        assert ImageChops.difference(one, other).getbbox() is None


def test_wall_time_adds_up(undisturbed, tmp_path):
    config, _ = undisturbed
    train_and_die(config.replace(log_dir=tmp_path / "logs"), "right after the checkpoint", tmp_path)
    directory = tmp_path / "logs" / "run"
    before = read_metrics(directory)["wall_time_s"]
    assert before > 0.05  # two epochs
    train(read_unfinished(directory), resume=directory)
    assert read_metrics(directory)["wall_time_s"] > before + 0.05


def test_other_images_are_refused(undisturbed, tmp_path):
    config, _ = undisturbed
    train_and_die(config.replace(log_dir=tmp_path / "logs"), "mid-epoch", tmp_path)
    directory = tmp_path / "logs" / "run"
    content = read_metrics(directory)
    content["dataset"]["sha256"] = "0" * 64
    (directory / "metrics.json").write_text(json.dumps(content))
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="not those that the run began with"):
        train(read_unfinished(directory), resume=directory)
    assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == before


def test_a_finished_run_is_not_resumed(undisturbed):
    with pytest.raises(UserError, match="finished"):
        read_unfinished(undisturbed[1].directory)


def test_a_run_in_training_is_not_resumed(undisturbed, tmp_path):
    config, _ = undisturbed
    train_and_die(config.replace(log_dir=tmp_path / "logs"), "mid-epoch", tmp_path)
    directory = tmp_path / "logs" / "run"
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    with locked(directory), pytest.raises(UserError, match="another process"):
        train(read_unfinished(directory), resume=directory)
    assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_resumable(undisturbed, tmp_path, signum, code):
    _, expected = undisturbed
    flags = [*tiny_flags(epochs=3, picture_every=1), f"--log-dir={tmp_path / 'logs'}", "--name=run"]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    directory = tmp_path / "logs" / "run"
    deadline = time.monotonic() + 100
    while not (directory / CHECKPOINT).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signum)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == code, out + errors
    assert "Traceback" not in errors
    assert f"--resume {directory}" in errors
    resumed = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), "--resume", str(directory)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert resumed.returncode == 0, resumed.stderr
    assert "Resuming" in resumed.stdout
    assert_same_end(directory, expected.directory)


@pytest.mark.slow
def test_a_compiled_run_resumes_to_the_same_bits(undisturbed, tmp_path):
    config = undisturbed[0].replace(compile="on", log_dir=tmp_path / "logs")
    whole = train(config.replace(name="whole"))
    train_and_die(config, "mid-epoch", tmp_path)
    directory = tmp_path / "logs" / "run"
    train(read_unfinished(directory), resume=directory)
    assert_same_end(directory, whole.directory)


def test_threads_and_compile_are_kept_on_resume(undisturbed, tmp_path):
    config, _ = undisturbed
    before = torch.get_num_threads()
    directory = tmp_path / "run"
    try:
        prepared = prepare(config.replace(threads=2, compile="auto"))
        directory.mkdir()
        write_config(directory / "config.yaml", prepared.config)
        torch.set_num_threads(1)
        again = prepare(read_unfinished(directory))
        assert (again.config.threads, again.config.compile) == (2, "off")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
