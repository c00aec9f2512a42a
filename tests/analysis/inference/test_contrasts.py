"""Contrasts against statsmodels, slow references and closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests

from attnae.analysis.design.factors import read_factor
from attnae.analysis.design.model import Design, build, choose_model
from attnae.analysis.inference.contrasts import contrasts, point_estimates, two_sided_p
from attnae.analysis.inference.families import holm


def unbalanced(seed: int = 3, runs: int = 40):
    rng = np.random.default_rng(seed)
    columns = {"a": rng.integers(0, 2, runs), "b": rng.choice(list("xyz"), runs), "c": rng.integers(0, 2, runs)}
    read = [read_factor(name, pd.Series(values)) for name, values in columns.items()]
    codes = np.column_stack([codes for _, codes in read])
    design = choose_model([factor for factor, _ in read], codes, None)
    return design, rng.standard_normal(runs) * (1 + codes[:, 0]) + codes @ [1.0, 0.5, 0.0]


def main_rows(design):
    return np.array([design.place(f.name, w) for f in design.factors for _, w in f.effect_rows()])


def test_hc2_equals_statsmodels():
    design, y = unbalanced()
    rows = main_rows(design)
    fit = sm.OLS(y, design.matrix).fit(cov_type="HC2")
    ours = contrasts(design, rows).fit(y)
    np.testing.assert_allclose(ours.estimate, rows @ fit.params, rtol=1e-10)
    np.testing.assert_allclose(ours.std_error, np.sqrt(np.diag(rows @ fit.cov_params() @ rows.T)), rtol=1e-10)


def test_bell_mccaffrey_against_a_double_loop():
    """Satterthwaite from the definition: moments of e' D e, e = (I - H) errors, entry by entry."""
    design, _ = unbalanced()
    rows = main_rows(design)
    fitted = contrasts(design, rows)
    x = design.matrix
    hat = x @ np.linalg.inv(x.T @ x) @ x.T
    residual_maker = np.eye(design.n) - hat
    for row, df in zip(rows, fitted.df, strict=True):
        w = x @ np.linalg.inv(x.T @ x) @ row
        first = second = 0.0
        for i in range(design.n):
            first += w[i] ** 2 / (1 - hat[i, i]) * residual_maker[i, i]
            for j in range(design.n):
                scale = w[i] ** 2 / (1 - hat[i, i]) * w[j] ** 2 / (1 - hat[j, j])
                second += scale * residual_maker[i, j] ** 2
        assert df == pytest.approx(first**2 / second, rel=1e-9)


def test_two_sample_contrast_has_welch_error_and_bell_mccaffrey_df():
    """Two groups: HC2 is Welch's variance, and the df is (s1 + s2)^2 / (s1^2/(n1-1) + s2^2/(n2-1)), s = 1/n."""
    factor, codes = read_factor("a", pd.Series([0] * 4 + [1] * 9))
    design = build([factor], codes[:, None], None, interactions=False)
    y = np.random.default_rng(0).standard_normal(13)
    fitted = contrasts(design, design.place("a", np.array([2.0])))
    welch = np.sqrt(y[:4].var(ddof=1) / 4 + y[4:].var(ddof=1) / 9)
    assert fitted.fit(y).std_error[0] == pytest.approx(welch)
    assert fitted.df[0] == pytest.approx((1 / 4 + 1 / 9) ** 2 / ((1 / 4) ** 2 / 3 + (1 / 9) ** 2 / 8))


def test_balanced_two_level_main_effects_have_the_pooled_error():
    signs = np.array([[i >> k & 1 for k in range(3)] for i in range(8)] * 2)
    factors = [read_factor(name, pd.Series(column))[0] for name, column in zip("abc", signs.T, strict=True)]
    design = build(factors, signs, None, interactions=False)
    y = np.random.default_rng(1).standard_normal(16)
    rows = main_rows(design)
    hc2, pooled = contrasts(design, rows), contrasts(design, rows, pooled=True)
    np.testing.assert_allclose(hc2.fit(y).std_error, pooled.fit(y).std_error, rtol=1e-12)
    np.testing.assert_allclose(hc2.df, design.residual_df)
    np.testing.assert_allclose(pooled.fit(y).std_error, 2 * sm.OLS(y, design.matrix).fit().bse[1:], rtol=1e-12)


