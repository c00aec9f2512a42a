"""Error rates of the analysis of searches, with the simulated searches of the benchmark."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from attnae.analysis.design.kind import design_kind
from attnae.analysis.search.prepare import Options, prepare_search

pytestmark = pytest.mark.usefixtures("blank_figures")

SIMULATION = Path(__file__).parents[3] / "benchmarks" / "searches.py"


@pytest.fixture(scope="module")
def searches():
    specification = importlib.util.spec_from_file_location("searches", SIMULATION)
    sys.path.append(str(SIMULATION.parent))
    module = importlib.util.module_from_spec(specification)
    sys.modules["searches"] = module
    specification.loader.exec_module(module)
    return module


def _scenario(scenarios, name):
    return next(one for one in scenarios if one.name == name)


def test_few_searches_without_effect_report_one(searches):
    """At most 5% plus three standard errors."""
    counts = searches.simulate_null(_scenario(searches.NULLS, "20 runs, 4 settings, heavy tails"), 150, 0, 199)
    assert counts.false_alarms <= 150 * (0.05 + 3 * np.sqrt(0.05 * 0.95 / 150))


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 5, 7, 18, 19])
def test_false_alarms_of_many_searches(searches, number):
    counts = searches.simulate_null(searches.NULLS[number], 200, 10 + number, 199)
    assert counts.false_alarms <= 200 * (0.05 + 3 * np.sqrt(0.05 * 0.95 / 200))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "power"),
    [
        ("40 runs, 6 settings, three", 0.45),
        ("40 runs, 8 settings, one linear", 0.75),
        ("40 runs, 8 settings, one conditional", 0.65),
    ],
)
def test_power_and_coverage(searches, name, power):
    """Bounds of about three standard errors of 30 searches below the figures of docs/searches.md."""
    counts = searches.simulate(_scenario(searches.EFFECTS, name), 30, 77, 199)
    assert np.mean(counts.found) >= power - 0.25
    assert counts.false_alarms <= 6
    for covered in (counts.share, counts.effect, counts.best):
        assert not covered or np.mean(covered) >= 0.8
    assert np.mean(counts.right_word) >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize("runs", [12, 20, 40])
def test_independent_draws_are_a_search_and_none_of_their_settings_is_dropped(searches, runs):
    rng = np.random.default_rng(runs)
    scenario = searches.Scenario("draws", runs, 10)
    for _ in range(40):
        table = searches.draw_search(scenario, rng)
        assert design_kind(table, scenario.names).kind == "search"
        data = prepare_search(table, scenario.names, Options())
        # All levels of a setting are rare, or momentum is recorded once: there is nothing to compare.
        assert not [reason for reason in data.left_out.values() if "follows" in reason or "distinguished" in reason]
