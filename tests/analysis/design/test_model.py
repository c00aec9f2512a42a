"""Levels and their order, the rule that fixes model M, blocks, and what cannot be estimated."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from attnae.analysis.design import model
from attnae.analysis.design.factors import read_factor
from attnae.analysis.design.model import build, choose_model, find_blocks
from attnae.analysis.design.prepare import Columns, prepare
from attnae.analysis.design.separable import separable_factors
from attnae.analysis.study import fit_study
from attnae.errors import UserError
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial


def design_of(table, factors, interactions="auto"):
    return prepare(table, factors, table["response"], Columns(), interactions).design


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([True, False], ("False", "True")),
        ([0.5, 0.1], ("0.1", "0.5")),
        ([-1.0, 1.0], ("-1", "1")),
        ([64.0, 128.0], ("64", "128")),
        (["relu", "elu"], ("elu", "relu")),
        (["batch", "none"], ("none", "batch")),
        (["cbam", "off"], ("off", "cbam")),
        (["yes", "No"], ("No", "yes")),
        (["true", "false"], ("false", "true")),
        (["a", "0"], ("0", "a")),
        ([0.2, "none"], ("none", "0.2")),
        ([0.2, "high"], ("0.2", "high")),
        (["25 15", "35 25", "9 5"], ("25 15", "35 25", "9 5")),
        (["15", "5", "100"], ("5", "15", "100")),
        (["+", "-"], ("-", "+")),
        (["high", "low", "medium"], ("low", "medium", "high")),
        (["with", "without"], ("without", "with")),
        (["nan", "2"], ("2", "nan")),
        (["low", "none"], ("none", "low")),
        (
            ["high", "low", "none", "medium", "very high", "very low"],
            ("none", "very low", "low", "medium", "high", "very high"),
        ),
    ],
)
def test_level_order(values, labels):
    factor, codes = read_factor("f", pd.Series(values))
    assert factor.labels == labels
    assert [factor.levels[code] for code in codes] == values


def test_levels_with_the_same_label_are_one_level():
    table = pd.DataFrame({"f": [1, "1", 2, "2", 1, 2], "g": ["1", 1, "1", 1, 1, "1"], "h": [1, 2] * 3})
    result = fit_study(table.assign(response=[1.0, 2.0, 5.0, 6.0, 1.5, 5.5]), ["f", "g", "h"], permutations=0)
    assert {factor.name: factor.labels for factor in result.factors} == {"f": ("1", "2"), "h": ("1", "2")}
    assert result.dropped_factors == {"g": "1"}
    rounded = pd.DataFrame({"self": [0.3, 0.1 + 0.2, 0.5, 0.5], "response": [1.0, 2.0, 3.0, 4.5]})
    assert fit_study(rounded, ["self"], permutations=0).factors[0].labels == ("0.3", "0.5")


def test_index_accepts_other_spellings_of_a_level():
    number, _ = read_factor("f", pd.Series([0.2, 5.0, 1e-4]))
    assert [number.index(text) for text in ("0.20", 5, "1e-4", "0.0001", "0.3", "x")] == [1, 2, 0, 0, -1, -1]
    switch, _ = read_factor("f", pd.Series([True, False]))
    assert [switch.index(text) for text in ("true", False, "1")] == [1, 0, -1]
    word, _ = read_factor("f", pd.Series(["ReLU", "elu"]))
    assert [word.index(text) for text in ("relu", "ELU", "gelu")] == [0, 1, -1]


def test_numeric_factors_with_more_than_six_values_are_continuous():
    assert read_factor("f", pd.Series([1, 2, 3, 4, 5, 6]))[0].kind == "many-level"
    curve = read_factor("f", pd.Series([1, 2, 3, 4, 5, 6, 7]))[0]
    assert (curve.kind, curve.scale) == ("continuous", "linear")
    even = pd.Series(np.geomspace(1e-4, 0.1, 9))
    assert read_factor("f", even)[0].scale == "log10"
    # Uniform values stay linear, although they span a factor of ten; few values that say neither go by their name.
    assert read_factor("f", pd.Series(np.linspace(1, 10, 30)))[0].scale == "linear"
    either = pd.Series([1, 2, 3, 4, 5, 6, 10])
    assert [read_factor(name, either)[0].scale for name in ("lr", "f")] == ["log10", "linear"]
    assert read_factor("f", pd.Series([0, 2, 3, 4, 5, 6, 10]))[0].scale == "linear"
    assert read_factor("f", pd.Series(list("abcdefgh")))[0].kind == "many-level"


def test_model_takes_interactions_if_five_residual_degrees_of_freedom_remain():
    two_to_the_four = factorial(a=[0, 1], b=[0, 1], c=[0, 1], d=[0, 1])
    two_to_the_four["response"] = np.arange(16.0)
    assert design_of(two_to_the_four, list("abcd")).has_interactions  # 16 - 11 = 5
    assert not design_of(two_to_the_four[1:], list("abcd")).has_interactions  # 15 - 11 = 4
    assert not design_of(two_to_the_four, list("abcd"), "none").has_interactions
    assert design_of(two_to_the_four[1:], list("abcd"), "two-way").has_interactions
    article = design_of(article_study(seeds=1), ARTICLE_FACTORS)
    assert (article.has_interactions, article.rank, article.residual_df) == (True, 19, 13)


def test_model_never_depends_on_the_responses():
    one, other = article_study(rng_seed=2), article_study(rng_seed=3)
    np.testing.assert_array_equal(design_of(one, ARTICLE_FACTORS).matrix, design_of(other, ARTICLE_FACTORS).matrix)


def test_marginal_means_weigh_predicted_cells_equally():
    """In an unbalanced design the mean of a level is the plain mean of all cells' predictions, over all blocks."""
    table = article_study().drop(index=[0, 5, 9, 40, 41, 42, 70]).reset_index(drop=True)
    design = design_of(table, ARTICLE_FACTORS)
    beta = design.pseudo_inverse @ design.row_sums(table["response"].to_numpy())
    grid = np.array([(a, b, c, d) for a in (0, 1) for b in (0, 1) for c in (0, 1) for d in range(4)])
    codes, blocks = np.repeat(grid, 3, axis=0), np.tile([0, 1, 2], 32)
    predicted = build(design.factors, codes, blocks, interactions=True).matrix @ beta
    assert design.mean_contrast({}) @ beta == pytest.approx(predicted.mean())
    assert design.mean_contrast({"act": 2}) @ beta == pytest.approx(predicted[codes[:, 3] == 2].mean())
    both = (codes[:, 0] == 1) & (codes[:, 3] == 3)
    assert design.mean_contrast({"batch_norm": 1, "act": 3}) @ beta == pytest.approx(predicted[both].mean())


