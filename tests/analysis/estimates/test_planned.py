"""Planned looks at whole studies: the tables of the report, and what the command finds in a directory."""

import json
from itertools import product

import numpy as np
import pandas as pd
import pytest

from attnae.analysis.audit.looks import planned_replicates
from attnae.analysis.design.factors import read_factor
from attnae.analysis.estimates.family import Reading
from attnae.analysis.estimates.planned import PlannedFamily
from attnae.analysis.inference.families import step_down
from attnae.analysis.inference.looks import Replicates, p_over_looks, planned_look
from attnae.analysis.study import fit_study
from attnae.reading.run import Run

LEVELS = {"bn": ("off", "on"), "act": ("elu", "relu", "selu")}
CELLS = list(product(*LEVELS.values()))
PLANNED = 8


def responses(replicates, *, bn=0.0, relu=0.0, seed=0):
    """(replicates, cells) of noise with SD 1 and two effects."""
    rng = np.random.default_rng(seed)
    effects = np.array([bn * (cell[0] == "on") + relu * (cell[1] == "relu") for cell in CELLS])
    return 10 + effects + rng.standard_normal((replicates, len(CELLS)))


def runs_table(y):
    """A row for each run, in a random order; each has a seed of its own."""
    rows = [(f"r{r}c{c}", *CELLS[c], 100 * r + c, y[r, c], r + 1) for r in range(len(y)) for c in range(len(CELLS))]
    table = pd.DataFrame(rows, columns=["run", *LEVELS, "seed", "response", "replicate"])
    return table.sample(frac=1, random_state=1).reset_index(drop=True)


def fit(y, **options):
    table = runs_table(y)
    replicates = Replicates(PLANNED, dict(zip(table.run, table.replicate, strict=True)))
    return fit_study(table, list(LEVELS), replicates=replicates, permutations=0, **options)


def family():
    cells = pd.DataFrame(CELLS, columns=list(LEVELS))
    read = [read_factor(name, cells[name]) for name in LEVELS]
    return PlannedFamily([factor for factor, _ in read], np.column_stack([c for _, c in read]), planned=PLANNED)


def test_a_switch_is_judged_by_the_effects_of_each_replicate():
    y = responses(5, bn=-3.0)
    row = fit(y).effects.iloc[0]
    look = planned_look((y[:, 3:].mean(axis=1) - y[:, :3].mean(axis=1))[:, None], planned=PLANNED)
    assert (row.factor, row.level) == ("bn", "on")
    assert row.estimate == pytest.approx(look.estimate[0])
    assert row.p_planned == pytest.approx(look.p[0])
    assert (row.ci_low_planned, row.ci_high_planned) == pytest.approx((look.ci_low[0], look.ci_high[0]))
    assert row.ci_high_planned - row.ci_low_planned > row.ci_high - row.ci_low
    assert row.p < row.p_planned
    assert row.verdict == "helps"


def test_many_levels_are_judged_by_the_repeated_measures_f_test_at_each_look():
    """Greenhouse and Geisser's test of the level means of each replicate, at the looks after 3, 4 and 5 replicates."""
    y = responses(5, relu=-2.0)
    p = []
    for count in (3, 4, 5):
        means = (y[:count, :3] + y[:count, 3:]) / 2
        centred = means - means.mean(axis=1, keepdims=True)
        effect = centred.mean(axis=0)
        cov = np.cov(centred.T)
        f1 = np.trace(cov) ** 2 / np.trace(cov @ cov)
        f = (effect @ effect) / (np.trace(cov) / count)
        p.append(_f_sf(f, f1, f1 * (count - 1)))
    result = fit(y)
    rows = result.effects[result.effects.factor == "act"]
    expected = p_over_looks(np.array(p), planned=PLANNED)
    assert rows.p_planned.tolist() == pytest.approx([expected] * 3)
    both = step_down(np.array([result.effects.p_planned.iloc[0], expected]), np.arange(2))
    assert result.factor_tests.p_holm.tolist() == pytest.approx(both.tolist(), abs=1e-12)


def _f_sf(f, df1, df2):
    from scipy import stats

    return stats.f.sf(f, df1, df2)


def test_the_same_study_in_columns_of_many():
    reading = Reading(negligible=2.0)
    studies = [responses(6, bn=-2.0, relu=-4.0, seed=seed) for seed in range(5)]
    planned = family()
    together = planned.judge(np.stack(studies, axis=-1), reading)
    decided = planned.decisions(together, 0.05)
    for place, y in enumerate(studies):
        alone = planned.judge(y, reading)
        assert together.look.p[:, place] == pytest.approx(alone.look.p)
        assert together.adjusted.rows[:, place] == pytest.approx(alone.adjusted.rows)
        assert together.verdicts[:, place].tolist() == alone.verdicts.tolist()
        words = {name: str(word) for name, word in planned.decisions(alone, 0.05).items()}
        assert words == {name: found[place] for name, found in decided.items()}


