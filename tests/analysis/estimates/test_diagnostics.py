"""Residual diagnostics against statsmodels and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.multitest import multipletests

from attnae.analysis.study import fit_study
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial

FORMULA = "response ~ C(seed) + (C(batch_norm) + C(dropout) + C(spatial_attention) + C(act)) ** 2"


def test_residuals_leverage_and_studentized_residuals():
    table = article_study().drop(index=[4, 90]).reset_index(drop=True)
    found = fit_study(table, ARTICLE_FACTORS, permutations=0).diagnostics
    influence = ols(FORMULA, table).fit().get_influence()
    rows = found.residuals
    np.testing.assert_allclose(rows.leverage, influence.hat_matrix_diag)
    np.testing.assert_allclose(rows.residual, influence.resid, atol=1e-12)
    np.testing.assert_allclose(rows.studentized, influence.resid_studentized_external)
    np.testing.assert_allclose(rows.fitted + rows.residual, table.response)
    (theoretical, ordered), _ = stats.probplot(rows.residual)
    assert np.corrcoef(np.sort(rows["quantile"]), theoretical)[0, 1] > 0.999
    np.testing.assert_allclose(rows.sort_values("quantile").residual, ordered)


def test_largest_residual_is_named_with_bonferroni_p():
    table = article_study()
    table.loc[17, "response"] += 0.1
    largest = fit_study(table, ARTICLE_FACTORS, permutations=0).diagnostics.largest
    outlier = ols(FORMULA, table).fit().outlier_test(method="bonf").sort_values("bonf(p)").iloc[0]
    assert largest["run"] == "run17"
    assert (largest["studentized"], largest["p"]) == pytest.approx((outlier.student_resid, outlier["bonf(p)"]))


def test_brown_forsythe_in_replicated_studies_only():
    table = article_study()
    table.loc[table.act == "sigmoid", "response"] += 0.05 * np.random.default_rng(0).standard_normal(24)
    found = fit_study(table, ARTICLE_FACTORS, permutations=0).diagnostics
    residual = ols(FORMULA, table).fit().resid
    statistic, p = stats.levene(*[residual[table.act == level] for level in sorted(set(table.act))], center="median")
    row = found.brown_forsythe.set_index("factor").loc["act"]
    assert (row.statistic, row.p) == pytest.approx((statistic, p))
    assert row.p_holm < 0.01
    np.testing.assert_allclose(found.brown_forsythe.p_holm, multipletests(found.brown_forsythe.p, method="holm")[1])
    spread = found.spread.set_index(["factor", "level"]).sd
    assert spread["act", "sigmoid"] == pytest.approx(residual[table.act == "sigmoid"].std(ddof=1))
    assert fit_study(article_study(seeds=1), ARTICLE_FACTORS, permutations=0).diagnostics.brown_forsythe is None


def test_box_cox_profile_is_scipys_likelihood_of_the_residuals():
    table = factorial(a=[0, 1], replicates=20)
    table["response"] = np.exp(0.4 * np.random.default_rng(2).standard_normal(40) + table.a)
    box_cox = fit_study(table, ["a"], permutations=0).diagnostics.box_cox
    y = table.response.to_numpy()
    logs = np.log(y)

    def log_likelihood(power):
        moved = (y**power - 1) / power if power else logs
        residual = moved - np.where(table.a == 1, moved[table.a == 1].mean(), moved[table.a == 0].mean())
        return -20 * np.log((residual**2).mean()) + (power - 1) * logs.sum()

    rows = box_cox.profile.set_index("lambda").log_likelihood
    expected = np.array([log_likelihood(power) for power in rows.index])
    # Up to a constant: the responses are divided by their geometric mean.
    np.testing.assert_allclose(rows - rows.max(), expected - expected.max(), atol=1e-8)
    assert box_cox.low <= 0 <= box_cox.high
    assert box_cox.low < box_cox.best < box_cox.high
    assert box_cox.high < 1
    inside = rows.index[rows >= rows.max() - stats.chi2.ppf(0.95, 1) / 2]
    assert (box_cox.low, box_cox.high) == pytest.approx((inside.min(), inside.max()))


def test_box_cox_needs_positive_responses():
    table = article_study()
    found = fit_study(table.assign(response=table.response - 0.25), ARTICLE_FACTORS, permutations=0)
    assert found.diagnostics.box_cox is None
