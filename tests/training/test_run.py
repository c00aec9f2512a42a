"""One run, whole: what it leaves behind, and that its numbers are what it says."""

import dataclasses
import io
import json
import struct

import pytest
import torch
from rich.console import Console

from attnae import tags
from attnae.config import RunConfig, read_config
from attnae.data.module import ImageData
from attnae.data.sources import load_digits
from attnae.errors import UserError
from attnae.rundir.checkpoint import CHECKPOINT, load
from attnae.rundir.directory import read_unfinished
from attnae.seeding import EVALUATION, generator
from attnae.training.run import train
from tests.conftest import read_curves, read_events


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def weights(directory):
    return torch.load(directory / CHECKPOINT, weights_only=True)["state_dict"]


def same_weights(one, other):
    one, other = weights(one), weights(other)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run with attention and pictures every epoch."""
    from attnae.config import RunConfig
    from tests.conftest import TINY

    options = {**TINY, "picture_every": 1, "epochs": 3, "spatial_attention": True, "act": "elu"}
    screen = io.StringIO()
    config = RunConfig(log_dir=tmp_path_factory.mktemp("logs"), **options)
    result = train(config, console=Console(file=screen, width=80))
    return config, result, screen.getvalue()


def test_it_finishes(run):
    assert run[1].status == "finished"


def test_files_of_a_run(run):
    names = {path.name.partition(".tfevents")[0] for path in run[1].directory.iterdir()}
    assert names == {"events.out", "config.yaml", "metrics.json", "figure.png", "checkpoints", ".lock"}
    assert [path.name for path in (run[1].directory / "checkpoints").iterdir()] == ["last.ckpt"]
    assert len(list(run[1].directory.glob("events.*"))) == 1


def test_scalars_are_those_of_the_contract_and_no_others(run):
    curves = read_curves(run[1].directory)
    epochs = {tags.scalar(stage, metric) for stage in ("train", "val") for metric in tags.METRICS} | {
        tags.LEARNING_RATE
    }
    once = {*tags.FINAL_METRICS, "test/active_units", "test/knn_accuracy"}
    assert set(curves) == epochs | once
    assert all(list(curves[tag]) == [1, 2, 3] for tag in epochs)
    assert all(list(curves[tag]) == [3] for tag in once)


def test_scalars_fit_together(run):
    for stage in tags.STAGES:
        curves = read_curves(run[1].directory)
        for step, loss in curves[f"{stage}/loss"].items():
            bce, kl, elbo = (curves[f"{stage}/{metric}"][step] for metric in ("bce", "kl", "elbo"))
            assert loss == pytest.approx(bce + 0.001 * kl, rel=1e-6)
            assert elbo == pytest.approx(-(64 * bce + kl), rel=1e-6)


def test_training_lowers_the_loss(run):
    losses = read_curves(run[1].directory)["train/loss"]
    assert losses[3] < losses[2] < losses[1]


def test_metrics_json_holds_the_events_last_values(run):
    content = json.loads((run[1].directory / "metrics.json").read_text())
    curves = read_curves(run[1].directory)
    assert content["status"] == "finished"
    assert {tag: float32(value) for tag, value in content["metrics"].items()} == {
        tag: points[max(points)] for tag, points in curves.items()
    }
    assert content["seed"] == 768
    assert content["dataset"]["name"] == "digits"
    assert content["dataset"]["sizes"] == {"train": 92, "val": 8, "test": 40}
    assert set(content["versions"]) >= {"python", "attnae", "torch", "pytorch-lightning"}
    assert content["wall_time_s"] > 0
    config = run[0]
    data = ImageData(load_digits(None, None, None), limit_train=100, limit_test=40, seed=config.seed)
    assert content["dataset"]["sha256"] == data.checksum


def test_config_yaml_is_enough_to_run_it_again(run, tmp_path):
    config = read_config(run[1].directory / "config.yaml")
    assert (config.image_size, config.channels, config.threads, config.compile) == (8, 1, 1, "off")
    again = train(config.replace(log_dir=tmp_path, name="again"))
    assert again.metrics == run[1].metrics
    assert same_weights(again.directory, run[1].directory)


def hparams_of(directory):
    """(values, names of metrics) from the event file, read with TensorBoard's own classes."""
    from tensorboard.plugins.hparams import plugin_data_pb2

    events = read_events(directory)
    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    start = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    content = events.summary_metadata["_hparams_/experiment"].plugin_data.content
    experiment = plugin_data_pb2.HParamsPluginData.FromString(content).experiment
    values = {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}
    return values, [info.name.tag for info in experiment.metric_infos]


def test_hparams_are_all_options_with_the_final_metrics(run):
    values, metrics = hparams_of(run[1].directory)
    resolved = read_config(run[1].directory / "config.yaml").plain() | {"name": run[1].directory.name}
    expected = {
        name: " ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in resolved.items()
        if value is not None
    }
    assert {field.name for field in dataclasses.fields(RunConfig)} - expected.keys() <= {
        "limit_train",
        "limit_test",
        "attention",
        "beta",
    }
    assert values == expected
    assert values["spatial_attention"] is True
    assert values["variational"] is True
    assert values["units"] == "6 4 2"
    assert tuple(metrics) == (*tags.FINAL_METRICS, "test/active_units", "test/knn_accuracy")


