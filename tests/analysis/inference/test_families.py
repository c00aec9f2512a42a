"""The step-down over factors, Ryan's closure, power by quadrature and planned looks."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from attnae.analysis.design.prepare import Columns, prepare
from attnae.analysis.inference.contrasts import contrasts
from attnae.analysis.inference.families import holm, step_down
from attnae.analysis.inference.levels import LevelTests
from attnae.analysis.inference.looks import null_distribution, planned_look, running_t, weights
from attnae.analysis.inference.power import detectable, detectable_shift, seeds_for, t_power
from tests.analysis.studies import factorial


def test_step_down_by_hand():
    """Factor 0: omnibus 0.001, pairs 0.002 and 0.2; factors 1 and 2: switches."""
    p = np.array([0.001, 0.002, 0.2, 0.01, 0.5])
    assert step_down(p, np.array([0, 0, 0, 1, 2])) == pytest.approx([0.003, 0.006, 0.4, 0.03, 0.5])
    assert step_down(np.array([0.04, 0.01]), np.array([0, 0])) == pytest.approx([0.04, 0.01])


def test_step_down_with_one_hypothesis_a_factor_is_holm_and_leaves_out_missing_p():
    p = np.random.default_rng(0).uniform(size=(7, 3)) ** 2
    p[2, 1] = np.nan
    np.testing.assert_allclose(step_down(p, np.arange(7)), holm(p))
    assert np.isnan(step_down(p, np.zeros(7, dtype=int))[2, 1])


def level_tests(levels: int, seeds: int = 5):
    table = factorial(seeds, act=[f"l{i:02}" for i in range(levels)])
    table["response"] = np.random.default_rng(levels).standard_normal(len(table)) + 1.5 * (table.act == "l00")
    design = prepare(table, ["act"], table["response"], Columns(), "auto").design
    rows = np.array([design.place("act", weights) for _, weights in design.factors[0].effect_rows()])
    return LevelTests(contrasts(design, rows, clusters=design.seeds)), table


@pytest.mark.parametrize("levels", [3, 5])
def test_closure_by_brute_force(levels):
    """Each subset tested from the data of its levels alone, by the repeated-measures F test."""
    tests, table = level_tests(levels)
    wide = table.pivot(index="seed", columns="act", values="response").to_numpy()

    def subset_p(subset):
        own = wide[:, subset]
        k, n = len(subset), len(own)
        centred = own - own.mean(axis=1, keepdims=True)
        covariance = np.cov(centred.T)
        f = n * ((own.mean(0) - own.mean()) ** 2).sum() / np.trace(covariance)
        df1 = np.trace(covariance) ** 2 / np.trace(covariance @ covariance)
        return stats.f.sf(f, df1, df1 * (n - 1)) * (levels / k if k <= levels - 2 else 1)

    expected = []
    for pair in combinations(range(levels), 2):
        holding = [s for k in range(2, levels + 1) for s in combinations(range(levels), k) if set(pair) <= set(s)]
        expected.append(min(1.0, max(subset_p(list(s)) for s in holding)))
    np.testing.assert_allclose(tests.pair_p(table.response.to_numpy()), expected, rtol=1e-8)


def test_more_than_ten_levels_use_holm_over_t_tests():
    tests, table = level_tests(11)
    wide = table.pivot(index="seed", columns="act", values="response").to_numpy()
    p = [stats.ttest_rel(wide[:, i], wide[:, j]).pvalue for i, j in combinations(range(11), 2)]
    np.testing.assert_allclose(tests.pair_p(table.response.to_numpy()), holm(np.array(p)), rtol=1e-8)
    residual = wide - wide.mean(0) - wide.mean(1, keepdims=True) + wide.mean()
    f = 5 * ((wide.mean(0) - wide.mean()) ** 2).sum() / 10 / ((residual**2).sum() / 40)
    found = tests.omnibus(table.response.to_numpy())
    assert (found.f, found.df2) == pytest.approx((f, 4 * found.df1), rel=1e-9)


@pytest.mark.parametrize("df", [1, 2, 5, 30])
@pytest.mark.parametrize("shift", [0.5, 2.0, 4.0])
def test_power_is_that_of_the_noncentral_t(df, shift):
    critical = stats.t.ppf(0.975, df)
    exact = stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift)
    assert t_power(shift, df, 0.05) == pytest.approx(exact, abs=2e-5)


def test_detectable_shifts_and_seeds():
    """Figures computed once with another implementation of the power function."""
    for alpha, expected in ((0.05, (16.3, 5.65, 4.26, 3.76, 3.15)), (0.0125, (65, 11.3, 6.9, 5.5, 4.1))):
        found = [detectable_shift(float(df), alpha) for df in (1, 2, 3, 4, 9)]
        assert found == pytest.approx(expected, rel=0.01)
    assert [seeds_for(size, None, 0.05) for size in (0.5, 1, 2)] == [34, 10, 5]
    assert [seeds_for(size, None, 0.0125) for size in (0.5, 1, 2)] == [48, 15, 7]
    assert np.isnan(seeds_for(0.001, None, 0.05))
    size = detectable(np.array([2.0, np.nan]), np.array([30.0, np.nan]), family=4, alpha=0.05)
    assert t_power(size[0] / 2, 30.0, 0.0125) == pytest.approx(0.8, abs=1e-6)
    assert np.isnan(size[1])


def test_planned_looks_by_hand():
    by_seed = np.random.default_rng(2).standard_normal((5, 2)) + np.array([0.0, 3.0])
    look = planned_look(by_seed, planned=10, negligible=2.0)
    p = np.array([stats.ttest_1samp(by_seed[:k], 0).pvalue for k in (3, 4, 5)])
    x = (p / weights(10)[:3, None]).min(axis=0)
    null = null_distribution(10, sides=2)
    expected = [(1 + (null <= value).sum()) / (1 + len(null)) for value in x]
    np.testing.assert_allclose(look.p, np.minimum(expected, x * weights(10).sum()))
    critical = np.quantile(null, 0.05)
    assert critical == pytest.approx(0.0249, abs=8e-4)
    half = stats.t.ppf(1 - critical * 0.25 / 2, 4) * stats.sem(by_seed)
    np.testing.assert_allclose(look.ci_high - look.estimate, half)
    above = [stats.ttest_1samp(by_seed[:k], -2.0, alternative="greater").pvalue for k in (3, 4, 5)]
    below = [stats.ttest_1samp(by_seed[:k], 2.0, alternative="less").pvalue for k in (3, 4, 5)]
    one_sided = null_distribution(10, sides=1)
    sides = [
        np.minimum((1 + np.searchsorted(one_sided, x, side="right")) / (1 + len(one_sided)), x * weights(10).sum())
        for x in ((np.array(side) / weights(10)[:3, None]).min(axis=0) for side in (above, below))
    ]
    np.testing.assert_allclose(look.p_negligible, np.maximum(*sides))
    with pytest.raises(ValueError, match="2 seeds: looks come after 3 to 10 seeds"):
        planned_look(by_seed[:2], planned=10)


def test_running_t_is_the_t_of_the_first_seeds():
    by_seed = np.random.default_rng(3).standard_normal((6, 4)) + 1e6
    mean, error = running_t(by_seed)
    for place, count in enumerate((3, 4, 5, 6)):
        np.testing.assert_allclose(mean[place], by_seed[:count].mean(axis=0))
        np.testing.assert_allclose(error[place], stats.sem(by_seed[:count]), rtol=1e-6)


def over_all_looks(effect: float, seeds: int, studies: int) -> tuple[float, float]:
    """Share of studies that find the effect, and the mean number of seeds at the stop."""
    by_seed = effect + np.random.default_rng(7).standard_normal((seeds, studies))
    found, stop = np.zeros(studies, dtype=bool), np.full(studies, seeds)
    for count in range(3, seeds + 1):
        now = planned_look(by_seed[:count], planned=seeds).p < 0.05
        stop[now & ~found] = count
        found |= now
    return float(found.mean()), float(stop.mean())


def test_planned_looks_keep_their_size():
    """2,000 studies: the standard error of 5% is 0.5 points. Looking at p < 0.05 would find something in 17%."""
    assert over_all_looks(0.0, 10, 2000)[0] == pytest.approx(0.05, abs=0.015)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("effect", "found", "seeds"), [(0.0, 0.049, 19.7), (0.5, 0.49, 17.3), (1.0, 0.975, 11.5), (2.0, 1.0, 6.9)]
)
def test_planned_looks_of_20_seeds(effect, found, seeds):
    assert over_all_looks(effect, 20, 10_000) == pytest.approx((found, seeds), abs=0.012, rel=0.01)
