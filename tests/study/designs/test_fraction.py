"""`fraction`, `exclude` and `cells` in a study file: which cells there are, and what grows by adding runs alone."""

import itertools
import math
from fractions import Fraction

import pytest
import yaml

from attnae.config import RunConfig
from attnae.errors import UserError
from attnae.study.design import make_design
from attnae.study.designs import Plan, cell_key
from attnae.study.designs.fraction import advice, fraction_cells
from attnae.study.file import read_design, read_study_file, write_design
from attnae.study.state import check_record, lock_study
from tests.conftest import ROOT

FACTORS = {
    "batch_norm": (False, True),
    "dropout": (False, True),
    "spatial_attention": (False, True),
    "act": ("elu", "relu", "selu", "sigmoid"),
}
SWITCHES = dict.fromkeys(("batch_norm", "dropout", "spatial_attention", "channel_attention"), (False, True))
TEXT = yaml.safe_dump({"factors": {name: list(levels) for name, levels in FACTORS.items()}}, sort_keys=False)


def study_file(folder, text, name="study_of_mine.yaml"):
    path = folder / name
    path.write_text(text)
    return path


def design_of(folder, text):
    return read_study_file(study_file(folder, text)).design(RunConfig(log_dir=folder / "logs", dataset="digits"))


def keys(cells):
    return {cell_key(cell) for cell in cells}


def balanced(cells, factors, size):
    """Whether all combinations of the levels of `size` factors occur equally often."""
    for names in itertools.combinations(factors, size):
        found = [tuple(cell[name] for name in names) for cell in cells]
        counts = [found.count(levels) for levels in itertools.product(*(factors[name] for name in names))]
        if min(counts) != max(counts):
            return False
    return True


def test_the_half_of_the_article_s_study_has_its_16_cells():
    text = (ROOT / "configs" / "factorial.yaml").read_text() + "\nfraction: 1/2\n"
    factors = yaml.safe_load(text)["factors"]
    cells = fraction_cells(factors, Fraction(1, 2))
    assert len(keys(cells)) == 16
    assert balanced(cells, factors, 3)  # resolution IV: no two of its main effects or interactions share a factor
    assert not balanced(cells, factors, 4)


def test_fraction_and_complement_are_the_factorial(tmp_path):
    half, whole = design_of(tmp_path, TEXT + "fraction: 1/2\n"), design_of(tmp_path, TEXT)
    complement = [cell for cell in whole.cells() if cell_key(cell) not in keys(half.cells())]
    assert len(complement) == 16
    assert balanced(complement, FACTORS, 3)
    listed = make_design(FACTORS, (768,), RunConfig(name="s"), Plan(cells=tuple(complement)))
    assert keys(half.cells()) | keys(listed.cells()) == keys(whole.cells())
    order = [cell_key(cell) for cell in whole.cells()]
    assert [order.index(cell_key(cell)) for cell in half.cells()] == sorted(
        order.index(cell_key(cell)) for cell in half.cells()
    )


@pytest.mark.parametrize(
    ("fraction", "count"), [("1/2", 16), ("1/4", 8), ("3/4", 24), ("2/5", 13), (7, 7), (16, 16), (32, 32), ("1/1", 32)]
)
def test_a_fraction_is_a_share_or_a_number_of_cells(tmp_path, fraction, count):
    design = design_of(tmp_path, TEXT + f"fraction: {fraction}\n")
    assert len(design.cells()) == len(keys(design.cells())) == len(design.runs()) == count
    assert len(design.chosen) == (0 if fraction == "1/1" else count)
    assert design.cells() == design_of(tmp_path, TEXT + f"fraction: {fraction}\n").cells()
    assert {name: {cell[name] for cell in design.cells()} for name in FACTORS} == {
        name: set(levels) for name, levels in FACTORS.items()
    }


def test_mixed_levels_have_a_subset_design_or_a_d_optimal_choice():
    nine = fraction_cells({"a": "xyz", "b": "xyz", "c": "xyz"}, Fraction(1, 3))
    assert balanced(nine, {"a": "xyz", "b": "xyz", "c": "xyz"}, 2)
    half = fraction_cells({"a": "xyz", "b": "xy", "c": "xy", "d": "xy"}, Fraction(1, 2))
    assert balanced(half, {"a": "xyz", "b": "xy", "c": "xy", "d": "xy"}, 2)
    odd = fraction_cells({"a": "xyz", "b": "xyz", "c": "xy"}, 8)
    assert len(odd) == 8
    assert {cell["a"] for cell in odd} == {*"xyz"}


def test_a_recorded_fraction_is_read_back(tmp_path):
    for fraction in ("1/2", "11", "3/4"):
        design = design_of(tmp_path, TEXT + f"fraction: {fraction}\nnoise: 0.02\n")
        write_design(tmp_path / "study.yaml", design)
        again = read_design(tmp_path / "study.yaml")
        assert again.runs() == design.runs()
        assert again.chosen == again.plan.cells == design.chosen
        write_design(tmp_path / "again.yaml", again)
        assert (tmp_path / "again.yaml").read_text() == (tmp_path / "study.yaml").read_text()
        assert "noise: 0.02" in (tmp_path / "study.yaml").read_text()