def test_words_of_decisions():
    planned = family()
    found = planned.judge(responses(8, relu=-8.0), Reading(negligible=3.0))
    assert {name: str(word) for name, word in planned.decisions(found, 0.05).items()} == {
        "bn": "negligible",
        "act": "matters",
    }
    found = planned.judge(responses(4), Reading())
    assert set(map(str, planned.decisions(found, 0.05).values())) == {"undetermined"}
    up = planned.judge(responses(8, bn=4.0), Reading())
    assert str(planned.decisions(up, 0.05)["bn"]) == "hurts"
    assert str(planned.decisions(planned.judge(responses(8, bn=4.0), Reading(goal="max")), 0.05)["bn"]) == "helps"


def test_columns_of_planned_looks_are_there_only_with_replicates():
    y = responses(5, bn=-3.0)
    plain = fit_study(runs_table(y), list(LEVELS), permutations=0)
    looked = fit(y)
    assert plain.looks is None
    assert [name for name in looked.effects if name not in plain.effects] == [
        "p_planned",
        "ci_low_planned",
        "ci_high_planned",
    ]
    assert looked.effects.p.tolist() == plain.effects.p.tolist()
    assert (looked.effects.p_holm >= plain.effects.p_holm).all()
    assert looked.effects.mde.isna().all()
    assert looked.shown_effects.ci_low.tolist() == looked.effects.ci_low_planned.tolist()
    assert (looked.pairwise.p_holm >= plain.pairwise.p_holm).all()


@pytest.mark.parametrize("drop", ["run", "replicate 2"])
def test_runs_that_are_no_whole_replicates_have_no_planned_looks(drop):
    table = runs_table(responses(4))
    replicates = Replicates(PLANNED, dict(zip(table.run, table.replicate, strict=True)))
    table = table[table.run != "r3c2"] if drop == "run" else table[table.replicate != 2]
    result = fit_study(table, list(LEVELS), replicates=replicates, permutations=0)
    assert result.looks is None
    assert any("planned looks cannot be used" in note for note in result.notes)


@pytest.fixture
def study(tmp_path):
    """The directory of a sequential study of two cells, and what was read from it."""

    def make(replicates, *, problem="", missing=()):
        content = {"planned": PLANNED, "cells": 2, "problem": problem, "response": "test/loss", "negligible": 0.1}
        (tmp_path / "looks.json").write_text(json.dumps(content))
        names = [f"act={act},replicate={r}" for r in range(1, replicates + 1) for act in ("elu", "relu")]
        names = [name for name in names if name not in missing]
        runs = [Run(name, tmp_path / name, {}, {}) for name in names]
        return runs, pd.DataFrame({"run": names, "status": "finished"})

    return make


def test_replicates_are_read_from_the_directory_of_the_study(study):
    runs, table = study(4)
    kept, replicates, remarks = planned_replicates(runs, table)
    assert len(kept) == 8
    assert (replicates.planned, set(replicates.of_run.values())) == (PLANNED, {1, 2, 3, 4})
    assert replicates.of_run["act=relu,replicate=3"] == 3
    assert (replicates.response, replicates.negligible) == ("test/loss", 0.1)
    assert remarks == ()


def test_a_replicate_that_is_not_complete_waits(study):
    runs, table = study(5, missing=("act=elu,replicate=5",))
    kept, replicates, remarks = planned_replicates(runs, table)
    assert len(kept) == 8
    assert replicates is not None
    assert remarks == ("1 run left out: replicate 5 is not complete, and a planned look needs whole ones",)
    runs, table = study(3, missing=("act=elu,replicate=3",))
    kept, replicates, [remark] = planned_replicates(runs, table)
    assert replicates is None
    assert len(kept) == 5
    assert remark.startswith("2 replicates of the study are complete, and the planned looks begin with 3")


def test_studies_without_planned_looks(study, tmp_path):
    runs, table = study(8, problem="act=elu,replicate=4 has no result")
    kept, replicates, [remark] = planned_replicates(runs, table)
    assert replicates is None
    assert len(kept) == 16
    assert "act=elu,replicate=4 has no result, so the study went on to 8 replicates" in remark
    runs, table = study(4)
    other = Run("other/run", tmp_path / "other" / "run", {}, {})
    more = pd.concat([table, pd.DataFrame({"run": ["other/run"], "status": ["finished"]})], ignore_index=True)
    _, replicates, [remark] = planned_replicates([*runs, other], more)
    assert replicates is None
    assert "runs of several directories" in remark
    (tmp_path / "looks.json").write_text("[")
    _, replicates, [remark] = planned_replicates(runs, table)
    assert replicates is None
    assert "cannot be read" in remark
    (tmp_path / "looks.json").unlink()
    assert planned_replicates(runs, table)[1:] == (None, ())
