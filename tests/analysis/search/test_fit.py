"""Whole analyses of searches: known truths, conditional settings, diverged runs, strata, and difficult tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from attnae.analysis.report.sentences.search import sentences
from attnae.analysis.search import fit_search, pairs
from attnae.analysis.search.result import (
    CURVE_COLUMNS,
    LEVEL_COLUMNS,
    PAIR_COLUMNS,
    SENSITIVITY_COLUMNS,
    SETTING_COLUMNS,
)
from attnae.errors import UserError
from tests.analysis.search.searches import SETTINGS, draw_settings, search


def _fit(table, settings=SETTINGS, **options):
    return fit_search(table, settings, **{"permutations": 499, **options})


def _rows(result):
    return result.settings.set_index("factor")


@pytest.fixture(scope="module")
def table():
    return search()


@pytest.fixture(scope="module")
def result(table):
    return _fit(table)


def test_it_can_be_imported_beside_fit_study():
    import attnae
    from attnae.analysis import fit_search as of_analysis

    assert attnae.fit_search is of_analysis is fit_search


def test_the_truth_is_found(result):
    rows = _rows(result)
    assert rows.loc["lr", "verdict"] == "optimum"
    assert rows.loc["lr", "best_low"] < 1e-3 < rows.loc["lr", "best_high"]
    assert rows.loc["dropout", "verdict"] == "hurts"
    assert rows.loc["aug", "verdict"] == "helps"
    assert rows.loc["act", ["verdict", "worse"]].tolist() == ["matters", "tanh"]
    assert set(rows.index[rows["p_holm"] >= 0.05]) == {"units", "optimizer", "momentum"}


def test_effects_are_those_of_the_truth(result):
    rows, detail = _rows(result), result.details["dropout"]
    true = 1.2 * (detail.high_value - detail.low_value)
    assert rows.loc["dropout", "effect_low"] < true < rows.loc["dropout", "effect_high"]
    assert rows.loc["aug", "effect"] == pytest.approx(-0.3, abs=0.1)
    levels = result.levels[result.levels["factor"] == "act"].set_index("level")
    assert levels.loc["tanh", "verdict"] == "worse"
    assert levels.loc["tanh", "difference"] == pytest.approx(0.4, abs=0.15)
    assert levels.loc["tanh", "ci_low"] < levels.loc["tanh", "difference"] < levels.loc["tanh", "ci_high"]
    assert levels["n"].sum() == 60


def test_the_tables_have_the_columns_of_the_files(result):
    assert tuple(result.settings) == SETTING_COLUMNS
    assert tuple(result.levels) == LEVEL_COLUMNS
    assert tuple(result.curves) == CURVE_COLUMNS
    assert tuple(result.pairs) == PAIR_COLUMNS
    assert tuple(result.sensitivity) == SENSITIVITY_COLUMNS
    assert result.settings["p_holm"].is_monotonic_increasing
    assert (result.curves.groupby("factor").size() == 101).all()
    assert result.settings.set_index("factor")["scale"].to_dict()["lr"] == "log10"
    assert result.settings.set_index("factor")["kind"].to_dict() == {
        "lr": "continuous",
        "dropout": "continuous",
        "act": "categorical",
        "units": "integer",
        "aug": "two-level",
        "optimizer": "two-level",
        "momentum": "continuous",
    }


def test_a_higher_is_better_goal_mirrors_everything(table, result):
    mirrored = _fit(table.assign(response=-table["response"]), goal="max")
    rows, others = _rows(result), _rows(mirrored)
    assert others["verdict"].to_dict() == rows["verdict"].to_dict()
    assert others.loc["dropout", "effect"] == pytest.approx(-rows.loc["dropout", "effect"])
    assert others.loc["lr", "low_end"] == pytest.approx(-rows.loc["lr", "low_end"])
    pd.testing.assert_series_equal(others["p"], rows["p"])


def test_a_conditional_setting_is_compared_among_its_active_runs():
    table = draw_settings(80, 3)
    sgd = (table["optimizer"] == "sgd").to_numpy()
    rng = np.random.default_rng(0)
    table["response"] = np.where(sgd, 2 * table["momentum"].fillna(0), 5.0) + 0.2 * rng.standard_normal(80)
    rows = _rows(_fit(table))
    assert rows.loc["momentum", "parent"] == "optimizer"
    assert rows.loc["momentum", "n"] == sgd.sum()
    assert rows.loc["momentum", "verdict"] == "hurts"
    assert rows.loc["optimizer", "verdict"] == "helps"  # sgd is the second level, and better
    assert rows.loc["momentum", "effect"] == pytest.approx(1.8, abs=0.2)


def test_a_setting_that_some_runs_do_not_record_counts_where_it_is_recorded(table):
    some = table.assign(dropout=table["dropout"].where(np.arange(60) % 3 > 0))
    result = _fit(some)
    assert _rows(result).loc["dropout", "n"] == 40
    assert _rows(result).loc["dropout", "verdict"] == "hurts"
    assert any("dropout: 20 configurations do not record it" in note for note in result.notes)


def test_diverged_runs_are_the_worst():
    """Half of the runs with a large learning rate diverged; the others are the best of all."""
    table = draw_settings(60, 5)
    rng = np.random.default_rng(1)
    large = (table["lr"] > 1e-2).to_numpy()
    table["response"] = np.where(large, 0.0, 1.0) + 0.1 * rng.standard_normal(60)
    table["status"] = np.where(large & (rng.random(60) < 0.8), "diverged", "finished")
    result = _fit(table)
    assert result.diverged == (table["status"] == "diverged").sum()
    assert _rows(result).loc["lr", "verdict"] in ("hurts", "optimum")
    assert result.configurations.loc[result.configurations["diverged"], "z"].min() == result.configurations["z"].max()
    assert result.configurations.loc[result.configurations["diverged"], "response"].isna().all()
    assert "finished runs only" in set(result.sensitivity["analysis"])


def test_a_verdict_that_turns_into_its_opposite_is_reported():
    """All runs without aug that finished are better, but most of them diverged."""
    table = draw_settings(80, 6)
    rng = np.random.default_rng(2)
    aug = table["aug"].to_numpy()
    table["response"] = np.where(aug, 1.0, 0.0) + 0.1 * rng.standard_normal(80)
    table["status"] = np.where(~aug & (rng.random(80) < 0.85), "diverged", "finished")
    result = _fit(table)
    assert _rows(result).loc["aug", "verdict"] == "helps"
    assert "aug: helps as reported, but hurts (finished runs only)" in result.reversals


@pytest.fixture(scope="module")
def lost_by_chance():
    """A search of which a third of the runs diverged for no reason."""
    table = search(60, seed=4, noise=0.5)
    lost = np.random.default_rng(8).random(60) < 0.3
    return table.assign(status=np.where(lost, "diverged", "finished"))


def test_runs_that_diverge_by_chance_hide_nothing(lost_by_chance):
    result = _fit(lost_by_chance)
    lost = (lost_by_chance["status"] == "diverged").to_numpy()
    row, detail = _rows(result).loc["lr"], result.details["lr"]
    assert row["verdict"] == "optimum"
    assert (row["n"], row["note"]) == ((~lost).sum(), "among the configurations that did not diverge")
    np.testing.assert_array_equal(np.isnan(detail.z), lost)
    assert not detail.decides
    # The tried range is that of all runs; beyond an end of that of the others, runs may have diverged.
    assert (row["tried_low"], row["tried_high"], row["at_edge"]) == (*lost_by_chance["lr"].agg(["min", "max"]), "")
    said = next(one.text for one in sentences(result) if one.factor == "lr")
    assert said.startswith("Among the 41 runs that did not diverge, response is lowest near lr = ")
    # What neither shows is about all runs.
    assert (_rows(result).loc["units", "n"], _rows(result).loc["units", "note"]) == (60, "")
    assert not np.isnan(result.details["units"].z).any()


def test_numbers_among_the_others_are_those_of_the_others_alone(lost_by_chance):
    """But for what the setting is adjusted for."""
    result, alone = _fit(lost_by_chance), _fit(lost_by_chance[lost_by_chance["status"] == "finished"])
    columns = ["effect", "low_end", "high_end", "share"]
    found, expected = (_rows(one).loc["lr", columns].astype(float) for one in (result, alone))
    np.testing.assert_allclose(found, expected, rtol=0.05)
    expected = alone.curves[alone.curves["factor"] == "lr"]
    np.testing.assert_allclose(result.curves[result.curves["factor"] == "lr"]["value"], expected["value"])


def test_an_adaptive_search_has_one_scoring(lost_by_chance):
    result = _fit(lost_by_chance, sampler="TPESampler")
    assert not result.settings["note"].str.contains("did not diverge").any()


def test_a_setting_that_decides_which_runs_diverge_has_no_direction_among_the_others():
    """Without aug, the runs that finish are better, and so many diverge that all runs together show nothing."""
    table = draw_settings(80, 6)
    rng = np.random.default_rng(2)
    aug = table["aug"].to_numpy()
    table["response"] = np.where(aug, 1.0, 0.0) + 0.3 * rng.standard_normal(80)
    table["status"] = np.where(~aug & (rng.random(80) < 0.5), "diverged", "finished")
    result = _fit(table)
    row = _rows(result).loc["aug"]
    assert (row["verdict"], row["worse"]) == ("matters", "")
    assert result.details["aug"].decides
    assert "which ones diverge seems to depend on it, too" in row["note"]
    said = next(one.text for one in sentences(result) if one.factor == "aug")
    assert "aug changes response (" in said
    assert "but which runs diverge seems to depend on it, too: matters" in said


def test_an_infinite_response_is_a_diverged_run(table):
    some = table.assign(response=table["response"].where(table.index > 2, np.inf))
    assert _fit(some).diverged == 3
    assert _fit(some.drop(columns="status")).diverged == 3


@pytest.mark.parametrize("status", ["unfinished", "failed", "pruned", "unreadable", "duplicate"])
def test_runs_that_did_not_end_are_left_out(table, status):
    some = table.assign(status=table["status"].where(table.index > 4, status))
    result = _fit(some)
    assert result.runs == 55
    assert f"runs left out: 5 {status}" in result.notes


def test_seeds_of_a_configuration_are_averaged(table):
    twice = pd.concat([table, table.assign(response=table["response"] + 0.01)], ignore_index=True)
    result = _fit(twice)
    assert (result.runs, result.n) == (120, 60)
    assert (result.configurations["runs"] == 2).all()
    np.testing.assert_allclose(result.configurations["response"], table["response"] + 0.005)


def test_strata_are_compared_within_themselves(table):
    """Two data sets with very different losses, and the data set of a run depends on its learning rate."""
    dataset = np.where(table["lr"] > 1e-3, "hard", "easy")
    shifted = table.assign(dataset=dataset, response=table["response"] + 50 * (dataset == "hard"))
    rows = _rows(_fit(shifted, strata="dataset"))
    assert rows.loc["dropout", "verdict"] == "hurts"
    assert rows.loc["lr", "verdict"] != "hurts"
    assert "dataset" not in rows.index
    assert _rows(_fit(shifted)).loc["lr", "effect"] > 10  # the difference between the data sets
    assert rows.loc["lr", "effect"] < 2


def test_a_setting_that_follows_from_another_is_left_out(table):
    result = _fit(table.assign(log_lr=np.log10(table["lr"]), fixed=3), [*SETTINGS, "log_lr", "fixed"])
    assert set(result.left_out) == {"log_lr", "fixed"}
    assert result.left_out["log_lr"] == "it follows from lr"
    assert result.left_out["fixed"] == "it is 3 in all runs"


def test_of_two_settings_that_split_the_runs_alike_one_has_a_row(table):
    result = _fit(table.assign(loader=np.where(table["aug"], "new", "old")), [*SETTINGS, "loader"])
    assert result.left_out == {"loader": "it cannot be distinguished from aug"}
    assert _rows(result).loc["aug", "note"] == "cannot be distinguished from loader"


def test_rare_levels_are_pooled_and_never_best(table):
    act = table["act"].where(table.index > 2, ["swish", "mish", "mish"] + ["relu"] * 57)
    result = _fit(table.assign(act=act, response=table["response"].where(table.index > 2, -9)))
    levels = result.levels[result.levels["factor"] == "act"].set_index("level")
    assert levels.loc["(rare)", ["n", "verdict"]].tolist() == [3, "rare"]
    assert _rows(result).loc["act", "best"] != "(rare)"
    assert any("pooled: mish, swish" in note for note in result.notes)


def test_pairs_that_act_together_are_found():
    table = draw_settings(100, 8)
    rng = np.random.default_rng(3)
    both = np.where(table["aug"], 1, -1) * (table["dropout"] - 0.25)
    result = _fit(table.assign(response=6 * both + 0.3 * rng.standard_normal(100)))
    assert result.pairs.loc[0, ["first", "second"]].tolist() == ["dropout", "aug"]
    assert result.pairs_p == pytest.approx(0.002)  # of 499 permutations
    assert result.pairs["p"].iloc[1:].isna().all()


def test_pairs_do_not_depend_on_how_many_are_computed_at_once(monkeypatch, table):
    """With one value at most, each pair is computed alone; the number of permutations is that of large searches."""
    together = _fit(table, permutations=99).pairs
    monkeypatch.setattr(pairs, "MOST_VALUES", 1)
    pd.testing.assert_frame_equal(_fit(table, permutations=99).pairs, together, rtol=1e-9)


def test_an_additive_search_has_no_pairs_to_report(result):
    assert result.pairs_p > 0.05


def test_the_same_seed_gives_the_same_result(table, result):
    again = _fit(table)
    pd.testing.assert_frame_equal(again.settings, result.settings)
    other = _fit(table, random_seed=1)
    assert not other.settings["p"].equals(result.settings["p"])


def test_without_permutations_the_p_values_are_parametric(table):
    result = _fit(table, permutations=0)
    assert _rows(result).loc["lr", "p"] < 1e-6
    assert np.isnan(result.pairs_p)


def test_alpha_widens_the_intervals(table, result):
    wide = _rows(_fit(table, alpha=0.01))
    rows = _rows(result)
    assert wide.loc["dropout", "effect_low"] < rows.loc["dropout", "effect_low"]
    assert wide.loc["lr", "best_low"] <= rows.loc["lr", "best_low"]


@pytest.mark.parametrize("n", [2, 3, 5])
def test_fewer_than_six_runs_have_no_verdict(n):
    result = _fit(search(n, seed=4))
    assert (result.settings["verdict"] == "").all()
    assert result.settings["p"].isna().all()
    assert f"{n} configurations are too few for a verdict: at least 6 are needed" in result.notes


@pytest.mark.parametrize("n", [6, 8, 11])
def test_six_to_eleven_runs_say_that_they_are_few(n):
    result = _fit(search(n, seed=4))
    assert f"only a very strong setting can show with {n} configurations" in result.notes
    assert result.settings["p"].notna().any()


def test_equal_responses_say_nothing(table):
    result = _fit(table.assign(response=1.0))
    assert set(result.settings["verdict"]) <= {"", "undetermined"}
    assert result.pairs.empty
    assert result.settings["share"].fillna(0).eq(0).all()


def test_all_runs_diverged(table):
    result = _fit(table.assign(status="diverged"))
    assert result.diverged == 60
    assert set(result.settings["verdict"]) <= {"", "undetermined"}
    assert result.settings["effect"].isna().all()


def test_a_single_setting(table):
    result = _fit(table, ["lr"])
    assert _rows(result).loc["lr", "verdict"] == "optimum"
    assert result.pairs.empty
    assert np.isnan(result.pairs_p)


def test_settings_with_two_values_each(table):
    result = _fit(table, ["aug", "optimizer"])
    assert _rows(result)["kind"].tolist() == ["two-level"] * 2
    assert result.reason.startswith("asked for, although 4 of the 4 combinations")


def test_more_settings_than_runs():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"x{i}": rng.uniform(size=25) for i in range(30)})
    table["response"] = 3 * table["x7"] + 0.1 * rng.standard_normal(25)
    result = _fit(table, [f"x{i}" for i in range(30)], permutations=2999)
    assert not result.adjusted
    assert len(result.settings) == 30
    assert result.settings["factor"].iloc[0] == "x7"
    assert result.settings["verdict"].iloc[0] == "hurts"
    assert (result.settings["p_holm"].iloc[1:] >= 0.05).all()


def test_a_setting_with_few_active_runs_has_a_row_without_a_verdict():
    table = draw_settings(40, 9)
    rng = np.random.default_rng(4)
    table["optimizer"] = np.where(np.arange(40) % 8 == 0, "sgd", "adam")
    table["momentum"] = pd.Series(rng.uniform(size=40)).where(table["optimizer"] == "sgd")
    result = _fit(table.assign(response=rng.standard_normal(40)))
    row = _rows(result).loc["momentum"]
    assert row["verdict"] == ""
    assert row["note"] == "active in 5 runs only"


def test_missing_responses_are_left_out(table):
    result = _fit(table.assign(response=table["response"].where(table.index > 9)))
    assert result.runs == 50
    assert "runs left out: 10 without a value of the response" in result.notes


def test_numbers_logged_as_text_and_blanks(table):
    text = table.assign(lr=table["lr"].map(str), momentum=table["momentum"].map(lambda x: "" if x != x else f"{x}"))
    rows = _rows(_fit(text))
    assert rows.loc["lr", "kind"] == "continuous"
    assert rows.loc["momentum", "parent"] == "optimizer"


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        ([], {}, "no settings"),
        (["lr", "lr"], {}, "named twice"),
        (["nothing"], {}, "no column 'nothing'"),
        (["lr"], {"strata": "where"}, "no column 'where'"),
        (["lr"], {"order": "when"}, "no column 'when'"),
        (["lr"], {"response": "loss"}, "no column 'loss'"),
        (["lr"], {"goal": "low"}, "choose from min, max"),
        (["lr"], {"alpha": 2}, "choose a number between 0 and 1"),
        (["lr"], {"permutations": -1}, "choose 0"),
    ],
)
def test_mistakes_are_named(table, settings, options, message):
    with pytest.raises(UserError, match=message):
        _fit(table, settings, **options)


def test_nothing_to_compare_is_said(table):
    with pytest.raises(UserError, match="only 1 of 60 runs"):
        _fit(table.assign(response=table["response"].where(table.index < 1)))
    with pytest.raises(UserError, match=r"no setting of these 60 runs can be compared \(lr: it is 0.1 in all runs\)"):
        _fit(table.assign(lr=0.1), ["lr"])


@pytest.mark.parametrize("seed", range(8))
def test_tables_of_any_shape_give_an_answer(seed):
    """Ties, constants, blanks, words among numbers, few runs, and responses that are missing, equal or infinite."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 40))
    pools = [
        rng.uniform(size=n),
        rng.choice([0.0, 1e-4, 1e-3], n),
        rng.choice(["relu", "tanh", None], n),
        rng.choice([True, False, None], n),
        rng.choice([1, "none", None, 3, "4"], n),
        rng.choice(["", "a", "b", "c", "d", "e"], n),
        [None] * n,
        [f"label-{i}" for i in range(n)],
        np.full(n, 7),
        rng.choice([-1e300, 0.0, 1e300], n),
    ]
    table = pd.DataFrame({f"s{i}": pd.Series(list(pool), dtype=object) for i, pool in enumerate(pools)})
    response = rng.choice([0.0, 1.0, 1e300, -1e300, np.nan, np.inf], n, p=[0.3, 0.3, 0.1, 0.1, 0.1, 0.1])
    table = table.assign(response=response, status=rng.choice(["finished", "diverged", "unknown"], n))
    try:
        result = _fit(table, [f"s{i}" for i in range(len(pools))], permutations=99, order="s0")
    except UserError:
        return
    numeric = result.settings.select_dtypes("number")
    assert not np.isinf(numeric).to_numpy().any()
    assert len(result.settings) + len(result.left_out) == len(pools)
