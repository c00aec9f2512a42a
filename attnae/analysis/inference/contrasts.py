"""Contrasts of a linear model with HC2 or CR2 standard errors and Bell-McCaffrey degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from attnae.analysis.design.model import Design
from attnae.analysis.inference.clusters import cluster_df, cluster_loadings, cluster_scores
from attnae.analysis.inference.distributions import t_ppf, t_sf
from attnae.analysis.inference.spread import LevelMoments, level_df, level_moments, products

# Leverages this near to 1 leave no residual: the run is fitted exactly, and HC2 divides zero by zero.
FULL_LEVERAGE = 1 - 1e-8
# Estimates and residuals below this share of the responses' spread are rounding errors of an exact zero.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Estimates:
    """What a contrast amounts to in one study, each (contrasts,), or in many, each (contrasts, studies).

    Attributes:
        df: degrees of freedom. Those of HC2 depend on the responses, (contrasts,) or (contrasts, studies); others do
            not, (contrasts,) or (contrasts, 1).
    """

    estimate: np.ndarray
    std_error: np.ndarray
    df: np.ndarray
    p: np.ndarray

    def interval(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends of two-sided intervals, unadjusted for the number of contrasts."""
        half = t_ppf((1 + level) / 2, self.df) * self.std_error
        return self.estimate - half, self.estimate + half


@dataclass(frozen=True)
class Contrasts:
    """Linear functions of the responses and everything about their errors that the design alone fixes.

    Attributes:
        weights: (contrasts, rows) that of each run of a row, so that the estimate is weights @ row_sums(y); NaN where
            a contrast is not estimable.
        df: (contrasts,), Satterthwaite degrees of freedom of the HC2 or CR2 variance under equal errors, or the
            residual ones if pooled.
        pooled: (contrasts,), whether the common residual variance stands in for HC2 because the contrast
            has weight on a run of leverage 1.
        loadings: (contrasts, rows), the variance is the sum over runs of (loadings * residuals)**2; with clusters
            (contrasts, runs), and it is the sum over clusters of (the sum over runs of loadings * residuals)**2.
        clusters: (runs,), each run's cluster; None: each run is its own (HC2).
    """

    design: Design
    weights: np.ndarray
    df: np.ndarray
    pooled: np.ndarray
    loadings: np.ndarray
    clusters: np.ndarray | None = None

    @property
    def estimable(self) -> np.ndarray:
        return ~np.isnan(self.weights).any(axis=1)

    def take(self, kept: np.ndarray) -> Contrasts:
        """Some of the contrasts; kept is (contrasts,) of booleans."""
        return replace(
            self,
            weights=self.weights[kept],
            df=self.df[kept],
            pooled=self.pooled[kept],
            loadings=self.loadings[kept],
        )

    def fit(self, y: np.ndarray) -> Estimates:
        """Estimates from responses of shape (runs,), or (runs, studies) for many studies of one design."""
        centre = y.mean(axis=0)
        deviations = y - centre
        tiny = ROUNDING * np.abs(deviations).max(axis=0)
        moved = _snap(self.weights @ self.design.row_sums(deviations), tiny)
        total = _snap(self.weights @ self.design.counts, ROUNDING)
        estimate = moved + np.multiply.outer(total, centre)
        df = self.df if y.ndim == 1 else self.df[:, None]
        if self.clusters is not None:
            std_error = np.sqrt((self.scores(y) ** 2).sum(axis=1))
        else:
            sums = self.design.row_sums(self.residuals(y) ** 2)
            std_error = np.sqrt(self.loadings**2 @ sums)
            by_level = level_df(self._level_moments, self.loadings, sums)
            by_level[self.pooled] = np.inf
            df = np.minimum(df, by_level)
        return Estimates(estimate, std_error, df, two_sided_p(estimate, std_error, df))

    @cached_property
    def _level_moments(self) -> LevelMoments:
        return level_moments(self.design, self.loadings)

    def residuals(self, y: np.ndarray) -> np.ndarray:
        """What model M leaves of y, of y's shape; rounding errors of exact fits are 0."""
        deviations = y - y.mean(axis=0)
        return _snap(self.design.residuals(deviations), ROUNDING * np.abs(deviations).max(axis=0))

    def scores(self, y: np.ndarray) -> np.ndarray:
        """(contrasts, clusters) or (contrasts, clusters, studies): the terms whose squares add up to the variance."""
        assert self.clusters is not None
        return cluster_scores(self.loadings, self.clusters, self.residuals(y))


