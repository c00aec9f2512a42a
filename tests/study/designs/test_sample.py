"""`sample: N`: ranges are covered evenly, a larger sample only appends, and mistakes are one line."""

import math

import numpy as np
import pytest

from attnae.config import RunConfig
from attnae.errors import UserError
from attnae.study.design import make_design
from attnae.study.designs import Distribution, Plan
from attnae.study.designs.distributions import sample_cells
from attnae.study.file import read_design, read_study_file, write_design

SPACE = {
    "lr": Distribution("loguniform", 1e-5, 0.1),
    "dropout_rate": Distribution("uniform", 0.0, 0.5),
    "block_depth": Distribution("int", 1, 4),
    "act": ("elu", "relu"),
}


def study_file(folder, text):
    path = folder / "study_of_mine.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("seed", [0, 768])
def test_every_range_is_stratified(seed):
    """Each of 64 equal parts of a range holds one of 64 Sobol points; whole numbers and lists are balanced exactly."""
    cells = sample_cells(SPACE, 64, seed=seed)
    log_lr = np.log([cell["lr"] for cell in cells])
    for values, low, high in (
        (log_lr, math.log(1e-5), math.log(0.1)),
        ([cell["dropout_rate"] for cell in cells], 0.0, 0.5),
    ):
        quantiles = (np.sort(values) - low) / (high - low)
        # Rounding moves a value by at most 0.5% of lr, which is 0.0005 of its range, or by 0.0005 of dropout_rate.
        assert np.all(quantiles >= np.arange(64) / 64 - 0.002)
        assert np.all(quantiles <= (np.arange(64) + 1) / 64 + 0.002)
    assert [[cell["block_depth"] for cell in cells].count(depth) for depth in (1, 2, 3, 4)] == [16] * 4
    assert [cell["act"] for cell in cells].count("elu") == 32
    pairs = [(cell["block_depth"], cell["act"]) for cell in cells]
    assert max(map(pairs.count, pairs)) == 8


def test_another_seed_draws_other_cells():
    assert sample_cells(SPACE, 8, seed=1) == sample_cells(SPACE, 8, seed=1)
    assert sample_cells(SPACE, 8, seed=1) != sample_cells(SPACE, 8, seed=2)


def test_a_larger_sample_only_appends():
    whole = sample_cells(SPACE, 100, seed=3)
    for count in (2, 5, 16, 33, 99):
        assert sample_cells(SPACE, count, seed=3) == whole[:count]


def test_kept_cells_stay_whatever_seed_drew_them():
    kept = sample_cells(SPACE, 10, seed=1)
    grown = sample_cells(SPACE, 30, seed=2, kept=kept)
    assert grown[:10] == kept
    assert grown[10:] == sample_cells(SPACE, 20, seed=2)


@pytest.mark.parametrize(
    ("drawn", "texts"),
    [
        (Distribution("uniform", 0.0, 0.5), 5),
        (Distribution("loguniform", 1e-6, 1.0), 8),
        (Distribution("loguniform", 1.0, 1.01), 7),
        (Distribution("uniform", 100.0, 100.01), 9),
        (Distribution("uniform", -2000.0, 3000.0), 7),
    ],
)
def test_levels_are_short_and_many_and_in_range(drawn, texts):
    levels = [drawn.level(u) for u in np.linspace(0, 1, 1001)[:-1]]
    assert all(drawn.low <= level <= drawn.high for level in levels)
    assert max(len(str(level)) for level in levels) <= texts
    assert len(set(levels)) >= 100
    exact = [drawn.low + u * (drawn.high - drawn.low) for u in np.linspace(0, 1, 1001)[:-1]]
    if drawn.kind == "uniform":
        assert np.abs(np.subtract(levels, exact)).max() <= (drawn.high - drawn.low) / 199


