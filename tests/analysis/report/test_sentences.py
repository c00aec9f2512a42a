"""The sentences of the report: their words follow the verdicts, their numbers the tables."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from attnae.analysis.report.sentences.study import sentences
from attnae.analysis.study import fit_study
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial


def sentence_of(table: pd.DataFrame, factors: list[str], **options) -> dict[str, tuple[str, str]]:
    result = fit_study(table, factors, permutations=0, **options)
    return {item.factor: (item.verdict, item.text) for item in sentences(result)}


def row(table: pd.DataFrame, factor: str, **options) -> pd.Series:
    effects = fit_study(table, ARTICLE_FACTORS, permutations=0, **options).effects
    return effects[effects.factor == factor].iloc[0]


def test_helps_and_hurts_give_percent_interval_and_holm_p() -> None:
    """The interval of these seeds follows only where it is the narrower one: here, that of dropout."""
    table = article_study(5)
    found = sentence_of(table, ARTICLE_FACTORS)
    pattern = (
        r"(.+) (lowers|raises) response by (.+)% for new seeds \(95% CI (.+) to (.+), p [=<] (.+) after Holm\): "
        r"(helps|hurts)(?:\. For these 5 seeds alone: (.+) to (.+))?"
    )
    expectations = (("batch_norm", "lowers", "helps", False), ("dropout", "raises", "hurts", True))
    for factor, verb, verdict, narrower in expectations:
        word, text = found[factor]
        match = re.fullmatch(pattern, text)
        assert match is not None, text
        expected = row(table, factor)
        off_mean = 100 * expected.estimate / expected.percent_change
        ends = sorted(abs(100 * end / off_mean) for end in (expected.ci_low, expected.ci_high))
        here = sorted(abs(100 * end / off_mean) for end in (expected.ci_low_here, expected.ci_high_here))
        assert (match[2], match[7], word) == (verb, verdict, verdict)
        assert (here[1] - here[0] < ends[1] - ends[0]) == narrower
        sizes = [float(match[i]) for i in (3, 4, 5, 8, 9) if match[i] is not None]
        assert sizes == pytest.approx([abs(expected.percent_change), *ends, *(here if narrower else [])], abs=0.051)


def test_helps_here_says_that_new_seeds_are_open() -> None:
    verdict, text = sentence_of(article_study(3), ARTICLE_FACTORS)["batch_norm"]
    effects = fit_study(article_study(3), ARTICLE_FACTORS, permutations=0).effects.set_index("factor")
    expected = effects.loc["batch_norm"]
    assert verdict == "helps here"
    pattern = (
        r"Batch norm lowers response by (.+)% in these 3 seeds \(95% CI (.+) to (.+), p < 0.0001 after Holm\): "
        r"helps here; for new seeds open \((.+) to (.+), p = 0.058\)"
    )
    sizes = [float(size) for size in re.fullmatch(pattern, text).groups()]
    scale = expected.percent_change / expected.estimate
    ends = [expected.ci_high_here, expected.ci_low_here, expected.ci_high, expected.ci_low]
    assert sizes == pytest.approx([-scale * end for end in (expected.estimate, *ends)], abs=0.051)


def test_statements_that_are_not_about_new_seeds_say_what_they_are_about() -> None:
    one = sentence_of(article_study(1).assign(seed=768), ARTICLE_FACTORS)
    assert one["dropout"][0] == "hurts here"
    for _, text in one.values():
        assert "for seed 768 only; nothing is said about other seeds" in text
        assert "new seeds" not in text
    two = sentence_of(article_study(2), ARTICLE_FACTORS)
    assert all("for these 2 seeds only" in text for _, text in two.values())
    none = sentence_of(article_study(3).drop(columns="seed"), ARTICLE_FACTORS)
    assert all("for these runs only" in text and "seed" not in text for _, text in none.values())
    distinct = sentence_of(article_study(3).assign(seed=range(96)), ARTICLE_FACTORS)
    assert all("for new seeds" in text and "alone" not in text for _, text in distinct.values())


def test_names_read_as_words() -> None:
    found = sentence_of(article_study(5), ARTICLE_FACTORS)
    assert found["batch_norm"][1].startswith("Batch norm lowers")
    assert found["spatial_attention"][1].startswith("Spatial attention changes")
    table = article_study(5).replace({"act": {"elu": "selu", "sigmoid": "relu"}}).rename(columns={"act": "norm"})
    found = sentence_of(table, ["batch_norm", "dropout", "spatial_attention", "norm"])
    assert found["norm"][1].startswith("norm = selu instead of relu ")


def test_goal_max_reverses_the_verdicts_but_not_the_numbers() -> None:
    low, high = (sentence_of(article_study(5), ARTICLE_FACTORS, goal=goal) for goal in ("min", "max"))
    assert (low["batch_norm"][0], high["batch_norm"][0]) == ("helps", "hurts")
    assert low["batch_norm"][1].replace("helps", "hurts") == high["batch_norm"][1]
    assert "has the lowest" in low["act"][1]
    assert "act = sigmoid has the highest" in high["act"][1]
    assert high["act"][0] == "best"


def test_undetermined_gives_the_detectable_effect() -> None:
    verdict, text = sentence_of(article_study(5), ARTICLE_FACTORS)["spatial_attention"]
    expected = row(article_study(5), "spatial_attention")
    assert verdict == "undetermined"
    match = re.search(r": undetermined; (.+)% was detectable with 80% power$", text)
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
    assert re.match(r"a may raise response by .* for new seeds .*: suggestive$", text)


def test_negligible_names_its_bound() -> None:
    verdict, text = sentence_of(article_study(5), ARTICLE_FACTORS, negligible=0.01)["spatial_attention"]
    assert verdict == "negligible"
    assert re.search(
        r"for new seeds \(90% CI .+ to .+; p [=<] .+ after Holm that it is within ±0.01\): negligible$", text
    )


def test_levels_best_worse_and_not_distinguishable() -> None:
    table = factorial(replicates=5, act=["elu", "relu", "selu"])
    noise = 0.001 * np.random.default_rng(0).standard_normal(len(table))
    table["response"] = 1 + noise + 0.1 * (table.act != "elu")
    verdict, text = sentence_of(table, ["act"])["act"]
    assert verdict == "best"
    assert text.startswith("act = elu has the lowest response; relu (+")
    assert " are worse for new seeds (p < 0.0001 after Holm): best" in text
    table["response"] = 1 + noise + 0.1 * (table.act == "selu")
    verdict, text = sentence_of(table, ["act"])["act"]
    assert verdict == "matters"
    assert "selu (+" in text
    assert ") is worse for new seeds, " in text
    assert " is not distinguishable from it (p < 0.0001 after Holm): matters" in text
    table["response"] = 1 + noise
    verdict, text = sentence_of(table, ["act"])["act"]
    assert verdict == "not distinguishable"
    assert re.fullmatch(
        r"act: elu, relu and selu do not differ significantly for new seeds \(p = .* after Holm\): "
        r"not distinguishable",
        text,
    )


def test_a_factor_may_matter_without_a_worse_level() -> None:
    table = factorial(replicates=5, act=["elu", "relu", "selu"])
    table["response"] = 1 + 0.001 * np.random.default_rng(0).standard_normal(len(table))
    result = fit_study(table, ["act"], permutations=0)
    open_ = replace(result, effects=result.effects.assign(p_holm=0.009))
    text = "act changes response for new seeds (p = 0.009 after Holm); which level is best is open: matters"
    assert sentences(open_)[0].text == text
    assert sentences(open_)[0].verdict == "matters"


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
    assert text == (
        "a: no estimate; train runs that separate it from its aliases, which Main effects names, or add "
        "--interactions none"
    )


def test_missing_combinations_are_advised_and_not_listed() -> None:
    table = factorial(replicates=3, a=[0, 1], b=[0, 1, 2, 3], c=[0, 1])
    table = table[~((table.a == 1) & (table.b > 0))]
    table["response"] = np.random.default_rng(0).standard_normal(len(table))
    text = sentence_of(table, ["a", "b", "c"], interactions="two-way")["a"][1]
    assert text.startswith("a: no estimate; train the missing combinations, which Main effects names")
    assert "b=1" not in text


def test_without_residual_degrees_of_freedom_there_is_no_interval() -> None:
    table = factorial(a=[0, 1], b=[0, 1]).assign(response=[1.0, 2.0, 3.0, 5.0])
    verdict, text = sentence_of(table, ["a", "b"], interactions="two-way")["a"]
    assert verdict == ""
    assert "no interval: no residual degrees of freedom" in text
    assert "no verdict, because model M leaves 0 residual degrees of freedom; train the same combinations" in text


def test_negative_responses_are_given_in_their_own_units() -> None:
    table = article_study(5)
    table["response"] -= 1
    found = sentence_of(table, ARTICLE_FACTORS)
    assert "%" not in found["dropout"][1].replace("95% CI", "")
    size = float(re.search(r"raises response by ([\d.]+) ", found["dropout"][1])[1])
    assert size == pytest.approx(row(table, "dropout").estimate, rel=0.02)


@pytest.mark.parametrize(("name", "factor"), [("test/acc", 1), ("val_acc_percent", 100)])
def test_effects_on_percentages_are_points(name, factor) -> None:
    """0.90 to 0.94 are 4 points, whether they are recorded as 0.9 or as 90, and not 4.4%."""
    table = factorial(replicates=6, a=[0, 1], b=[0, 1])
    rng = np.random.default_rng(0)
    table[name] = factor * (0.90 + 0.04 * table.a + 0.001 * rng.standard_normal(len(table)))
    table = table.drop(columns="response")
    text = sentence_of(table, ["a", "b"], response=name, goal="max")["a"][1]
    size, low, high = re.search(
        r"raises \S+ by ([\d.]+) points for new seeds \(95% CI ([\d.]+) to ([\d.]+),", text
    ).groups()
    effect = fit_study(table, ["a", "b"], response=name, permutations=0).effects.iloc[0]
    expected = [100 / factor * value for value in (effect.estimate, effect.ci_low, effect.ci_high)]
    assert [float(size), float(low), float(high)] == pytest.approx(expected, abs=0.051)
    assert float(size) == pytest.approx(4, abs=0.2)
    assert "%" in sentence_of(table, ["a", "b"], response=name, log=True)["a"][1].replace("95% CI", "")
    assert "points" not in sentence_of(table.rename(columns={name: "loss"}), ["a", "b"], response="loss")["a"][1]


def test_values_above_the_range_of_a_percentage_are_no_points() -> None:
    table = factorial(replicates=3, a=[0, 1]).assign(accuracy=lambda t: 120 + 10 * t.a + t.index % 3)
    assert "points" not in sentence_of(table, ["a"], response="accuracy")["a"][1]


def test_a_value_of_more_than_80_characters_is_no_level_of_a_sentence() -> None:
    long = [f"Net(layers={kind!r}, {'Linear(in_features=512, bias=True), ' * 4})" for kind in "abc"]
    rng = np.random.default_rng(0)
    for levels in (long[:2], long):
        table = factorial(replicates=5, model=levels)
        table["response"] = 1 + 0.1 * (table.model == long[1]) + 0.001 * rng.standard_normal(len(table))
        text = sentence_of(table, ["model"])["model"][1]
        assert "Linear" not in text
        assert f"value 2 of {len(levels)}" in text
        assert len(text) < 200


def test_sentences_have_at_most_two_lines() -> None:
    for seeds in (3, 5):
        for _, text in sentence_of(article_study(seeds), ARTICLE_FACTORS).values():
            assert len(text) <= 160, text


def test_log_responses_give_exact_percents() -> None:
    text = sentence_of(article_study(5), ARTICLE_FACTORS, log=True)["dropout"][1]
    expected = 100 * np.expm1(
        row(article_study(5), "dropout", log=True)[["estimate", "ci_low", "ci_high"]].astype(float)
    )
    found = re.search(r"by (.+)% for new seeds \(95% CI (.+) to (.+), p", text)
    assert [float(value) for value in found.groups()] == pytest.approx(expected.tolist(), abs=0.051)


def test_other_confidence_is_named() -> None:
    assert "(99% CI " in sentence_of(article_study(5), ARTICLE_FACTORS, alpha=0.01)["dropout"][1]


def test_a_dropped_factor_is_reported() -> None:
    table = article_study(5)
    table = table[~table.dropout]
    assert sentence_of(table, ARTICLE_FACTORS)["dropout"] == (
        "",
        "Dropout is False in all finished runs, so its effect cannot be estimated",
    )


@pytest.mark.parametrize("absent", ["none", "off"])
@pytest.mark.parametrize("goal", ["min", "max"])
def test_each_level_is_compared_with_none(absent, goal):
    """x is 0.2 lower than without, y the same; 8 seeds, noise 0.01, mean 2."""
    rng = np.random.default_rng(4)
    rows = [
        {"module": module, "seed": seed, "response": 2 - 0.2 * (module == "x") + 0.01 * rng.standard_normal()}
        for module in ("x", absent, "y")
        for seed in range(8)
    ]
    result = fit_study(pd.DataFrame(rows), ["module"], seed="seed", goal=goal, permutations=0)
    whole, *pairs = sentences(result)
    assert [item.is_pair for item in (whole, *pairs)] == [False, True, True]
    by_level = {item.text.split()[2]: item for item in pairs}
    assert by_level["x"].verdict == ("helps" if goal == "min" else "hurts")
    assert by_level["y"].verdict == "not distinguishable"
    found = re.match(
        rf"module = x instead of {absent} changes response by (-[\d.]+)% for new seeds "
        r"\(95% CI (-[\d.]+) to (-[\d.]+), p < 0.0001 over all pairs\): ",
        by_level["x"].text,
    )
    size, low, high = map(float, found.groups())
    y = result.y.reshape(3, 8)
    expected = 100 * (y[0] - y[1]) / y[1].mean()
    half = stats.sem(expected) * stats.t.ppf(0.975, 7)
    mean = expected.mean()
    assert (size, low, high) == pytest.approx((mean, mean - half, mean + half), abs=0.06)


def test_levels_without_a_none_are_not_compared_one_by_one():
    table = pd.DataFrame({"module": list("xyz") * 4, "seed": np.repeat(range(4), 3), "response": np.arange(12.0) % 5})
    assert len(sentences(fit_study(table, ["module"], seed="seed", permutations=0))) == 1
