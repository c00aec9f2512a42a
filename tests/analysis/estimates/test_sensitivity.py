"""The same verdicts under other readings, and what is said where they turn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from attnae.analysis.estimates.sensitivity import ranked_worst, reversals
from attnae.analysis.study import fit_study
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial


def verdicts(result, analysis):
    rows = result.sensitivity[result.sensitivity.analysis == analysis]
    return rows.set_index(["factor", "level"])


def test_other_scale():
    table = article_study()
    raw, log = (fit_study(table, ARTICLE_FACTORS, permutations=0, log=log) for log in (False, True))
    assert set(raw.sensitivity.analysis) == {"as reported", "log"}
    assert set(log.sensitivity.analysis) == {"as reported", "raw"}
    np.testing.assert_allclose(verdicts(raw, "log").estimate, log.effects.estimate)
    np.testing.assert_allclose(verdicts(log, "raw").p_holm, raw.effects.p_holm)
    negative = fit_study(table.assign(response=table.response - 1), ARTICLE_FACTORS, permutations=0)
    assert set(negative.sensitivity.analysis) == {"as reported"}


def test_other_epoch_rules():
    table = article_study()
    other = table.response + 0.01 * table.spatial_attention
    result = fit_study(table, ARTICLE_FACTORS, permutations=0, alternatives={"best": other})
    expected = fit_study(table.assign(response=other), ARTICLE_FACTORS, permutations=0)
    assert verdicts(result, "best").estimate.tolist() == expected.effects.estimate.tolist()
    assert verdicts(result, "best").verdict.tolist() == expected.effects.verdict.tolist()
    assert result.reversals == ()


def test_a_reversed_verdict_is_flagged():
    table = article_study(5)
    turned = 0.5 - table.response
    result = fit_study(table, ARTICLE_FACTORS, permutations=0, alternatives={"best": turned})
    flagged = verdicts(result, "best").reverses
    assert flagged["dropout", "True"]
    assert not flagged["spatial_attention", "True"]
    assert not verdicts(result, "as reported").reverses.any()
    assert "dropout = True: hurts as reported, but helps (best)" in result.reversals
    assert "act = sigmoid: worse as reported, but best (best)" in result.reversals


def test_a_verdict_that_vanishes_is_flagged():
    """The other epoch rule has noise that hides batch norm, and leaves dropout as it is."""
    table = article_study(5)
    hidden = table.response + 0.02 * table.batch_norm
    result = fit_study(table, ARTICLE_FACTORS, permutations=0, alternatives={"best": hidden})
    found = verdicts(result, "best")
    assert found.vanishes["batch_norm", "True"]
    assert not found.reverses["batch_norm", "True"]
    assert not found.vanishes["dropout", "True"]
    assert not verdicts(result, "as reported").vanishes.any()
    word = found.verdict["batch_norm", "True"]
    assert f"batch_norm = True: helps as reported, but {word} (best)" in result.reversals


def test_diverged_runs_ranked_worst_reverse_a_verdict():
    """The worst runs of the bad level diverge: the effect shows in the ranks, not among the finished runs."""
    table = factorial(a=[0, 1], b=[0, 1], replicates=12)
    rng = np.random.default_rng(0)
    table["response"] = 10 + rng.standard_normal(48)
    bad = table.index[table.a == 1][::2]
    table.loc[bad, "status"] = "diverged"
    table.loc[bad, "response"] = np.nan
    result = fit_study(table, ["a", "b"], permutations=0)
    assert result.effects.set_index("factor").verdict["a"] == "undetermined"
    assert verdicts(result, "diverged ranked worst").verdict["a", "1"] == "hurts"
    assert result.notes == ("runs left out: 12 diverged; the effects describe finished runs only",)
    finished = table[table.status == "finished"]
    again = fit_study(finished, ["a", "b"], permutations=0)
    pd.testing.assert_frame_equal(result.effects, again.effects)
    assert "diverged ranked worst" not in set(again.sensitivity.analysis)


@pytest.mark.parametrize(("goal", "expected"), [("min", [1, 2, 3.5, 3.5]), ("max", [3, 4, 1.5, 1.5])])
def test_ranks(goal, expected):
    values = pd.Series([0.1, 0.2, np.nan, 0.05])
    diverged = pd.Series([False, False, True, True])
    assert ranked_worst(values, diverged, goal=goal).tolist() == expected


def test_an_alternative_that_cannot_be_analysed_is_noted():
    table = article_study()
    result = fit_study(table, ARTICLE_FACTORS, permutations=0, alternatives={"best": table.response * 0})
    assert set(result.sensitivity.analysis) == {"as reported", "log"}
    assert len(result.notes) == 1
    assert result.notes[0].startswith("sensitivity, best: response is 0 in all 96 finished runs")


def test_an_alternative_without_logarithms_is_noted():
    table = article_study()
    alternatives = {"best": table.response - 0.25}
    result = fit_study(table, ARTICLE_FACTORS, permutations=0, log=True, alternatives=alternatives)
    assert result.notes == ("sensitivity, best: not computed, because not all responses are positive",)


def test_alternatives_follow_the_index():
    table = article_study()
    shuffled = table.response.sample(frac=1, random_state=0)
    result = fit_study(table, ARTICLE_FACTORS, permutations=0, alternatives={"same": shuffled})
    np.testing.assert_allclose(verdicts(result, "same").estimate, result.effects.estimate)


def test_a_negligible_effect_that_another_epoch_does_not_confirm_is_flagged():
    table = article_study(5)
    other = table.response + 0.05 * table.spatial_attention
    result = fit_study(table, ARTICLE_FACTORS, permutations=0, negligible=0.015, alternatives={"best": other})
    verdicts = result.effects.set_index("factor").verdict
    assert verdicts["spatial_attention"] == "negligible"
    assert "spatial_attention = True: negligible as reported, but hurts (best)" in result.reversals
    # On the logarithmic scale the bound does not exist, which says nothing about the effect.
    assert not any("(log)" in line and "spatial_attention" in line for line in result.reversals)


def test_a_factor_that_only_matters_in_the_reported_analysis_is_flagged():
    frame = pd.DataFrame(
        [
            ("as reported", "act", "a", 0.01, "not distinguishable"),
            ("as reported", "act", "b", 0.01, "not distinguishable"),
            ("log", "act", "a", 0.20, "not distinguishable"),
            ("log", "act", "b", 0.20, "not distinguishable"),
            ("best", "act", "a", 0.02, "not distinguishable"),
            ("best", "act", "b", 0.02, "worse"),
        ],
        columns=["analysis", "factor", "level", "p_holm", "verdict"],
    ).assign(reverses=False, vanishes=False)
    said = ("act: matters as reported, but its levels do not differ significantly (log)",)
    assert reversals(frame, alpha=0.05) == said
    assert reversals(frame, alpha=0.005) == ()
