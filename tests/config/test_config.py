"""Options: ranges, YAML files, and the command line."""

import dataclasses
import importlib
import pickle
import re

import pytest
import tyro
import yaml

from attnae.cli import OPTIONS
from attnae.config import (
    GROUPS,
    OptionError,
    RunConfig,
    check_choices,
    check_options,
    flag,
    layered,
    option_names,
    read_config,
    read_yaml,
    write_config,
)
from attnae.config.command_line import OptionGroups, groups_of, typed_options
from attnae.errors import UserError
from attnae.model.activations import ACTIVATIONS
from tests.conftest import ROOT

BAD_VALUES = [
    ({"act": "swish"}, "--act swish: choose one of elu, relu"),
    ({"dataset": "imagenet"}, "--dataset imagenet: choose one of auto, mnist"),
    ({"units": (5, 4)}, "--units 5 4: give at least 3"),
    ({"units": (5, 4, 0)}, "--units 5 4 0: all must be positive"),
    ({"dropout_rate": 1.0}, "--dropout-rate 1.0: must be at least 0 and below 1"),
    ({"dropout_rate": -0.1}, "--dropout-rate"),
    ({"attention": "both"}, "--attention both: choose one of none, spatial, channel, cbam"),
    ({"attention_kernel_size": 4}, "--attention-kernel-size 4: must be odd"),
    ({"channel_reduction": 0}, "--channel-reduction 0: must be at least 1"),
    ({"block_depth": 0}, "--block-depth 0: must be at least 1"),
    ({"latent_dim": 0}, "--latent-dim 0: must be at least 1"),
    ({"kl_warmup": 25}, "--kl-warmup 25: must be less than --epochs, 25: the whole weight would never be used"),
    ({"grad_clip": -1.0}, "--grad-clip -1.0: must be at least 0"),
    ({"weight_decay": -0.1}, "--weight-decay -0.1: must be at least 0"),
    ({"weight_decay": 200.0}, "--weight-decay 200.0: must be less than 1 / --lr, 200"),
    ({"beta": -1.0}, "--beta -1.0: must be at least 0"),
    ({"beta": 1.0, "kl_weight": 0.5}, "--beta 1.0: --kl-weight sets the same weight; give one of the two"),
    ({"binarize": "once"}, "--binarize once: choose one of none, dynamic, static"),
    ({"kl_weight": -1.0}, "--kl-weight -1.0: must be at least 0"),
    ({"kl_weight": float("nan")}, "--kl-weight nan"),
    ({"epochs": 0}, "--epochs 0: must be at least 1"),
    ({"batch_size": 1}, "--batch-size 1: must be at least 2"),
    ({"lr": 0.0}, "--lr 0.0: must be positive"),
    ({"lr": float("inf")}, "--lr inf: must be positive"),
    ({"min_lr": 0.1}, "--min-lr 0.1: must be at most --lr"),
    ({"seed": -1}, "--seed -1: must be at least 0"),
    ({"seed": 2**32}, "--seed 4294967296: must be at most 4294967295"),
    ({"batch_size": 10**20}, "--batch-size 100000000000000000000: must be at most"),
    ({"threads": 10_000}, "--threads 10000: must be at most 1024"),
    ({"units": (10**20, 4, 2)}, "--units 100000000000000000000 4 2: must be at most"),
    ({"attention_kernel_size": 10**20 + 1}, "--attention-kernel-size 100000000000000000001: must be at most 16384"),
    ({"image_size": 10**6}, "--image-size 1000000: must be at most 16384"),
    ({"strategy": "ddp_spawn"}, "--strategy ddp_spawn: .* choose ddp"),
    ({"strategy": "ddp_notebook"}, "choose ddp"),
    ({"compile": "maybe"}, "--compile maybe: choose one of auto, on, off"),
    ({"channels": 2, "dataset": "folder"}, "--channels 2: choose one of 1, 3"),
    ({"accelerator": "abacus"}, "--accelerator abacus: choose one of auto, cpu"),
    ({"name": "a\udcff"}, "--name 'a.udcff': must be plain text"),
    ({"log_dir": "a\udcff"}, "--log-dir"),
    ({"val_size": -1}, "--val-size -1"),
    ({"limit_train": 1}, "--limit-train 1: must be at least 3"),
    ({"limit_test": 0}, "--limit-test 0: must be at least 1"),
    ({"image_size": 0, "dataset": "folder"}, "--image-size 0"),
    ({"image_size": 32, "dataset": "digits"}, "--image-size 32: digits has 8"),
    ({"channels": 3, "dataset": "mnist"}, "--channels 3: mnist has 1"),
    ({"devices": "many"}, "--devices many"),
    ({"devices": "0"}, "--devices 0"),
    ({"num_nodes": 0}, "--num-nodes 0"),
    ({"threads": 0}, "--threads 0"),
    ({"picture_every": -1}, "--picture-every -1"),
    ({"name": "../elsewhere"}, "--name '../elsewhere': must be the name of one folder"),
    ({"name": "/tmp/x"}, "--name"),
    ({"name": "a\0b"}, "--name"),
    ({"name": ".."}, "--name"),
    ({"name": ""}, "--name"),
    ({"name": "x" * 300}, "at most 200 bytes"),
]


