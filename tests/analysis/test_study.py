"""The whole of fit_study: the article's table, odd studies, mistakes, and simulated error rates."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import attnae
from attnae.analysis.estimates.best import EXACT
from attnae.analysis.estimates.family import main_rows
from attnae.analysis.inference.contrasts import contrasts
from attnae.analysis.study import fit_study
from attnae.errors import UserError
from tests.analysis.published import through_event_files
from tests.analysis.reports import without_clock
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial
from tests.reading.event_logs import write_study

SIMULATION = Path(__file__).parents[2] / "benchmarks" / "inference.py"


def study(table, factors=ARTICLE_FACTORS, **options):
    return fit_study(table, factors, **{"permutations": 0, **options})


@pytest.mark.parametrize("log", [False, True])
def test_the_articles_table_is_statsmodels_own(tmp_path, log):
    table = through_event_files(tmp_path, article_study(seeds=1), ARTICLE_FACTORS)
    result = study(table, log=log)
    names = ["BatchNorm", "Dropout", "SpatialAttention"]
    x7 = table[["batch_norm", "dropout", "spatial_attention"]].astype(float).set_axis(names, axis=1)
    for act in ("elu", "relu", "selu", "sigmoid"):
        x7[f"Activation_{act}"] = (table.act == act).astype(float)
    y = np.log(table.response) if log else table.response
    fit = sm.OLS(y.to_numpy(), x7.to_numpy()).fit()
    ours = result.coefficients
    assert ours.columns.tolist() == ["term", "estimate", "std_error", "t", "p", "ci_low", "ci_high"]
    assert ours.term.tolist() == x7.columns.tolist()
    theirs = np.column_stack([fit.params, fit.bse, fit.tvalues, fit.pvalues, fit.conf_int()])
    np.testing.assert_allclose(ours.drop(columns="term").to_numpy(), theirs, rtol=1e-12)
    summary = fit.summary(xname=x7.columns.tolist()).as_text()
    assert without_clock(result.article.summary) == without_clock(summary)


def test_the_articles_table_of_other_factors():
    table = factorial(norm=["batch", "none"], depth=[1, 2, 3], replicates=3)
    table["response"] = np.random.default_rng(0).standard_normal(18)
    terms = study(table, ["depth", "norm"]).coefficients
    assert terms.term.tolist() == ["norm", "depth_1", "depth_2", "depth_3"]
    design = np.column_stack([table.norm == "batch", *(table.depth == d for d in (1, 2, 3))]).astype(float)
    np.testing.assert_allclose(terms.estimate, sm.OLS(table.response.to_numpy(), design).fit().params)


def test_the_articles_table_needs_exactly_one_many_level_factor():
    two_level = factorial(a=[0, 1], b=[0, 1], replicates=3)
    two_level["response"] = np.random.default_rng(0).standard_normal(12)
    assert study(two_level, ["a", "b"]).coefficients is None
    two_many = factorial(a=list("xyz"), b=list("pqr"), replicates=2)
    two_many["response"] = np.random.default_rng(0).standard_normal(18)
    assert study(two_many, ["a", "b"]).coefficients is None
    curve = factorial(a=list("xyz"), lr=np.linspace(1, 2, 8).tolist())
    curve["response"] = np.random.default_rng(0).standard_normal(24)
    assert study(curve, ["a", "lr"]).coefficients is None


def test_model_in_numbers():
    model = study(article_study()).model
    assert model.formula.startswith("response ~ seed + batch_norm + dropout + spatial_attention + act + batch_norm:dro")
    assert (model.runs, model.cells, model.parameters, model.rank, model.residual_df) == (96, 32, 21, 21, 75)
    # Orthogonal columns; those of act have squared length 1 and 2 per pair of levels: condition number 2.
    assert model.condition_number == pytest.approx(2.0)
    assert model.residual_sd == pytest.approx(0.01, rel=0.2)


def test_order_of_runs_and_of_factors_does_not_matter():
    table = article_study()
    shuffled = table.sample(frac=1, random_state=0)
    first = study(table).effects.set_index(["factor", "level"])
    second = study(shuffled, ARTICLE_FACTORS[::-1]).effects.set_index(["factor", "level"]).loc[first.index]
    for column in ("estimate", "std_error", "df", "p_holm", "mde"):
        np.testing.assert_allclose(first[column], second[column], rtol=1e-8)
    assert first.verdict.tolist() == second.verdict.tolist()


def test_factor_with_one_level_is_dropped_with_a_note():
    table = article_study().assign(units="35 25 15 5")
    result = study(table, [*ARTICLE_FACTORS, "units"])
    assert result.dropped_factors == {"units": "35 25 15 5"}
    assert "units is 35 25 15 5 in all finished runs: the factor is dropped" in result.notes
    pd.testing.assert_frame_equal(result.effects, study(table).effects)


def test_diverged_unfinished_and_missing_responses_are_left_out_with_a_note():
    table = article_study()
    table.loc[[0, 1], "status"] = "diverged"
    table.loc[[2, 6, 7], "status"] = ["unfinished", "duplicate", "unreadable"]
    table.loc[3, "response"] = np.nan
    table.loc[4, "response"] = np.inf
    table["act"] = table["act"].astype(object)
    table.loc[5, "act"] = None
    result = study(table)
    pd.testing.assert_frame_equal(result.effects, study(table.drop(index=range(8))).effects)
    assert (
        result.notes[0]
        == "runs left out: 2 diverged, 1 duplicate, 1 unfinished, 1 unreadable; the effects describe finished runs only"
    )
    assert result.notes[1] == "runs left out: 2 finished without a finite response"
    assert result.notes[2].startswith("runs left out: 1 without a value of one of batch_norm")


def test_status_and_seed_columns_are_optional():
    table = article_study().drop(columns=["status", "seed", "run"])
    assert study(table).model.runs == 96
    assert not study(table).noise.blocks
    assert not study(article_study(), seed=None).noise.blocks
    renamed = article_study().rename(columns={"response": "test/loss", "seed": "repeat", "status": "state"})
    renamed.loc[0, "state"] = "diverged"
    result = study(renamed, response="test/loss", seed="repeat", status="state")
    assert result.noise.blocks
    assert result.model.runs == 95


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"response": 0.5}, "response is 0.5 in all 96 finished runs: nothing to explain"),
        ({"response": np.nan}, "no finished run has a finite response"),
        ({"status": "diverged"}, "no finished run has a finite response"),
        (dict.fromkeys(ARTICLE_FACTORS, True), "no factor varies among the finished runs"),
    ],
)
def test_nothing_to_analyse(change, message):
    with pytest.raises(UserError, match=message):
        study(article_study().assign(**change))


@pytest.mark.parametrize(
    ("factors", "options", "message"),
    [
        ([], {}, "no factors"),
        (["act", "actt"], {}, "'actt' is not a hyper-parameter of these runs; there are batch_norm"),
        (["act", "act"], {}, "factor 'act' is named twice"),
        (["act"], {"response": "val/loss"}, "no column 'val/loss' in the table; it has batch_norm"),
        (["act"], {"goal": "low"}, "--goal 'low': choose from min, max"),
        (["act"], {"alpha": 0.0}, "--alpha 0.0: choose a number between 0 and 1"),
        (["act"], {"alpha": 1.0}, "--alpha 1.0"),
        (["act"], {"negligible": -1.0}, "--negligible -1.0: choose a positive number"),
        (["act"], {"target": 0.0}, "--target 0.0: choose a positive number"),
        (["act"], {"permutations": -1}, "--permutations -1"),
    ],
)
def test_mistakes(factors, options, message):
    with pytest.raises(UserError, match=message):
        study(article_study(), factors, **options)


@pytest.mark.parametrize("name", ["(intercept)", "residual", "act:dropout"])
def test_names_that_the_model_gives_to_its_own_terms(name):
    table = article_study().assign(**{name: 0})
    with pytest.raises(UserError, match=re.escape(f"two terms of the model would be called {name!r}: rename")):
        study(table, ["act", "dropout", name])


def test_one_run_only():
    with pytest.raises(UserError, match="only one finished run: there is nothing to compare it with"):
        study(article_study().iloc[:1])


def test_two_runs_give_an_estimate_without_an_interval():
    table = pd.DataFrame({"a": [True, False], "response": [3.0, 1.0]})
    result = study(table, ["a"], permutations=99)
    row = result.effects.iloc[0]
    assert (row.estimate, row.percent_change) == pytest.approx((2.0, 200.0))
    assert row.verdict == ""
    assert row.note.startswith("no verdict: model M leaves 0 residual degrees of freedom, and a verdict needs 3")
    assert result.cells.may_be_best.isna().all()
    assert set(result.cells.method) == {EXACT}
    assert result.permutation.p.isna().all()
    assert np.isnan([row.std_error, row.p, row.mde]).all()


def test_names_that_no_formula_could_hold():
    table = article_study().rename(columns={"act": "model/act fn", "dropout": "opt.drop-out"})
    names = ["batch_norm", "opt.drop-out", "spatial_attention", "model/act fn"]
    plain, odd = study(article_study()), study(table, names)
    np.testing.assert_allclose(odd.effects.estimate, plain.effects.estimate)
    np.testing.assert_allclose(odd.anova.p.dropna(), plain.anova.p.dropna())
    assert set(odd.coefficients.term) >= {"opt.drop-out", "model/act fn_elu"}


def test_a_study_is_analysed_within_seconds():
    table = article_study()
    start = time.process_time()
    fit_study(table, ARTICLE_FACTORS, baseline={"act": "relu"}, alternatives={"best": table.response**1.01})
    assert time.process_time() - start < 4  # of the processor, all threads together


@pytest.fixture(scope="module")
def inference():
    specification = importlib.util.spec_from_file_location("inference", SIMULATION)
    module = importlib.util.module_from_spec(specification)
    sys.modules["inference"] = module
    specification.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "studies"), [("2x2x2x2", 2000), ("2x2x2x4", 400)])
def test_simulated_error_over_all_planned_looks(layout, studies):
    specification = importlib.util.spec_from_file_location("sequential", SIMULATION.with_name("sequential.py"))
    module = importlib.util.module_from_spec(specification)
    sys.modules["sequential"] = module
    specification.loader.exec_module(module)
    found = module.simulate(layout, 8, effect=0.0, studies=studies, seed=1, to_the_end=True)
    assert found.false_found <= 0.055 + 3 * np.sqrt(0.05 * 0.95 / studies)
    with_effect = module.simulate(layout, 8, effect=3.0, studies=studies, seed=2, of_interest=("attention",))
    assert with_effect.found > 0.95
    assert with_effect.replicates < 7
    assert with_effect.coverage >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / studies)


def check_scenario(inference, scenario, studies, seed):
    """Bounds of three standard errors around what is promised for new seeds."""
    found = inference.simulate(scenario, studies, seed=seed)
    if found.scope != "new seeds":
        assert found.false_helps_or_hurts == 0, scenario.name
        return
    rows = 1 if scenario.layout == "two cells" else 3
    assert found.coverage >= 0.94 - 3 * np.sqrt(0.05 * 0.95 / studies / rows), scenario.name
    assert found.false_verdicts <= 0.055 + 3 * np.sqrt(0.05 * 0.95 / studies), scenario.name
    assert found.false_helps_or_hurts <= found.false_verdicts


@pytest.mark.parametrize(
    "options",
    [
        {"seeds": 3, "interaction_sd": 1.0},
        {"seeds": 1, "interaction_sd": 1.0},
        {"seeds": 3, "interaction_sd": 0.5, "missing": 0.1, "patterns": 5},
        {"seeds": 1, "shared": False},
        {"seeds": 3, "shared": False, "seed_sd": 0.0, "noisy": 5.0},
        {"layout": "two cells", "seeds": 5, "interaction_sd": 1.0},
    ],
    ids=str,
)
def test_simulated_coverage_and_false_verdicts(inference, options):
    check_scenario(inference, inference.Scenario(**options), 1000, seed=3)


@pytest.mark.slow
def test_simulated_coverage_and_false_verdicts_of_all_scenarios(inference):
    for number, scenario in enumerate(inference.SCENARIOS):
        check_scenario(inference, scenario, 1000, seed=100 + number)


@pytest.mark.parametrize("options", [{"seeds": 3, "interaction_sd": 0.5}, {"seeds": 3, "shared": False}], ids=str)
def test_simulated_power_at_the_smallest_detectable_effect(inference, options):
    found = inference.power_at_mde(inference.Scenario(**options), 4000, seed=7)
    assert found == pytest.approx(0.8, abs=0.02 + 3 * 0.4 / np.sqrt(4000))


@pytest.mark.parametrize(("clustered", "enough"), [(True, True), (False, False)])
def test_errors_that_ignore_the_seeds_would_be_caught_by_the_simulation(inference, clustered, enough):
    """Effects that vary from seed to seed as much as the noise: HC2 covers 62 to 80%, CR2 95%."""
    scenario = inference.Scenario(seeds=3, interaction_sd=1.0)
    rng = np.random.default_rng(0)
    runs = inference.runs_of(scenario, rng)
    design = inference.family_of(runs).design
    fitted = contrasts(design, main_rows(design), clusters=design.seeds if clustered else None)
    low, high = fitted.fit(inference.draw(scenario, runs, 2000, rng)).interval(0.95)
    covered = np.mean((low <= 0) & (high >= 0), axis=1)
    assert ((covered > 0.93) == enough).all()
    assert ((covered < 0.85) == (not enough)).all()


def test_fit_study_takes_the_table_of_read_runs(tmp_path):
    """The public way: read_runs, then fit_study with the tag as the response."""
    table = article_study()
    write_study(tmp_path, table, ARTICLE_FACTORS)
    result = attnae.fit_study(attnae.read_runs(tmp_path), ARTICLE_FACTORS, response="test/loss", permutations=0)
    np.testing.assert_allclose(result.effects.estimate, study(table).effects.estimate, atol=1e-7)
    assert result.effects.verdict.tolist() == study(table).effects.verdict.tolist()
    assert result.noise.seeds == ("0", "1", "2")


def test_the_statistics_import_neither_torch_nor_pandas_before_they_are_used():
    command = "import sys, attnae.analysis; print({'torch', 'pandas', 'scipy', 'statsmodels'} & set(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "set()"
    command = "import sys, attnae.analysis.study; print('torch' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "False"