def test_blocks_are_seeds_that_recur_across_cells():
    cells = np.array([0, 0, 1, 1])
    assert find_blocks(np.array(["1", "2", "1", "2"]), cells)[1] == ("1", "2")
    assert find_blocks(np.array(["1", "2", "3", "4"]), cells) == (None, ())
    assert find_blocks(np.array(["1", "1", "2", "2"]), cells) == (None, ())
    blocks, labels = find_blocks(np.array(["1", "7", "1", "8"]), cells)
    assert labels == ("1", "other seeds")
    assert blocks.tolist() == [0, 1, 0, 1]


def test_runs_without_a_seed_do_not_form_blocks():
    table = article_study()
    table["seed"] = table["seed"].where(table.index % 3 != 2)
    design = design_of(table, ARTICLE_FACTORS)
    assert len(np.unique(design.blocks)) == 3
    assert not design_of(table.assign(seed=np.nan), ARTICLE_FACTORS).blocks


def test_seed_may_be_a_factor_itself():
    result = fit_study(article_study(), ["act", "seed"], permutations=0)
    assert result.effects.factor.tolist() == ["act"] * 4 + ["seed"] * 3
    assert result.anova.term.tolist() == ["act", "seed", "act:seed", "residual"]
    assert not result.noise.blocks


def test_blocks_enter_however_small_their_effect():
    table = article_study()
    assert "seed" in design_of(table, ARTICLE_FACTORS).terms
    assert "seed" not in design_of(table.assign(seed=range(96)), ARTICLE_FACTORS).terms
    assert "seed" not in design_of(table.assign(seed=1), ARTICLE_FACTORS).terms
    assert "seed" not in design_of(table.drop(columns="seed"), ARTICLE_FACTORS).terms


