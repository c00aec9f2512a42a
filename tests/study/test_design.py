"""Designs: what a study file may say, what it becomes, and what is refused."""

import itertools
import os
from hashlib import sha256

import pytest
import yaml

from attnae.config import RunConfig, option_names
from attnae.errors import UserError
from attnae.study.design import idle_factors, make_design, own_seed
from attnae.study.file import read_design, read_study_file, write_design
from tests.conftest import ROOT


def study_file(folder, text):
    path = folder / "study_of_mine.yaml"
    path.write_text(text)
    return path


def test_the_article_s_study_has_its_32_cells():
    design = read_study_file(ROOT / "configs" / "factorial.yaml").design(RunConfig())
    cells = {(c.batch_norm, c.dropout, c.spatial_attention, c.act) for c in (run.config for run in design.runs())}
    assert cells == set(itertools.product(*[[False, True]] * 3, ["elu", "relu", "selu", "sigmoid"]))
    assert len(design.runs()) == 32
    article = yaml.safe_load((ROOT / "configs" / "article.yaml").read_text())
    defaults = RunConfig().plain()
    assert all(defaults[name] == value for name, value in article.items() if name not in ("dataset", "val_size"))


def test_runs_are_cells_times_seeds_in_directories_of_their_own(tmp_path):
    base = RunConfig(log_dir=tmp_path, name="s", epochs=7)
    design = make_design({"act": ("elu", "relu"), "units": ((8, 4, 2), (9, 5, 3))}, (4, 5), base)
    runs = design.runs()
    assert [run.name for run in runs[:4]] == [
        "act=elu,units=8-4-2,seed=4",
        "act=elu,units=9-5-3,seed=4",
        "act=relu,units=8-4-2,seed=4",
        "act=relu,units=9-5-3,seed=4",
    ]
    assert [run.config.seed for run in runs] == [4] * 4 + [5] * 4
    assert {run.directory.parent for run in runs} == {tmp_path / "s"}
    assert len({run.directory for run in runs}) == 8
    assert all(run.config.epochs == 7 and run.config.name == run.name for run in runs)
    assert runs[1].config.units == (9, 5, 3)


def test_levels_are_typed_as_flags_are(tmp_path):
    """To PyYAML `1e-4` is a text and `on` a truth."""
    path = study_file(tmp_path, "factors: {lr: [1e-4, 0.5], batch_norm: [on, off], units: [[8, 4, 2], [4, 3, 2]]}")
    assert read_study_file(path).factors == {
        "lr": (1e-4, 0.5),
        "batch_norm": (True, False),
        "units": ((8, 4, 2), (4, 3, 2)),
    }


def test_any_model_or_training_option_may_be_a_factor(tmp_path):
    for option in option_names("model", "training"):
        if option != "seed":
            level = getattr(RunConfig(), option)
            path = study_file(tmp_path, yaml.safe_dump({"factors": {option: [RunConfig().plain()[option]]}}))
            assert read_study_file(path).factors == {option: (level,)}


