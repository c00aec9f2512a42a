"""Pure error, lack of fit, seeds, Lenth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.formula.api import ols

from attnae.analysis.estimates.noise import margins, pseudo_standard_error
from attnae.analysis.inference.power import detectable_shift
from attnae.analysis.study import fit_study
from tests.analysis.published import BATTERY, FILTRATION, FILTRATION_EFFECTS
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial


def test_pure_error_is_the_residual_of_cells_and_blocks():
    table = article_study().drop(index=[3, 50]).reset_index(drop=True)
    noise = fit_study(table, ARTICLE_FACTORS, permutations=0).noise
    cells = table[ARTICLE_FACTORS].astype(str).agg("|".join, axis=1)
    full = ols("response ~ C(cell) + C(seed)", table.assign(cell=cells)).fit()
    assert noise.method == "pure error"
    assert noise.pure_error.df == full.df_resid
    assert noise.pure_error.sd == pytest.approx(np.sqrt(full.mse_resid))
    model = ols("response ~ C(seed) + (C(batch_norm) + C(dropout) + C(spatial_attention) + C(act)) ** 2", table).fit()
    f, p, df = full.compare_f_test(model)
    assert noise.pure_error.lack_of_fit_df == df
    assert (noise.pure_error.lack_of_fit_f, noise.pure_error.lack_of_fit_p) == pytest.approx((f, p))


def test_pure_error_of_replicates():
    noise = fit_study(BATTERY, ["material", "temperature"], permutations=0).noise
    assert noise.pure_error.sd == pytest.approx(np.sqrt(18230.75 / 27))
    assert noise.pure_error.lack_of_fit_df == 0
    assert np.isnan(noise.pure_error.lack_of_fit_f)
    assert noise.runs_per_cell == (4, 4)
    assert not noise.blocks
    assert noise.seed_effects is None


def test_seed_by_factor_f():
    table = article_study()
    rows = fit_study(table, ARTICLE_FACTORS, permutations=0).noise.seed_interactions.set_index("term")
    mains = "C(batch_norm) + C(dropout) + C(spatial_attention) + C(act)"
    model = ols(f"response ~ C(seed) + ({mains}) ** 2", table).fit()
    larger = ols(f"response ~ C(seed) + ({mains}) ** 2 + C(seed):C(act)", table).fit()
    f, p, df = larger.compare_f_test(model)
    assert rows.loc["seed:act", ["F", "p", "df"]].tolist() == pytest.approx([f, p, df])
    assert rows.index.tolist() == [f"seed:{name}" for name in ARTICLE_FACTORS]


def test_effects_of_each_seed():
    table = article_study()
    noise = fit_study(table, ARTICLE_FACTORS, permutations=0).noise
    seeds = noise.seed_effects.set_index(["factor", "level"])
    each = noise.effects_by_seed.set_index(["factor", "level", "seed"]).estimate
    by_seed = [
        part[part.dropout].response.mean() - part[~part.dropout].response.mean() for _, part in table.groupby("seed")
    ]
    row = seeds.loc[("dropout", "True")]
    assert [each["dropout", "True", seed] for seed in "012"] == pytest.approx(by_seed)
    interval = stats.ttest_1samp(by_seed, 0).confidence_interval()
    assert (row.ci_low, row.ci_high) == pytest.approx((interval.low, interval.high))
    assert row.p == pytest.approx(stats.ttest_1samp(by_seed, 0).pvalue)


def test_one_run_per_cell_is_valid_for_this_seed_only():
    noise = fit_study(article_study(seeds=1), ARTICLE_FACTORS, permutations=0).noise
    assert noise.method == "residual"
    assert "hold for this seed only" in noise.statement
    assert noise.pure_error is None
    screening = fit_study(FILTRATION, list("ABCD"), permutations=0).noise
    assert screening.method == "lenth"
    assert "screening only" in screening.statement
    assert "no seeds recorded" in screening.statement
    own_seeds = article_study(seeds=1).assign(seed=range(32))
    assert "with several seeds" in fit_study(own_seeds, ARTICLE_FACTORS, permutations=0).noise.statement


def test_distinct_seeds_against_the_variance_components():
    """The noise of a run with a seed of its own: residual variance plus that of the seeds, from the mean squares."""
    table = article_study(4)
    found = fit_study(table, ARTICLE_FACTORS, permutations=0).noise.distinct_seeds
    fit = ols(f"response ~ C(seed) + ({' + '.join(ARTICLE_FACTORS)}) ** 2", table).fit()
    seeds = table.groupby("seed").response.mean()
    variance = fit.mse_resid + max(0, 32 * seeds.var() - fit.mse_resid) / 32
    shift = detectable_shift(float(fit.df_resid), 0.0125)
    assert (found.factor, found.seeds) == ("batch_norm", 4)
    assert found.distinct == pytest.approx(np.sqrt(variance * 4 / 128) * shift)
    effects = fit_study(table, ARTICLE_FACTORS, permutations=0).effects
    assert found.shared == pytest.approx(effects.mde[0])
    for other in (article_study(2), article_study(1), article_study(10), table.assign(seed=range(128))):
        assert fit_study(other, ARTICLE_FACTORS, permutations=0).noise.distinct_seeds is None


def test_lenth_by_hand():
    """Median |effect| of the filtration data 2.625, s0 = 3.9375; of those below 2.5 s0 the median is 1.75."""
    effects = np.array(list(FILTRATION_EFFECTS.values()))
    assert np.median(np.abs(effects)) == 2.625
    assert pseudo_standard_error(effects) == 1.5 * 1.75
    me, sme = margins(2.625, 15)
    assert me == pytest.approx(2.625 * stats.t.ppf(0.975, 5))
    assert sme == pytest.approx(2.625 * stats.t.ppf((1 + 0.95 ** (1 / 15)) / 2, 5))
    assert margins(2.625, 15, alpha=0.1)[0] == pytest.approx(2.625 * stats.t.ppf(0.95, 5))


def test_lenth_table():
    table = fit_study(FILTRATION, list("ABCD"), permutations=0).lenth
    assert table.columns.tolist()[:5] == ["contrast", "effect", "ratio", "active", "active_sme"]
    me = fit_study(FILTRATION, list("ABCD"), permutations=0).noise.lenth.me
    np.testing.assert_allclose(table.ratio, table.effect.abs() / me)
    assert (table.active == (table.ratio > 1)).all()
    assert sorted(table.half_normal) == pytest.approx(stats.norm.ppf(0.5 + (np.arange(1, 16) - 0.5) / 30).tolist())


def test_lenth_only_for_regular_unreplicated_two_level_designs():
    regular = factorial(a=[0, 1], b=[0, 1], c=[0, 1])
    regular["response"] = np.random.default_rng(0).standard_normal(8)
    assert fit_study(regular, list("abc"), permutations=0).lenth is not None
    assert fit_study(regular[:-1], list("abc"), permutations=0).lenth is None
    # Four of eight runs that are no coset: the lines' sum is not 0 over GF(2).
    irregular = regular.iloc[[0, 1, 2, 4]]
    assert fit_study(irregular, list("abc"), permutations=0).lenth is None
    assert fit_study(regular.iloc[[1, 2, 4, 7]], list("abc"), permutations=0).lenth is not None
    replicated = factorial(a=[0, 1], b=[0, 1], replicates=2)
    replicated["response"] = np.random.default_rng(0).standard_normal(8)
    assert fit_study(replicated, ["a", "b"], permutations=0).lenth is None
    assert fit_study(article_study(seeds=1), ARTICLE_FACTORS, permutations=0).lenth is None


def test_saturated_fraction_has_estimates_and_lenth_but_no_intervals():
    """2^(7-4): seven factors in eight runs."""
    table = factorial(a=[0, 1], b=[0, 1], c=[0, 1])
    sign = 2 * table[["a", "b", "c"]] - 1
    table = table.assign(d=sign.a * sign.b, e=sign.a * sign.c, f=sign.b * sign.c, g=sign.a * sign.b * sign.c)
    table["response"] = 5 * table.a + np.random.default_rng(1).standard_normal(8)
    result = fit_study(table, list("abcdefg"), permutations=0)
    assert result.model.residual_df == 0
    assert result.effects.std_error.isna().all()
    assert set(result.effects.verdict) == {""}
    by_hand = table.groupby("d").response.mean()
    assert result.effects.set_index("factor").estimate["d"] == pytest.approx(by_hand[1] - by_hand[-1])
    screening = result.lenth.set_index("contrast")
    assert screening.index.tolist() == list("abcdefg")
    np.testing.assert_allclose(screening.effect, result.effects.estimate)
    assert screening.aliases["d"] == "a:b = c:g = e:f"