def test_excluded_cells_are_recorded_and_not_trained(tmp_path):
    text = (
        "factors: {dropout: [false, true], dropout_rate: [0.2, 0.4], act: [elu, relu]}\n"
        "exclude:\n- {dropout: false, dropout_rate: 0.4}\n"
    )
    design = design_of(tmp_path, text)
    assert len(design.cells()) == 6
    assert not any(not cell["dropout"] and cell["dropout_rate"] == 0.4 for cell in design.cells())
    write_design(tmp_path / "study.yaml", design)
    assert read_design(tmp_path / "study.yaml").runs() == design.runs()
    part = design_of(tmp_path, text + "fraction: 5\n")
    assert len(part.cells()) == 5
    assert keys(part.cells()) <= keys(design.cells())
    assert len(design_of(tmp_path, text + "fraction: 2/3\n").cells()) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fraction: 0.5", "fraction: 0.5: give a fraction such as 1/2, or a number of cells such as 16"),
        ("fraction: 3/2", "fraction: '3/2': give a fraction such as 1/2"),
        ("fraction: 1/0", "fraction: '1/0': give a fraction such as 1/2"),
        ("fraction: half", "fraction: 'half': give a fraction such as 1/2"),
        ("fraction: 1", "fraction: 1: must be at least 2"),
        ("fraction: true", "fraction: True: give a fraction"),
        ("fraction: [1, 2]", "fraction: [1, 2]: give a fraction"),
        ("fraction: 33", "fraction: 33: there are only 32 combinations"),
        ("fraction: 6", "6 cells are fewer than the 7 parameters of the main effects: give a larger one, such as"),
        ("fraction: 1/16", "fraction: 1/16: 2 cells are fewer than the 7 parameters"),
        ("exclude: {act: elu}", "exclude: give a list of cells, each such as {batch_norm: ..., dropout: ...}"),
        ("exclude: []", "exclude: give a list of cells"),
        ("exclude: [{}]", "exclude: give a list of cells"),
        ("exclude: [{axt: elu}]", "exclude: axt is not a factor of this study; perhaps you meant act"),
        ("exclude: [{lr: 0.1}]", "exclude: lr is not a factor of this study"),
        ("exclude: [{act: tanh, dropout: true}]", "exclude: dropout=true,act=tanh matches no cell: act has the levels"),
        ("exclude: [{act: rleu}]", "act: 'rleu' is not one of"),
        ("exclude: [{act: elu}]", "exclude leaves no cell with act=elu: delete this level from the factors"),
        ("cells: [{act: elu}]", "cells: a cell lacks batch_norm, dropout, spatial_attention"),
        ("cells: 3", "cells: give a list of cells"),
        ("noise: 0", "noise: 0: give the standard deviation"),
        ("noise: low", "noise: 'low': give the standard deviation"),
        ("fractions: 1/2", "unknown key fractions; perhaps you meant fraction"),
    ],
)
def test_mistakes_are_one_line_with_file_and_key(tmp_path, text, message):
    path = study_file(tmp_path, TEXT + text)
    with pytest.raises(UserError) as error:
        read_study_file(path).design(RunConfig())
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_list_of_cells_is_trained_as_it_is(tmp_path):
    text = (
        "factors: {act: [elu, relu], batch_norm: [false, true]}\n"
        "cells: [{act: relu, batch_norm: false}, {batch_norm: true, act: elu}]"
    )
    design = design_of(tmp_path, text)
    assert [run.name for run in design.runs()] == [
        "act=relu,batch_norm=false,replicate=1",
        "act=elu,batch_norm=true,replicate=1",
    ]
    twice = text.replace("act: relu, batch_norm: false", "act: elu, batch_norm: true")
    with pytest.raises(UserError, match="cells: one cell is given twice"):
        design_of(tmp_path, twice)


# ------------------------------------------------------------------------------------------------ studies that grow


def recorded(design):
    with lock_study(design):
        return design


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [
        ("fraction: 1/2", "", 32),
        ("fraction: 1/2", "fraction: 1/1", 32),
        ("fraction: 1/4", "fraction: 1/2", 16),
        ("fraction: 9", "fraction: 12", 12),
        ("fraction: 1/2", "fraction: 3/4", 24),
        ("fraction: 9", "fraction: 1/2", 16),
    ],
)
def test_a_larger_fraction_only_adds_runs(tmp_path, first, second, count):
    before = recorded(design_of(tmp_path, TEXT + first))
    after = design_of(tmp_path, TEXT + second).keeping(before.cells())
    check_record(after)
    assert len(after.cells()) == count
    assert {run.name for run in before.runs()} <= {run.name for run in after.runs()}
    recorded(after)
    assert read_design(after.directory / "study.yaml").runs() == after.runs()