@pytest.mark.parametrize(("options", "message"), BAD_VALUES, ids=lambda value: str(value)[:40])
def test_a_value_out_of_range_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        RunConfig(**options)


def test_values_at_the_limits_are_accepted():
    low = {"dropout_rate": 0.0, "kl_weight": 0.0, "val_size": 0, "seed": 0, "min_lr": 0.0, "epochs": 1, "batch_size": 2}
    high = {"lr": 0.1, "min_lr": 0.1, "seed": 2**32 - 1, "devices": "0,3", "image_size": 8, "name": "ünïcödé 😀"}
    for options in (low, high):
        assert RunConfig(**options).plain().items() >= options.items()


def test_defaults_are_those_of_the_article():
    config = RunConfig()
    assert (config.units, config.block_depth, config.latent_dim, config.dropout_rate) == ((35, 25, 15, 5), 3, 2, 0.2)
    assert (config.kl_weight, config.epochs, config.batch_size, config.lr) == (0.001, 25, 64, 0.005)
    assert (config.min_lr, config.seed, config.val_size) == (0.0001, 768, 5000)


def test_texts_and_lists_become_paths_and_tuples():
    flags = ["--data-dir", "x", "--log-dir", "y", "--units", "5", "4", "3"]
    assert RunConfig(data_dir="x", log_dir="y", units=[5, 4, 3]) == tyro.cli(OptionGroups, args=flags).run_config()


def test_the_config_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        RunConfig().lr = 1.0


def test_groups_hold_every_option_once():
    assert sorted(option_names(*GROUPS)) == sorted(field.name for field in dataclasses.fields(RunConfig))


def test_yaml_round_trip(tmp_path):
    config = RunConfig(
        act="mish", units=(9, 5, 2), batch_norm=False, limit_train=100, name="-dash: {yaml}", lr=1e-7, min_lr=1e-8
    )
    write_config(tmp_path / "config.yaml", config)
    assert read_config(tmp_path / "config.yaml") == config
    assert "units: [9, 5, 2]" in (tmp_path / "config.yaml").read_text()


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_flags_and_yaml_give_the_same_options(act):
    flags = ["--act", act, "--no-dropout", "--units", "4", "3", "2", "--limit-train", "50"]
    groups = tyro.cli(OptionGroups, args=flags)
    values = {"act": act, "dropout": False, "units": [4, 3, 2], "limit_train": 50}
    checked = check_options(values, "here")
    assert groups.run_config() == RunConfig(**checked)
    assert vars(groups) == groups_of(checked) == groups_of(vars(groups.run_config()))