def test_long_names_stay_apart(tmp_path):
    factors = {"units": tuple(tuple(range(count, 1, -1)) for count in (80, 81, 82))}
    names = [run.name for run in make_design(factors, (1, 2), RunConfig(log_dir=tmp_path, name="s")).runs()]
    assert len(set(names)) == 6
    assert max(map(len, names)) < 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("factors: {acts: [elu, relu]}", "acts is not a factor: there is no such option; perhaps you meant act"),
        ("factors: {dataset: [mnist, digits]}", "dataset is not a factor: only options of the model and of training"),
        ("factors: {threads: [1, 2]}", "threads is not a factor"),
        ("factors: {seed: [1, 2]}", "seed is not a factor: every cell is trained several times"),
        ("factors: {act: [elu, elu]}", "act: the level elu is given twice"),
        ("factors: {lr: [0.1, 1e-1]}", "lr: the level 0.1 is given twice"),
        ("factors: {act: [elu, rleu]}", "act: 'rleu' is not one of elu, relu"),
        ("factors: {block_depth: [1, 2.5]}", "block_depth: 2.5 is not a whole number"),
        ("factors: {act: elu}", "act: give its levels as a list"),
        ("factors: {act: []}", "act: give its levels as a list"),
        ("factors: {act: [elu]}\nfactor: {lr: [1]}", "unknown key factor; perhaps you meant factors"),
        ("factors:\n  act: [elu]\n  lr: [1]\n  act: [relu]", "line 4: act is given twice"),
        ("factors: {act: [elu]}\noptions: {act: relu}", "act is both a factor and an option"),
        ("factors: {act: [elu]}\noptions: {epoch: 3}", "unknown option epoch; perhaps you meant epochs"),
        ("factors: {act: [elu]}\noptions: {epochs: many}", "epochs: 'many' is not a whole number"),
        ("factors: {act: [elu]}\noptions: [1]", "options must hold lines"),
        ("factors: {act: [elu]}\nseeds: 0", "seeds: 0: must be at least 1"),
        ("factors: {act: [elu]}\nseeds: [1, 1]", "seeds: one seed is given twice"),
        ("factors: {act: [elu]}\nseeds: few", "seeds: 'few' is neither"),
        ("factors: {act: [elu]}\nreplicates: 0", "replicates: 0: must be at least 1"),
        ("factors: {act: [elu]}\nreplicates: [1, 2]", "replicates: [1, 2] is not a number of runs of each cell"),
        ("factors: {act: [elu]}\nreplicates: true", "replicates: True is not a number of runs"),
        (
            "factors: {act: [elu]}\nreplicates: 3\nseeds: 3",
            "seeds (shared by all cells) and replicates (each run its own seed) are both given: delete one of them",
        ),
        ("factors: {}", "there are no factors"),
        ("epochs: 3", "unknown key epochs; a study has the keys factors, replicates, seeds, until, options"),
        ("seeds: 3", "there are no factors"),
    ],
)
def test_what_is_refused_names_the_file(tmp_path, text, message):
    path = study_file(tmp_path, text)
    with pytest.raises(UserError) as error:
        read_study_file(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    assert str(error.value).count(str(path)) == 1
    assert "\n" not in str(error.value)


def test_a_level_out_of_range_names_its_cell(tmp_path):
    path = study_file(tmp_path, "factors: {act: [elu, relu], lr: [0.1, -1.0]}")
    with pytest.raises(UserError, match=r"study_of_mine\.yaml: cell act=elu,lr=-1\.0: --lr -1\.0: must be positive"):
        read_study_file(path).design(RunConfig(lr=0.1))


@pytest.mark.parametrize(("option", "value"), [("devices", "2"), ("num_nodes", 2), ("strategy", "ddp")])
def test_a_run_of_a_study_has_one_device(option, value):
    flag = "--" + option.replace("_", "-")
    with pytest.raises(UserError, match=f"{flag} {value}: a study trains each run on one device"):
        make_design({"act": ("elu",)}, (1,), RunConfig(**{option: value}, name="s"))


def test_seeds_are_a_number_or_a_list(tmp_path):
    base = RunConfig(seed=10)
    number = read_study_file(study_file(tmp_path, "factors: {act: [elu]}\nseeds: 3"))
    assert number.design(base).seeds == (10, 11, 12)
    assert number.design(base, seeds=2).seeds == (10, 11)
    assert number.design(base, replicates=2).replicates == 2
    assert not number.design(base, replicates=2).seeds
    listed = read_study_file(study_file(tmp_path, "factors: {act: [elu]}\nseeds: [5, 2]"))
    assert listed.design(base).seeds == (5, 2)


def test_without_a_number_each_cell_is_trained_once_with_a_seed_of_its_own(tmp_path):
    base = RunConfig(seed=10)
    design = read_study_file(study_file(tmp_path, "factors: {act: [elu, relu]}")).design(base)
    assert (design.seeds, design.replicates) == ((), 1)
    assert [run.name for run in design.runs()] == ["act=elu,replicate=1", "act=relu,replicate=1"]
    file = read_study_file(study_file(tmp_path, "factors: {act: [elu, relu]}\nreplicates: 3"))
    assert file.design(base).replicates == 3
    assert file.design(base, replicates=2).replicates == 2
    assert file.design(base, seeds=2).seeds == (10, 11)
    assert [run.repeat for run in file.design(base).runs()] == [1, 1, 2, 2, 3, 3]


def test_own_seeds_are_a_function_of_the_base_seed_the_cell_and_the_replicate():
    """The first number is that of `printf 768/act=elu,batch_norm=true/1 | sha256sum | head -c 8`, in decimal."""
    cell = {"batch_norm": True, "act": "elu"}
    assert own_seed(768, cell, 1) == 3046049764
    assert own_seed(768, dict(reversed(cell.items())), 1) == own_seed(768, cell, 1)
    others = [own_seed(769, cell, 1), own_seed(768, {**cell, "act": "relu"}, 1), own_seed(768, cell, 2)]
    assert len({own_seed(768, cell, 1), *others}) == 4
    units = {"units": (8, 4, 2), "lr": 1e-05, "min_lr": None}
    assert own_seed(0, units, 12) == int(sha256(b"0/lr=1e-05,min_lr=None,units=8-4-2/12").hexdigest()[:8], 16)


def test_a_study_that_grows_changes_no_seed(tmp_path):
    base = RunConfig(log_dir=tmp_path, name="s", seed=5)
    factors = {"act": ("elu", "relu"), "block_depth": (1, 2)}
    small = make_design(factors, (), base, replicates=3)
    more = make_design(factors, (), base, replicates=5)
    wider = make_design({"act": ("selu", "elu", "relu"), "block_depth": (1, 2)}, (), base, replicates=5)
    for grown in (more, wider):
        runs = {run.name: run for run in grown.runs()}
        assert all(runs[run.name] == run for run in small.runs())
    assert [run.name for run in more.runs()[:12]] == [run.name for run in small.runs()]


def test_own_seeds_are_distinct():
    file = read_study_file(ROOT / "configs" / "factorial.yaml")
    runs = file.design(RunConfig(), replicates=20).runs()
    assert len({run.config.seed for run in runs}) == len(runs) == 640
    assert all(0 <= run.config.seed < 2**32 for run in runs)


def test_a_design_is_read_back_as_it_was_written(tmp_path):
    base = RunConfig(log_dir=tmp_path, name="s", lr=1e-05, min_lr=1e-06, limit_train=9, dataset="digits")
    factors = {"units": ((8, 4, 2), (9, 5, 3)), "batch_norm": (True, False), "lr": (1e-05, 1e18)}
    shared = make_design(factors, (3, 1), base.replace(seed=3))
    own = make_design(factors, (), base.replace(seed=3), replicates=2)
    for design in (shared, own):
        write_design(tmp_path / "study.yaml", design)
        again = read_design(tmp_path / "study.yaml")
        assert again.runs() == design.runs()
        assert again.shared_options() == design.shared_options()


@pytest.mark.parametrize(
    ("option", "levels", "switch"),
    [("attention_norm", (False, True), "spatial_attention"), ("channel_reduction", (2, 4), "channel_attention")],
)
def test_an_option_of_a_layer_that_is_off_is_pointed_out(option, levels, switch):
    [line] = idle_factors(make_design({option: levels}, (1,), RunConfig(name="s")))
    assert f"{option} has no effect where {switch} is false" in line
    assert not idle_factors(make_design({option: levels}, (1,), RunConfig(name="s", **{switch: True})))


def test_an_option_without_effect_at_some_attentions_is_pointed_out():
    factors = {"channel_reduction": (2, 4), "attention": ("none", "se", "simam", "cbam")}
    [line] = idle_factors(make_design(factors, (1,), RunConfig(name="s")))
    assert "channel_reduction has no effect where attention is none or simam" in line
    [line] = idle_factors(make_design({"attention_norm": (False, True)}, (1,), RunConfig(name="s", attention="cbam")))
    assert "attention_norm has no effect where attention is cbam" in line
    factors["attention"] = ("se", "cbam")
    assert not idle_factors(make_design(factors, (1,), RunConfig(name="s")))


def test_a_study_of_attentions_records_one_field(tmp_path):
    path = study_file(tmp_path, "factors: {attention: [none, spatial, se]}\noptions: {act: elu}")
    design = read_study_file(path).design(RunConfig(log_dir=tmp_path, **read_study_file(path).first_cell()))
    assert [run.config.plain()["attention"] for run in design.runs()] == ["none", "spatial", "se"]
    assert not any(name.endswith("_attention") for run in design.runs() for name in run.config.plain())
    write_design(tmp_path / "study.yaml", design)
    assert read_design(tmp_path / "study.yaml").runs() == design.runs()


def test_a_study_of_switches_records_the_switches(tmp_path):
    path = study_file(tmp_path, "factors: {spatial_attention: [false, true]}")
    design = read_study_file(path).design(RunConfig(log_dir=tmp_path, **read_study_file(path).first_cell()))
    assert [run.config.plain()["spatial_attention"] for run in design.runs()] == [False, True]
    assert all(run.config.plain()["attention"] is None for run in design.runs())
    with pytest.raises(UserError, match=r"spatial_attention=true: --attention se: --spatial-attention says otherwise"):
        read_study_file(path).design(RunConfig(log_dir=tmp_path, attention="se"))


def test_a_factor_without_effect_in_some_cells_is_pointed_out():
    factors = {"dropout": (False, True), "dropout_rate": (0.1, 0.2)}
    [line] = idle_factors(make_design(factors, (1,), RunConfig(name="s", dropout=False, dropout_rate=0.1)))
    assert "dropout_rate has no effect where dropout is false" in line
    assert not idle_factors(make_design({"dropout_rate": (0.1, 0.2)}, (1,), RunConfig(name="s", dropout_rate=0.1)))


def test_reading_runs_nothing(tmp_path):
    path = study_file(tmp_path, f"factors: !!python/object/apply:os.system ['touch {tmp_path / 'ran'}']")
    with pytest.raises(UserError, match="plain YAML"):
        read_study_file(path)
    assert os.listdir(tmp_path) == [path.name]