def test_hparams_come_before_the_first_epoch(run):
    """So a run that is killed has them too."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    seen = []
    for event in LegacyEventFileLoader(str(next(run[1].directory.glob("events.*")))).Load():
        seen += [value.tag for value in event.summary.value]
    assert seen.index("_hparams_/session_start_info") < seen.index("train/loss")
    assert "hp_metric" not in seen


def test_status_and_summary(run):
    tensors = {
        tag: read_events(run[1].directory).Tensors(tag) for tag in (tags.STATUS_EVENT, "model/summary/text_summary")
    }
    status, summary = (events[-1].tensor_proto.string_val[0].decode() for events in tensors.values())
    assert status == tags.FINISHED
    assert "| vae.encoder.stem | Conv2d | [1, 6, 8, 8] | 54 |" in summary


def test_pictures_every_epoch_and_at_the_end(run):
    events = read_events(run[1].directory)
    for tag in (tags.RECONSTRUCTIONS, tags.LATENT_WALK, tags.LATENT_CODES, tags.ATTENTION_MAPS):
        assert [image.step for image in events.Images(tag)] == [1, 2, 3]


def test_figure_is_a_picture(run):
    from PIL import Image

    with Image.open(run[1].directory / "figure.png") as image:
        image.load()
        assert image.size == (1500, 950)


def test_what_a_person_sees(run):
    screen = run[2]
    assert "Training" in screen
    for epoch in (1, 2, 3):
        assert f"epoch {epoch}/3" in screen
    loss = read_curves(run[1].directory)["val/loss"][2]
    assert f"val loss {loss:.4f}" in screen


def test_loaded_model_gives_the_test_numbers(run):
    """Scored anew: the loaded weights, all test images at once, the noise of the test."""
    config, result, _ = run
    vae = load(result.directory)
    assert not vae.training
    data = ImageData(load_digits(None, None, None), limit_train=100, limit_test=40, seed=config.seed)
    x = data.images["test"].float() / 255
    with torch.no_grad():
        out = vae(x, torch.randn(40, 2, generator=generator(768, EVALUATION, 3, 2)))
    bce = torch.nn.functional.binary_cross_entropy_with_logits(out.logits, x).item()
    assert result.metrics["test/bce"] == pytest.approx(bce, rel=1e-6)


def test_same_seed_same_bits_with_or_without_pictures(tiny):
    one = train(tiny(name="one", spatial_attention=True))
    other = train(tiny(name="other", spatial_attention=True, picture_every=1))
    assert one.metrics == other.metrics
    assert same_weights(one.directory, other.directory)
    assert tags.RECONSTRUCTIONS in read_events(one.directory).Tags()["images"]
    assert [image.step for image in read_events(one.directory).Images(tags.LATENT_WALK)] == [2]
    different = train(tiny(name="different", spatial_attention=True, seed=769))
    assert different.metrics["test/loss"] != one.metrics["test/loss"]


def test_divergence_is_recorded(tiny):
    """A learning rate beyond reason: the loss is NaN or infinite before the last epoch."""
    result = train(tiny(lr=1e30, epochs=4))
    assert result.status == "diverged"
    content = json.loads((result.directory / "metrics.json").read_text())
    assert content["status"] == "diverged"
    assert "became NaN or infinite in epoch" in content["reason"]
    events = read_events(result.directory)
    assert events.Tensors(tags.STATUS_EVENT)[-1].tensor_proto.string_val[0] == b"diverged"
    if (result.directory / CHECKPOINT).exists():
        assert all(torch.isfinite(value.float()).all() for value in weights(result.directory).values())
    with pytest.raises(UserError, match="diverged"):
        read_unfinished(result.directory)


def test_divergence_keeps_the_last_good_checkpoint(tiny, monkeypatch):
    """The loss turns NaN in the second epoch: the checkpoint is that of the first."""
    from attnae.training import module

    bce = module.reconstruction_bce
    calls = iter(range(10**6))

    def poisoned(logits, x):
        # Three steps an epoch and one batch of validation: the sixth call is in the second epoch.
        return bce(logits, x) * (float("nan") if next(calls) == 5 else 1.0)

    monkeypatch.setattr(module, "reconstruction_bce", poisoned)
    result = train(tiny(epochs=3))
    assert result.status == "diverged"
    checkpoint = torch.load(result.directory / CHECKPOINT, weights_only=True)
    assert checkpoint["epoch"] == 0
    assert all(torch.isfinite(value.float()).all() for value in checkpoint["state_dict"].values())


@pytest.mark.parametrize("latent_dim", [1, 3])
def test_other_latent_dimensions_draw_all_pictures(tiny, latent_dim):
    result = train(tiny(latent_dim=latent_dim, epochs=1, spatial_attention=True))
    assert set(read_events(result.directory).Tags()["images"]) == {
        tags.RECONSTRUCTIONS, tags.LATENT_WALK, tags.LATENT_CODES, tags.ATTENTION_MAPS,
    }  # fmt: skip
