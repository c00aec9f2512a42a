"""Type-II analysis of variance against statsmodels where it is right, and against nested fits where it is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f_oneway
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.multitest import multipletests

from attnae.analysis.study import fit_study
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial

TERMS = {"C(a, Sum)": "a", "C(b, Sum)": "b", "C(c, Sum)": "c"}
FORMULA = "response ~ (C(a, Sum) + C(b, Sum) + C(c, Sum)) ** 2"


def unbalanced(rng_seed):
    rng = np.random.default_rng(rng_seed)
    runs = 60
    table = pd.DataFrame({"a": rng.integers(0, 2, runs), "b": rng.choice(list("xyz"), runs)})
    table["c"] = rng.choice(["off", "on"], runs, p=[0.3, 0.7])
    return table.assign(response=rng.standard_normal(runs) + table.a * (table.b == "x"))


@pytest.mark.parametrize("rng_seed", range(4))
def test_full_rank_unbalanced_equals_anova_lm(rng_seed):
    table = unbalanced(rng_seed)
    ours = fit_study(table, ["a", "b", "c"], permutations=0, interactions="two-way").anova.set_index("term")
    theirs = anova_lm(ols(FORMULA, table).fit(), typ=2)
    for name, row in theirs.iterrows():
        if name == "Residual":
            assert (ours.df["residual"], ours.sum_sq["residual"]) == pytest.approx((row.df, row.sum_sq))
            continue
        term = ":".join(TERMS[part] for part in name.split(":"))
        assert ours.loc[term, ["sum_sq", "df", "F", "p"]].tolist() == pytest.approx(row.tolist(), rel=1e-9)


def test_missing_cell_by_nested_fits():
    """anova_lm gives wrong sums of squares here; dropping columns one term at a time and refitting does not."""
    table = unbalanced(0)
    table = table[~((table.b == "z") & (table.a == 1))]
    ours = fit_study(table, ["a", "b", "c"], permutations=0, interactions="two-way").anova.set_index("term")
    columns = {
        "a": pd.get_dummies(table.a).to_numpy(float),
        "b": pd.get_dummies(table.b).to_numpy(float),
        "c": pd.get_dummies(table.c).to_numpy(float),
    }
    for pair in ("a:b", "a:c", "b:c"):
        left, right = (columns[name] for name in pair.split(":"))
        columns[pair] = np.einsum("ni,nj->nij", left, right).reshape(len(table), -1)

    def rss_and_rank(terms):
        x = np.hstack([np.ones((len(table), 1)), *(columns[term] for term in terms)])
        y = table.response.to_numpy()
        return ((y - x @ np.linalg.lstsq(x, y)[0]) ** 2).sum(), np.linalg.matrix_rank(x)

    rss, rank = rss_and_rank(list(columns))
    assert ours.df["residual"] == len(table) - rank
    assert ours.sum_sq["residual"] == pytest.approx(rss)
    for term in columns:
        names = set(term.split(":"))
        without = [other for other in columns if not names <= set(other.split(":"))]
        smaller, larger = rss_and_rank(without), rss_and_rank([*without, term])
        assert ours.df[term] == larger[1] - smaller[1]
        assert ours.sum_sq[term] == pytest.approx(smaller[0] - larger[0])
    assert ours.df["a:b"] == 1


def test_balanced_sums_of_squares_add_up():
    table = article_study()
    result = fit_study(table, ARTICLE_FACTORS, permutations=0)
    total = ((table.response - table.response.mean()) ** 2).sum()
    assert result.anova.sum_sq.sum() == pytest.approx(total)
    assert result.anova.df.sum() == 95
    assert result.anova.term.tolist()[0] == "seed"
    assert result.anova.term.tolist()[-1] == "residual"


def test_many_level_factor_is_one_row_of_differences():
    """Equal levels of a large mean: F is small. A table without an intercept would test that all means are 0."""
    table = factorial(act=list("pqrs"), replicates=6)
    table["response"] = 100 + np.random.default_rng(5).standard_normal(len(table))
    row = fit_study(table, ["act"], permutations=0).anova.set_index("term").loc["act"]
    groups = [group.response.to_numpy() for _, group in table.groupby("act")]
    assert (row.F, row.p) == pytest.approx(tuple(f_oneway(*groups)))
    assert row.df == 3


def test_effect_sizes_and_holm_families():
    anova = fit_study(article_study(), ARTICLE_FACTORS, permutations=0).anova.set_index("term")
    error, df_error = anova.sum_sq["residual"], anova.df["residual"]
    for term in ("dropout", "act", "batch_norm:act", "spatial_attention"):
        ss, df = anova.sum_sq[term], anova.df[term]
        omega = (ss - df * error / df_error) / (ss + (96 - df) * error / df_error)
        assert anova.eta_sq_partial[term] == pytest.approx(ss / (ss + error))
        assert anova.omega_sq[term] == pytest.approx(max(0.0, omega))
    interactions = [term for term in anova.index if ":" in term]
    assert len(interactions) == 6
    for family in (ARTICLE_FACTORS, interactions):
        assert anova.p_holm[family].tolist() == pytest.approx(multipletests(anova.p[family], method="holm")[1])
    assert np.isnan(anova.p_holm["seed"])
