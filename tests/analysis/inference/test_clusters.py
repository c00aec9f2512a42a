"""CR2 by seed against its definition with dense matrices, and against t tests of per-seed effects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import linalg, stats

from attnae.analysis.design.prepare import Columns, prepare
from attnae.analysis.estimates.family import MainEffects, Reading, main_rows
from attnae.analysis.estimates.noise import estimates_by_seed, t_over_seeds
from attnae.analysis.inference.contrasts import contrasts
from attnae.analysis.inference.levels import LevelTests
from attnae.analysis.inference.scope import NEW_SEEDS, THESE_RUNS, THESE_SEEDS, scoped_contrasts, study_scope
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial


def design_of(table: pd.DataFrame, factors=ARTICLE_FACTORS, interactions="auto"):
    return prepare(table, factors, table["response"], Columns(), interactions).design


def with_holes(seeds: int = 4) -> pd.DataFrame:
    table = article_study(seeds)
    kept = np.random.default_rng(5).permutation(len(table))[: round(0.85 * len(table))]
    return table.iloc[np.sort(kept)].reset_index(drop=True)


def dense_cr2(design, rows, y):
    """Estimates, variances and degrees of freedom from n x n matrices, cluster by cluster as in the definition."""
    x = design.matrix
    inverse = linalg.pinv(x.T @ x, rtol=1e-11)
    residual_maker = np.eye(len(x)) - x @ inverse @ x.T
    e = residual_maker @ y
    found = []
    for row in rows:
        w = x @ inverse @ row
        variance, parts = 0.0, []
        for seed in np.unique(design.seeds):
            own = np.flatnonzero(design.seeds == seed)
            values, vectors = linalg.eigh(residual_maker[np.ix_(own, own)])
            keep = values > 1e-8
            root = vectors[:, keep] @ np.diag(values[keep] ** -0.5) @ vectors[:, keep].T
            variance += float(w[own] @ root @ e[own]) ** 2
            parts.append(residual_maker[:, own] @ root @ w[own])
        omega = np.array([[p @ q for q in parts] for p in parts])
        found.append((w @ y, np.sqrt(variance), np.trace(omega) ** 2 / np.trace(omega @ omega)))
    return np.array(found).T


@pytest.mark.parametrize("interactions", ["none", "auto"])
def test_cr2_is_its_definition(interactions):
    table = with_holes()
    design = design_of(table, interactions=interactions)
    y = table.response.to_numpy()
    fitted = contrasts(design, main_rows(design), clusters=design.seeds)
    ours = fitted.fit(y)
    estimate, std_error, df = dense_cr2(design, main_rows(design), y)
    np.testing.assert_allclose(ours.estimate, estimate, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours.std_error, std_error, rtol=1e-9)
    np.testing.assert_allclose(fitted.df, df, rtol=1e-9)
    assert ((fitted.df > 2) & (fitted.df < 3)).all()


@pytest.mark.parametrize("seeds", [3, 5])
def test_balanced_studies_have_the_t_test_of_per_seed_effects(seeds):
    table = article_study(seeds)
    design, y = design_of(table), table.response.to_numpy()
    fitted = contrasts(design, main_rows(design), clusters=design.seeds)
    ours = fitted.fit(y)
    by_seed = t_over_seeds(estimates_by_seed(design, main_rows(design), y), 0.05)
    np.testing.assert_allclose(ours.std_error, by_seed["std_error"], rtol=1e-12)
    np.testing.assert_allclose(fitted.df, seeds - 1, rtol=1e-9)
    np.testing.assert_allclose(ours.p, by_seed["p"], rtol=1e-9)


def test_two_groups_of_clusters_are_welch_on_the_means_of_clusters():
    """Clusters of equal size within one of two groups: CR2 is Welch's variance of the cluster means, and its degrees of
    freedom are (1/a + 1/b)^2 / (1 / (a^2 (a - 1)) + 1 / (b^2 (b - 1)))."""
    table = pd.DataFrame({"a": [0] * 8 + [1] * 12, "seed": np.repeat(np.arange(5), 4)})
    table["response"] = np.random.default_rng(3).standard_normal(20)
    design = design_of(table, ["a"])
    fitted = contrasts(design, main_rows(design), clusters=design.seeds)
    means = table.groupby("seed").response.mean().to_numpy()
    welch = np.sqrt(means[:2].var(ddof=1) / 2 + means[2:].var(ddof=1) / 3)
    assert fitted.fit(table.response.to_numpy()).std_error[0] == pytest.approx(welch, rel=1e-12)
    assert fitted.df[0] == pytest.approx((1 / 2 + 1 / 3) ** 2 / (1 / 4 + 1 / (9 * 2)), rel=1e-12)


def test_a_cluster_for_each_run_is_hc2():
    table = with_holes()
    design, y = design_of(table), table.response.to_numpy()
    hc2 = contrasts(design, main_rows(design))
    alone = contrasts(design, main_rows(design), clusters=np.arange(design.n))
    np.testing.assert_allclose(alone.fit(y).std_error, hc2.fit(y).std_error, rtol=1e-12)
    np.testing.assert_allclose(alone.df, hc2.df, rtol=1e-9)


def test_many_studies_at_once_equal_single_studies():
    design = design_of(with_holes())
    y = np.random.default_rng(4).standard_normal((design.n, 3)) + 10
    family = MainEffects.of(design)
    together = family.judge(y, Reading(negligible=0.5))
    for k in range(3):
        alone = family.judge(y[:, k], Reading(negligible=0.5))
        assert together.verdicts[:, k].tolist() == alone.verdicts.tolist()
        np.testing.assert_allclose(together.estimates.std_error[:, k], alone.estimates.std_error, rtol=1e-9)
        np.testing.assert_allclose(together.adjusted.rows[:, k], alone.adjusted.rows, rtol=1e-8)
        np.testing.assert_allclose(together.adjusted_here.rows[:, k], alone.adjusted_here.rows, rtol=1e-8)


def test_the_sum_of_variances_has_the_degrees_of_freedom_of_all_rows_stacked():
    """tr V of three levels by the dense Omega of orthonormal contrasts and clusters."""
    table = with_holes()
    design = design_of(table, ["batch_norm", "act"])
    factor = design.factors[1]
    rows = np.array([design.place("act", weights) for _, weights in factor.effect_rows()])
    tests = LevelTests(contrasts(design, rows, clusters=design.seeds))
    residual_maker = np.eye(design.n) - (design.basis @ design.basis.T)[np.ix_(design.row_of, design.row_of)]
    helmert = linalg.helmert(3)
    subset = (0, 2, 3)
    parts = []
    for weights in helmert @ tests.rows.loadings[list(subset)]:
        for seed in np.unique(design.seeds):
            parts.append(residual_maker @ np.where(design.seeds == seed, weights, 0.0))
    omega = np.array(parts) @ np.array(parts).T
    centring = np.zeros((4, 4))
    centring[np.ix_(subset, subset)] = helmert.T @ helmert
    assert tests._trace_df(centring) == pytest.approx(np.trace(omega) ** 2 / np.trace(omega @ omega), rel=1e-9)


def test_scopes():
    table = article_study(3)
    assert study_scope(design_of(table)) == NEW_SEEDS
    assert study_scope(design_of(article_study(2))) == THESE_SEEDS
    assert study_scope(design_of(article_study(1))) == THESE_SEEDS
    assert study_scope(design_of(table.drop(columns="seed"))) == THESE_RUNS
    assert study_scope(design_of(table.assign(seed=np.where(table.index == 3, np.nan, table.seed)))) == THESE_RUNS
    assert study_scope(design_of(article_study(1).drop(columns="seed"))) == THESE_SEEDS
    assert study_scope(design_of(article_study(1).assign(seed=np.arange(32)))) == NEW_SEEDS


def test_a_contrast_that_a_seed_does_not_support_is_about_these_seeds():
    """One seed has a single run of the level c: that run is fitted exactly."""
    table = factorial(5, act=list("abc"), bn=[0, 1])
    table = table[(table.act != "c") | ((table.seed == 0) & (table.bn == 0))].reset_index(drop=True)
    table["response"] = np.random.default_rng(0).standard_normal(len(table))
    design = design_of(table, ["act", "bn"], "none")
    fitted = scoped_contrasts(design, main_rows(design))
    assert fitted.scope.tolist() == [THESE_SEEDS] * 3 + [NEW_SEEDS]
    assert np.isfinite(fitted.fit(table.response.to_numpy())[0].std_error).all()


def test_omnibus_of_balanced_seeds_is_greenhouse_geisser():
    """Repeated measures by hand: F of levels x seeds, epsilon from the covariance of orthonormal contrasts."""
    table = factorial(6, act=list("pqrs"))
    table["response"] = np.random.default_rng(1).standard_normal(24) * (1 + (table.act == "s")) + table.seed
    design = design_of(table, ["act"])
    rows = np.array([design.place("act", weights) for _, weights in design.factors[0].effect_rows()])
    found = LevelTests(contrasts(design, rows, clusters=design.seeds)).omnibus(table.response.to_numpy())
    wide = table.pivot(index="seed", columns="act", values="response").to_numpy()
    z = wide @ linalg.helmert(4).T
    covariance = np.cov(z.T)
    epsilon = np.trace(covariance) ** 2 / (3 * np.trace(covariance @ covariance))
    residual = wide - wide.mean(0) - wide.mean(1, keepdims=True) + wide.mean()
    f = 6 * ((wide.mean(0) - wide.mean()) ** 2).sum() / 3 / ((residual**2).sum() / 15)
    assert (found.f, found.df1, found.df2) == pytest.approx((f, 3 * epsilon, 15 * epsilon), rel=1e-9)
    assert found.p == pytest.approx(stats.f.sf(f, 3 * epsilon, 15 * epsilon), rel=1e-9)


def test_runs_that_share_a_seed_are_a_cluster_also_within_one_cell():
    """Folds of one seed are no new seeds: with a seed in one cell only, the errors are those of the seeds' means."""
    table = pd.DataFrame({"a": [0] * 12 + [1] * 12, "seed": np.repeat(np.arange(6), 4), "fold": list(range(4)) * 6})
    rng = np.random.default_rng(3)
    table["response"] = rng.standard_normal(6)[table.seed] + 0.01 * rng.standard_normal(24)
    design, y = design_of(table, ["a"]), table.response.to_numpy()
    fitted = scoped_contrasts(design, main_rows(design))
    assert fitted.scope.tolist() == [NEW_SEEDS]
    means = table.groupby("seed").response.mean()
    welch = stats.ttest_ind(means[3:], means[:3], equal_var=False)
    found = fitted.fit(y)[0]
    assert (found.p[0], fitted.df[0]) == pytest.approx((stats.ttest_ind(means[3:], means[:3]).pvalue, 4), rel=1e-9)
    assert found.estimate[0] / found.std_error[0] == pytest.approx(welch.statistic, rel=1e-9)
    alone = design_of(table[table.seed.isin([0, 3, 4])].reset_index(drop=True), ["a"])
    assert scoped_contrasts(alone, main_rows(alone)).scope.tolist() == [THESE_SEEDS]