def test_a_quarter_grows_to_an_orthogonal_half():
    """Two quarters of 2^4 x 4 make a half whose main effects are orthogonal, as a regular half has them."""
    factors = {**SWITCHES, "act": ("elu", "relu", "selu", "tanh")}
    quarter = fraction_cells(factors, Fraction(1, 4))
    half = fraction_cells(factors, Fraction(1, 2), kept=quarter)
    assert keys(quarter) <= keys(half)
    assert balanced(half, factors, 2)


def test_more_levels_keep_what_was_trained(tmp_path):
    before = recorded(design_of(tmp_path, TEXT + "fraction: 1/2"))
    after = design_of(tmp_path, TEXT.replace("- sigmoid", "- sigmoid\n  - tanh") + "fraction: 1/2")
    after = after.keeping(before.cells())
    check_record(after)
    assert len(after.cells()) == 20
    assert sum(cell["act"] == "tanh" for cell in after.cells()) >= 3
    assert keys(before.cells()) <= keys(after.cells())


def test_the_recorded_file_grows_by_its_own_keys(tmp_path):
    before = recorded(design_of(tmp_path, TEXT + "fraction: 1/2"))
    path = before.directory / "study.yaml"
    for fraction, count in (("24", 24), ("1/1", 32)):
        text = path.read_text().replace("fraction: 1/2", f"fraction: {fraction}")
        grown = design_of(tmp_path, text)
        assert len(grown.cells()) == count
        assert keys(before.cells()) <= keys(grown.cells())


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("", "fraction: 1/2", "it has 16 more cells, such as"),
        ("fraction: 1/2", "fraction: 1/4", "more cells, such as"),
        ("fraction: 1/2", "exclude: [{act: elu, dropout: true}]", "it has 2 more cells, such as"),
        ("sample: 8", "sample: 4", "more cells, such as"),
        ("", "cells: [{act: elu, dropout: true, batch_norm: true, spatial_attention: true}]", "it has 31 more cells"),
    ],
)
def test_a_smaller_design_is_refused(tmp_path, first, second, message):
    before = recorded(design_of(tmp_path, TEXT + first))
    after = design_of(tmp_path, TEXT + second).keeping(before.cells())
    with pytest.raises(UserError, match="holds a study of another design") as error:
        check_record(after)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_another_range_is_another_design(tmp_path):
    text = "factors: {lr: {loguniform: [0.001, 0.1]}, act: [elu, relu]}\nsample: 4"
    recorded(design_of(tmp_path, text))
    for other in ("{loguniform: [0.001, 0.2]}", "{uniform: [0.001, 0.1]}"):
        changed = design_of(tmp_path, text.replace("{loguniform: [0.001, 0.1]}", other))
        changed = changed.keeping(read_design(changed.directory / "study.yaml").cells())
        with pytest.raises(UserError, match=r"lr was loguniform \[0.001, 0.1\] and is"):
            check_record(changed)


# ----------------------------------------------------------------------------------------------- too many to train


def test_too_many_combinations_are_refused_with_a_fraction_that_fits(tmp_path):
    switches = [name for name, value in RunConfig().plain().items() if isinstance(value, bool)]
    factors = {name: [False, True] for name in switches}
    factors |= {"dropout_rate": [0.1, 0.2, 0.3, 0.4], "kl_weight": [0.0, 0.1, 0.2, 0.3], "lr": [0.1, 0.2, 0.3, 0.4]}
    factors |= {"block_depth": [1, 2], "latent_dim": [1, 2], "batch_size": [32, 64], "epochs": [1, 2]}
    factors |= {"act": ["elu", "relu", "selu", "tanh"]}
    count = math.prod(map(len, factors.values()))
    assert count > 100_000
    text = yaml.safe_dump({"factors": factors})
    with pytest.raises(UserError) as error:
        design_of(tmp_path, text)
    assert f"make {count:,} runs: a study has at most 100,000; train a part of the combinations" in str(error.value)
    assert "`fraction: 64`" in str(error.value)
    part = design_of(tmp_path, text + "fraction: 64\n")
    assert len(part.cells()) == 64
    assert balanced(part.cells(), part.factors, 2)
    with pytest.raises(UserError, match=r"fraction: 1/16 makes [\d,]+ cells: a study that lists its cells has at most"):
        design_of(tmp_path, text + "fraction: 1/16\n")


def test_the_advice_can_be_followed():
    for levels in ([2] * 17, [2] * 9 + [4] * 5, [3] * 5, [2, 3] * 3):
        factors = {str(number): tuple(range(own)) for number, own in enumerate(levels)}
        word, count = advice(levels).strip("`").split(": ")
        assert word == "fraction"
        assert len(fraction_cells(factors, int(count))) == int(count)
    assert advice([3] * 12) == "`sample: 64`"
    with pytest.raises(UserError, match="no regular fraction fits, and 531,441 combinations are too many"):
        fraction_cells({str(number): (0, 1, 2) for number in range(12)}, 64)
    with pytest.raises(UserError, match="exclude: 531,441 combinations are too many"):
        fraction_cells({str(number): (0, 1, 2) for number in range(12)}, 64, exclude=[{"0": 1, "1": 1}])