def test_fewer_runs_than_parameters_says_how_many_are_missing():
    table = article_study(seeds=1)
    with pytest.raises(UserError, match=r"5 finished runs cannot estimate 7 parameters .* at least 2 more runs"):
        fit_study(table.iloc[[0, 9, 18, 27, 31]], ARTICLE_FACTORS)
    small = factorial(a=[0, 1], b=[0, 1]).assign(response=[1.0, 2.0, 3.0, 5.0])
    with pytest.raises(UserError, match=r"2 finished runs cannot estimate 3 parameters .* at least 1 more run is"):
        fit_study(small.iloc[[0, 3]], ["a", "b"])
    with pytest.raises(UserError, match="4 finished runs"):
        choose_and_ask_for_interactions(small.assign(c=[0, 1, 1, 0]))


def choose_and_ask_for_interactions(table):
    read = [read_factor(name, table[name]) for name in "abc"]
    codes = np.column_stack([codes for _, codes in read])
    return choose_model([factor for factor, _ in read], codes, None, "two-way")


def test_replicated_half_fraction_names_its_aliases():
    rows = [(0, 0, 1), (1, 0, 0), (0, 1, 0), (1, 1, 1)] * 3
    table = pd.DataFrame(rows, columns=list("abc")).assign(response=np.random.default_rng(0).standard_normal(12))
    result = fit_study(table, list("abc"), permutations=0, interactions="two-way")
    effects, anova = result.effects.set_index("factor"), result.anova.set_index("term")
    assert effects.estimate.isna().all()
    assert (effects.verdict == "").all()
    assert "aliased with b:c" in effects.note["a"]
    assert anova.note["a:b"] == "aliased with c"
    assert anova.df["a:b"] == 0
    assert np.isnan(anova.sum_sq["a:b"])
    alone = fit_study(table, list("abc"), permutations=0)
    assert not alone.design.has_interactions
    assert "main effects could not be estimated" in alone.model.reason
    assert alone.effects.note[0] == "assumes that there are no interactions: aliased with b:c"
    by_hand = table.groupby("a").response.mean()
    assert alone.effects.estimate[0] == pytest.approx(by_hand[1] - by_hand[0])


@pytest.mark.parametrize(("lost", "kept"), [(0, True), (10, True), (11, False)])
def test_interactions_that_cost_the_main_effects_their_precision_stay_out(lost, kept):
    """A 2 x 2 design with 12 runs in all cells but one. By hand, in units of the noise: with the interaction, an effect
    has the variance sum 1 / n_ij / 4, without it 1 / sum_j 1 / (1 / n_1j + 1 / n_2j)."""
    table = factorial(a=[0, 1], b=[0, 1], replicates=12).iloc[lost:].reset_index(drop=True)
    design = design_of(table.assign(response=np.arange(len(table))), ["a", "b"])
    n = 12.0 - lost
    with_interaction = (1 / n + 3 / 12) / 4
    without = 1 / (1 / (1 / n + 1 / 12) + 1 / (1 / 12 + 1 / 12))
    assert (with_interaction <= 1.25**2 * without) == kept
    assert design.has_interactions == kept


def test_factor_confounded_with_the_seed_is_named():
    table = factorial(a=[0, 1], b=[0, 1], replicates=3)
    table = table.assign(seed=table.a, response=np.random.default_rng(0).standard_normal(12))
    result = fit_study(table, ["a", "b"], permutations=0)
    effects = result.effects.set_index("factor")
    assert effects.note["a"] == "not estimable: aliased with seed"
    assert np.isnan(effects.estimate["a"])
    assert np.isfinite(effects.std_error["b"])


def test_a_constant_term_is_not_reported_as_an_alias():
    """c is the opposite of a: their product is the same in every run, whatever b is."""
    table = factorial(a=[-1, 1], b=[-1, 1], replicates=4).assign(c=lambda t: -t.a)
    table["response"] = np.random.default_rng(0).standard_normal(len(table))
    result = fit_study(table, ["a", "b", "c"], interactions="two-way", permutations=0)
    notes = result.anova.set_index("term").note
    assert (notes["a:c"], notes["a"]) == ("constant over the runs", "aliased with c")


def test_empty_combination_is_named():
    table = factorial(a=list("xyz"), b=[False, True], replicates=4)
    table = table[~((table.a == "y") & table.b)]
    table = table.assign(response=np.random.default_rng(0).standard_normal(len(table)))
    alone = fit_study(table, ["a", "b"], permutations=0)
    assert alone.effects.estimate.notna().all()
    assert alone.effects.note.str.contains("assumes that there are no interactions: no run has a=y with b=True").all()
    assert (fit_study(table, ["a"], permutations=0).effects.note == "").all()
    result = fit_study(table, ["a", "b"], permutations=0, interactions="two-way")
    assert result.effects.estimate.isna().all()
    assert result.effects.note.str.contains("no run has a=y with b=True").all()
    anova = result.anova.set_index("term")
    assert anova.df["a:b"] == 1
    assert anova.note["a:b"] == "1 of 2 degrees of freedom are aliased"
    means = result.marginal_means.set_index(["factor", "level"])["mean"]
    assert np.isnan(means["a", "y"])
    assert means["a", "x"] == pytest.approx(table[table.a == "x"].response.mean())


