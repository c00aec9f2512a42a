"""Whole runs of kinds that the other tests only look at in parts."""

import io
import itertools
import json
import logging
import re
import warnings
from importlib import metadata
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_lightning.callbacks import Callback
from rich.console import Console

from attnae import tags
from attnae.analysis.audit.provenance import changed_runs
from attnae.cli import train_command
from attnae.config import read_config, write_config
from attnae.errors import UserError
from attnae.files import WriteError
from attnae.reading.read import read_logs
from attnae.rundir.checkpoint import load
from attnae.rundir.directory import read_metrics, write_metrics
from attnae.training import callbacks
from attnae.training import prepare as prepare_module
from attnae.training.run import train
from tests.conftest import ROOT, read_curves, read_events
from tests.faults.conftest import contents

pytestmark = pytest.mark.usefixtures("blank_pictures")

PICTURES = (tags.RECONSTRUCTIONS, tags.LATENT_WALK, tags.LATENT_CODES, tags.ATTENTION_MAPS)


def test_the_quick_config_through_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quick = str(ROOT / "configs" / "quick.yaml")
    assert train_command(["--config", quick, "--limit-train", "120", "--limit-test", "20", "--threads", "1"]) == 0
    (directory,) = (tmp_path / "logs").iterdir()
    assert list(read_curves(directory)["train/loss"]) == [1, 2, 3, 4]
    assert [image.step for image in read_events(directory).Images(tags.ATTENTION_MAPS)] == [2, 4]


