"""Permutation tests against the complete enumeration."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest

from attnae.analysis.design.prepare import Columns, prepare
from attnae.analysis.inference.anova import added_space
from attnae.analysis.inference.permutation import FREEDMAN_LANE, WITHIN_STRATA, Scheme, permutation_p, permutation_table
from attnae.analysis.study import fit_study
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial

DRAWS = 20_000


def table_of(runs, factors, draws=DRAWS, seed=0, interactions="auto"):
    design = prepare(runs, factors, runs["response"], Columns(), interactions).design
    return permutation_table(design, runs["response"].to_numpy(), draws=draws, seed=seed).set_index("factor")


def test_two_levels_against_all_swaps_within_strata():
    """2 x 2 cells, 4 seeds: each stratum of a holds one pair, so that there are 2^8 relabelings."""
    runs = factorial(4, a=[0, 1], b=[0, 1])
    runs["response"] = np.random.default_rng(3).standard_normal(16) + 0.6 * runs.a + runs.seed
    differences = runs[runs.a == 1].response.to_numpy() - runs[runs.a == 0].response.to_numpy()
    sums = np.abs([differences @ signs for signs in product([-1, 1], repeat=8)])
    exact = np.mean(sums >= np.abs(differences.sum()) - 1e-12)
    ours = table_of(runs, ["a", "b"])
    assert ours.method["a"] == WITHIN_STRATA
    assert 0.01 < exact < 0.5
    assert ours.p["a"] == pytest.approx(exact, abs=4 * np.sqrt(exact / DRAWS))


def test_many_levels_against_all_labelings():
    """Three levels in two seeds: 36 labelings; the statistic is the sum of squares of the level means."""
    runs = factorial(2, act=list("pqr"))
    runs = runs.sort_values(["seed", "act"], ignore_index=True).assign(response=[1.0, 2.4, 2.2, 1.1, 1.9, 3.0])
    statistics = []
    for first, second in product(permutations(range(3)), repeat=2):
        means = (runs.response[:3].to_numpy()[list(first)] + runs.response[3:].to_numpy()[list(second)]) / 2
        statistics.append(2 * ((means - means.mean()) ** 2).sum())
    exact = np.mean(np.array(statistics) >= statistics[0] - 1e-12)
    ours = table_of(runs, ["act"])
    assert ours.statistic["act"] == pytest.approx(statistics[0])
    assert ours.p["act"] == pytest.approx(exact, abs=4 * np.sqrt(exact / DRAWS))


def test_freedman_lane_against_all_permutations():
    """Residuals of the model without the factor are put onto its fit in every order."""
    runs = pd.DataFrame({"x": list("ababab"), "g": [0, 0, 0, 1, 1, 1], "response": [0.3, 1.9, 0.1, 1.5, 2.1, 1.2]})
    y = runs.response.to_numpy()
    reduced = np.column_stack([np.ones(6), runs.g])
    full = np.column_stack([reduced, runs.x == "b"])

    def residuals(y, x):
        return y - x @ np.linalg.lstsq(x, y)[0]

    def drop(y):
        return (residuals(y, reduced) ** 2).sum() - (residuals(y, full) ** 2).sum()

    left = residuals(y, reduced)
    statistics = [drop(y - left + left[list(order)]) for order in permutations(range(6))]
    exact = np.mean(np.array(statistics) >= drop(y) - 1e-12)
    design = prepare(runs, ["x", "g"], runs["response"], Columns(), "none").design
    space = added_space(design, "x")[design.row_of]
    scheme = Scheme(FREEDMAN_LANE, left, np.zeros(6, dtype=int))
    p = permutation_p(space, scheme, drop(y), DRAWS, np.random.default_rng(0))
    assert p == pytest.approx(exact, abs=4 * np.sqrt(exact / DRAWS))


def test_random_search_has_no_strata():
    rng = np.random.default_rng(0)
    runs = pd.DataFrame({"lr": rng.uniform(size=40), "bn": np.arange(40) % 2, "seed": 1})
    runs["response"] = rng.standard_normal(40) + 2 * runs.bn
    ours = table_of(runs, ["lr", "bn"], draws=999)
    assert ours.method["bn"] == FREEDMAN_LANE
    assert ours.p["bn"] == 0.001


def test_seeds_are_strata_only_if_they_are_blocks():
    """Seeds 20 times as wide as the noise: shuffling across them would hide the effect."""
    runs = article_study(rng_seed=5)
    runs["response"] += 0.2 * runs.seed
    assert table_of(runs, ARTICLE_FACTORS, draws=999).p["batch_norm"] == 0.001


def test_same_seed_same_p_and_draws_are_counted():
    runs = article_study()
    one, same, other = (table_of(runs, ARTICLE_FACTORS, draws=499, seed=seed).p for seed in (0, 0, 1))
    assert one.tolist() == same.tolist()
    assert one["spatial_attention"] != other["spatial_attention"]
    result = fit_study(runs, ARTICLE_FACTORS, permutations=99)
    assert result.permutation.draws.tolist() == [99] * 4
    assert result.permutation.p.min() == 0.01
    assert fit_study(runs, ARTICLE_FACTORS, permutations=0).permutation is None


def test_no_effect_gives_uniform_p():
    """120 studies of no effect: p is below 0.25 in about a quarter of them."""
    runs = factorial(2, a=[0, 1], b=list("pqr"))
    design = prepare(runs.assign(response=range(12)), ["a", "b"], runs.index.to_series(), Columns(), "auto").design
    rng = np.random.default_rng(8)
    p = [permutation_table(design, rng.standard_normal(12), draws=199, seed=k).p.to_numpy() for k in range(120)]
    assert np.mean(np.array(p) <= 0.25, axis=0) == pytest.approx([0.25, 0.25], abs=0.12)
