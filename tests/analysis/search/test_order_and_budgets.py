"""Adaptive searches are recognised, and runs of unequal length are compared at the last step that both reached."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from attnae.analysis.search import fit_search
from attnae.analysis.search.budgets import beaten_shares, unequal_budgets
from attnae.analysis.search.order import sampler_is_adaptive
from tests.analysis.search.searches import SETTINGS, search


def _fit(table, settings=SETTINGS, **options):
    return fit_search(table, settings, permutations=199, **options)


@pytest.mark.parametrize("name", ["TPESampler", "optuna/TPE", "tpe", "BayesOptSearch", "CmaEsSampler", "gp_minimize"])
@pytest.mark.parametrize("more", ["", " v2"])
def test_adaptive_samplers_are_known_by_name(name, more):
    assert sampler_is_adaptive(name + more)


@pytest.mark.parametrize("name", ["ASHAScheduler", "AsyncHyperBandScheduler", "BOHB", "PBT", "GPSampler", "bayes"])
def test_adaptive_schedulers_are_known_by_name(name):
    assert sampler_is_adaptive(name)


@pytest.mark.parametrize("name", ["RandomSampler", "grid", "gpu", "sobol", "QMCSampler", "camera"])
def test_other_names_are_not_adaptive(name):
    assert not sampler_is_adaptive(name)


def _ordered(n, seed, *, narrowing):
    """Trials in order; a narrowing search draws its second half near the best of the first."""
    table = search(n, seed)
    rng = np.random.default_rng([seed, 2])
    if narrowing:
        late = np.arange(n) >= n // 2
        table["lr"] = np.where(late, 10 ** rng.normal(-3, 0.2, n), table["lr"])
    return table.assign(number=np.arange(n))


def test_a_search_that_narrows_is_adaptive():
    result = _fit(_ordered(60, 0, narrowing=True), order="number")
    assert result.adaptive
    assert result.adaptive_reason.startswith("lr was chosen differently in the second half of the runs (p = ")
    assert result.configurations["order"].tolist() == list(range(60))


def test_random_searches_are_rarely_called_adaptive():
    found = [_fit(_ordered(40, seed, narrowing=False), ["lr", "act", "units"], order="number") for seed in range(10)]
    assert sum(result.adaptive for result in found) <= 1


def test_the_order_is_that_of_the_column_and_not_of_the_rows():
    table = _ordered(60, 0, narrowing=True)
    shuffled = table.sample(frac=1, random_state=0).reset_index(drop=True)
    assert _fit(shuffled, order="number").adaptive
    assert not _fit(shuffled).adaptive


def test_an_incomplete_order_is_not_used():
    table = _ordered(60, 0, narrowing=True)
    result = _fit(table.assign(number=table["number"].where(table["number"] > 0)), order="number")
    assert not result.adaptive
    assert "order" not in result.configurations


def test_adaptive_searches_are_adjusted_with_fewer_runs():
    table = search(40)
    assert not _fit(table).adjusted
    result = _fit(table, sampler="TPESampler")
    assert result.adjusted
    assert result.adaptive_reason == "the logs name TPESampler"
    few = _fit(search(24), sampler="TPESampler")
    assert not few.adjusted
    assert any("that the sampler moved together" in note for note in few.notes)


def _history(*values):
    return np.arange(1, len(values) + 1), np.array(values, dtype=float)


def test_runs_are_compared_at_the_last_common_step():
    """The short run is better than the long one at step 2; the other short run is worse than both there."""
    histories = [_history(5, 3), _history(5, 4, 3, 2, 1), _history(6, 6)]
    shares = beaten_shares(histories, 1, np.zeros(3, dtype=bool))
    np.testing.assert_allclose(shares, [1, 0.5, 0])
    np.testing.assert_allclose(beaten_shares(histories, -1, np.zeros(3, dtype=bool)), [0, 0.5, 1])


def test_ties_count_half_and_diverged_runs_lose():
    histories = [_history(1, 1), _history(1, 1), (np.array([]), np.array([]))]
    np.testing.assert_allclose(beaten_shares(histories, 1, np.array([False, False, True])), [0.75, 0.75, 0])


def test_runs_that_share_no_step_are_not_compared():
    late = (np.array([10, 11]), np.array([1.0, 1.0]))
    shares = beaten_shares([_history(1.0, 2.0), late], 1, np.zeros(2, dtype=bool))
    assert np.isnan(shares).all()


def test_the_shares_agree_with_a_slow_definition():
    rng = np.random.default_rng(0)
    histories = [(np.sort(rng.choice(50, k, replace=False)), rng.uniform(size=k)) for k in rng.integers(1, 40, 15)]
    diverged = rng.random(15) < 0.2
    slow = []
    for i, (steps, values) in enumerate(histories):
        wins = []
        for j, (others, costs) in enumerate(histories):
            if i == j:
                continue
            if diverged[i] or diverged[j]:
                wins.append(0.5 if diverged[i] and diverged[j] else float(diverged[j]))
                continue
            step = min(steps[-1], others[-1])
            if (steps <= step).any() and (others <= step).any():
                mine, theirs = values[steps <= step][-1], costs[others <= step][-1]
                wins.append(1.0 if mine < theirs else 0.5 if mine == theirs else 0.0)
        slow.append(np.mean(wins) if wins else np.nan)
    np.testing.assert_allclose(beaten_shares(histories, 1, diverged), slow)


@pytest.mark.parametrize(
    ("lengths", "settings", "unequal"),
    [
        ([10, 10, 10, 10], {"x": [1, 2, 3, 4]}, False),
        ([100, 95, 100, 91], {"x": [1, 2, 3, 4]}, False),
        ([10, 20, 10, 30], {"x": [1, 2, 3, 4]}, True),
        ([10, 20, 10, 20], {"x": [1, 2, 1, 2]}, False),
        ([10, 20, 10, 30], {"epochs": [10, 20, 15, 30]}, False),
        ([10, 20, 10, 30], {"train/max_steps": [10, 20, 15, 30]}, False),
    ],
)
def test_unequal_budgets(lengths, settings, unequal):
    table = pd.DataFrame(settings)
    assert unequal_budgets([_history(*range(n)) for n in lengths], table, list(settings)) == unequal


def test_a_search_with_stopped_runs_finds_what_the_last_values_hide():
    """Losses fall with the step, and runs were stopped at random: the last value tells the length of a run."""
    rng = np.random.default_rng(3)
    table = search(80, seed=3)
    quality = table["response"].to_numpy()
    lengths = rng.integers(5, 100, 80)
    histories = [(np.arange(1, k + 1), q + 20 / np.arange(1, k + 1)) for k, q in zip(lengths, quality, strict=True)]
    last = table.assign(
        response=[values[-1] for _, values in histories],
        status=np.where(lengths < 95, "pruned", "finished"),
    )
    result = _fit(last, histories=histories)
    assert result.runs == 80
    assert any("compared at the last step that both of two runs reached" in note for note in result.notes)
    assert result.settings.set_index("factor").loc["lr", "verdict"] == "optimum"
    assert np.corrcoef(result.configurations["z"], quality)[0, 1] > 0.8
    assert result.configurations["response"].notna().sum() == (lengths >= 95).sum()
    plain = _fit(last.assign(status="finished"))
    assert np.corrcoef(plain.configurations["z"], quality)[0, 1] < 0.7


def test_settings_with_the_names_of_columns():
    table = search(60).rename(columns={"units": "z", "aug": "runs"})
    result = _fit(table, ["lr", "z", "runs", "act"])
    plain = _fit(search(60), ["lr", "units", "aug", "act"])
    assert result.settings["p"].tolist() == plain.settings["p"].tolist()
    assert {"hparams/z", "hparams/runs"} <= set(result.configurations)