def test_whole_numbers_reach_both_ends():
    drawn = Distribution("int", 3, 5)
    assert [drawn.level(u) for u in (0.0, 0.33, 0.34, 0.66, 0.67, 0.999)] == [3, 3, 4, 4, 5, 5]


def test_a_cell_that_is_drawn_twice_counts_once():
    space = {"act": ("elu", "relu", "tanh"), "block_depth": Distribution("int", 1, 2)}
    cells = sample_cells(space, 6, seed=0)
    assert len({tuple(cell.values()) for cell in cells}) == 6
    with pytest.raises(UserError, match="sample: 7: only 6 different cells were found"):
        sample_cells(space, 7, seed=0)


def test_excluded_cells_are_not_drawn():
    exclude = [{"act": "elu", "block_depth": 4}]
    space = {**SPACE, "block_depth": (1, 2, 3, 4)}
    cells = sample_cells(space, 64, seed=0, exclude=exclude)
    assert len(cells) == 64
    assert not any(cell["act"] == "elu" and cell["block_depth"] == 4 for cell in cells)
    assert any(cell["act"] == "relu" and cell["block_depth"] == 4 for cell in cells)


TEXT = """
factors:
  lr: {loguniform: [1e-4, 0.1]}
  block_depth: {int: [1, 4]}
  units: {choice: [[8, 4, 2], [9, 5, 3]]}
  batch_norm: [on, off]
sample: 9
"""


def test_a_sample_becomes_typed_runs_with_short_names_of_their_own(tmp_path):
    design = read_study_file(study_file(tmp_path, TEXT)).design(RunConfig(log_dir=tmp_path, seed=4), seeds=2)
    runs = design.runs()
    assert len(runs) == 18
    assert len({run.name for run in runs}) == 18
    assert {type(run.config.lr) for run in runs} == {float}
    assert {type(run.config.block_depth) for run in runs} == {int}
    assert {run.config.units for run in runs} == {(8, 4, 2), (9, 5, 3)}
    assert [run.config.seed for run in runs] == [4] * 9 + [5] * 9
    lr = str(runs[0].config.lr)
    assert runs[0].name.startswith(f"lr={lr},block_depth=")
    assert max(len(run.name) for run in runs) < 80


def test_the_recorded_sample_is_read_back(tmp_path):
    design = read_study_file(study_file(tmp_path, TEXT)).design(RunConfig(log_dir=tmp_path, seed=4), seeds=2)
    write_design(tmp_path / "study.yaml", design)
    again = read_design(tmp_path / "study.yaml")
    assert again.runs() == design.runs()
    assert again.plan.ranges == design.plan.ranges
    assert again.plan.sample == 9
    write_design(tmp_path / "again.yaml", again)
    assert (tmp_path / "again.yaml").read_text() == (tmp_path / "study.yaml").read_text()
    assert "loguniform: [0.0001, 0.1]" in (tmp_path / "study.yaml").read_text()


