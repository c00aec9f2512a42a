"""Each option in two values: what it must change does change."""

import dataclasses
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from attnae.config import RunConfig, read_config
from attnae.errors import UserError
from attnae.rundir.checkpoint import CHECKPOINT
from attnae.rundir.directory import make_run_directory
from attnae.training import compilation
from attnae.training import prepare as prepare_module
from attnae.training.prepare import prepare
from attnae.training.run import train
from attnae.training.trainer import make_trainer
from tests.conftest import read_events

pytestmark = pytest.mark.usefixtures("blank_pictures")


def structure(config):
    """The layers and shapes of the model."""
    return str(prepare(config).module.vae)


def result(config):
    """What one epoch of training comes to."""
    return train(config).metrics["test/loss"]


def bound(config):
    return train(config).metrics["test/nll"]


def epochs_logged(config):
    return len(read_events(train(config).directory).Scalars("train/loss"))


def images(config):
    data = prepare(config).data
    return data.sizes, data.checksum


def devices(config):
    trainer = make_trainer(config)
    return type(trainer.strategy).__name__, trainer.world_size, trainer.num_devices


def directory(config):
    return str(make_run_directory(config))


def picture_steps(config):
    return [image.step for image in read_events(train(config).directory).Images("pictures/latent_walk")]


def compiled(config):
    return prepare(config).config.compile


def threads(config):
    before = torch.get_num_threads()
    try:
        prepare(config)
        return torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


# Option -> (what shows its effect, two values of it).
EFFECTS = {
    "attention": (structure, None, "se"),
    "spatial_attention": (structure, False, True),
    "channel_attention": (structure, False, True),
    "batch_norm": (structure, False, True),
    "dropout": (structure, False, True),
    "dropout_rate": (structure, 0.2, 0.3),
    "act": (structure, "relu", "elu"),
    "units": (structure, (6, 4, 2), (8, 4, 2)),
    "block_depth": (structure, 1, 2),
    "latent_dim": (structure, 2, 3),
    "attention_kernel_size": (structure, 5, 3),
    "attention_norm": (structure, False, True),
    "channel_reduction": (structure, 4, 2),
    "coord_conv": (structure, False, True),
    "variational": (structure, True, False),
    "kl_weight": (result, 0.001, 1.0),
    "beta": (result, None, 1.0),
    "kl_warmup": (result, 0, 1),
    "epochs": (epochs_logged, 1, 2),
    "batch_size": (result, 32, 16),
    "lr": (result, 0.005, 0.01),
    "min_lr": (result, 0.0001, 0.005),
    "grad_clip": (result, 0.0, 0.01),
    "weight_decay": (result, 0.0, 0.1),
    "seed": (result, 768, 769),
    "dataset": (images, "digits", "folder"),
    "data_dir": (images, "folders/a", "folders/b"),
    "val_size": (images, 5000, 4),
    "limit_train": (images, 100, 90),
    "limit_test": (images, 40, 30),
    "image_size": (structure, 8, 6),
    "channels": (structure, 1, 3),
    "binarize": (images, "none", "static"),
    "accelerator": (devices, "cpu", "cuda"),
    "devices": (devices, "1", "2"),
    "num_nodes": (devices, 1, 2),
    "strategy": (devices, "auto", "ddp"),
    "precision": (result, "32-true", "64-true"),
    "threads": (threads, 1, 2),
    "compile": (compiled, "off", "on"),
    "log_dir": (directory, "one", "other"),
    "name": (directory, "one", "other"),
    "picture_every": (picture_steps, 0, 1),
    "iw_samples": (bound, 1, 2),
}
# What an option needs beside it to matter.
BESIDE = {
    "attention_kernel_size": {"spatial_attention": True},
    "attention_norm": {"spatial_attention": True},
    "channel_reduction": {"channel_attention": True},
    "kl_warmup": {"epochs": 2},
    "data_dir": {"dataset": "folder"},
    "image_size": {"dataset": "folder", "data_dir": "folders/a"},
    "channels": {"dataset": "folder", "data_dir": "folders/a"},
    "dataset": {"data_dir": "folders/a"},
    "devices": {"accelerator": "cpu"},
    "num_nodes": {"accelerator": "cpu", "devices": "2"},
}


def test_no_option_is_left_out():
    assert set(EFFECTS) == {field.name for field in dataclasses.fields(RunConfig)}


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "folders" / name).mkdir(parents=True)
        for index in range(12):
            pixels = generator.integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "folders" / name / f"{index}.png")


