"""What a dry run says about a design, against closed forms, and against what analyze.py says of the finished study."""

import io
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats

from attnae.analysis.design.aliases import exact_aliases, term_correlations
from attnae.analysis.design.prepare import Columns, prepare
from attnae.cli import train_command
from attnae.study.designs import all_cells
from attnae.study.designs.explain import aliases_in_words, detectable_effects, explain
from attnae.study.designs.fraction import fraction_cells

ACTS = ("elu", "relu", "selu", "sigmoid")
FACTORS = {"batch_norm": (False, True), "dropout": (False, True), "spatial_attention": (False, True), "act": ACTS}


def model(cells, seeds=(768,)):
    """Model M of a study in which each cell is trained with each seed."""
    table = pd.DataFrame([{**cell, "seed": seed} for seed in seeds for cell in cells])
    table["response"] = np.arange(len(table), dtype=float)
    return prepare(table, list(cells[0]), table["response"], Columns(), "auto").design


def text_of(cells, seeds=(768,), **options):
    console = Console(file=io.StringIO(), width=200)
    runs = [cell for _ in seeds for cell in cells]
    for part in explain(runs, [seed for seed in seeds for _ in cells], **{"sampled": False, **options}):
        console.print(part)
    return console.file.getvalue()


def test_aliases_of_a_half_fraction():
    """The defining word holds all four factors: each pair is aliased with the other pair."""
    aliases = exact_aliases(model(fraction_cells(FACTORS, Fraction(1, 2))))
    assert aliases == {
        "batch_norm:dropout": ["spatial_attention:act"],
        "spatial_attention:act": ["batch_norm:dropout"],
        "batch_norm:spatial_attention": ["dropout:act"],
        "dropout:act": ["batch_norm:spatial_attention"],
        "batch_norm:act": ["dropout:spatial_attention"],
        "dropout:spatial_attention": ["batch_norm:act"],
    }
    assert exact_aliases(model(all_cells(FACTORS))) == {}


def test_main_effects_of_resolution_three_are_aliased():
    """2^(3-1) with C = AB."""
    switches = dict.fromkeys("abc", (0, 1))
    aliases = exact_aliases(model(fraction_cells(switches, Fraction(1, 2))))
    assert aliases == {"a": ["b:c"], "b": ["a:c"], "c": ["a:b"], "a:b": ["c"], "a:c": ["b"], "b:c": ["a"]}
    assert list(aliases)[:3] == ["a", "b", "c"]


def test_correlations_of_terms_by_hand():
    """Three of four cells of a 2 x 2: the correlation of (1, 1, -1) and (1, -1, 1), centred, is -1/2."""
    design = model([{"a": 0, "b": 0}, {"a": 0, "b": 1}, {"a": 1, "b": 0}])
    found = term_correlations(design)
    assert found["a", "b"] == pytest.approx(0.5)
    columns = np.array([[1.0, 1, -1], [1, -1, 1], [1, -1, -1]])
    by_hand = np.abs(np.corrcoef(columns))
    assert found["a", "a:b"] == pytest.approx(by_hand[0, 2])
    assert "correlation up to 0.50" in aliases_in_words(design)["a"]


@pytest.mark.parametrize(("seeds", "df"), [((1,), 13), ((1, 2, 3), 2), ((1, 2, 3, 4, 5), 4)])
def test_detectable_effects_of_the_full_factorial(seeds, df):
    """A difference of two halves of n runs has the standard error 2 / sqrt(n) noise SD.

    One seed: 32 cells less 19 parameters. Several: what their own effects vary by, S - 1.
    """
    found = detectable_effects(model(all_cells(FACTORS), seeds))["dropout"]
    error = 2 / np.sqrt(32 * len(seeds))
    critical = stats.t.ppf(1 - 0.05 / 8, df)
    # The other tail is at most 2e-9. scipy gives NaN for it at some shifts.
    power = stats.nct.sf(critical, df, found / error)
    assert power == pytest.approx(0.8, abs=0.002)


def test_a_fraction_detects_larger_effects_only():
    whole, half = (detectable_effects(model(fraction_cells(FACTORS, count))) for count in (32, 16))
    assert all(half[name] > 1.3 * whole[name] for name in FACTORS)