def test_the_recorded_sample_grows_by_its_number(tmp_path):
    design = read_study_file(study_file(tmp_path, TEXT)).design(RunConfig(log_dir=tmp_path, seed=4))
    write_design(tmp_path / "study.yaml", design)
    (tmp_path / "more.yaml").write_text((tmp_path / "study.yaml").read_text().replace("sample: 9", "sample: 12"))
    grown = read_design(tmp_path / "more.yaml")
    assert grown.cells()[:9] == design.cells()
    assert len(grown.cells()) == 12
    whole = read_study_file(study_file(tmp_path, TEXT.replace("sample: 9", "sample: 12"))).design(RunConfig(seed=4))
    assert grown.cells() == whole.cells()


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        ("lr: {loguniform: [0, 0.1]}", "lr: loguniform: [0.0, 0.1]: both ends must be above 0; use uniform"),
        ("lr: {loguniform: [-1, 0.1]}", "both ends must be above 0"),
        ("lr: {uniform: [0.1, 0.01]}", "lr: uniform: [0.1, 0.01]: the first value must be below the second"),
        ("lr: {uniform: [0.1, 0.1]}", "the first value must be below the second"),
        ("lr: {uniform: [0.1]}", "lr: uniform: give the lowest and the highest value"),
        ("lr: {uniform: 3}", "lr: uniform: give the lowest and the highest value"),
        ("lr: {uniform: [.nan, 1]}", "both ends must be finite"),
        ("lr: {uniform: [-1e308, 1e308]}", "both ends must be finite"),
        ("lr: {uniform: [low, 1]}", "lr: 'low' is not a number"),
        ("lr: {lognormal: [1, 2]}", "lr: unknown distribution lognormal"),
        ("lr: {log_uniform: [1, 2]}", "unknown distribution log_uniform; perhaps you meant loguniform"),
        ("lr: {1: [1, 2]}", "lr: unknown distribution 1"),
        ("lr: {}", "lr: give one of uniform, loguniform, int, choice"),
        ("lr: {uniform: [1, 2], int: [1, 2]}", "lr: give one of uniform"),
        ("block_depth: {uniform: [1, 4]}", "block_depth: uniform: block_depth takes whole numbers: use int"),
        ("block_depth: {int: [1, 4.5]}", "block_depth: 4.5 is not a whole number"),
        ("lr: {int: [0.5, 4]}", "lr: int: [0.5, 4.0]: both ends must be whole numbers"),
        ("act: {uniform: [0, 1]}", "act: uniform: act is not a number: give its levels as a list"),
        ("dropout: {int: [0, 1]}", "dropout: int: dropout is not a number"),
        ("act: {choice: [elu, rleu]}", "act: 'rleu' is not one of elu, relu"),
        ("act: {choice: elu}", "act: give its levels as a list"),
    ],
)
def test_a_bad_range_is_one_line_with_file_and_factor(tmp_path, factor, message):
    path = study_file(tmp_path, f"factors:\n  {factor}\nsample: 4")
    with pytest.raises(UserError) as error:
        read_study_file(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("factors: {lr: {uniform: [0.1, 1]}}", "lr is a range: say how many cells are drawn, such as `sample: 40`"),
        ("factors: {act: [elu, relu]}\nsample: 1", "sample: 1: must be at least 2"),
        ("factors: {act: [elu, relu]}\nsample: many", "sample: 'many' is not a number of cells"),
        ("factors: {act: [elu, relu]}\nsample: true", "sample: True is not a number of cells"),
        ("factors: {act: [elu, relu]}\nsample: 2\nfraction: 1/2", "sample and fraction exclude each other"),
        (
            "factors: {lr: {uniform: [0.1, 1]}}\nsample: 4\nexclude: [{lr: 0.1}]",
            "exclude: lr is drawn from a range: only levels of lists can be excluded",
        ),
    ],
)
def test_keys_that_contradict_each_other(tmp_path, text, message):
    with pytest.raises(UserError) as error:
        read_study_file(study_file(tmp_path, text))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_too_many_cells(tmp_path):
    path = study_file(tmp_path, "factors: {lr: {uniform: [0.1, 1]}}\nsample: 3000")
    with pytest.raises(UserError, match=r"study_of_mine\.yaml: sample: 3000 makes 3,000 cells"):
        read_study_file(path).design(RunConfig())


def test_an_end_out_of_range_names_its_cell(tmp_path):
    path = study_file(tmp_path, "factors: {dropout_rate: {uniform: [0.1, 1.5]}}\nsample: 8")
    with pytest.raises(UserError, match=r"study_of_mine\.yaml: cell dropout_rate=\S+: --dropout-rate"):
        read_study_file(path).design(RunConfig())


def test_seeds_multiply_a_sample():
    design = make_design(SPACE, (1, 2, 3), RunConfig(name="s", min_lr=0.0, lr=0.1), Plan(sample=5, ranges={}))
    assert len(design.runs()) == 15
    assert [run.cell for run in design.runs()[:5]] == design.cells()