def contrasts(
    design: Design, rows: np.ndarray, *, pooled: bool = False, clusters: np.ndarray | None = None
) -> Contrasts:
    """Contrasts given as rows over the design's columns, shape (contrasts, columns).

    Without clusters, the variance is HC2 (MacKinnon & White 1985): squared residuals over one minus their leverage.
    With clusters it is CR2, which allows for any dependence within a cluster. The degrees of freedom match the first
    two moments of that variance under equal errors to a scaled chi-squared (Bell & McCaffrey 2002; Imbens & Kolesar
    2016, eq. 10; Pustejovsky & Tipton 2018). Those of HC2 are no more than the levels' own spread leaves (`spread`).

    Args:
        pooled: take the common residual variance for all contrasts.
        clusters: (runs,), numbers from 0. A contrast that depends on a direction in which some cluster has no
            residual gets no standard error (NaN).
    """
    rows = np.atleast_2d(rows)
    estimable = is_estimable(design, rows)
    weights = rows @ design.pseudo_inverse
    weights[np.abs(weights) < ROUNDING * np.abs(weights).max(axis=1, keepdims=True)] = 0.0
    if design.residual_df == 0:
        df, loadings = np.full(len(rows), np.nan), np.full_like(weights, np.nan)
        use_pooled = np.zeros(len(rows), dtype=bool)
    elif clusters is not None:
        loadings, supported = cluster_loadings(design, clusters, weights[:, design.row_of])
        df = cluster_df(design, clusters, loadings)
        df[~supported], loadings[~supported] = np.nan, np.nan
        use_pooled = np.zeros(len(rows), dtype=bool)
    else:
        df, loadings, use_pooled = _hc2(design, weights, pooled)
    df[~estimable], weights[~estimable], loadings[~estimable] = np.nan, np.nan, np.nan
    return Contrasts(design, weights, df, use_pooled, loadings, clusters)


def _hc2(design: Design, weights: np.ndarray, pooled: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """df (contrasts,), loadings (contrasts, rows), and which contrasts are pooled."""
    exact = design.leverage > FULL_LEVERAGE
    on_exact = (np.abs(weights[:, exact]) > 1e-8 * np.abs(weights).max(axis=1, keepdims=True)).any(axis=1)
    use_pooled = on_exact | pooled
    shrinkage = np.where(exact, 1.0, 1 - design.leverage)
    hc2 = np.where(exact, 0.0, weights**2 / shrinkage)
    df = np.where(use_pooled, design.residual_df, satterthwaite(design, hc2))
    common = weights**2 @ design.counts / design.residual_df
    size = np.sqrt(np.where(use_pooled[:, None], common[:, None], hc2))
    return df, np.copysign(size, weights), use_pooled


def is_estimable(design: Design, rows: np.ndarray) -> np.ndarray:
    """(contrasts,), whether each lies in the row space of the model matrix: whether runs determine it."""
    outside = rows - (rows @ design.row_space.T) @ design.row_space
    return np.linalg.norm(outside, axis=1) <= 1e-8 * np.maximum(np.linalg.norm(rows, axis=1), 1e-300)


def point_estimates(design: Design, rows: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(contrasts,) estimates alone, without their errors; NaN where not estimable."""
    centre = y.mean()
    total = rows @ (design.pseudo_inverse @ design.counts)
    values = rows @ (design.pseudo_inverse @ design.row_sums(y - centre)) + total * centre
    return np.where(is_estimable(design, rows), values, np.nan)


def satterthwaite(design: Design, squared: np.ndarray) -> np.ndarray:
    """2 E[V]^2 / Var[V] of V = sum_i q_i e_i^2 over the runs i, with e = (I - H) errors and q a row of `squared`,
    (contrasts, rows).

    With unit errors E[V] = sum_i q_i (1 - h_i) and Var[V] / 2 = sum_ij q_i q_j (I - H)_ij^2.
    """
    expected = squared @ (design.counts * (1 - design.leverage))
    diagonal = squared**2 @ (design.counts * (1 - 2 * design.leverage))
    cross = products(design, [np.arange(len(design.rows))], squared)[:, 0, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        return expected**2 / (diagonal + cross)


def two_sided_p(estimate: np.ndarray, std_error: np.ndarray, df: np.ndarray) -> np.ndarray:
    """P(|T| >= |estimate / std_error|); an exact zero has p = 1, a non-zero without any error p = 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where((estimate == 0) & (std_error == 0), 0.0, estimate / std_error)
    return 2 * t_sf(np.abs(t), df)


def _snap(values: np.ndarray, tiny: np.ndarray | float) -> np.ndarray:
    return np.where(np.abs(values) <= tiny, 0.0, values)
