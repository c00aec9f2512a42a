"""Marginal means from per-seed means, pairwise contrasts, simple effects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from attnae.analysis.study import fit_study
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial


def test_intervals_come_from_the_means_of_the_seeds():
    table = article_study()
    means = fit_study(table, ARTICLE_FACTORS, permutations=0).marginal_means
    assert means.columns.tolist()[:7] == ["factor", "level", "mean", "std_error", "ci_low", "ci_high", "n"]
    row = means.set_index(["factor", "level"]).loc[("act", "selu")]
    by_seed = table[table.act == "selu"].groupby("seed").response.mean()
    assert row["mean"] == pytest.approx(by_seed.mean())
    assert row["std_error"] == pytest.approx(by_seed.std(ddof=1) / np.sqrt(3))
    assert row["ci_high"] - row["mean"] == pytest.approx(stats.t.ppf(0.975, 2) * row["std_error"])
    assert (row["n"], row["df"]) == (24, 2)


def test_missing_cells_do_not_bias_the_means_of_a_seed():
    """Without noise, seed means from model M are exact although cells are missing; raw means of runs are not."""
    table = article_study(noise=0.0).assign(response=lambda t: t.response + 0.1 * t.seed)
    table = table.drop(index=[0, 5, 40, 77])
    means = fit_study(table, ARTICLE_FACTORS, permutations=0).marginal_means.set_index(["factor", "level"])
    expected = 0.25 + 0.015 - 0.01 + 0.1
    assert means["mean"]["act", "elu"] == pytest.approx(expected)
    assert means["mean"]["act", "sigmoid"] == pytest.approx(expected + 0.02)
    assert means["std_error"]["act", "elu"] == pytest.approx(0.1 / np.sqrt(3))


def test_blocks_too_small_for_a_mean_of_their_own_leave_the_error_of_model_m():
    """The layout of Yates' npk (1937): six blocks of four plots, half a factorial each."""
    half = factorial(n=[0, 1], p=[0, 1], k=[0, 1])
    parity = (half.n + half.p + half.k) % 2
    table = pd.concat([half[parity == block % 2].assign(seed=block) for block in range(6)], ignore_index=True)
    table["response"] = 50 + 5 * table.n + np.random.default_rng(0).standard_normal(24) + table.seed
    means = fit_study(table, ["n", "p", "k"], permutations=0).marginal_means.set_index(["factor", "level"])
    assert np.isfinite(means[["std_error", "ci_low", "ci_high", "df"]]).all(axis=None)
    assert set(means.method) == {"model M, HC2"}
    assert means["mean"]["n", "1"] == pytest.approx(table.response[table.n == 1].mean())


def test_replicates_have_the_error_of_model_m():
    table = factorial(act=list("pqr"), replicates=5)
    table["response"] = np.random.default_rng(0).standard_normal(15)
    means = fit_study(table, ["act"], permutations=0).marginal_means.set_index("level")
    for level, group in table.groupby("act"):
        assert means["mean"][level] == pytest.approx(group.response.mean())
        assert means["std_error"][level] == pytest.approx(group.response.std(ddof=1) / np.sqrt(5))
        assert means["df"][level] == pytest.approx(4)


def test_pairwise_contrasts():
    table = article_study()
    pairs = fit_study(table, ARTICLE_FACTORS, permutations=0).pairwise
    means = table.groupby("act").response.mean()
    assert len(pairs) == 6
    for row in pairs.itertuples():
        assert row.estimate == pytest.approx(means[row.level] - means[row.versus])
    # Within three seeds p is the paired t test of the seeds' means; the closure only makes it larger.
    wide = table.groupby(["seed", "act"]).response.mean().unstack()
    p = [stats.ttest_rel(wide[row.level], wide[row.versus]).pvalue for row in pairs.itertuples()]
    np.testing.assert_allclose(pairs.p, p)
    assert (pairs.p <= pairs.p_ryan).all()
    assert (pairs.p_ryan <= pairs.p_holm).all()
    two_level = factorial(a=[0, 1], replicates=4)
    two_level["response"] = np.random.default_rng(0).standard_normal(8)
    assert fit_study(two_level, ["a"], permutations=0).pairwise is None


def test_simple_effects_only_where_an_interaction_is_significant():
    table = article_study()
    assert fit_study(table, ARTICLE_FACTORS, permutations=0).simple_effects is None
    table["response"] += 0.05 * (table.dropout & (table.act == "sigmoid"))
    simple = fit_study(table, ARTICLE_FACTORS, permutations=0).simple_effects
    assert set(zip(simple.factor, simple.within, strict=True)) == {("dropout", "act"), ("act", "dropout")}
    cell = table.groupby(["dropout", "act"]).response.mean()
    of_dropout = simple[simple.factor == "dropout"].set_index("at")
    of_act = simple[(simple.factor == "act") & (simple["at"] == "True")].set_index("level")
    for act in ("elu", "sigmoid"):
        assert of_dropout.estimate[act] == pytest.approx(cell[True, act] - cell[False, act])
        assert of_act.estimate[act] == pytest.approx(cell[True, act] - cell[True].mean())
    np.testing.assert_allclose(simple.p_holm, multipletests(simple.p, method="holm")[1])