def test_a_folder_of_colour_images_to_the_end(tiny, tmp_path):
    """Squares of two colours: reconstructions have three channels, attention one; pictures are drawn of both."""
    generator = np.random.default_rng(0)
    for label, colour in (("red", (220, 30, 30)), ("blue", (30, 30, 220))):
        (tmp_path / "images" / label).mkdir(parents=True)
        for index in range(30):
            pixels = np.clip(generator.normal(colour, 20, (11, 11, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / label / f"{index}.png")
    options = {"dataset": "folder", "data_dir": tmp_path / "images", "spatial_attention": True, "epochs": 5}
    result = train(tiny(**options, lr=0.02, batch_size=16))
    events = read_events(result.directory)
    assert all(len(events.Images(tag)) == 1 for tag in PICTURES)
    losses = read_curves(result.directory)["train/loss"]
    assert losses[5] < losses[1]
    vae = load(result.directory)
    images = torch.rand(2, 3, 11, 11)
    assert vae.reconstruct(images).shape == images.shape
    assert {tuple(shape.shape[1:2]) for shape in vae.attention_maps(images).values()} == {(1,)}


@pytest.mark.parametrize(("epochs", "every", "steps"), [(5, 2, [2, 4, 5]), (4, 2, [2, 4]), (3, 7, [3])])
def test_pictures_come_every_so_many_epochs_and_at_the_end(tiny, epochs, every, steps):
    events = read_events(train(tiny(epochs=epochs, picture_every=every, spatial_attention=True)).directory)
    for tag in PICTURES:
        assert [image.step for image in events.Images(tag)] == steps


def test_half_precision_trains_the_same_model_less_exactly(tiny):
    runs = {precision: train(tiny(precision=precision)).metrics for precision in ("32-true", "bf16-mixed")}
    assert runs["bf16-mixed"]["train/loss"] != runs["32-true"]["train/loss"]
    for tag in ("train/loss", "val/loss", "test/loss"):
        assert runs["bf16-mixed"][tag] == pytest.approx(runs["32-true"][tag], rel=0.02)


def test_the_precision_that_was_used_is_recorded(tiny):
    """A CPU has no 16-mixed: Lightning takes bf16-mixed, and says so only in a message that nobody sees."""
    screen = io.StringIO()
    result = train(tiny(precision="16-mixed", accelerator="cpu", epochs=1), console=Console(file=screen, width=200))
    sentence = "--precision 16-mixed is not available on a cpu device: bf16-mixed is used instead."
    content = json.loads((result.directory / "metrics.json").read_text())
    assert sentence in screen.getvalue()
    assert content["warnings"] == [sentence]
    assert read_config(result.directory / "config.yaml").precision == "bf16-mixed"
    assert content["host"]["float32_matmul_precision"] == torch.get_float32_matmul_precision()
    assert content["host"]["cudnn_allow_tf32"] is torch.backends.cudnn.allow_tf32


def test_the_bar_shows_the_loss_and_the_time_left(tiny, monkeypatch):
    """Shown as it is at the end, with a clock that ticks once a look, so that no batch is passed over."""
    monkeypatch.setattr(callbacks, "time", SimpleNamespace(monotonic=itertools.count(1).__next__))
    screen = io.StringIO()
    result = train(tiny(epochs=2), console=Console(file=screen, width=100, force_terminal=True, color_system=None))
    assert result.status == "finished"
    assert re.search(r"epoch 2/2 ━+ 6/6 loss 0\.\d{4} 0:00:\d\d left 0:00:00", screen.getvalue())


@pytest.fixture
def half_done(tiny, monkeypatch):
    """Makes the directory of a run that a full disk stopped after its second epoch of four."""

    def make(**options):
        written = callbacks.EpochRecord.on_train_epoch_end

        def stopped(self, trainer, module):
            written(self, trainer, module)
            if trainer.current_epoch == 1:
                raise WriteError(28, "No space left on device")

        config = tiny(epochs=4, name="mine", **options)
        with monkeypatch.context() as patch:
            patch.setattr(callbacks.EpochRecord, "on_train_epoch_end", stopped)
            with pytest.raises(UserError, match="No space left on device"):
                train(config)
        return config.log_dir / "mine"

    return make


def test_flags_beside_resume_act_and_are_recorded(half_done, monkeypatch):
    """A run is resumed with pictures, and compiled; the analysis is told at which epoch the latter changed."""
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    monkeypatch.setattr(prepare_module, "has_compiler", lambda: True)
    directory = half_done(spatial_attention=True)
    assert "changes" not in read_metrics(directory)
    assert train_command(["--resume", str(directory), "--picture-every", "1", "--compile", "on"]) == 0
    assert list(read_curves(directory)["train/loss"]) == [1, 2, 3, 4]
    assert [image.step for image in read_events(directory).Images(tags.LATENT_WALK)] == [3, 4]
    assert read_config(directory / "config.yaml").compile == "on"
    assert read_metrics(directory)["changes"] == [{"after_epoch": 2, "name": "compile", "before": "off", "now": "on"}]
    (run,) = read_logs(directory.parent)
    (sentence,) = changed_runs([run])
    assert sentence.endswith("of mine: compile off -> on after epoch 2")


def test_another_machine_and_other_versions_are_recorded(half_done):
    directory = half_done()
    content = json.loads((directory / "metrics.json").read_text())
    content["versions"]["torch"], content["host"]["cpu_capability"] = "2.6", "NEON"
    (directory / "metrics.json").write_text(json.dumps(content))
    train(read_config(directory / "config.yaml"), resume=directory)
    changes = {change["name"]: change for change in read_metrics(directory)["changes"]}
    assert changes.keys() == {"versions/torch", "host/cpu_capability"}
    found = changes["versions/torch"]
    assert (found["after_epoch"], found["before"], found["now"]) == (2, "2.6", metadata.version("torch"))


def test_changes_of_earlier_invocations_are_kept(half_done):
    directory = half_done()
    earlier = {"after_epoch": 1, "name": "threads", "before": 4, "now": 1}
    write_metrics(directory, read_metrics(directory) | {"changes": [earlier]})
    train(read_config(directory / "config.yaml"), resume=directory)
    assert read_metrics(directory)["changes"] == [earlier]


def test_the_precision_of_a_run_cannot_change(half_done, capsys):
    """Neither by a flag, nor from Python, nor by a device that lacks it."""
    directory = half_done(accelerator="cpu")
    before = contents(directory)
    assert train_command(["--resume", str(directory), "--precision", "64-true"]) == 2
    assert "--precision cannot be combined with --resume" in capsys.readouterr().err
    config = read_config(directory / "config.yaml")
    with pytest.raises(UserError, match="was trained with --precision 32-true, and here it would continue with bf16"):
        train(config.replace(precision="bf16-mixed"), resume=directory)
    assert contents(directory) == before
    write_config(directory / "config.yaml", config.replace(precision="16-mixed"))  # as a GPU has it
    before = contents(directory)
    with pytest.raises(UserError, match="with --precision 16-mixed, and here it would continue with bf16-mixed"):
        train(read_config(directory / "config.yaml"), resume=directory)
    assert contents(directory) == before


def test_val_size_0_monitors_on_the_test_set(tiny):
    """With the same noise, validation on the test set after the last epoch and the test would agree: here the noise
    differs, the images do not."""
    result = train(tiny(val_size=0, variational=False))
    assert result.metrics["val/loss"] == pytest.approx(result.metrics["test/loss"], rel=1e-6)
    other = train(tiny(val_size=8, variational=False, name="held-out"))
    assert other.metrics["val/loss"] != pytest.approx(other.metrics["test/loss"], rel=1e-6)


def test_mnist_learns(mnist_dir, tiny):
    config = tiny(dataset="mnist", data_dir=mnist_dir, units=(8, 6, 4, 3), limit_train=1280, limit_test=200, epochs=2)
    result = train(config.replace(batch_size=64, spatial_attention=True, act="elu", threads=None))
    losses = read_curves(result.directory)["train/loss"]
    assert losses[2] < losses[1]
    assert losses[2] < 0.6931  # better than saying 1/2 everywhere


def test_a_run_leaves_the_threads_of_the_process_alone(tiny):
    seen = []

    class Look(Callback):
        def on_train_start(self, trainer, module):
            seen.append(torch.get_num_threads())

    before = torch.get_num_threads()
    config = tiny(threads=before + 1, epochs=1, limit_train=4, limit_test=2)  # threads are slow on a busy machine
    assert read_config(train(config, callbacks=[Look()]).directory / "config.yaml").threads == before + 1
    assert seen == [before + 1]
    assert torch.get_num_threads() == before


def test_an_os_error_that_is_not_of_a_write_keeps_its_own_message(tiny):
    """A callback fails to reach a server: nothing is wrong with the run's directory."""

    class Upload(Callback):
        def on_train_epoch_end(self, trainer, module):
            raise ConnectionRefusedError(111, "Connection refused")

    with pytest.raises(ConnectionRefusedError, match="Connection refused"):
        train(tiny(), callbacks=[Upload()])


def test_a_run_leaves_the_process_as_it_was(tiny):
    def state():
        levels = [logging.getLogger(name).level for name in ("pytorch_lightning", "lightning_fabric")]
        return list(warnings.filters), levels, torch.get_rng_state().tolist(), torch.initial_seed()

    torch.manual_seed(5)
    before = state()
    train(tiny(epochs=1))
    assert state() == before
    with pytest.raises(UserError, match="are too few for"):
        train(tiny(batch_size=2, accelerator="cpu", devices="2"))
    assert state() == before