def test_leverage_one_falls_back_to_the_pooled_error():
    factor, codes = read_factor("act", pd.Series(["a"] * 5 + ["b"] * 5 + ["c"]))
    design = build([factor], codes[:, None], None, interactions=False)
    y = np.random.default_rng(2).standard_normal(11)
    coding = factor.coding
    rows = np.array([design.place("act", coding[0] - coding[1]), design.place("act", coding[0] - coding[2])])
    fitted = contrasts(design, rows)
    assert fitted.pooled.tolist() == [False, True]
    assert fitted.df[1] == 8
    sigma = np.sqrt((y[:5].var(ddof=1) + y[5:10].var(ddof=1)) / 2)
    assert fitted.fit(y).std_error[1] == pytest.approx(sigma * np.sqrt(1 / 5 + 1))
    assert fitted.fit(y).std_error[0] == pytest.approx(np.sqrt(y[:5].var(ddof=1) / 5 + y[5:10].var(ddof=1) / 5))


def test_many_studies_at_once_equal_single_studies():
    design, _ = unbalanced()
    y = np.random.default_rng(4).standard_normal((design.n, 5)) + 100
    fitted = contrasts(design, main_rows(design))
    together = fitted.fit(y)
    for k in range(5):
        alone = fitted.fit(y[:, k])
        for name in ("estimate", "std_error", "p"):
            np.testing.assert_allclose(getattr(together, name)[:, k], getattr(alone, name), rtol=1e-9)


def test_large_offsets_do_not_lose_precision():
    design, y = unbalanced()
    rows = main_rows(design)
    near, far = contrasts(design, rows).fit(y), contrasts(design, rows).fit(y + 2.0**30)
    np.testing.assert_allclose(far.estimate, near.estimate, atol=1e-6)
    np.testing.assert_allclose(far.std_error, near.std_error, atol=1e-6)


def test_point_estimates_agree_with_fits():
    design, y = unbalanced()
    rows = np.vstack([main_rows(design), design.mean_contrast({"a": 1})])
    np.testing.assert_allclose(point_estimates(design, rows, y), contrasts(design, rows).fit(y).estimate)


def test_exact_responses_give_p_zero_or_one():
    factors = [read_factor(name, pd.Series(column))[0] for name, column in (("a", [0, 1]), ("b", [0, 1]))]
    codes = np.array([[0, 0], [1, 0], [0, 1], [1, 1]] * 2)
    design = build(factors, codes, None, interactions=False)
    estimates = contrasts(design, main_rows(design)).fit(0.1 + 0.3 * codes[:, 0])
    assert estimates.p.tolist() == [0.0, 1.0]
    assert estimates.estimate[1] == 0.0
    assert two_sided_p(
        np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0]), np.array([5.0, 5.0, 5.0])
    ) == pytest.approx([1.0, 0.0, 2 * stats.t.sf(2, 5)])


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_statsmodels_holm(seed):
    p = np.random.default_rng(seed).uniform(size=9) ** 3
    p[3] = p[4]
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])


def test_holm_leaves_out_missing_p_and_works_by_column():
    p = np.array([[0.01, np.nan], [0.04, 0.03], [np.nan, 0.02], [0.03, 0.5]])
    expected = np.full((4, 2), np.nan)
    for column in range(2):
        known = np.isfinite(p[:, column])
        expected[known, column] = multipletests(p[known, column], method="holm")[1]
    np.testing.assert_allclose(holm(p), expected)


def test_hc2_is_that_of_stata():
    """`regress y x, vce(hc2)` of Stata on numbers that any program can make, as printed in the tests of the R package
    dfadjust (Kolesar, tests/testthat/test_clustervar.R)."""
    x = np.sin(np.concatenate([np.arange(1, 11), np.arange(2, 12)]))
    y = np.concatenate([np.cos(np.arange(10)), np.tan(np.arange(1, 11))])
    terms = {"(intercept)": slice(0, 1), "x": slice(1, 2)}
    design = Design((), np.zeros((20, 0), dtype=int), None, terms, np.column_stack([np.ones(20), x]), np.arange(20))
    for clusters in (None, np.arange(20)):
        found = contrasts(design, np.eye(2), clusters=clusters).fit(y)
        np.testing.assert_allclose(found.estimate, [-0.4456202905, 0.3241183110], atol=1e-10)
        np.testing.assert_allclose(found.std_error, [0.4227339762, 0.4421048122], atol=1e-10)
