"""The sentences of the report: their words follow the verdicts, their numbers the tables."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from attnae.analysis.report.sentences import sentences
from attnae.analysis.study import fit_study
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial


def sentence_of(table: pd.DataFrame, factors: list[str], **options) -> dict[str, tuple[str, str]]:
    result = fit_study(table, factors, permutations=0, **options)
    return {item.factor: (item.verdict, item.text) for item in sentences(result)}


def row(table: pd.DataFrame, factor: str, **options) -> pd.Series:
    effects = fit_study(table, ARTICLE_FACTORS, permutations=0, **options).effects
    return effects[effects.factor == factor].iloc[0]


def test_helps_and_hurts_give_percent_interval_and_holm_p() -> None:
    table = article_study()
    found = sentence_of(table, ARTICLE_FACTORS)
    pattern = r"(.+) (lowers|raises) response by (.+)% \(95% CI (.+) to (.+), p [=<] (.+) after Holm\): (helps|hurts)"
    for factor, verb, verdict in (("batch_norm", "lowers", "helps"), ("dropout", "raises", "hurts")):
        word, text = found[factor]
        match = re.fullmatch(pattern, text)
        assert match is not None, text
        expected = row(table, factor)
        off_mean = 100 * expected.estimate / expected.percent_change
        ends = sorted(abs(100 * end / off_mean) for end in (expected.ci_low, expected.ci_high))
        assert (match[2], match[7], word) == (verb, verdict, verdict)
        assert [float(match[i]) for i in (3, 4, 5)] == pytest.approx([abs(expected.percent_change), *ends], abs=0.051)


def test_names_read_as_words() -> None:
    found = sentence_of(article_study(), ARTICLE_FACTORS)
    assert found["batch_norm"][1].startswith("Batch norm lowers")
    assert found["spatial_attention"][1].startswith("Spatial attention changes")
    table = article_study().replace({"act": {"elu": "selu", "sigmoid": "relu"}}).rename(columns={"act": "norm"})
    found = sentence_of(table, ["batch_norm", "dropout", "spatial_attention", "norm"])
    assert found["norm"][1].startswith("norm = selu instead of relu ")


def test_goal_max_reverses_the_verdicts_but_not_the_numbers() -> None:
    low, high = (sentence_of(article_study(), ARTICLE_FACTORS, goal=goal) for goal in ("min", "max"))
    assert (low["batch_norm"][0], high["batch_norm"][0]) == ("helps", "hurts")
    assert low["batch_norm"][1].removesuffix("helps") == high["batch_norm"][1].removesuffix("hurts")
    assert "has the lowest" in low["act"][1]
    assert "act = sigmoid has the highest" in high["act"][1]
    assert high["act"][0] == "best"


def test_undetermined_gives_the_detectable_effect() -> None:
    verdict, text = sentence_of(article_study(), ARTICLE_FACTORS)["spatial_attention"]
    expected = row(article_study(), "spatial_attention")
    assert verdict == "undetermined"
    match = re.search(r": undetermined; the study had an 80% chance of detecting an effect of (.+)%$", text)
    assert match is not None
    assert float(match[1]) == pytest.approx(abs(expected.mde * expected.percent_change / expected.estimate), abs=0.051)


def test_suggestive_is_worded_with_may() -> None:
    table = factorial(replicates=6, a=[0, 1], b=[0, 1], c=[0, 1])
    # Standard error 0.3: t = 2.1, p = 0.04, after Holm 0.1.
    table["response"] = 10 + 0.65 * table.a + np.tile([-1.0, 1.0], len(table) // 2)
    verdict, text = sentence_of(table, ["a", "b", "c"])["a"]
    effects = fit_study(table, ["a", "b", "c"], permutations=0).effects
    assert effects.verdict[0] == "suggestive"
    assert verdict == "suggestive"
    assert re.match(r"a may raise response by .*: suggestive$", text)


def test_negligible_names_its_bound() -> None:
    verdict, text = sentence_of(article_study(), ARTICLE_FACTORS, negligible=0.01)["spatial_attention"]
    assert verdict == "negligible"
    assert text.endswith("; 90% CI within ±0.01): negligible")


def test_levels_best_worse_and_tied() -> None:
    table = factorial(replicates=5, act=["elu", "relu", "selu"])
    noise = 0.001 * np.random.default_rng(0).standard_normal(len(table))
    table["response"] = 1 + noise + 0.1 * (table.act != "elu")
    verdict, text = sentence_of(table, ["act"])["act"]
    assert verdict == "best"
    assert text.startswith("act = elu has the lowest response; relu (+")
    assert " are worse (" in text
    assert text.endswith(": best")
    table["response"] = 1 + noise + 0.1 * (table.act == "selu")
    verdict, text = sentence_of(table, ["act"])["act"]
    assert verdict == "tied"
    assert "selu (+" in text
    assert ") is worse, " in text
    assert " is tied with it" in text
    table["response"] = 1 + noise
    verdict, text = sentence_of(table, ["act"])["act"]
    assert verdict == "tied"
    assert text.startswith("act: elu, relu and selu are not distinguishable (smallest p = ")
    assert "the study had an 80% chance of detecting a level that differs from their mean by " in text


@pytest.mark.parametrize(("row_p", "pair_p", "shown"), [(0.009, 0.056, "0.056"), (0.21, 0.03, "0.210")])
def test_tied_levels_show_the_p_that_prevented_a_difference(row_p, pair_p, shown) -> None:
    """Levels differ if both a row and a pair are significant. With only one of them they are tied."""
    table = factorial(replicates=5, act=["elu", "relu", "selu"])
    table["response"] = 1 + 0.001 * np.random.default_rng(0).standard_normal(len(table))
    result = fit_study(table, ["act"], permutations=0)
    assert set(result.effects.verdict) == {"tied"}
    shifted = replace(
        result,
        effects=result.effects.assign(p_holm=[1, row_p, 1]),
        pairwise=result.pairwise.assign(p_holm=[1, 1, pair_p]),
    )
    assert f"(smallest p = {shown} after Holm): tied" in sentences(shifted)[0].text


def test_a_curve_has_two_parts_and_the_verdict_of_the_smaller_p() -> None:
    table = factorial(replicates=2, lr=[10.0**-k for k in range(8)], a=[0, 1])
    noise = 0.001 * np.random.default_rng(0).standard_normal(len(table))
    table["response"] = 1 + 0.01 * (np.log10(table.lr) + 3.5) ** 2 + noise
    verdict, text = sentence_of(table, ["lr", "a"])["lr"]
    assert verdict == "helps"
    assert text.startswith("Raising lr from 1e-07 to 1 (on a log10 scale) changes response by ")
    assert text.count("Curvature: the middle of the range of lr, compared with its ends, lowers response by ") == 1
    assert text.count("the middle of the range") == 1


def test_no_estimate_gives_the_reason_and_no_verdict() -> None:
    table = factorial(replicates=4, a=[0, 1], b=[0, 1], c=[0, 1])
    table = table[table.c == (table.a ^ table.b)]
    table["response"] = np.random.default_rng(0).standard_normal(len(table))
    verdict, text = sentence_of(table, ["a", "b", "c"], interactions="two-way")["a"]
    assert verdict == ""
    assert text.startswith("a: no estimate (not estimable: ")


def test_without_residual_degrees_of_freedom_there_is_no_interval() -> None:
    table = factorial(a=[0, 1], b=[0, 1]).assign(response=[1.0, 2.0, 3.0, 5.0])
    verdict, text = sentence_of(table, ["a", "b"], interactions="two-way")["a"]
    assert verdict == "undetermined"
    assert "no interval: no residual degrees of freedom" in text


def test_negative_responses_are_given_in_their_own_units() -> None:
    table = article_study()
    table["response"] -= 1
    found = sentence_of(table, ARTICLE_FACTORS)
    assert "%" not in found["dropout"][1].replace("95% CI", "")
    size = float(re.search(r"raises response by ([\d.]+) ", found["dropout"][1])[1])
    assert size == pytest.approx(row(table, "dropout").estimate, rel=0.02)


def test_log_responses_give_exact_percents() -> None:
    text = sentence_of(article_study(), ARTICLE_FACTORS, log=True)["dropout"][1]
    expected = 100 * np.expm1(
        row(article_study(), "dropout", log=True)[["estimate", "ci_low", "ci_high"]].astype(float)
    )
    found = re.search(r"by (.+)% \(95% CI (.+) to (.+), p", text)
    assert [float(value) for value in found.groups()] == pytest.approx(expected.tolist(), abs=0.051)


def test_other_confidence_is_named() -> None:
    assert "(99% CI " in sentence_of(article_study(), ARTICLE_FACTORS, alpha=0.01)["dropout"][1]


def test_a_dropped_factor_is_reported() -> None:
    table = article_study()
    table = table[~table.dropout]
    assert sentence_of(table, ARTICLE_FACTORS)["dropout"] == (
        "",
        "Dropout is False in all finished runs, so its effect cannot be estimated",
    )
