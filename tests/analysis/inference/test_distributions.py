"""Distributions and roots, compared with scipy.stats and scipy.optimize."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from attnae.analysis.inference import distributions as own
from attnae.analysis.inference.power import POWER, detectable_shift, t_power
from attnae.analysis.search.estimates.share import noncentrality

X = np.array([0.0, 0.3, 2.5, 40.0, np.inf, np.nan])
P = np.array([1e-12, 0.025, 0.5, 0.999])
DF = np.array([0.7, 1.0, 3.3, 55.0, 1e6, np.nan])[:, None]


def test_distributions_are_those_of_scipy():
    np.testing.assert_array_equal(own.t_sf(X, DF), stats.t.sf(X, DF))
    np.testing.assert_array_equal(own.t_sf(-X, np.inf), stats.norm.sf(-X))
    np.testing.assert_allclose(own.t_ppf(P, DF), stats.t.ppf(P, DF), rtol=1e-12)
    np.testing.assert_allclose(own.f_sf(X, DF, 7.0), stats.f.sf(X, DF, 7.0), rtol=1e-12)
    np.testing.assert_allclose(own.chi2_ppf(P, DF), stats.chi2.ppf(P, DF), rtol=1e-12)
    np.testing.assert_allclose(own.normal_cdf(-X), stats.norm.cdf(-X), rtol=1e-12)
    np.testing.assert_allclose(own.normal_ppf(P), stats.norm.ppf(P), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("function", "low", "high"),
    [
        (lambda x: x**3 - 2, 0.0, 5.0),
        (lambda x: x - 1, 0.0, 2.0),
        (lambda x: np.tanh(20 * (x - 3)), 0.0, 4.0),
        (lambda x: np.exp(x) - 1e-3, -50.0, 10.0),
    ],
)
def test_roots_are_those_of_scipy(function, low, high):
    assert own.root(function, low, high) == pytest.approx(optimize.brentq(function, low, high, xtol=1e-14), rel=1e-11)


@pytest.mark.parametrize("df", [1.0, 2.5, 6.0, 100.0, 1e5])
@pytest.mark.parametrize("alpha", [1e-6, 0.01, 0.5])
def test_shifts_are_detected_with_the_power_they_are_computed_for(df, alpha):
    assert t_power(detectable_shift(df, alpha), df, alpha) == pytest.approx(POWER, abs=1e-10)


@pytest.mark.parametrize("df", [1, 4, 30])
@pytest.mark.parametrize("level", [1e-8, 0.05])
def test_noncentralities_have_the_power_they_are_computed_for(df, level):
    assert stats.ncx2.sf(stats.chi2.isf(level, df), df, noncentrality(df, level)) == pytest.approx(POWER, abs=1e-9)
