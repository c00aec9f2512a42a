"""Each attention from first to last: trained, resumed, loaded and exported; and what the command line makes of it."""

import pytest
import torch
from pytorch_lightning.callbacks import Callback

import attnae
from attnae.cli import main, train_command
from attnae.config import read_config
from attnae.model.attention import ATTENTIONS
from attnae.rundir.directory import read_unfinished
from attnae.training.run import train
from tests.conftest import tiny_flags

pytestmark = pytest.mark.usefixtures("blank_pictures")


class CrashInTheSecondEpoch(Callback):
    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            raise RuntimeError("killed")


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTENTIONS)
def test_trained_resumed_loaded_and_exported(name, tiny, tmp_path):
    pytest.importorskip("onnxruntime")
    with pytest.raises(RuntimeError, match="killed"):
        train(tiny(name="mine", attention=name), callbacks=[CrashInTheSecondEpoch()])
    directory = tiny().log_dir / "mine"
    resumed = train(read_unfinished(directory), resume=directory)
    assert resumed.metrics == train(tiny(name="at once", attention=name)).metrics
    assert read_config(directory / "config.yaml").attention == name
    vae = attnae.load(directory)
    assert vae.reconstruct(torch.zeros(1, 1, 8, 8)).shape == (1, 1, 8, 8)
    assert main(["export", str(directory), "-o", str(tmp_path / "x.onnx")]) == 0  # which compares it with the model
    has_map = name in ("spatial", "cbam", "simam", "coordinate")
    assert main(["attention", str(directory), "digits", "-o", str(tmp_path / "maps.png")]) == (0 if has_map else 2)
    assert (tmp_path / "maps.png").exists() == has_map


@pytest.mark.parametrize("switch", ["spatial", "channel"])
def test_the_switch_and_the_name_give_the_same_numbers(switch, tiny):
    by_switch = train(tiny(name="switch", act="elu", **{f"{switch}_attention": True}))
    assert train(tiny(name="name", act="elu", attention=switch)).metrics == by_switch.metrics


def options_of(tmp_path, capsys, *args):
    """The first lines of what a dry run shows: {option: value}."""
    assert train_command([*tiny_flags(), f"--log-dir={tmp_path}", "--dry-run", *args]) == 0
    lines = (line.partition(": ") for line in capsys.readouterr().out.splitlines())
    return {name: value for name, _, value in lines if name.endswith("attention")}


def test_the_command_line_overrides_a_file(tmp_path, capsys):
    (tmp_path / "switch.yaml").write_text("spatial_attention: true\n")
    (tmp_path / "name.yaml").write_text("attention: se\n")
    switch, name = (f"--config={tmp_path / file}" for file in ("switch.yaml", "name.yaml"))
    by_switch = {"attention": "null", "spatial_attention": "true", "channel_attention": "false"}
    assert options_of(tmp_path, capsys, switch) == by_switch
    assert options_of(tmp_path, capsys, switch, "--attention", "eca") == {"attention": "eca"}
    assert options_of(tmp_path, capsys, switch, name) == {"attention": "se"}
    assert options_of(tmp_path, capsys, name, switch) == by_switch
    assert options_of(tmp_path, capsys, name, "--spatial-attention") == by_switch
    assert options_of(tmp_path, capsys, name, "--no-spatial-attention") == {**by_switch, "spatial_attention": "false"}


@pytest.mark.parametrize(
    ("flags", "other"),
    [
        (["--attention", "se", "--spatial-attention"], "--spatial-attention"),
        (["--attention=none", "--channel-attention"], "--channel-attention"),
        (["--attention", "spatial", "--no-spatial-attention"], "--no-spatial-attention"),
    ],
)
def test_flags_that_contradict_each_other(flags, other, tmp_path, capsys):
    assert train_command([*tiny_flags(), f"--log-dir={tmp_path / 'logs'}", *flags]) == 2
    assert f"{other} says otherwise; give one of the two\n" in capsys.readouterr().err
    assert not (tmp_path / "logs").exists()