def test_numbers_without_a_point_and_bare_on_are_understood(tmp_path):
    """`lr: 1e-4` is a text to PyYAML, and `on` a boolean."""
    (tmp_path / "a.yaml").write_text("lr: 1e-4\nmin_lr: 1e-5\ncompile: on\n")
    config = read_config(tmp_path / "a.yaml")
    assert (config.lr, config.min_lr, config.compile) == (1e-4, 1e-5, "on")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("act: swish", "act: 'swish' is not one of elu, relu"),
        ("epochs: 1.5", "epochs: 1.5 is not a whole number"),
        ("lr: fast", "lr: 'fast' is not a number"),
        ("batch_norm: maybe", "batch_norm: 'maybe' is not true or false"),
        ("units: [3, x]", r"units: \[3, 'x'\] is not a list of whole numbers"),
        ("channels: 2", "channels: 2 is not one of 1, 3"),
        ("epochs:", "epochs: an empty value is not a whole number"),
        ("learning_rate: 0.1", "unknown option learning_rate; `python train.py --help` lists the options"),
        ("spatial_atention: true", "unknown option spatial_atention; perhaps you meant spatial_attention"),
        ("epochs: 0", "--epochs 0: must be at least 1"),
        ("epochs: {a: 1}", "epochs: {'a': 1} is not a whole number"),
        ("epochs: true", "epochs: True is not a whole number"),
        ("epochs: 3.0", "epochs: 3.0 is not a whole number"),
        ("epochs: '3'", "epochs: '3' is not a whole number"),
        ("batch_norm: 1", "batch_norm: 1 is not true or false"),
        ("lr: yes", "lr: True is not a number"),
        ("lr: 2001-01-01", "is not a number"),
        ("channels: 1.0", "channels: 1.0 is not one of 1, 3"),
        ("channels: yes", "channels: True is not one of 1, 3"),
        ("name: 1.50", "name: 1.5 is not a text: put it in quotes"),
        ("units: [true, 3, 2]", r"units: \[True, 3, 2\] is not a list of whole numbers"),
        ("compile: 1", "compile: 1 is not one of auto, on, off"),
    ],
)
def test_a_mistake_in_yaml_names_file_and_option(tmp_path, line, message):
    path = tmp_path / "mine.yaml"
    path.write_text(f"seed: 1\n{line}\n")
    with pytest.raises(UserError, match=message) as error:
        read_config(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[1, 2]", "must hold lines"),
        (b"a: [", "line 1 is not plain YAML"),
        (b"ok: 1\nbad: b: c", "line 2 is not plain YAML"),
        (b"x: !!python/object/apply:os.system ['touch /tmp/never']", "is not plain YAML"),
        (b"\xff\xfe\x00", "is not"),
        (b"1: 2", "must hold lines"),
        (b"[" * 5000, "is not plain YAML"),
    ],
)
def test_files_that_are_not_yaml_of_options(tmp_path, content, message):
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        read_yaml(path)
    assert str(path) in str(error.value)


