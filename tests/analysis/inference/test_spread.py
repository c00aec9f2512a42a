"""Degrees of freedom where levels differ in spread: Welch, Brunner-Dette-Munk, and their definition entry by entry."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from attnae.analysis.design.prepare import Columns, prepare
from attnae.analysis.estimates.family import main_rows
from attnae.analysis.inference import spread
from attnae.analysis.inference.contrasts import contrasts
from attnae.analysis.inference.levels import LevelTests
from attnae.analysis.inference.spread import level_moments
from attnae.analysis.study import fit_study
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial


def design_of(table: pd.DataFrame, factors):
    return prepare(table, factors, table["response"], Columns(), "auto").design


def noisy_study(replicates: int = 3) -> pd.DataFrame:
    """A seed for each run, and five times the noise at one activation."""
    table = pd.concat([article_study(1)] * replicates, ignore_index=True)
    noise = np.random.default_rng(2).standard_normal(len(table)) * np.where(table.act == "sigmoid", 5, 1)
    return table.assign(seed=range(len(table)), response=noise)


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_two_groups_of_equal_size_are_welchs_t_test(scale):
    table = factorial(bn=[0, 1], replicates=6)
    table["response"] = np.random.default_rng(1).standard_normal(12) * np.where(table.bn == 1, scale, 1.0)
    effect = fit_study(table, ["bn"], permutations=0).effects.iloc[0]
    welch = stats.ttest_ind(table.response[table.bn == 1], table.response[table.bn == 0], equal_var=False)
    assert (effect.p, effect.df) == pytest.approx((welch.pvalue, welch.df), rel=1e-9)
    interval = welch.confidence_interval(0.95)
    assert (effect.ci_low, effect.ci_high) == pytest.approx((interval.low, interval.high), rel=1e-9)


@pytest.mark.parametrize("power", [1.0, 1.5])
def test_one_factor_has_the_degrees_of_freedom_of_brunner_dette_munk_with_caution(power, monkeypatch):
    """Those of the paper for a power of 1; the power in use is 1.5."""
    assert spread.CAUTION == 1.5
    monkeypatch.setattr(spread, "CAUTION", power)
    sizes = [6, 9, 12]
    table = pd.DataFrame({"act": np.repeat(list("abc"), sizes)})
    table["response"] = np.random.default_rng(3).standard_normal(27) * np.repeat([4.0, 1.0, 1.0], sizes)
    design, y = design_of(table, ["act"]), table.response.to_numpy()
    found = LevelTests(contrasts(design, main_rows(design))).omnibus(y)
    variance = (table.groupby("act").response.var().to_numpy() / sizes) ** power
    f2 = variance.sum() ** 2 / (variance**2 / (np.array(sizes) - 1)).sum()
    # f1 of tr V = 2/3 of the sum of variances; df2 = f1 / (L - 1) df_tr, and df_tr is Brunner, Dette & Munk's f2.
    assert found.df2 == pytest.approx(found.df1 / 2 * f2, rel=1e-9)


def test_each_factor_by_the_definition():
    """The smallest over the factors of V^2 / sum V_g V_h c_gh, c from (I - H)^2 entry by entry, V_g^1.5 in the place of
    V_g with more than two levels; never more than under equal errors."""
    table = noisy_study().drop(index=[3, 40, 41, 77]).reset_index(drop=True)
    design, y = design_of(table, ARTICLE_FACTORS), table.response.to_numpy()
    fitted = contrasts(design, main_rows(design))
    hat = design.matrix @ np.linalg.pinv(design.matrix)
    squared = (np.eye(design.n) - hat) ** 2
    e2 = (y - hat @ y) ** 2
    expected = fitted.df.copy()
    for k, loadings in enumerate(fitted.loadings[:, design.row_of]):
        q = loadings**2
        for codes in design.codes.T:
            level = [codes == g for g in range(codes.max() + 1)]
            v = [(q[g] @ e2[g]) ** (1.5 if len(level) > 2 else 1) for g in level]
            mean = [q[g] @ np.diag(1 - hat)[g] for g in level]
            second = sum(
                v[g] * v[h] * (q[level[g]] @ squared[np.ix_(level[g], level[h])] @ q[level[h]]) / mean[g] / mean[h]
                for g in range(len(level))
                for h in range(len(level))
            )
            expected[k] = min(expected[k], sum(v) ** 2 / second)
    np.testing.assert_allclose(fitted.fit(y).df, expected, rtol=1e-9)
    # 77 under equal errors; the noisy quarter of the runs has about 24 - 5.
    assert (expected < 32).all()
    assert (fitted.df[:3] > 65).all()


def test_large_studies_sum_over_the_columns_of_the_model(monkeypatch):
    design = design_of(noisy_study().drop(index=[3, 40, 41, 77]), ARTICLE_FACTORS)
    loadings = contrasts(design, main_rows(design)).loadings
    by_runs = level_moments(design, loadings)
    monkeypatch.setattr(spread, "DENSE_ROWS", 0)
    for (_, one), (_, other) in zip(by_runs, level_moments(design, loadings), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_shared_seeds_keep_their_degrees_of_freedom():
    table = article_study(5)
    assert fit_study(table, ARTICLE_FACTORS, permutations=0).effects.df.tolist() == pytest.approx([4] * 7)


def test_equal_rows_of_the_model_are_summed() -> None:
    rng = np.random.default_rng(2)
    table = factorial(a=[0, 1], b=["x", "y", "z"], seeds=7).sample(frac=1, random_state=0)
    table["response"] = rng.normal(size=len(table))
    design = prepare(table, ["a", "b"], table["response"], Columns(seed=None), "none").design
    assert len(design.rows) == 6
    assert design.counts.tolist() == [7] * 6
    for values in (rng.normal(size=42), rng.normal(size=(42, 3))):
        slow = np.array([values[design.row_of == place].sum(axis=0) for place in range(6)])
        np.testing.assert_allclose(design.row_sums(values), slow, rtol=1e-12)