def test_alias_with_several_terms_at_once():
    """c = a + b: neither a nor b alone determines c, but b and c together determine a."""
    table = factorial(a=[0, 1], b=[0, 1], replicates=3)
    table = table.assign(c=table.a + table.b, response=np.random.default_rng(0).standard_normal(12))
    anova = fit_study(table, list("abc"), permutations=0, interactions="none").anova.set_index("term")
    assert anova.note.to_dict() == {
        "a": "aliased with b, c",
        "b": "aliased with a, c",
        "c": "1 of 2 degrees of freedom are aliased",
        "residual": "",
    }
    assert anova.df["residual"] == 8


def test_many_empty_combinations_are_not_all_listed():
    table = factorial(a=list("pqrst"), b=list("uvwxy"), replicates=3)
    table = table[[(ord(a) + ord(b)) % 5 < 3 for a, b in zip(table.a, table.b, strict=True)]]
    table = table.assign(response=np.random.default_rng(0).standard_normal(len(table)))
    note = fit_study(table, ["a", "b"], permutations=0, interactions="two-way").effects.note[0]
    assert note.count("a=") == 3
    assert " or others" in note


def test_interactions_that_would_not_fit_into_memory_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.DataFrame(itertools.product("ab", "cde", "fgh", range(2)), columns=["x", "y", "z", "again"])
    read = [read_factor(name, table[name].astype(object)) for name in "xyz"]
    factors, codes = [factor for factor, _ in read], np.column_stack([code for _, code in read])
    assert choose_model(factors, codes, None).has_interactions
    monkeypatch.setattr(model, "MAX_INTERACTION_CELLS", 36 * (2 + 2 + 4))
    assert choose_model(factors, codes, None).has_interactions
    monkeypatch.setattr(model, "MAX_INTERACTION_CELLS", 36 * (2 + 2 + 4) - 1)
    assert not choose_model(factors, codes, None).has_interactions
    assert choose_model(factors, codes, None, "two-way").has_interactions


def test_of_too_many_shared_seeds_the_first_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seeds of twelve runs each: as if the runs of the last six had not been there, and it is said."""
    rng = np.random.default_rng(0)
    table = factorial(a=[0, 1], b=[0, 1, 2, 3, 4, 5], seeds=10)
    table["response"] = rng.normal(size=len(table))
    whole = prepare(table, ["a", "b"], table["response"], Columns(), "auto")
    assert len(whole.y) == 120
    monkeypatch.setattr(model, "MAX_BLOCK_CELLS", 4 * 48)
    few = prepare(table, ["a", "b"], table["response"], Columns(), "auto")
    kept = table["seed"].isin(sorted(table["seed"].unique())[:4])
    np.testing.assert_array_equal(few.y, table.loc[kept, "response"])
    assert few.seeds == whole.seeds[:4]
    assert few.notes == (
        "the cells share 10 seeds, more than can be analysed together: only the first 4 seeds are used, with 48 of "
        "120 runs",
    )


def test_separable_factors_are_those_of_the_dense_matrix_of_blocks() -> None:
    """A factor that is constant within each seed, or a sum of others within them, is new to none of its columns."""
    rng = np.random.default_rng(1)
    seeds = np.repeat(np.arange(6), 8)
    a, b = np.tile(np.repeat([0, 1], 4), 6), rng.integers(0, 3, 48)
    table = pd.DataFrame({"a": a, "b": b, "of_seed": seeds % 2, "shifted": 2 * a + seeds % 2})
    assert separable_factors(table, ["a", "b", "of_seed"], pd.Series(seeds)) == ("a", "b")
    assert separable_factors(table, ["a", "b", "of_seed"]) == ("a", "b", "of_seed")
    # Its four values are three columns, of which two lie in those of `a` and of the blocks.
    assert separable_factors(table, ["a", "b", "shifted"], pd.Series(seeds)) == ("a", "b")
