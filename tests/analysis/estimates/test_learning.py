"""Learning curves against the marginal means of tables, and which runs and steps take part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from attnae.analysis.audit.responses import curve_tags
from attnae.analysis.estimates.learning import MAX_STEPS, study_curves
from attnae.analysis.report.figures.curves import cell_curves_figure, level_curves_figure
from attnae.analysis.study import fit_study
from attnae.reading.run import FINISHED, Run, Series
from tests.analysis.reports import analyze, read_back
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial
from tests.reading.event_logs import EventFile


def series(values, first: int = 1) -> Series:
    return Series(np.arange(first, first + len(values)), np.asarray(values, dtype=float))


def with_series(table: pd.DataFrame, values: np.ndarray, tag: str = "val/loss") -> list[Run]:
    return [Run(run, None, {}, {tag: series(own)}, FINISHED) for run, own in zip(table.run, values, strict=True)]


@pytest.fixture(scope="module")
def study():
    table = article_study().drop(index=[3, 40]).reset_index(drop=True)
    values = table.response.to_numpy()[:, None] + np.random.default_rng(3).normal(size=(len(table), 6)) / 50
    return table, values, fit_study(table, ARTICLE_FACTORS, permutations=0)


def curves_of(result, table, runs, response="val/loss"):
    return study_curves(result.design, table.run.tolist(), runs, table, response, alpha=0.05)


def test_each_step_has_the_marginal_means_of_its_values(study) -> None:
    table, values, result = study
    curves = curves_of(result, table, with_series(table, values))
    assert (curves.tags, curves.last_step, curves.longest) == (("val/loss",), 6, 6)
    for step in range(6):
        again = fit_study(table.assign(response=values[:, step]), ARTICLE_FACTORS, permutations=0).marginal_means
        ours = curves.means[curves.means.step == step + 1].reset_index(drop=True)
        shared = ["factor", "level", "mean", "ci_low", "ci_high", "n"]
        pd.testing.assert_frame_equal(ours[shared], again[shared], rtol=1e-9)


def test_levels_are_compared_up_to_the_last_step_that_all_runs_reached(study) -> None:
    table, values, result = study
    runs = with_series(table, values)
    longer = Run(runs[0].name, None, {}, {"val/loss": series([*values[0], 9.0, 9.0])}, FINISHED)
    curves = curves_of(result, table, [longer, *runs[1:]])
    assert (curves.last_step, curves.longest) == (6, 8)
    assert curves.steps.tolist() == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(curves.values, values)


def test_steps_that_a_run_lacks_or_where_it_is_not_finite_are_left_out(study) -> None:
    table, values, result = study
    runs = with_series(table, values)
    gap = Series(np.array([1, 3, 4, 5, 6]), np.array([1.0, np.nan, 1.0, 1.0, 1.0]))
    curves = curves_of(result, table, [Run(runs[0].name, None, {}, {"val/loss": gap}, FINISHED), *runs[1:]])
    assert curves.steps.tolist() == [1, 4, 5, 6]
    few = Series(np.array([1, 9]), np.array([1.0, 1.0]))
    assert curves_of(result, table, [Run(runs[0].name, None, {}, {"val/loss": few}, FINISHED), *runs[1:]]) is None


def test_many_steps_are_thinned_and_keep_the_last(study) -> None:
    table, _, result = study
    values = np.tile(np.linspace(1, 0, 1000), (len(table), 1)) + table.response.to_numpy()[:, None]
    steps = curves_of(result, table, with_series(table, values)).steps
    assert len(steps) == MAX_STEPS
    assert (steps[0], steps[-1]) == (1, 1000)


@pytest.mark.parametrize(
    ("response", "tags", "expected"),
    [
        ("test/loss", {"test/loss": 1, "val/loss": 3, "train/loss": 3}, ("val/loss", "train/loss")),
        ("val/acc", {"val/acc": 3, "train_acc": 3, "val/loss": 3}, ("val/acc",)),
        ("valid_acc", {"valid_acc": 3, "train_acc": 3}, ("valid_acc", "train_acc")),
        ("train/loss", {"train/loss": 3, "val/loss": 3}, ("train/loss",)),
        ("test/loss", {"test/loss": 1, "train/loss": 3}, ()),
    ],
)
def test_the_series_of_a_response_are_its_own_or_its_twins(response, tags, expected) -> None:
    run = Run("a", None, {}, {tag: series(np.ones(length)) for tag, length in tags.items()})
    assert curve_tags([run], response) == expected


def test_runs_that_ended_early_are_drawn_and_in_no_mean(tmp_path, capsys) -> None:
    table = factorial(seeds=3, act=["elu", "relu"], bn=[False, True])
    rng = np.random.default_rng(0)
    for place, row in table.iterrows():
        file = EventFile().hparams({"act": row.act, "bn": bool(row.bn), "seed": int(row.seed)})
        ends = {4: 3, 7: 5}.get(place, 8)
        for step in range(1, ends + 1):
            file.scalar("val/loss", 1 / step + 0.1 * (row.act == "elu") + 0.01 * rng.normal(), step)
        if place == 7:
            file.scalar("val/loss", float("nan"), 6).text("run/status", "diverged", 6)
        elif place != 4:
            file.scalar("test/loss", 0.2 + 0.1 * (row.act == "elu") + 0.01 * rng.normal(), 8)
            file.text("run/status", "finished", 8)
        file.write(tmp_path / row.run)
    assert analyze(tmp_path, "--full") == 0
    assert "1 unfinished and 1 diverged" in " ".join(capsys.readouterr().out.split())
    means = read_back(tmp_path / "analysis" / "learning_curves.csv")
    assert means.n[means.factor == "act"].unique().tolist() == [5]
    assert sorted(means.step.unique()) == list(range(1, 9))
    page = (tmp_path / "analysis" / "figures" / "learning_curves.svg").read_text(encoding="utf-8")
    assert "<svg" in page
    assert (tmp_path / "analysis" / "figures" / "cell_curves.svg").is_file()


def test_the_figures_show_the_means_and_the_runs() -> None:
    table = factorial(seeds=3, act=["elu", "relu"], bn=[False, True])
    table["response"] = 1 + 0.1 * (table.act == "elu") + 0.01 * np.random.default_rng(0).normal(size=len(table))
    values = table.response.to_numpy()[:, None] + np.array([0.5, 0.2, 0.1, 0.0])
    result = fit_study(table, ["act", "bn"], permutations=0)
    assert level_curves_figure(result) is None
    assert cell_curves_figure(result) is None
    result = replace(result, curves=curves_of(result, table, with_series(table, values)))
    panel = level_curves_figure(result).axes[0]
    for line, level in zip(panel.lines, ["elu", "relu"], strict=True):
        np.testing.assert_allclose(line.get_ydata(), values[table.act == level].mean(axis=0))
    lines = cell_curves_figure(result).axes[0].lines
    np.testing.assert_allclose([line.get_ydata() for line in lines[:3]], values[(table.act == "elu") & ~table.bn])
