"""Tests of a factor with many levels: do the levels differ at all (omnibus), and which pairs differ (Ryan's closure).

The omnibus statistic is of ANOVA type with a matched denominator (Brunner, Dette & Munk 1997, JASA 92, 1494-1502). For
orthonormal contrasts d of the level means with the variance matrix V, F = d'd / tr V has about an F distribution on
f1 = tr(V)^2 / tr(V^2) and f2 = f1 / (L - 1) * df_tr degrees of freedom, df_tr those of tr V. In balanced studies with
shared seeds this is the repeated-measures F test with the correction of Greenhouse & Geisser (1959). Where each run has
a seed of its own, df_tr is no more than the spread of the levels leaves (`spread`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from attnae.analysis.inference.clusters import cluster_df, quadratic_traces, trace_df
from attnae.analysis.inference.contrasts import Contrasts, satterthwaite, two_sided_p
from attnae.analysis.inference.distributions import f_sf
from attnae.analysis.inference.families import holm
from attnae.analysis.inference.spread import LevelMoments, level_df, level_moments

# The closure tests all subsets of the levels: 1,013 of them for ten levels.
MAX_CLOSURE = 10


@dataclass(frozen=True)
class Omnibus:
    """F test of the equality of some levels; each (...), one value for each study."""

    f: np.ndarray
    df1: np.ndarray
    df2: np.ndarray
    p: np.ndarray


@dataclass(frozen=True)
class LevelTests:
    """The tests of one factor in one design.

    Attributes:
        rows: contrasts of each level with the mean of the levels, in the order of the levels.
    """

    rows: Contrasts

    @property
    def count(self) -> int:
        return len(self.rows.weights)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        return list(combinations(range(self.count), 2))

    def omnibus(self, y: np.ndarray) -> Omnibus:
        """Whether any two levels differ; y is (runs,) or (runs, studies)."""
        return self._test(tuple(range(self.count)), *self._moments(y))

    def pair_p(self, y: np.ndarray) -> np.ndarray:
        """(pairs, ...) p-values adjusted within the factor.

        Of up to ten levels by the closure of Ryan (1960) with the levels of Welsch (1977): a pair differs only if all
        subsets of levels that hold it differ, where a subset of k of the L levels is tested at alpha k / L, or at
        alpha if k >= L - 1. Of more levels by Holm over the pairs.
        """
        means, variance, sums = self._moments(y)
        pairs = self.pairs
        if self.count > MAX_CLOSURE:
            return holm(self._pair_tests(means, variance, sums))
        largest = np.zeros((len(pairs), *y.shape[1:]))
        for size in range(2, self.count + 1):
            factor = self.count / size if size <= self.count - 2 else 1.0
            for subset in combinations(range(self.count), size):
                p = np.minimum(self._test(subset, means, variance, sums).p * factor, 1.0)
                held = [place for place, pair in enumerate(pairs) if set(pair) <= set(subset)]
                largest[held] = np.maximum(largest[held], p)
        return largest

    def _moments(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Level estimates (levels, ...), their variances (levels, levels, ...), and (rows, ...) sums of squared
        residuals over the runs of each row of the model matrix."""
        design, weights, loadings = self.rows.design, self.rows.weights, self.rows.loadings
        means, sums = self.rows.fit(y).estimate, design.row_sums(self.rows.residuals(y) ** 2)
        if self._pooled:
            mean_square = sums.sum(axis=0) / design.residual_df
            return means, np.multiply.outer((weights * design.counts) @ weights.T, mean_square), sums
        if self.rows.clusters is None:
            return means, np.einsum("kr,lr,r...->kl...", loadings, loadings, sums, optimize=True), sums
        scores = self.rows.scores(y)
        return means, np.einsum("ks...,ls...->kl...", scores, scores), sums

    def _test(self, subset: tuple[int, ...], means: np.ndarray, variance: np.ndarray, sums: np.ndarray) -> Omnibus:
        centring = np.zeros((self.count, self.count))
        centring[np.ix_(subset, subset)] = np.eye(len(subset)) - 1 / len(subset)
        squared = np.einsum("k...,kl,l...->...", means, centring, means)
        # Means that are equal up to rounding leave a square of a rounding error.
        squared = np.where(squared > 1e-24 * np.square(means).sum(axis=0), squared, 0.0)
        centred = np.einsum("kl,lm...->km...", centring, variance)
        trace = np.einsum("kk...->...", centred)
        square = np.einsum("kl...,lk...->...", centred, centred)
        with np.errstate(divide="ignore", invalid="ignore"):
            f = np.where((squared == 0) & (trace == 0), 0.0, squared / trace)
            df1 = np.where(trace > 0, trace**2 / square, len(subset) - 1.0)
        df_tr = self._trace_df(centring) if self.rows.clusters is not None else self._spread_df(subset, sums)
        df2 = self.rows.design.residual_df if self._pooled else df1 / (len(subset) - 1) * df_tr
        df2 = np.broadcast_to(np.asarray(df2, dtype=float), df1.shape)
        return Omnibus(f, df1, df2, np.where(np.isinf(f), 0.0, f_sf(f, df1, df2)))

    @property
    def _pooled(self) -> bool:
        return bool(self.rows.pooled.any())

    def _pair_tests(self, means: np.ndarray, variance: np.ndarray, sums: np.ndarray) -> np.ndarray:
        """(pairs, ...) p-values of t tests, not adjusted."""
        first, second = np.array(self.pairs).T
        error = np.sqrt(variance[first, first] + variance[second, second] - 2 * variance[first, second])
        df = self._pair_df if means.ndim == 1 else self._pair_df[:, None]
        if self.rows.clusters is None and not self._pooled:
            loadings = self.rows.loadings[first] - self.rows.loadings[second]
            moments = level_moments(self.rows.design, loadings)
            df = np.minimum(df, level_df(moments, loadings, sums))
        return two_sided_p(means[first] - means[second], error, df)

    @cached_property
    def _pair_df(self) -> np.ndarray:
        first, second = np.array(self.pairs).T
        if self._pooled:
            return np.full(len(first), float(self.rows.design.residual_df))
        return self._equal_df(self.rows.loadings[first] - self.rows.loadings[second])

    def _equal_df(self, loadings: np.ndarray) -> np.ndarray:
        """(contrasts,) degrees of freedom of such loadings as those of `rows` under equal errors."""
        design = self.rows.design
        if self.rows.clusters is not None:
            return cluster_df(design, self.rows.clusters, loadings)
        return satterthwaite(design, loadings**2)

    @cached_property
    def _traces(self) -> tuple[np.ndarray, np.ndarray]:
        assert self.rows.clusters is not None
        return quadratic_traces(self.rows.design, self.rows.clusters, self.rows.loadings)

    @cached_property
    def _subsets(self) -> tuple[dict[tuple[int, ...], int], np.ndarray, LevelMoments, np.ndarray]:
        """The place of each subset of levels that is tested; (subsets, rows) loadings, so that tr V is the sum of
        (loadings * residuals)**2; and what gives their degrees of freedom by level, and under equal errors."""
        sizes = range(2, self.count + 1) if self.count <= MAX_CLOSURE else [self.count]
        subsets = [subset for size in sizes for subset in combinations(range(self.count), size)]
        parts = [self.rows.loadings[list(subset)] for subset in subsets]
        loadings = np.array([np.sqrt(((own - own.mean(axis=0)) ** 2).sum(axis=0)) for own in parts])
        equal = self._equal_df(loadings)
        places = {subset: place for place, subset in enumerate(subsets)}
        return places, loadings, level_moments(self.rows.design, loadings), equal

    def _spread_df(self, subset: tuple[int, ...], sums: np.ndarray) -> np.ndarray:
        """As `_trace_df`, but no more than the spread of the levels leaves; for HC2."""
        places, loadings, moments, equal = self._subsets
        only = slice(places[subset], places[subset] + 1)
        moments = [(levels, relative[only]) for levels, relative in moments]
        by_level = level_df(moments, loadings[only], sums)[0]
        return np.minimum(equal[only][0], by_level)

    def _trace_df(self, centring: np.ndarray) -> float:
        """Satterthwaite degrees of freedom of tr V of a subset."""
        assert self.rows.clusters is not None
        if self.count > MAX_CLOSURE:
            # The rows are measured from the mean of all levels: the sum of their variances is that of the omnibus test.
            return trace_df(self.rows.design, self.rows.clusters, self.rows.loadings)
        first, second = self._traces
        spread = float(np.einsum("kl,klmn,mn->", centring, second, centring))
        return float(np.sum(centring * first)) ** 2 / spread if spread > 0 else np.nan
