"""effects.csv, interactions.csv and trends: definitions, units and verdict words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from attnae.analysis.inference.families import step_down
from attnae.analysis.inference.power import t_power
from attnae.analysis.inference.verdicts import effect_verdicts, level_verdicts
from attnae.analysis.study import fit_study
from attnae.errors import UserError
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial

COLUMNS = [
    "factor", "level", "estimate", "std_error", "df", "ci_low", "ci_high", "p", "p_holm", "percent_change",
    "verdict", "mde",
]  # fmt: skip


@pytest.fixture(scope="module")
def study():
    return fit_study(article_study(5), ARTICLE_FACTORS, permutations=0)


def test_columns_and_rows(study):
    assert study.effects.columns.tolist()[: len(COLUMNS)] == COLUMNS
    assert study.interactions.columns.tolist()[: len(COLUMNS)] == COLUMNS
    assert study.effects.factor.tolist() == [*ARTICLE_FACTORS[:3], *["act"] * 4]
    assert study.effects.level.tolist() == ["True"] * 3 + ["elu", "relu", "selu", "sigmoid"]


def test_balanced_effects_are_differences_of_means(study):
    table = article_study(5)
    effects = study.effects.set_index(["factor", "level"])
    for name in ARTICLE_FACTORS[:3]:
        means = table.groupby(name).response.mean()
        assert effects.estimate[name, "True"] == pytest.approx(means[True] - means[False])
        assert effects.percent_change[name, "True"] == pytest.approx(100 * (means[True] / means[False] - 1))
    means = table.groupby("act").response.mean()
    for level, mean in means.items():
        assert effects.estimate["act", level] == pytest.approx(mean - means.mean())
        assert effects.percent_change["act", level] == pytest.approx(100 * (mean / means.mean() - 1))


def test_intervals_family_and_smallest_detectable_effect(study):
    effects = study.effects
    half = stats.t.ppf(0.975, effects.df) * effects.std_error
    np.testing.assert_allclose(effects.ci_high - effects.estimate, half)
    np.testing.assert_allclose(effects.estimate - effects.ci_low, half)
    # Four factors, four degrees of freedom: an effect of 5.54 standard errors is found with a power of 80%.
    switches = effects[:3]
    np.testing.assert_allclose(switches.mde, switches.std_error * 5.54, rtol=0.002)
    assert effects.mde[3:].isna().all()


def test_verdicts_of_the_article_study(study):
    verdicts = study.effects.set_index(["factor", "level"]).verdict
    assert verdicts["batch_norm", "True"] == "helps"
    assert verdicts["dropout", "True"] == "hurts"
    assert verdicts["spatial_attention", "True"] in ("undetermined", "suggestive")
    assert verdicts["act", "sigmoid"] == "worse"
    assert set(verdicts["act"][["elu", "relu", "selu"]]) == {"not distinguishable"}
    assert set(study.effects.scope) == {"new seeds"}
    assert set(study.effects.seeds) == {5}
    assert set(study.effects.error) == {"CR2"}


def test_few_seeds_say_what_holds_here_only():
    """Three shared seeds leave batch norm open for new seeds; two, and no recorded seeds, say nothing about them."""
    three, two, none = (
        fit_study(table, ARTICLE_FACTORS, permutations=0).effects.set_index(["factor", "level"])
        for table in (article_study(3), article_study(2), article_study(3).drop(columns="seed"))
    )
    assert three.verdict["batch_norm", "True"] == two.verdict["batch_norm", "True"] == "helps here"
    assert three.verdict["dropout", "True"] == none.verdict["dropout", "True"] == "hurts here"
    assert [set(effects.scope) for effects in (three, two, none)] == [{"new seeds"}, {"these seeds"}, {"these runs"}]
    assert (three.p_holm_here < 0.05)["batch_norm", "True"]
    assert (three.p_holm > 0.05)["batch_norm", "True"]
    for name in ("std_error", "df", "p", "p_holm", "ci_low"):
        np.testing.assert_allclose(two[name], two[f"{name}_here"])
        assert not np.allclose(three[name], three[f"{name}_here"])


def test_factors_table(study):
    """F is t squared of a switch; a factor of many levels has its omnibus test, and its rows carry its p."""
    factors = study.factor_tests.set_index("factor")
    effects = study.effects.set_index(["factor", "level"])
    row = effects.loc["dropout", "True"]
    assert factors.F["dropout"] == pytest.approx((row.estimate / row.std_error) ** 2)
    assert (factors.df1["dropout"], factors.df2["dropout"]) == pytest.approx((1, 4))
    assert factors.p["dropout"] == pytest.approx(row.p)
    assert set(effects.p_holm["act"]) == {factors.p_holm["act"]}
    assert factors.verdict.tolist() == ["matters", "matters", "undetermined", "matters"]
    assert set(factors.scope) == {"new seeds"}
    pairs = study.pairwise
    hypotheses = [*factors.p, *pairs.p_ryan]
    owner = np.array([0, 1, 2, 3, *[3] * len(pairs)])
    adjusted = step_down(np.array(hypotheses), owner)
    np.testing.assert_allclose(adjusted, [*factors.p_holm, *pairs.p_holm])


def test_a_curve_has_two_hypotheses():
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"lr": 10 ** np.linspace(-5, -1, 60), "bn": np.arange(60) % 2 == 0})
    table["response"] = 3 + rng.standard_normal(60) + 0.7 * table.bn
    result = fit_study(table, ["lr", "bn"], permutations=0)
    effects = result.effects.set_index(["factor", "level"])
    p = np.array([*np.minimum(2 * effects.p["lr"], 1), effects.p["bn", "True"]])
    np.testing.assert_allclose(effects.p_holm, step_down(p, np.array([0, 0, 1])))
    curve = result.factor_tests.set_index("factor").loc["lr"]
    assert curve.p == pytest.approx(p[:2].min())
    assert np.isnan(curve.F)
    # Each row of the curve is tested at alpha / (2 x 2), the switch at alpha / 2.
    for (name, _), row in effects.iterrows():
        level = 0.0125 if name == "lr" else 0.025
        assert t_power(row.mde / row.std_error, row.df, level) == pytest.approx(0.8, abs=1e-6)
    target = float(effects.mde["lr", "linear"])
    steps = fit_study(table, ["lr", "bn"], permutations=0, target=target).next_steps
    assert steps.power_target[0] == pytest.approx(0.8)


@pytest.mark.parametrize(("seeds", "judged"), [(3, False), (4, True)])
def test_no_verdict_below_three_residual_degrees_of_freedom(seeds, judged):
    """Two cells with shared seeds leave S - 1 of them."""
    table = factorial(seeds, a=[0, 1])
    table["response"] = 5 + table.a + table.seed + 0.001 * np.random.default_rng(0).standard_normal(len(table))
    result = fit_study(table, ["a"], permutations=0)
    row = result.effects.iloc[0]
    assert row.verdict == ("hurts" if judged else "")
    assert (row.note == "") == judged
    assert result.factor_tests.verdict[0] == ("matters" if judged else "")
    assert row.p < 0.01


def test_goal_changes_the_verdicts_only(study):
    other = fit_study(article_study(5), ARTICLE_FACTORS, permutations=0, goal="max").effects
    assert other.set_index(["factor", "level"]).verdict["batch_norm", "True"] == "hurts"
    assert other.set_index(["factor", "level"]).verdict["act", "sigmoid"] == "best"
    assert set(other.verdict[other.factor == "act"][:3]) == {"worse"}
    pd.testing.assert_frame_equal(other.drop(columns="verdict"), study.effects.drop(columns="verdict"))


def test_alpha_widens_intervals(study):
    strict = fit_study(article_study(5), ARTICLE_FACTORS, permutations=0, alpha=0.001).effects
    half = stats.t.ppf(0.9995, strict.df) * strict.std_error
    np.testing.assert_allclose(strict.ci_high, strict.estimate + half)
    assert (strict.mde > study.effects.mde)[:3].all()


def test_log_response():
    table = article_study()
    effects = fit_study(table, ARTICLE_FACTORS, permutations=0, log=True).effects.set_index(["factor", "level"])
    logs = np.log(table.response)
    difference = logs[table.dropout].mean() - logs[~table.dropout].mean()
    assert effects.estimate["dropout", "True"] == pytest.approx(difference)
    assert effects.percent_change["dropout", "True"] == pytest.approx(100 * (np.exp(difference) - 1))
    negative = table.assign(response=table.response.where(table.index != 7, -0.5))
    with pytest.raises(UserError, match=r"no logarithm in run run7 \(-0.5\): leave out --log-response"):
        fit_study(negative, ARTICLE_FACTORS, log=True)


def test_percent_change_is_blank_unless_all_responses_are_positive():
    table = article_study()
    effects = fit_study(table.assign(response=table.response - 0.25), ARTICLE_FACTORS, permutations=0).effects
    assert effects.percent_change.isna().all()


def test_negligible():
    table = article_study(5, noise=0.001)
    plain = fit_study(table, ARTICLE_FACTORS, permutations=0).effects.set_index("factor").verdict
    named = fit_study(table, ARTICLE_FACTORS, permutations=0, negligible=0.005).effects.set_index("factor").verdict
    assert plain["spatial_attention"] in ("undetermined", "suggestive")
    assert named["spatial_attention"] == "negligible"
    assert named["dropout"] == "hurts"
    effects = fit_study(table, ARTICLE_FACTORS, permutations=0, negligible=0.005).effects
    row = effects[effects.factor == "spatial_attention"].iloc[0]
    assert row.p_negligible == pytest.approx(stats.t.sf((0.005 - abs(row.estimate)) / row.std_error, row.df))
    single = effects[effects.factor != "act"]
    np.testing.assert_allclose(single.p_negligible_holm, multipletests(single.p_negligible, method="holm")[1])
    assert effects.p_negligible[effects.factor == "act"].isna().all()


def verdict_of(estimate, p_holm, p_here, p_negligible, interval, new=True, goal="min"):
    arrays = [np.array([x]) for x in (estimate, p_holm, p_here, p_negligible)]
    ends = tuple(np.array([end]) for end in interval)
    return effect_verdicts(*arrays, ends, np.array([new]), goal=goal, alpha=0.05)[0]


def test_each_word_of_two_level_verdicts():
    nan = np.nan
    assert verdict_of(-1.0, 0.04, 0.01, nan, (-2, -0.1)) == "helps"
    assert verdict_of(1.0, 0.04, 0.01, nan, (0.1, 2)) == "hurts"
    assert verdict_of(1.0, 0.04, 0.01, nan, (0.1, 2), goal="max") == "helps"
    assert verdict_of(1.0, 0.04, 0.01, 0.01, (0.1, 2)) == "hurts"
    # Without inference about new seeds there is neither helps nor hurts.
    assert verdict_of(-1.0, 0.04, 0.04, nan, (-2, -0.1), new=False) == "helps here"
    assert verdict_of(-1.0, 0.06, 0.04, nan, (-2, 0.1)) == "helps here"
    assert verdict_of(1.0, 0.06, 0.04, nan, (-0.1, 2)) == "hurts here"
    assert verdict_of(1.0, 0.06, 0.04, 0.04, (-0.1, 2)) == "negligible"
    assert verdict_of(1.0, 0.06, 0.06, nan, (0.1, 2)) == "suggestive"
    assert verdict_of(1.0, 0.06, 0.06, 0.06, (-0.1, 2)) == "undetermined"
    assert verdict_of(1.0, nan, nan, nan, (nan, nan)) == "undetermined"
    assert verdict_of(nan, nan, nan, nan, (nan, nan)) == ""


def test_each_word_of_many_level_verdicts():
    def words(d_12, d_13, d_23, goal="min"):
        differs = np.array([[False, d_12, d_13], [d_12, False, d_23], [d_13, d_23, False]])
        return level_verdicts(np.array([1.0, 2.0, 3.0]), differs, goal=goal).tolist()

    open_ = "not distinguishable"
    assert words(True, True, True) == ["best", "worse", "worse"]
    assert words(False, True, True) == [open_, open_, "worse"]
    # Worse than a better level, though not than the best one.
    assert words(False, False, True) == [open_, open_, "worse"]
    assert words(True, False, False) == [open_, "worse", open_]
    assert words(True, True, False, goal="max") == ["worse", open_, open_]
    assert words(False, False, False) == [open_] * 3
    assert level_verdicts(np.array([1.0, np.nan]), np.zeros((2, 2), dtype=bool), goal="min").tolist() == [open_, ""]


def test_one_bad_level_does_not_make_the_others_help():
    table = factorial(bn=[False, True], act=list("pqrs"), replicates=8)
    noise = np.random.default_rng(0).standard_normal(len(table))
    effects = fit_study(
        table.assign(response=10 + 5 * (table.act == "s") + noise), ["bn", "act"], permutations=0
    ).effects
    assert effects[effects.factor == "act"].verdict.tolist() == [*["not distinguishable"] * 3, "worse"]


def test_two_by_two_interaction_is_half_the_difference_of_differences(study):
    table = article_study(5)
    cell = table.groupby(["batch_norm", "dropout"]).response.mean()
    expected = ((cell[True, True] - cell[True, False]) - (cell[False, True] - cell[False, False])) / 2
    row = study.interactions.set_index(["factor", "level"]).loc[("batch_norm:dropout", "True:True")]
    assert row.estimate == pytest.approx(expected)
    family = study.interactions
    np.testing.assert_allclose(family.p_holm, multipletests(family.p, method="holm")[1])


def test_interaction_with_a_level_is_the_effect_there_minus_the_mean_effect(study):
    table = article_study(5)
    cell = table.groupby(["batch_norm", "act"]).response.mean()
    effect = cell[True] - cell[False]
    rows = study.interactions[study.interactions.factor == "batch_norm:act"].set_index("level").estimate
    for level in effect.index:
        assert rows[f"True:{level}"] == pytest.approx(effect[level] - effect.mean())


def test_interaction_of_two_many_level_factors_is_the_deviation_from_additivity():
    table = factorial(a=list("xyz"), b=list("pqr"), replicates=3)
    table["response"] = np.random.default_rng(1).standard_normal(len(table))
    rows = fit_study(table, ["a", "b"], permutations=0).interactions.set_index("level").estimate
    cell = table.groupby(["a", "b"]).response.mean().unstack()
    deviation = cell.sub(cell.mean(axis=1), axis=0) - cell.mean() + cell.to_numpy().mean()
    assert len(rows) == 9
    for a in "xyz":
        for b in "pqr":
            assert rows[f"{a}:{b}"] == pytest.approx(deviation.loc[a, b])


def test_interactions_option():
    table = article_study()
    assert fit_study(table, ARTICLE_FACTORS, permutations=0, interactions="none").interactions is None
    assert fit_study(table, ARTICLE_FACTORS, permutations=0, interactions="two-way").interactions is not None
    with pytest.raises(UserError, match="choose from auto, none, two-way"):
        fit_study(table, ARTICLE_FACTORS, interactions="three-way")  # type: ignore[arg-type]


def test_trend_of_a_numeric_factor_is_the_slope_through_its_level_means():
    table = factorial(depth=[1, 2, 3], bn=[0, 1], replicates=4)
    table["response"] = table.depth * 0.7 + np.random.default_rng(2).standard_normal(len(table))
    result = fit_study(table, ["depth", "bn"], permutations=0)
    means = table.groupby("depth").response.mean()
    slope = np.polyfit(means.index, means, 1)[0]
    trends = result.statistics["trends"]
    assert trends.estimate.tolist() == pytest.approx([slope * 2])
    assert trends.level.tolist() == ["1 to 3"]
    assert result.effects.factor.tolist() == ["depth"] * 3 + ["bn"]
    log = factorial(lr=[0.001, 0.01, 0.1], replicates=4)
    log["response"] = np.log10(log.lr) + 0.01 * np.random.default_rng(3).standard_normal(len(log))
    trend = fit_study(log, ["lr"], permutations=0).statistics["trends"]
    assert trend.level.tolist() == ["0.001 to 0.1 (log10)"]
    assert trend.estimate[0] == pytest.approx(2.0, abs=0.02)


def test_a_u_shape_is_detected_by_the_quadratic_row_only():
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"lr": 10 ** np.linspace(-5, -1, 60), "bn": np.arange(60) % 2 == 0})
    table["response"] = 3 + (np.log10(table.lr) + 3) ** 2 + 0.1 * rng.standard_normal(60)
    result = fit_study(table, ["lr", "bn"], permutations=0)
    effects = result.effects.set_index(["factor", "level"])
    span = np.log10(table.lr.max() / table.lr.min()) / 2
    # (x - c)^2 with c at the middle: the middle lies span^2 below the ends.
    assert effects.estimate["lr", "quadratic"] == pytest.approx(-(span**2), abs=0.1)
    assert effects.verdict["lr", "quadratic"] == "helps here"
    assert abs(effects.estimate["lr", "linear"]) < 0.2
    assert result.anova.set_index("term").df["lr"] == 2
    z = 2 * (np.log10(table.lr) - np.log10(table.lr.min())) / (2 * span) - 1
    x = np.column_stack([np.ones(60), z, z**2])
    beta = np.linalg.lstsq(x, table.response)[0]
    alone = fit_study(table, ["lr"], permutations=0).effects.set_index("level").estimate
    assert alone.to_dict() == pytest.approx({"linear": 2 * beta[1], "quadratic": -beta[2]})
