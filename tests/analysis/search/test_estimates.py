"""Shares, curves, levels and effects of one setting against statsmodels, closed forms and simulated truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import chi2, ncf, ncx2, norm

from attnae.analysis.search.estimates.curve import fit_curve
from attnae.analysis.search.estimates.effects import fit_effect
from attnae.analysis.search.estimates.levels import compare_levels
from attnae.analysis.search.estimates.share import Share, needs_of, noncentrality, share_of
from attnae.analysis.search.model.partial import Partial
from attnae.analysis.search.model.regression import orthonormal
from attnae.analysis.search.model.settings import RARE, read_setting
from attnae.analysis.search.scores import normal_scores, winsorised


def _setting(values, name="x"):
    return read_setting(name, pd.Series(list(values), dtype=object), None, np.ones(len(values), dtype=bool))[0]


def _mean(n):
    return orthonormal(np.ones((n, 1)))


def test_normal_scores_by_hand():
    """Four runs, two of them diverged, which share the ranks 3 and 4."""
    z = normal_scores(np.array([2.0, np.inf, 1.0, np.inf]), np.zeros(4))
    np.testing.assert_allclose(z, norm.ppf((np.array([2, 3.5, 1, 3.5]) - 0.375) / 4.25))


def test_scores_are_computed_within_strata():
    z = normal_scores(np.array([1.0, 2.0, 101.0, 102.0]), np.array([0, 0, 1, 1]))
    np.testing.assert_allclose(z[:2], z[2:])


def test_winsorised_costs_end_at_three_mad():
    y = winsorised(np.array([0.0, 1.0, 2.0, 3.0, 4.0, 1000.0, np.inf]), np.zeros(7))
    mad = 1.5 / norm.ppf(0.75)
    np.testing.assert_allclose(y, [-2.5 / mad, -1.5 / mad, -0.5 / mad, 0.5 / mad, 1.5 / mad, 3, 3])
    assert winsorised(np.array([1.0, 1.0, 1.0, 2.0]), np.zeros(4)) is None
    assert winsorised(np.full(3, np.inf), np.zeros(3)) is None


def test_the_share_is_that_of_the_f_test():
    rng = np.random.default_rng(0)
    x = rng.choice(["a", "b", "c"], 50)
    other = rng.standard_normal(50)
    z = 2.5 * (x == "c") + 0.5 * other + rng.standard_normal(50)
    setting, nuisance = _setting(x), np.column_stack([np.ones(50), other])
    share = share_of(Partial(orthonormal(nuisance), setting.columns), z, 0.05)
    full = sm.OLS(z, np.column_stack([nuisance, setting.columns])).fit()
    squares = sm.OLS(z, nuisance).fit().ssr - full.ssr
    total = ((z - z.mean()) ** 2).sum()
    assert share.estimate == pytest.approx((squares - 2 * full.mse_resid) / total, rel=1e-9)
    assert share.unexplained == pytest.approx(1 - full.rsquared_adj, rel=1e-9)
    f = squares / 2 / full.mse_resid
    for limit, probability in ((share.low, 0.975), (share.high, 0.025)):
        assert ncf.cdf(f, 2, full.df_resid, limit * total / full.mse_resid) == pytest.approx(probability, abs=1e-3)


def test_an_f_below_one_does_not_give_an_upper_limit_of_zero():
    """With 20 runs, nothing that a setting does could show that it explains at most 2%."""
    x = np.array([0, 1] * 10)
    z = np.repeat(np.arange(10.0), 2)  # equal means at both levels
    share = share_of(Partial(_mean(20), _setting(x).columns), z - z.mean(), 0.05)
    assert share.estimate == share.low == 0
    assert share.high > 0.1


def test_a_perfect_fit_has_a_share_of_one():
    x = np.array([0, 1] * 10)
    share = share_of(Partial(_mean(20), _setting(x).columns), x - 0.5, 0.05)
    assert (share.estimate, share.low, share.high, share.unexplained) == pytest.approx((1, 1, 1, 0))


@pytest.mark.parametrize(("df", "level"), [(1, 0.05), (3, 0.005), (9, 0.001)])
def test_the_noncentrality_has_80_percent_power(df, level):
    assert ncx2.sf(chi2.isf(level, df), df, noncentrality(df, level)) == pytest.approx(0.8)


def test_runs_for_a_share():
    """One degree of freedom at the 5% level: (1.96 + 0.84)^2 = 7.85."""
    needs = needs_of(Share(0.2, 0.1, 0.3, 1, 0.5), n=50, family=1, alpha=0.05)
    assert needs.mde_share == pytest.approx(7.849 * 0.5 / 50, rel=1e-3)
    assert needs.runs_for_this == np.ceil(7.849 * 0.5 / 0.2)
    assert needs.runs_for_tenth == np.ceil(7.849 * 0.5 / 0.1)
    none = needs_of(Share(0.0, 0.0, 0.3, 1, 1.0), n=7, family=10, alpha=0.05)
    assert np.isnan(none.runs_for_this)
    assert np.isnan(none.mde_share)  # no share of at most 100% would be found


def _curve(shape, n, seed, noise=0.3):
    rng = np.random.default_rng(seed)
    place = rng.uniform(0, 1, n)
    y = shape(place) + noise * rng.standard_normal(n)
    z = normal_scores(y, np.zeros(n))
    return fit_curve(setting := _setting(10 ** (4 * place - 5), "lr"), z - z.mean(), _mean(n), 0.05), setting, y


def _values(setting, *u):
    return setting.values_at(np.array(u))


def test_the_best_value_of_a_u_shape():
    curve, setting, _ = _curve(lambda v: 4 * (v - 0.5) ** 2, 100, 0)
    low, best, high = _values(setting, curve.u_low, curve.u_best, curve.u_high)
    assert low < 1e-3 < high
    assert 3e-4 < best < 3e-3
    assert curve.located
    assert curve.inside
    assert curve.at_edge == ""


def test_the_best_value_of_a_line_is_at_its_end():
    curve, setting, _ = _curve(lambda v: 2 * v, 100, 1)
    assert not curve.inside
    assert curve.at_edge == "low"
    assert curve.u_low == setting.grid[0]
    assert curve.rise > 0
    assert curve.rise_p < 1e-6
    mirrored, _, _ = _curve(lambda v: -2 * v, 100, 1)
    assert mirrored.at_edge == "high"
    assert mirrored.rise < 0


def test_without_an_effect_the_best_value_is_not_located():
    curve, setting, _ = _curve(lambda v: 0 * v, 60, 2)
    assert not curve.located
    assert (curve.u_low, curve.u_high) == (setting.grid[0], setting.grid[-1])


@pytest.mark.parametrize("above", [True, False])
def test_a_cliff_is_named_and_its_foot_is_covered(above):
    def shape(v):
        v = v if above else 1 - v
        return np.where(v < 0.8, -v, 2.0)

    curve, setting, _ = _curve(shape, 100, 3, noise=0.2)
    foot = 10 ** (4 * (0.8 if above else 0.2) - 5)
    assert curve.step is not None
    assert curve.step.above == above
    assert curve.step.value == pytest.approx(foot, rel=0.2)
    assert curve.rough
    low, high = _values(setting, curve.u_low, curve.u_high)
    assert low <= foot <= high


def test_without_a_cliff_few_searches_name_one():
    """The rule by which the interval is extended alone would name one in more than 40% of these."""
    named = [_curve(lambda v: 0 * v, 20, seed)[0].step is not None for seed in range(100)]
    assert sum(named) <= 10


def test_the_interval_is_rough_below_40_runs():
    assert _curve(lambda v: 4 * (v - 0.5) ** 2, 39, 5)[0].rough
    smooth = [_curve(lambda v: 4 * (v - 0.5) ** 2, 60, seed)[0].rough for seed in range(20)]
    assert sum(smooth) <= 10  # the others were extended to a possible jump


def test_a_curve_of_few_values_is_read_at_these_values():
    rng = np.random.default_rng(6)
    x = rng.choice([16, 32, 64, 128, 256], 80)
    z = np.abs(np.log2(x) - 6) + 0.3 * rng.standard_normal(80)
    setting = _setting(x, "batch_size")
    curve = fit_curve(setting, z - z.mean(), _mean(80), 0.05)
    np.testing.assert_allclose(_values(setting, *curve.u), [16, 32, 64, 128, 256])
    assert _values(setting, curve.u_best) == pytest.approx(64)
    assert curve.inside
    # A spline through all values reproduces the means of the groups.
    means = [z[x == value].mean() - z.mean() for value in (16, 32, 64, 128, 256)]
    np.testing.assert_allclose(curve.fitted, means, atol=1e-9)


def test_the_curve_agrees_with_least_squares():
    curve, setting, y = _curve(lambda v: np.sin(5 * v), 60, 7)
    z = normal_scores(y, np.zeros(60))
    fit = sm.OLS(z, np.column_stack([np.ones(60), setting.curve_columns])).fit()
    prediction = fit.get_prediction(np.column_stack([np.zeros(101), setting.curve_at(setting.grid)]))
    np.testing.assert_allclose(curve.fitted, prediction.predicted_mean, atol=1e-9)
    np.testing.assert_allclose(curve.low, prediction.conf_int()[:, 0], atol=1e-9)


def test_levels_are_compared_like_an_analysis_of_variance():
    rng = np.random.default_rng(8)
    x = np.repeat(["a", "b", "c", "d", "e"], [10, 12, 9, 8, 2])
    z = np.select([x == "b", x == "c"], [-0.2, 2.0], 0.0) + 0.4 * rng.standard_normal(len(x))
    z[x == "e"] = -5
    setting = _setting(x)
    assert setting.levels == ("a", "b", "c", "d", RARE)
    levels = compare_levels(setting, z - z.mean(), _mean(len(x)))
    means = [z[x == level].mean() - z.mean() for level in "abcde"]
    np.testing.assert_allclose(levels.fitted, means, atol=1e-9)
    assert setting.levels[levels.best] == min("abd", key=lambda level: z[x == level].mean())  # never the rare ones
    assert levels.p_holm[2] < 1e-6
    assert np.isnan(levels.p_holm[[levels.best, 4]]).all()
    fit = sm.OLS(z, np.column_stack([x == level for level in "abcde"]).astype(float)).fit()
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    raw = [float(fit.t_test(np.eye(5)[i] - np.eye(5)[j]).pvalue) for i, j in pairs]
    adjusted = sm.stats.multipletests(raw, method="holm")[1]
    expected = {pair: p for pair, p in zip(pairs, adjusted, strict=True) if levels.best in pair}
    for (i, j), p in expected.items():
        assert levels.p_holm[j if i == levels.best else i] == pytest.approx(p, rel=1e-6)


@pytest.mark.parametrize("goal", [1, -1])
def test_the_effect_is_in_units_of_the_response(goal):
    """Raising x from its 5% to its 95% quantile changes the response by 10 * 0.9, whatever the goal is."""
    rng = np.random.default_rng(9)
    x = rng.uniform(0, 1, 200)
    response = 100 + 10 * x + 0.5 * rng.standard_normal(200)
    setting = _setting(x)
    z = normal_scores(goal * response, np.zeros(200))
    curve = fit_curve(setting, z - z.mean(), _mean(200), 0.05)
    complete = np.ones(200, dtype=bool)
    complete[:10] = False
    effect = fit_effect(setting, np.where(complete, response, np.nan), complete, _mean(200), curve, 0.05)
    low, high = _values(setting, *setting.ends)
    assert effect.effect[0] == pytest.approx(10 * (high - low), abs=0.6)
    assert effect.effect[1] < effect.effect[0] < effect.effect[2]
    assert effect.low_end == pytest.approx(0 if goal == 1 else -9.5, abs=0.7)
    assert effect.high_end == pytest.approx(9.5 if goal == 1 else 0, abs=0.7)


def test_outliers_hardly_change_an_effect():
    rng = np.random.default_rng(10)
    x = np.array(["off", "on"] * 30)
    response = 1.0 * (x == "on") + 0.1 * rng.standard_normal(60)
    response[[1, 3]] = 1e6
    setting = _setting(x)
    levels = compare_levels(setting, response - response.mean(), _mean(60))
    effect = fit_effect(setting, response, np.ones(60, dtype=bool), _mean(60), levels, 0.05)
    assert effect.effect[0] == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(effect.means, [0, 1], atol=0.1)


def test_a_level_without_finished_runs_has_no_effect():
    rng = np.random.default_rng(11)
    x = np.repeat(["a", "b", "c"], 10)
    response = rng.standard_normal(30)
    setting = _setting(x)
    cost = np.where(x == "c", np.inf, response)
    z = normal_scores(cost, np.zeros(30))
    levels = compare_levels(setting, z - z.mean(), _mean(30))
    effect = fit_effect(setting, np.where(x == "c", np.nan, response), x != "c", _mean(30), levels, 0.05)
    assert np.isnan(effect.means).tolist() == [False, False, True]
    assert np.isnan(effect.differences[2]).all()
    best = response[x == setting.levels[levels.best]].mean()
    assert effect.effect[0] == pytest.approx(best - response[x != "c"].mean(), abs=0.3)


def test_too_few_finished_runs_give_no_effect():
    x = np.array(["a", "b"] * 10)
    z = np.linspace(-1, 1, 20)
    setting = _setting(x)
    levels = compare_levels(setting, z, _mean(20))
    few = np.arange(20) < 4
    assert np.isnan(fit_effect(setting, z, few, _mean(20), levels, 0.05).effect).all()