@pytest.mark.parametrize("option", EFFECTS)
def test_both_values_of_an_option(option, tiny, folders, monkeypatch):
    effect, one, other = EFFECTS[option]
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    monkeypatch.setattr(prepare_module, "has_compiler", lambda: True)
    base = {"epochs": 1, **BESIDE.get(option, {})}
    if effect is picture_steps:
        base["epochs"] = 2

    def seen(value):
        try:
            return effect(tiny(**{**base, option: value}))
        except UserError as error:
            if (option, value) != ("accelerator", "cuda"):  # there may be none
                raise
            return str(error)

    first, second, again = seen(one), seen(other), seen(one)
    assert first != second
    if effect is not directory:
        assert again == first


def test_an_accelerator_that_is_not_there(tiny):
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(UserError, match=r"--accelerator cuda .* is not available on this machine"):
        make_trainer(tiny(accelerator="cuda"))


@pytest.mark.parametrize(("asked", "pays", "compiler", "expected"), [
    ("auto", False, True, "off"),
    ("auto", True, True, "on"),
    ("auto", True, False, "off"),
    ("on", False, True, "on"),
    ("on", False, False, "off"),
    ("off", True, True, "off"),
])  # fmt: skip
def test_compile_is_resolved_before_the_run(tiny, monkeypatch, asked, pays, compiler, expected):
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    monkeypatch.setattr(compilation, "PAYS_BACK_VALUES", 0 if pays else 1e18)
    monkeypatch.setattr(prepare_module, "has_compiler", lambda: compiler)
    prepared = prepare(tiny(compile=asked))
    assert prepared.config.compile == expected
    assert any("nothing is compiled" in warning for warning in prepared.warnings) == (asked == "on" and not compiler)


@pytest.mark.parametrize(("asked", "device", "expected"), [
    ("auto", "cpu", "on"),
    ("auto", "cuda", "off"),
    ("auto", "mps", "off"),
    ("on", "cuda", "on"),
])  # fmt: skip
def test_auto_compiles_only_where_it_was_measured(tiny, monkeypatch, asked, device, expected):
    monkeypatch.setattr(compilation, "PAYS_BACK_VALUES", 0)
    monkeypatch.setattr(prepare_module, "has_compiler", lambda: True)
    assert prepare(tiny(compile=asked), device).config.compile == expected


def test_a_run_that_cannot_be_compiled_goes_on_uncompiled(tiny, monkeypatch):
    """The compiler fails at the first call. The numbers are those of a run that was never compiled."""
    monkeypatch.setattr(prepare_module, "has_compiler", lambda: True)

    def broken(function, **options):
        def call(*args):
            raise RuntimeError("g++: no space\nand more lines")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    screen = io.StringIO()
    result = train(tiny(name="on", compile="on"), console=Console(file=screen, width=200))
    sentence = "--compile on failed, and training goes on without it: RuntimeError: g++: no space"
    assert sentence in screen.getvalue()
    assert sentence in json.loads((result.directory / "metrics.json").read_text())["warnings"]
    assert read_config(result.directory / "config.yaml").compile == "off"
    assert result.metrics == train(tiny(name="off")).metrics


@pytest.mark.slow
def test_compiled_training_is_the_same_computation(tiny):
    """With dropout and sampling: one step agrees in every number, so the noise is the same; two epochs do in 64 bits.

    In 32 bits Adam lets rounding grow where gradients are nearly zero.
    """
    base = {"spatial_attention": True}
    one_step = {**base, "batch_size": 92, "epochs": 1}
    eager = train(tiny(name="eager step", **one_step)).metrics
    fused = train(tiny(name="fused step", compile="on", **one_step)).metrics
    for tag in ("train/loss", "train/bce", "train/kl"):
        assert fused[tag] == pytest.approx(eager[tag], rel=1e-5)
    several = {**base, "precision": "64-true", "batch_size": 40, "epochs": 2}  # with a smaller last batch
    runs = [train(tiny(name="eager", **several)), train(tiny(name="fused", compile="on", **several))]
    for tag in ("train/loss", "val/loss", "test/loss", "train/kl", "test/kl"):
        assert runs[1].metrics[tag] == pytest.approx(runs[0].metrics[tag], rel=1e-9)
    names = [torch.load(run.directory / CHECKPOINT, weights_only=True)["state_dict"].keys() for run in runs]
    assert names[0] == names[1]
