"""The permutation test against all permutations, and the test of pairs."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from attnae.analysis.search.model.regression import orthonormal
from attnae.analysis.search.model.settings import read_setting
from attnae.analysis.search.permutation import Statistic, permutation_p, permutation_test


def _setting(values, active=None):
    active = np.ones(len(values), dtype=bool) if active is None else active
    return read_setting("x", pd.Series(values, dtype=object), None, active)[0]


def _slow_statistic(columns, z, nuisance, *, numeric):
    """The smallest p of nested least-squares fits."""
    small = sm.OLS(z, nuisance).fit()
    counts = range(1, columns.shape[1] + 1) if numeric else [columns.shape[1]]
    found = []
    for k in counts:
        full = sm.OLS(z, np.column_stack([nuisance, columns[:, :k]])).fit()
        added = small.df_resid - full.df_resid
        found.append(full.compare_f_test(small)[1] if added else 1.0)
    return min(found)


@pytest.mark.parametrize("values", [[0.1, 0.9, 0.4, 0.3, 0.8, 0.2], ["a", "b", "a", "b", "b", "a"]])
def test_the_p_value_agrees_with_all_permutations(values):
    rng = np.random.default_rng(4)
    z = np.array([0.0, 2.0, 1.0, 1.4, 2.1, 0.2]) + 0.1 * rng.standard_normal(6)
    nuisance = np.column_stack([np.ones(6), rng.standard_normal(6)])
    setting = _setting(values)
    orders = np.array(list(permutations(range(6))))
    rows = setting.columns
    slow = np.array([_slow_statistic(rows[order], z, nuisance, numeric=setting.numeric) for order in orders])
    np.testing.assert_allclose(Statistic(setting, z, orthonormal(nuisance)).of(orders), slow, rtol=1e-7)
    exact = np.mean(slow <= slow[0] * (1 + 1e-9))
    p = permutation_p(setting, z, orthonormal(nuisance), np.zeros(6), 20_000, np.random.default_rng(0))
    assert exact < 0.2  # above 0.2, the test stops at 199 draws
    assert p == pytest.approx(exact, abs=0.006)


def _two_scorings(values, z, nuisance, counts):
    """The statistics by all runs, and by those that count, whose scores are others."""
    setting, own = _setting(values), np.round(np.exp(z[counts]), 3)
    return setting, [
        Statistic(setting, z, orthonormal(nuisance)),
        Statistic(setting, own, orthonormal(nuisance[counts]), counts),
    ]


@pytest.mark.parametrize("values", [[0.1, 0.9, 0.4, 0.3, 0.8, 0.2, 0.5], ["a", "b", "a", "b", "b", "a", "b"]])
def test_a_scoring_of_some_runs_takes_those_of_the_permuted_rows(values):
    """Two of seven runs do not count, wherever the values stand."""
    rng = np.random.default_rng(4)
    z = np.array([0.0, 2.0, 1.0, 1.4, 2.1, 0.2, 0.9]) + 0.1 * rng.standard_normal(7)
    nuisance = np.column_stack([np.ones(7), rng.standard_normal(7)])
    counts = np.array([True, True, False, True, True, False, True])
    setting, statistics = _two_scorings(values, z, nuisance, counts)
    orders = np.array(list(permutations(range(7))))[::7]
    own = np.round(np.exp(z[counts]), 3)
    slow = [
        _slow_statistic(setting.columns[order][counts], own, nuisance[counts], numeric=setting.numeric)
        for order in orders
    ]
    np.testing.assert_allclose(statistics[1].of(orders), slow, rtol=1e-6)


def test_the_smallest_of_two_scorings_agrees_with_all_permutations():
    rng = np.random.default_rng(5)
    z = np.array([0.0, 2.0, 1.0, 1.4, 2.6, 0.2, 0.9])
    nuisance = np.column_stack([np.ones(7), rng.standard_normal(7)])
    counts = np.arange(7) > 0
    setting, statistics = _two_scorings([0.1, 0.9, 0.4, 0.6, 0.8, 0.2, 0.5], z, nuisance, counts)
    orders = np.array(list(permutations(range(7))))
    drawn = np.array([statistic.of(orders) for statistic in statistics])
    observed = np.array([statistic.observed() for statistic in statistics])
    exact = np.mean(drawn.min(axis=0) <= observed.min() * (1 + 1e-9))
    first = np.mean(drawn[0] <= observed[0] * (1 + 1e-9))
    found = permutation_test(setting, statistics, np.zeros(7), 20_000, np.random.default_rng(0))
    assert exact < 0.2
    assert (found.p, found.first_p) == pytest.approx((exact, first), abs=0.006)
    assert found.smallest == observed.argmin()
    # Without draws, the number of scorings is corrected for.
    parametric = permutation_test(setting, statistics, np.zeros(7), 0, rng)
    assert parametric.p == pytest.approx(2 * observed.min())


def test_the_statistic_takes_the_first_columns_of_a_spline():
    rng = np.random.default_rng(7)
    x, z = rng.uniform(size=110), rng.standard_normal(110)
    setting = _setting(list(x))
    assert setting.columns.shape[1] == 4
    nuisance = np.column_stack([np.ones(110), rng.standard_normal((110, 3))])
    slow = _slow_statistic(setting.columns, z, nuisance, numeric=True)
    assert Statistic(setting, z, orthonormal(nuisance)).observed() == pytest.approx(slow, rel=1e-9)


def test_without_draws_the_p_value_is_parametric():
    rng = np.random.default_rng(8)
    x, z = rng.choice(["a", "b", "c"], 40), rng.standard_normal(40)
    setting, nuisance = _setting(list(x)), np.ones((40, 1))
    p = permutation_p(setting, z, orthonormal(nuisance), np.zeros(40), 0, np.random.default_rng(0))
    groups = sm.OLS(z, np.column_stack([nuisance, setting.columns])).fit()
    assert p == pytest.approx(groups.f_pvalue, rel=1e-9)


def test_values_are_permuted_among_active_runs_of_a_stratum_only():
    """The setting is the same in all runs of one stratum but one: few arrangements differ, so p cannot be small."""
    z = np.r_[np.zeros(10), np.full(10, 50.0)] + np.linspace(0, 1, 20)
    values = ["a"] * 10 + ["b"] * 10
    strata = np.repeat([0, 1], 10)
    draw = np.random.default_rng(1)
    free = permutation_p(_setting(values), z, orthonormal(np.ones((20, 1))), np.zeros(20), 999, draw)
    within = permutation_p(_setting(values), z, orthonormal(np.ones((20, 1))), strata, 999, draw)
    assert free == pytest.approx(0.001)
    assert within == 1


def test_inactive_runs_do_not_move():
    rng = np.random.default_rng(3)
    active = np.r_[np.ones(8, dtype=bool), np.zeros(30, dtype=bool)]
    values = np.where(active, np.linspace(0, 1, 38), np.nan)
    z = np.r_[np.linspace(-2, 2, 8), 5 * rng.standard_normal(30)]
    setting = _setting(list(values), active)
    assert setting.runs == 8
    assert not setting.columns[~active].any()
    nuisance = orthonormal(np.column_stack([np.ones(38), active]))
    orders = np.array([[*rng.permutation(8), *range(8, 38)] for _ in range(500)])
    statistic = Statistic(setting, z, nuisance)
    exact = (1 + np.sum(statistic.of(orders) <= statistic.observed())) / 501
    p = permutation_p(setting, z, nuisance, np.zeros(38), 9999, rng)
    assert p == pytest.approx(exact, abs=0.05)


def test_nothing_to_test_has_no_p_value():
    setting, rng = _setting([0, 1] * 10), np.random.default_rng(0)
    inside = orthonormal(np.column_stack([np.ones(20), setting.columns]))
    assert np.isnan(permutation_p(setting, rng.standard_normal(20), inside, np.zeros(20), 99, rng))
    assert np.isnan(permutation_p(setting, np.zeros(20), orthonormal(np.ones((20, 1))), np.zeros(20), 99, rng))


def test_the_same_seed_gives_the_same_p_value():
    rng = np.random.default_rng(9)
    setting, z = _setting(list(rng.uniform(size=40))), rng.standard_normal(40)
    parts = setting, z, orthonormal(np.ones((40, 1))), np.zeros(40), 999
    assert permutation_p(*parts, np.random.default_rng(5)) == permutation_p(*parts, np.random.default_rng(5))
