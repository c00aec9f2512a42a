"""The probability of improvement against scipy's Mann-Whitney statistic and a plain bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from attnae.analysis.estimates.improvement import probability_of_improvement
from attnae.analysis.study import fit_study
from tests.analysis.studies import factorial


def improvement(table, factors, **options):
    result = fit_study(table, factors, permutations=0, **options)
    return result.statistics["improvement"]


def study(replicates: int = 6):
    table = factorial(act=list("pqr"), bn=[0, 1], replicates=replicates)
    noise = np.random.default_rng(2).standard_normal(len(table))
    return table.assign(response=np.round(noise + 0.8 * (table.act == "q"), 1))


@pytest.mark.parametrize("goal", ["min", "max"])
def test_it_is_the_mean_of_mann_whitney_over_the_cells(goal):
    table = study()
    rows = improvement(table, ["act", "bn"], goal=goal).set_index(["factor", "level", "versus"])
    for (level, versus), cells in ((("q", "p"), 2), (("r", "q"), 2)):
        shares = []
        for _, cell in table.groupby("bn"):
            first, second = (cell.response[cell.act == name].to_numpy() for name in (level, versus))
            wins = stats.mannwhitneyu(first, second).statistic / (len(first) * len(second))
            shares.append(wins if goal == "max" else 1 - wins)
        row = rows.loc["act", level, versus]
        assert row.probability == pytest.approx(np.mean(shares))
        assert row.cells == cells
    assert rows.cells["bn", "1", "0"] == 3


def test_the_interval_is_that_of_a_bootstrap_within_cells():
    table = study()
    row = improvement(table, ["act", "bn"], goal="max").set_index(["level", "versus"]).loc["q", "p"]
    rng = np.random.default_rng(5)
    shares = []
    for _, cell in table.groupby("bn"):
        first, second = (rng.choice(cell.response[cell.act == name].to_numpy(), (4000, 6)) for name in "qp")
        shares.append([probability_of_improvement(*pair).mean() for pair in zip(first, second, strict=True)])
    drawn = np.mean(shares, axis=0)
    assert (row.ci_low, row.ci_high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.03)
    again = improvement(table, ["act", "bn"], goal="max").set_index(["level", "versus"]).loc["q", "p"]
    assert (row.ci_low, row.ci_high) == (again.ci_low, again.ci_high)


def test_it_needs_five_runs_in_each_cell():
    assert improvement(study(5), ["act", "bn"]) is not None
    assert improvement(study(5).iloc[1:], ["act", "bn"]) is None
