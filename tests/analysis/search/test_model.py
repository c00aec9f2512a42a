"""Splines, partial F tests, M-estimates and forward selection against closed forms and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.interpolate import CubicSpline
from statsmodels.robust.norms import HuberT
from statsmodels.robust.scale import mad

from attnae.analysis.search.model.basis import dummies, natural_spline, relative_ranks, spline_df
from attnae.analysis.search.model.nuisance import Nuisance
from attnae.analysis.search.model.partial import Partial
from attnae.analysis.search.model.regression import added_squares, orthonormal, outside, select_by_bic, smallest_p


def test_relative_ranks_share_ties():
    np.testing.assert_allclose(relative_ranks(np.array([3.0, 1.0, 3.0, 10.0])), [0.5, 0.125, 0.5, 0.875])


@pytest.mark.parametrize(
    ("active", "values", "curve", "df"),
    [
        *((11, 99, False, 1), (12, 99, False, 2), (29, 99, False, 2), (30, 99, False, 3), (99, 99, False, 3)),
        *((100, 99, False, 4), (400, 3, False, 2), (11, 99, True, 2), (12, 99, True, 4), (100, 99, True, 5)),
        (50, 4, True, 3),
    ],
)
def test_degrees_of_freedom(active, values, curve, df):
    assert spline_df(active, values, curve=curve) == df


@pytest.mark.parametrize("df", [1, 2, 3, 4, 5])
def test_the_basis_spans_the_natural_cubic_splines(df):
    """Any natural cubic spline through values at the knots is a combination of the constant and the columns."""
    knots = np.linspace(0.05, 0.95, df + 1)
    u = np.linspace(0.05, 0.95, 200)
    rng = np.random.default_rng(df)
    heights = rng.standard_normal(df + 1)
    reference = CubicSpline(knots, heights, bc_type="natural")(u) if df > 1 else np.interp(u, knots, heights)
    columns = np.column_stack([np.ones(200), natural_spline(u, df)])
    fitted = columns @ np.linalg.lstsq(columns, reference, rcond=None)[0]
    np.testing.assert_allclose(fitted, reference, atol=1e-10)
    assert np.linalg.matrix_rank(columns) == df + 1


@pytest.mark.parametrize("end", [np.linspace(0, 0.05, 5), np.linspace(0.95, 1, 5)])
def test_splines_are_linear_outside_the_knots(end):
    np.testing.assert_allclose(np.diff(natural_spline(end, 4), 2, axis=0), 0, atol=1e-12)


def test_partial_f_tests_agree_with_nested_least_squares():
    rng = np.random.default_rng(0)
    n = 50
    nuisance = np.column_stack([np.ones(n), rng.standard_normal((n, 3))])
    columns, y = rng.standard_normal((n, 3)), rng.standard_normal(n)
    q = orthonormal(nuisance)
    residual, projected = outside(q, y), outside(q, columns)
    squares, ranks = added_squares(projected.T @ projected, projected.T @ residual, (columns**2).sum(axis=0))
    p = [
        sm.OLS(y, np.column_stack([nuisance, columns[:, :k]])).fit().compare_f_test(sm.OLS(y, nuisance).fit())[1]
        for k in (1, 2, 3)
    ]
    for k in range(3):
        one = smallest_p(squares[None, [k]], ranks[None, [k]], residual @ residual, n - 4)
        assert one[0] == pytest.approx(p[k], rel=1e-9)
    assert smallest_p(squares[None], ranks[None], residual @ residual, n - 4)[0] == pytest.approx(min(p), rel=1e-9)


def test_collinear_columns_add_neither_squares_nor_rank():
    rng = np.random.default_rng(1)
    columns = rng.standard_normal((30, 2))
    columns = np.column_stack([columns, columns @ [1, 2]])
    y = rng.standard_normal(30)
    squares, ranks = added_squares(columns.T @ columns, columns.T @ y, (columns**2).sum(axis=0))
    assert ranks.tolist() == [1, 2, 2]
    assert squares[1] == squares[2]


def test_columns_inside_the_nuisance_have_p_one():
    columns = np.ones((10, 1))
    left = outside(orthonormal(columns), columns)
    squares, ranks = added_squares(left.T @ left, left.T @ np.arange(10.0), np.array([10.0]))
    assert smallest_p(squares, ranks, 5.0, 9) == 1


@pytest.fixture
def regression():
    rng = np.random.default_rng(3)
    n = 45
    nuisance = np.column_stack([np.ones(n), rng.standard_normal((n, 2))])
    columns = rng.standard_normal((n, 3))
    y = columns @ [1.0, 0.0, -0.5] + rng.standard_t(3, n)
    return nuisance, columns, y


def test_least_squares_agrees_with_statsmodels(regression):
    nuisance, columns, y = regression
    fit = Partial(orthonormal(nuisance), columns).least_squares(y)
    reference = sm.OLS(y, np.column_stack([nuisance, columns])).fit()
    weights = np.array([[1.0, 0, 0], [0, 1, -1]])
    estimates, errors = fit.contrast(weights)
    test = reference.t_test(np.column_stack([np.zeros((2, 3)), weights]))
    np.testing.assert_allclose(estimates, test.effect, rtol=1e-9)
    np.testing.assert_allclose(errors, test.sd.ravel() if np.ndim(test.sd) < 2 else np.diag(test.sd), rtol=1e-9)
    assert fit.df == reference.df_resid


class _InflatedRLM(sm.RLM):
    """statsmodels' robust regression, with the scale that is adjusted for the number of parameters."""

    def _estimate_scale(self, resid, *_):
        return mad(resid, center=0) * np.sqrt(self.nobs / self.df_resid)