def test_a_missing_yaml_file(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml cannot be read: No such file"):
        read_yaml(tmp_path / "none.yaml")


def test_typed_options():
    args = ["--act", "elu", "--no-batch-norm", "--lr=1", "--num_nodes", "1", "x", "--dry-run"]
    assert typed_options(args, OPTIONS) == ["act", "batch_norm", "lr", "num_nodes", "dry_run"]


def test_typed_options_are_found_by_their_exact_names():
    """--no-noise is no option, and the value of --name may look like one."""
    assert typed_options(["--no-noise", "--bat", "--name=--act", "--no-act=1"], ["name", "act"]) == ["name", "act"]


def test_a_value_out_of_range_names_its_option():
    with pytest.raises(OptionError) as error:
        RunConfig(min_lr=0.1)
    assert error.value.option == "min_lr"
    again = pickle.loads(pickle.dumps(error.value))
    assert (str(again), again.option) == (str(error.value), "min_lr")


def test_flag():
    assert flag("attention_kernel_size") == "--attention-kernel-size"


def test_shipped_files_hold_options():
    article = read_config(ROOT / "configs" / "article.yaml")
    # The article's protocol: everything at its numbers, all training images, the test set as monitor.
    assert article == RunConfig(dataset="mnist", val_size=0)
    assert yaml.safe_load((ROOT / "configs" / "article.yaml").read_text())["epochs"] == 25
    assert read_config(ROOT / "configs" / "quick.yaml").dataset == "digits"


def test_names_in_the_descriptions_of_the_rooms_are_there():
    """The `__init__` of a room that is not to import its modules lists their public names in its docstring."""
    rooms = ("model", "data", "evaluation", "rundir", "training", "study", "trained", "analysis.audit")
    for room in (f"attnae.{name}" for name in rooms):
        listed = re.findall(r"`(\w+)\.(\w+)`", importlib.import_module(room).__doc__)
        assert len(listed) > 3
        for module, name in listed:
            assert hasattr(importlib.import_module(f"{room}.{module}"), name), (room, module, name)


def test_the_attention_is_recorded_as_it_was_chosen(tmp_path):
    """By its name or by the switches, never by both; old files, which know only the switches, are read as before."""
    for config, recorded in [
        (RunConfig(), {"attention": None, "spatial_attention": False, "channel_attention": False}),
        (RunConfig(spatial_attention=True), {"attention": None, "spatial_attention": True, "channel_attention": False}),
        (RunConfig(attention="none"), {"attention": "none"}),
        (RunConfig(attention="spatial", spatial_attention=True), {"attention": "spatial"}),
    ]:
        write_config(tmp_path / "config.yaml", config)
        assert read_config(tmp_path / "config.yaml") == config
        found = read_yaml(tmp_path / "config.yaml")
        assert {name: found[name] for name in found if name.endswith("attention")} == recorded
    (tmp_path / "old.yaml").write_text("spatial_attention: true\nchannel_attention: false\n")
    assert read_config(tmp_path / "old.yaml") == RunConfig(spatial_attention=True)


def test_a_later_source_chooses_the_attention_anew():
    switches, name = {"spatial_attention": True, "act": "elu"}, {"attention": "se"}
    assert layered([switches, name]) == {"act": "elu", "attention": "se"}
    assert layered([name, switches]) == switches
    assert layered([switches, {"channel_attention": True}]) == {**switches, "channel_attention": True}
    assert layered([name, {"act": "elu"}]) == {**name, "act": "elu"}
    assert layered([switches, {"attention": None}]) == {**switches, "attention": None}
    assert layered([]) == {}


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"attention": "none", "spatial_attention": True}, "--spatial-attention"),
        ({"attention": "se", "channel_attention": True}, "--channel-attention"),
        ({"attention": "spatial", "channel_attention": True}, "--channel-attention"),
        ({"attention": "spatial", "spatial_attention": False}, "--no-spatial-attention"),
    ],
)
def test_an_attention_and_a_switch_that_says_otherwise(tmp_path, options, flag):
    message = f"--attention {options['attention']}: {flag} says otherwise; give one of the two"
    with pytest.raises(OptionError, match=message):
        check_choices(options)
    with pytest.raises(UserError, match=f"here: {message}"):
        check_options(options, "here")
    if any(options[name] is True for name in options):
        with pytest.raises(OptionError, match=message):
            RunConfig(**options)
    check_choices({"attention": "spatial", "spatial_attention": True, "channel_attention": False})
    check_choices({"attention": "cbam", "spatial_attention": False})


def test_beta_and_kl_weight_are_one_choice(tmp_path):
    config = RunConfig(beta=4.0, image_size=8, channels=3, dataset="folder")
    assert config.loss_kl_weight == 4 / 192
    assert RunConfig(kl_weight=0.5).loss_kl_weight == 0.5
    assert "kl_weight" not in config.plain()
    assert RunConfig().plain()["kl_weight"] == 0.001
    write_config(tmp_path / "config.yaml", config)
    assert read_config(tmp_path / "config.yaml") == config
    assert layered([{"kl_weight": 0.001}, {"beta": 1.0}]) == {"beta": 1.0}
    assert layered([{"beta": 1.0}, {"kl_weight": 0.5}]) == {"kl_weight": 0.5}
    with pytest.raises(UserError, match=r"here: --beta 1\.0: --kl-weight sets the same weight"):
        check_options({"beta": 1, "kl_weight": 0.001}, "here")


def test_public_names_are_there():
    import attnae

    assert sorted(attnae.__all__) == sorted(attnae._HOMES)
    for name in attnae.__all__:
        assert getattr(attnae, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = attnae.nothing
