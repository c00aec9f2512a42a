"""Centre points: curvature, and no third level that aliases the effects of a factorial."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from attnae.analysis.design.centre import centre_runs
from attnae.analysis.study import fit_study
from tests.analysis.reports import make_report
from tests.analysis.studies import factorial

pytestmark = pytest.mark.usefixtures("blank_figures")

# Montgomery, Design and Analysis of Experiments, 8th edition, example 6.6: reaction time and temperature, yield in %.
# The effects are 1.55, 0.65 and -0.05; curvature -0.035 with SS 0.0027 and pure error 0.0430 on 4 degrees of freedom.
CHEMISTRY = pd.DataFrame(
    [(30, 150, 39.3), (30, 160, 40.0), (40, 150, 40.9), (40, 160, 41.5)]
    + [(35, 155, y) for y in (40.3, 40.5, 40.7, 40.2, 40.6)],
    columns=["time", "temperature", "response"],
)
FACTORS = ["time", "temperature"]


def note(result) -> str:
    return next(line for line in result.notes if line.startswith("centre points"))


def test_the_published_example():
    result = fit_study(CHEMISTRY, FACTORS, permutations=0)
    effects = result.effects.set_index("factor").estimate
    assert effects.to_dict() == pytest.approx({"time": 1.55, "temperature": 0.65})
    assert (result.model.runs, [factor.kind for factor in result.factors]) == (4, ["two-level"] * 2)
    # By hand: the error of model M is its interaction, SS = 0.05^2 = 0.0025 with one degree of freedom.
    spread = (0.0025 + 0.172) / 5
    half = 2.570582 * np.sqrt(spread * (1 / 5 + 1 / 4))
    assert "5 runs in the middle of time and temperature are no third level" in note(result)
    low, high = (float(word) for word in note(result).split("CI ")[1].split(",")[0].split(" to "))
    assert (low, high) == pytest.approx((0.035 - half, 0.035 + half), abs=2e-3)
    assert "no curvature was found" in note(result)


@pytest.mark.parametrize(("log", "values"), [(False, [1, 2, 3]), (True, [1e-4, 1e-3, 1e-2])])
def test_shared_seeds_by_the_differences_of_the_seeds(log, values):
    table = factorial(5, lr=[values[0], values[2]], wd=[values[0], values[2]], bn=[False, True])
    middle = factorial(5, lr=[values[1]], wd=[values[1]], bn=[False])
    rng = np.random.default_rng(0)
    table = pd.concat([table, middle], ignore_index=True)
    table["response"] = np.exp(0.1 * rng.standard_normal(len(table)) + 0.3 * table.seed + 2.0 * (table.lr == values[1]))
    result = fit_study(table, ["lr", "wd", "bn"], permutations=0, log=log)
    y = np.log(table.response) if log else table.response
    corner = table.lr != values[1]
    difference = y[~corner].groupby(table.seed).mean() - y[corner].groupby(table.seed).mean()
    assert f"is {difference.mean():.3g} (" in note(result)
    assert "the response is curved between the levels" in note(result)
    assert (result.model.runs, set(result.factor_tests.kind)) == (40, {"two-level"})


def test_what_is_a_centre_point():
    assert centre_runs(CHEMISTRY, FACTORS)[1] == ("time", "temperature")
    # A full factorial of three levels, a single factor, three unequal steps, and words have none.
    full = factorial(a=[1, 2, 3], b=[1, 2, 3])
    assert not centre_runs(full, ["a", "b"])[0].any()
    assert not centre_runs(CHEMISTRY, ["time"])[0].any()
    skewed = CHEMISTRY.replace({"time": {35: 31}, "temperature": {155: 151}})
    assert not centre_runs(skewed, FACTORS)[0].any()
    assert not centre_runs(CHEMISTRY.astype({"time": str, "temperature": str}), FACTORS)[0].any()


def test_the_audit_keeps_both_factors_and_misses_no_run(tmp_path):
    table = pd.concat([CHEMISTRY.iloc[:4]] * 3 + [CHEMISTRY.iloc[4:]], ignore_index=True)
    noise = 0.1 * np.random.default_rng(1).standard_normal(len(table))
    table = table.assign(seed=range(len(table)), response=table.response + noise)
    report = make_report(tmp_path, table, FACTORS)
    assert (report.audit.design.kind, report.audit.factors) == ("factorial", tuple(sorted(FACTORS)))
    assert (report.audit.expected, len(report.audit.missing)) == (12, 0)
    assert set(report.result.effects.factor) == set(FACTORS)
    assert "5 runs in the middle of" in note(report.result)