def test_huber_agrees_with_statsmodels(regression):
    nuisance, columns, y = regression
    y[:4] += 30
    fit = Partial(orthonormal(nuisance), columns).huber(y)
    reference = _InflatedRLM(y, np.column_stack([nuisance, columns]), M=HuberT(1.345)).fit(
        cov="H1", tol=1e-10, maxiter=500
    )
    estimates, errors = fit.contrast(np.eye(3))
    np.testing.assert_allclose(estimates, reference.params[3:], rtol=1e-6)
    np.testing.assert_allclose(errors, reference.bse[3:], rtol=1e-6)


def test_huber_without_a_scale_has_no_answer():
    nuisance = orthonormal(np.ones((20, 1)))
    y = np.r_[np.zeros(18), 1.0, 2.0]
    assert Partial(nuisance, np.arange(20.0)[:, None]).huber(y) is None


def test_contrasts_of_collinear_columns_have_no_estimate():
    rng = np.random.default_rng(5)
    one = rng.standard_normal((30, 1))
    columns = np.column_stack([one, one, rng.standard_normal(30)])
    fit = Partial(orthonormal(np.ones((30, 1))), columns).least_squares(rng.standard_normal(30))
    estimates, _ = fit.contrast(np.array([[1.0, 0, 0], [1, 1, 0], [0, 0, 1]]))
    assert np.isnan(estimates).tolist() == [True, False, False]


def test_no_residual_degrees_of_freedom_gives_no_fit():
    rng = np.random.default_rng(6)
    partial = Partial(orthonormal(rng.standard_normal((6, 4))), rng.standard_normal((6, 2)))
    assert partial.least_squares(rng.standard_normal(6)) is None
    assert partial.huber(rng.standard_normal(6)) is None


def _slow_selection(y, base, blocks, most):
    """Forward selection with statsmodels' residual sums of squares."""
    n, chosen = len(y), []
    while True:
        now = sm.OLS(y, np.column_stack([base, *(blocks[i] for i in chosen)])).fit()
        gains = {}
        for i, block in enumerate(blocks):
            if i not in chosen:
                more = sm.OLS(y, np.column_stack([base, *(blocks[j] for j in chosen), block])).fit()
                df = int(now.df_resid - more.df_resid)
                if df and n - more.df_resid <= most:
                    gains[i] = n * np.log(now.ssr / more.ssr) - df * np.log(n)
        if not gains or max(gains.values()) <= 0:
            return chosen
        chosen.append(max(gains, key=gains.get))


@pytest.mark.parametrize("seed", range(5))
def test_forward_selection_agrees_with_a_slow_one(seed):
    rng = np.random.default_rng(seed)
    blocks = [rng.standard_normal((40, df)) for df in (1, 2, 3, 1, 2)]
    y = blocks[1] @ [1, 1] + 0.7 * blocks[3][:, 0] + rng.standard_normal(40)
    base = np.ones((40, 1))
    assert select_by_bic(y, base, blocks, 13) == _slow_selection(y, base, blocks, 13)
    assert select_by_bic(y, base, blocks, 2) == _slow_selection(y, base, blocks, 2)


def test_what_a_setting_is_adjusted_for_never_depends_on_the_setting():
    """With too few runs, the model of the others is chosen without the setting, whatever its values are."""
    rng = np.random.default_rng(2)
    blocks = [rng.standard_normal((30, 3)) for _ in range(6)]
    y = blocks[0][:, 0] + blocks[1][:, 1] + 0.3 * rng.standard_normal(30)
    nuisance = Nuisance(np.ones((30, 1)), blocks, y, adaptive=False)
    assert not nuisance.adjusted
    other = Nuisance(np.ones((30, 1)), [rng.standard_normal((30, 3)), *blocks[1:]], y, adaptive=False)
    for one in (nuisance.without(0), other.without(0)):
        basis = orthonormal(np.column_stack([np.ones(30), blocks[1]]))
        np.testing.assert_allclose(one @ one.T, basis @ basis.T, atol=1e-9)


@pytest.mark.parametrize(
    ("n", "adaptive", "adjusted"), [(30, False, True), (29, False, False), (20, True, True), (19, True, False)]
)
def test_all_settings_are_in_the_model_if_there_are_enough_runs(n, adaptive, adjusted):
    rng = np.random.default_rng(0)
    blocks = [rng.standard_normal((n, 3)) for _ in range(3)]
    nuisance = Nuisance(np.ones((n, 1)), blocks, rng.standard_normal(n), adaptive=adaptive)
    assert nuisance.adjusted == adjusted
    if adjusted:
        assert nuisance.without(1).shape[1] == 7
        assert nuisance.model.shape[1] == 10


def test_dummies_leave_out_the_first_level():
    np.testing.assert_array_equal(dummies(np.array([0, 2, 1]), 3), [[0, 0], [0, 1], [1, 0]])


def test_an_orthonormal_basis_has_the_rank_of_the_columns():
    columns = np.column_stack([np.ones(10), np.arange(10), np.arange(10) + 1, np.zeros(10)])
    basis = orthonormal(columns)
    assert basis.shape == (10, 2)
    np.testing.assert_allclose(basis.T @ basis, np.eye(2), atol=1e-12)
    assert orthonormal(np.zeros((10, 2))).shape == (10, 0)
    assert np.abs(outside(basis, columns)).max() < 1e-9