def test_detectable_effects_are_detected_in_simulated_studies():
    """Of 1,000 simulated half fractions with an effect of that size, about 80% find it at 5% / 4."""
    design = model(fraction_cells(FACTORS, Fraction(1, 2)))
    size = detectable_effects(design)["dropout"]
    rng = np.random.default_rng(5)
    column = design.columns(["dropout"])[:, 0]
    noise = rng.standard_normal((16, 1000)) + size / 2 * (column / np.abs(column))[:, None]
    fitted = np.linalg.lstsq(design.matrix, noise, rcond=None)[0]
    residual = noise - design.matrix @ fitted
    sd = np.sqrt((residual**2).sum(axis=0) / (16 - design.rank))
    t = fitted[design.terms["dropout"]][0] * np.sqrt(16) / sd
    share = np.mean(2 * stats.t.sf(np.abs(t), 16 - design.rank) < 0.05 / 4)
    assert share == pytest.approx(0.8, abs=0.05)


def test_the_text_names_aliases_effects_and_scope():
    text = text_of(fraction_cells(FACTORS, Fraction(1, 2)), noise=0.02)
    assert "batch_norm:dropout" in text
    assert "spatial_attention:act" in text
    assert "2.03 noise SD = 0.0406" in text
    assert "no two-way interactions" in text
    assert "these seeds only" in text
    more = text_of(fraction_cells(FACTORS, Fraction(1, 2)), seeds=(1, 2, 3))
    assert "two-way interactions are part of the model" in more
    assert "these seeds only" not in more
    assert "noise SD =" not in more


def test_a_design_without_errors_says_so():
    text = text_of(all_cells({"act": ("elu", "relu")}))
    assert "unknown: no runs are left to estimate the noise" in text
    assert "interactions" not in text


def test_a_design_that_cannot_be_estimated_says_so():
    cells = [{"act": act, "block_depth": depth} for act, depth in zip("abcdef", range(6), strict=True)]
    assert "effects cannot be estimated:" in text_of(cells)


def test_many_aliases_are_counted():
    switches = {f"f{number}": (0, 1) for number in range(15)}
    text = text_of(fraction_cells(switches, 16))
    assert "and 75 more interactions that are aliased" in text
    assert "and 3 more" in text


def test_a_sample_has_shares_of_the_variation():
    """The noncentrality is nearly (z[1 - 0.05/4] + z[0.8])^2 with one degree of freedom; a range of 40 values has 3."""
    cells = [{"act": act, "lr": lr} for act, lr in zip(["elu", "relu"] * 20, np.linspace(0.1, 1, 40), strict=True)]
    text = text_of(cells, sampled=True)
    shift = (stats.norm.ppf(1 - 0.05 / 4) + stats.norm.ppf(0.8)) ** 2
    assert f"│ act     │ {shift / (40 + shift):.0%}" in text
    critical = stats.chi2.ppf(1 - 0.05 / 2, 3)
    shift = next(shift for shift in np.arange(5, 20, 0.001) if stats.ncx2.sf(critical, 3, shift) >= 0.8)
    assert f"│ lr      │ {shift / (40 + shift):.0%}" in text


def test_more_runs_than_can_be_explained():
    cells = [{"act": "elu"}, {"act": "relu"}] * 2501
    assert "more than 5,000 runs" in text_of(cells)


def test_train_py_explains_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "half.yaml").write_text(
        "factors: {batch_norm: [false, true], dropout: [false, true], act: [elu, relu, selu, sigmoid]}\n"
        "fraction: 1/2\noptions: {dataset: digits}\nseeds: 2\n"
    )
    assert train_command(["--study", "half.yaml", "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert "8 cells x 2 seeds = 16 runs: 16 waiting" in output
    assert "noise SD" in output
    assert "batch_norm:dropout" in output
    assert [path.name for path in tmp_path.iterdir()] == ["half.yaml"]


def test_all_pairs_are_compared():
    found = term_correlations(model(all_cells(dict.fromkeys("abc", (0, 1)))[:7]))
    assert len(found) == 15  # of 6 terms that one missing cell leaves correlated
