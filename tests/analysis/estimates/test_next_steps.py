"""How many seeds a follow-up study needs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from attnae.analysis.inference.power import t_power
from attnae.analysis.study import fit_study
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial


def test_shared_seeds():
    """The smallest S whose power reaches 80% with S - 1 degrees of freedom at alpha / 4."""
    table = article_study(5)
    result = fit_study(table, ARTICLE_FACTORS, permutations=0, target=0.004)
    effects, steps = result.effects.iloc[2], result.next_steps.iloc[2]
    spread = effects.std_error * np.sqrt(5)
    for column, sd in (("seeds_needed", spread), ("seeds_cautious", spread * np.sqrt(4 / stats.chi2.ppf(0.2, 4)))):
        seeds = steps[column]
        assert t_power(0.004 * np.sqrt(seeds) / sd, seeds - 1, 0.0125) >= 0.8
        assert t_power(0.004 * np.sqrt(seeds - 1) / sd, seeds - 2, 0.0125) < 0.8
    assert steps.seeds_cautious > steps.seeds_needed
    assert steps.seeds_now == 5
    assert steps.power_target == pytest.approx(t_power(0.004 / effects.std_error, 4, 0.0125))


def test_distinct_seeds():
    """Four times the runs halve the error: the detectable effect needs the present runs, half of it 4 times as many."""
    table = factorial(a=[0, 1], b=[0, 1], replicates=25)
    table["response"] = np.random.default_rng(0).standard_normal(100)
    effects = fit_study(table, ["a", "b"], permutations=0).effects
    for share, seeds in ((1.0, 25), (0.5, 98)):
        target = float(share * effects.mde[0]) * (1 + 1e-9)
        steps = fit_study(table, ["a", "b"], permutations=0, target=target).next_steps.iloc[0]
        assert (steps.effect, steps.seeds_now) == (target, 25)
        # A little less than 100, since the t quantiles shrink as well.
        assert steps.seeds_needed == pytest.approx(seeds, abs=1)
    assert fit_study(table, ["a", "b"], permutations=0, target=1e-4).next_steps.seeds_needed.isna().all()


def test_the_size_is_the_target_else_the_negligible_bound_else_the_estimate():
    table = article_study(5)

    def steps(**options):
        return fit_study(table, ARTICLE_FACTORS, permutations=0, **options)

    own = steps()
    np.testing.assert_allclose(own.next_steps.effect, own.effects.estimate.abs())
    # The power for the estimate would be a function of its p-value.
    assert own.next_steps.power_target.isna().all()
    assert set(steps(negligible=0.01).next_steps.effect) == {0.01}
    assert set(steps(negligible=0.01, target=0.02).next_steps.effect) == {0.02}
