"""Best cells, differences to a baseline, and how many seeds are needed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.multitest import multipletests

from attnae.analysis.estimates.best import CONTRAST, PAIRED, PREDICTED, PURE_ERROR
from attnae.analysis.study import fit_study
from attnae.errors import UserError
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial


def test_replicated_cells_by_the_pure_error():
    """Cell means, their differences and errors are those of cells + blocks fitted by statsmodels."""
    table = article_study().drop(index=[0, 31, 64]).reset_index(drop=True)
    cells = fit_study(table, ARTICLE_FACTORS, permutations=0).cells
    key = table[ARTICLE_FACTORS].astype(str).agg("|".join, axis=1)
    fit = ols("response ~ 0 + C(cell) + C(seed, Sum)", table.assign(cell=key)).fit()
    names = cells[ARTICLE_FACTORS].agg("|".join, axis=1)
    assert set(cells.method) == {PURE_ERROR}
    assert cells["mean"].tolist() == pytest.approx([fit.params[f"C(cell)[{name}]"] for name in names])
    assert cells["mean"].is_monotonic_increasing
    p = []
    for row, name in zip(cells.iloc[1:].itertuples(), names[1:], strict=True):
        test = fit.t_test(f"C(cell)[{name}] - C(cell)[{names[0]}] = 0")
        assert (row.difference, row.std_error) == pytest.approx((test.effect[0], test.sd.item()))
        p.append(test.pvalue.item() / 2)
    np.testing.assert_allclose(cells.p[1:], p, rtol=1e-6)
    np.testing.assert_allclose(cells.p_hsu[1:], np.minimum(31 * np.array(p), 1), rtol=1e-6)
    assert np.isnan(cells.p[0])
    limit = stats.t.ppf(1 - 0.05 / 31, fit.df_resid)
    assert cells.may_be_best.tolist() == [True, *(cells.difference[1:] / cells.std_error[1:] <= limit)]
    assert 1 < cells.may_be_best.sum() < 31


def test_goal_puts_the_largest_first():
    cells = fit_study(article_study(), ARTICLE_FACTORS, permutations=0, goal="max").cells
    assert cells["mean"].is_monotonic_decreasing


def test_unreplicated_cells_by_predictions():
    table = article_study(seeds=1)
    cells = fit_study(table, ARTICLE_FACTORS, permutations=0).cells
    fit = ols("response ~ (batch_norm + dropout + spatial_attention + C(act)) ** 2", table).fit()
    predicted = dict(zip(table[ARTICLE_FACTORS].astype(str).agg("|".join, axis=1), fit.fittedvalues, strict=True))
    assert set(cells.method) == {PREDICTED}
    for name, mean in zip(cells[ARTICLE_FACTORS].agg("|".join, axis=1), cells["mean"], strict=True):
        assert mean == pytest.approx(predicted[name])
    assert len(cells) == 32


def test_baseline_is_paired_by_seed():
    table = article_study()
    base = dict.fromkeys(ARTICLE_FACTORS[:3], False) | {"act": "relu"}
    rows = fit_study(table, ARTICLE_FACTORS, permutations=0, baseline=base).baseline
    assert len(rows) == 31
    assert set(rows.method) == {PAIRED}
    by_cell = table.set_index([*ARTICLE_FACTORS, "seed"]).response.unstack()
    off = by_cell.loc[(False, False, False, "relu")]
    p = []
    for row in rows.itertuples():
        cell = by_cell.loc[(row.batch_norm == "True", row.dropout == "True", row.spatial_attention == "True", row.act)]
        test = stats.ttest_rel(cell, off)
        interval = test.confidence_interval()
        assert row.difference == pytest.approx((cell - off).mean())
        assert (row.ci_low, row.ci_high) == pytest.approx((interval.low, interval.high))
        assert row.p == pytest.approx(test.pvalue)
        p.append(test.pvalue)
    np.testing.assert_allclose(rows.p_holm, multipletests(p, method="holm")[1])


def test_partial_baseline_pairs_runs_that_agree_in_all_else():
    table = article_study()
    rows = fit_study(table, ARTICLE_FACTORS, permutations=0, baseline={"act": "RELU"}).baseline.set_index("act")
    by_seed = table.groupby(["act", "seed"]).response.mean().unstack()
    test = stats.ttest_rel(by_seed.loc["sigmoid"], by_seed.loc["relu"])
    assert rows.index.tolist()[-1] == "sigmoid"
    assert rows.p["sigmoid"] == pytest.approx(test.pvalue)
    assert rows.n["sigmoid"] == 24


def test_baseline_of_one_seed_uses_model_m():
    table = article_study(seeds=1)
    result = fit_study(table, ARTICLE_FACTORS, permutations=0, baseline={"batch_norm": False})
    effect = result.effects.set_index("factor").loc["batch_norm"]
    row = result.baseline.iloc[0]
    assert [row.difference, row.std_error, row.df, row.p] == pytest.approx(
        [effect.estimate, effect.std_error, effect.df, effect.p]
    )


def test_baseline_mistakes():
    table = article_study()
    with pytest.raises(UserError, match="'actt' is not a factor of this study; choose from batch_norm"):
        fit_study(table, ARTICLE_FACTORS, baseline={"actt": "relu"})
    with pytest.raises(UserError, match="act has no level 'gelu'; choose from elu, relu, selu, sigmoid"):
        fit_study(table, ARTICLE_FACTORS, baseline={"act": "gelu"})
    holes = table[~((table.act == "relu") & ~table.batch_norm)]
    with pytest.raises(UserError, match="no finished run has batch_norm=False, act=relu"):
        fit_study(holes, ARTICLE_FACTORS, baseline={"batch_norm": False, "act": "relu"})


def test_baseline_of_replicates_uses_model_m():
    table = factorial(a=[0, 1], b=[0, 1], replicates=5)
    table["response"] = np.random.default_rng(0).standard_normal(20)
    result = fit_study(table, ["a", "b"], permutations=0, baseline={"a": 0, "b": 0})
    cell = table.groupby(["a", "b"]).response
    rows = result.baseline.set_index(["a", "b"])
    assert set(rows.method) == {f"{CONTRAST}, HC2"}
    welch = np.sqrt(cell.var()[1, 1] / 5 + cell.var()[0, 0] / 5)
    assert rows.difference["1", "1"] == pytest.approx(cell.mean()[1, 1] - cell.mean()[0, 0])
    assert rows.std_error["1", "1"] == pytest.approx(welch)


def test_long_lists_are_cut_but_all_cells_count():
    """120 cells: the 100 best are listed, and the comparisons with the best count all of them."""
    table = factorial(a=list(range(1, 121)), replicates=2).astype({"a": str})
    table["response"] = np.random.default_rng(0).standard_normal(240)
    cells = fit_study(table, ["a"], permutations=0).cells
    assert len(cells) == 100
    smallest = cells.p.idxmin()
    assert cells.p_hsu[smallest] == pytest.approx(min(1.0, 119 * cells.p[smallest]))


def test_factors_named_like_computed_columns():
    """A pressure called p is not overwritten by the p-values."""
    table = factorial(p=[10, 20], n=["x", "y"], replicates=3)
    table["response"] = np.random.default_rng(0).standard_normal(12)
    result = fit_study(table, ["p", "n"], permutations=0, baseline={"p": 10})
    assert set(result.cells["factor:p"]) == {"10", "20"}
    assert set(result.cells["factor:n"]) == {"x", "y"}
    assert result.cells["n"].tolist() == [3] * 4
    assert result.baseline["factor:p"].tolist() == ["20"]
    assert result.baseline.p[0] == pytest.approx(result.effects.p[0])
