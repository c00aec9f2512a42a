"""Times of runs: ratios against known truth, when nothing is said, and the combinations that no other one beats."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from attnae.analysis.estimates.cost import study_cost
from attnae.analysis.estimates.family import Reading
from attnae.analysis.report.figures.cost import cost_figure
from attnae.analysis.report.sentences.cost import cost_line, cost_sentences
from attnae.analysis.study import fit_study
from attnae.reading.run import FINISHED, Run
from tests.analysis.reports import analyze
from tests.analysis.studies import factorial
from tests.reading.event_logs import EventFile

FACTORS = ["act", "attention"]


def study(replicates: int = 4):
    table = factorial(replicates=replicates, act=["elu", "relu", "sigmoid"], attention=[False, True])
    table["response"] = 1 + 0.1 * table.attention + 0.01 * np.random.default_rng(0).normal(size=len(table))
    table["seconds"] = 100 * np.where(table.attention, 1.25, 1.0) * table.act.map({"elu": 1, "relu": 0.8, "sigmoid": 4})
    return table, fit_study(table, FACTORS, permutations=0)


def runs_of(table, started=None, **more) -> list[Run]:
    order = np.random.default_rng(1).permutation(len(table)) if started is None else started
    return [
        Run(run, None, {"epochs": 5}, {}, FINISHED, seconds=float(s), started=1e9 + 1000 * float(begin), **more)
        for run, s, begin in zip(table.run, table.seconds, order, strict=True)
    ]


def cost_of(table, result, runs, **options):
    return study_cost(result.design, result.y, table.run.tolist(), runs, result.reading, **options)


def test_ratios_without_noise_are_exact_and_a_level_is_compared_with_the_first() -> None:
    table, result = study()
    noise = np.tile([1.01, 1 / 1.01], len(table) // 2)  # cancels in every combination
    found = cost_of(table, result, runs_of(table.assign(seconds=table.seconds * noise)))
    effects = found.effects.set_index(["factor", "level"])
    assert (found.reason, found.apart, found.at_once) == ("", (), 1)
    assert effects.versus.tolist() == ["elu", "elu", "False"]
    np.testing.assert_allclose(effects.ratio, [0.8, 4.0, 1.25], rtol=1e-12)
    assert (effects.ci_low < effects.ratio).all()
    assert (effects.ratio < effects.ci_high).all()
    assert found.found
    # Six combinations of four runs each: the standard error of a difference of two means of log times.
    row = effects.loc["attention", "True"]
    half = np.log(row.ci_high / row.ratio)
    assert half == pytest.approx(2.1 * np.log(1.01) * np.sqrt(24 / 18) * np.sqrt(2 / 12), rel=0.05)


def test_the_cells_have_geometric_means_and_seconds_per_epoch() -> None:
    table, result = study()
    cells = cost_of(table, result, runs_of(table)).cells
    assert cells.seconds.is_monotonic_increasing
    assert (cells.act[0], cells.attention[0], cells.n[0]) == ("relu", "False", 4)
    assert (cells.seconds[0], cells.seconds_per_epoch[0]) == (pytest.approx(80), pytest.approx(16))
    mean = table[(table.act == "relu") & ~table.attention].response.mean()
    assert cells["mean"][0] == pytest.approx(mean)
    stopped = [replace(run, hparams={"epochs": 5, "early_stopping/patience": 3}) for run in runs_of(table)]
    assert cost_of(table, result, stopped).cells.seconds_per_epoch.isna().all()


@pytest.mark.parametrize(
    ("goal", "means", "numbers"),
    [
        ("min", [3.0, 2.0, 2.5, 1.0, 1.0, 9.0], [1, 2, 0, 3, 0, 0]),
        ("max", [3.0, 2.0, 2.5, 1.0, 1.0, 9.0], [1, 0, 0, 0, 0, 2]),
        ("min", [1.0, 1.0, 2.0, 3.0, 4.0, 5.0], [1, 0, 0, 0, 0, 0]),
    ],
)
def test_the_frontier_has_the_combinations_that_no_other_one_beats(goal, means, numbers) -> None:
    table = factorial(replicates=2, act=["a", "b", "c"], bn=[False, True])
    table["response"], table["seconds"] = np.repeat(means, 2), np.repeat([1.0, 2, 3, 4, 5, 6], 2)
    result = fit_study(table, ["act", "bn"], goal=goal, permutations=0)
    cells = study_cost(result.design, result.y, table.run.tolist(), runs_of(table), Reading(goal)).cells
    assert cells.number.tolist() == numbers


def test_equal_combinations_are_both_on_the_frontier() -> None:
    table = factorial(replicates=2, act=["a", "b"], bn=[False, True])
    table["response"], table["seconds"] = np.repeat([1.0, 1.0, 2.0, 2.0], 2), np.repeat([3.0, 3.0, 4.0, 3.0], 2)
    result = fit_study(table, ["act", "bn"], permutations=0)
    cells = study_cost(result.design, result.y, table.run.tolist(), runs_of(table), Reading()).cells
    assert cells.number.tolist() == [1, 2, 0, 0]


def changed(runs, place, **values):
    return [replace(run, **values) if i == place else run for i, run in enumerate(runs)]


def test_nothing_is_said_where_something_else_may_explain_the_times() -> None:
    table, result = study()
    runs = runs_of(table)

    def reason(runs, **options) -> str:
        found = cost_of(table, result, runs, **options)
        assert found.effects is None
        assert not found.found
        assert cost_sentences(replace(result, cost=found)) == []
        return found.reason

    assert cost_of(table, result, [replace(run, seconds=np.nan) for run in runs]) is None
    assert "only 23 of 24 runs recorded" in reason(changed(runs, 0, seconds=np.nan))
    assert "only 23 of 24 runs recorded" in reason(changed(runs, 0, seconds=-3.0))
    assert "differ by a factor of up to 2.1" in reason(changed(runs, 0, seconds=runs[0].seconds * 2.1))
    assert cost_of(table, result, changed(runs, 0, seconds=runs[0].seconds * 1.9)).effects is not None
    for where in ({"provenance": {"host/device_name": "A100"}}, {"details": {"host": "node-7"}}):
        assert "different machines or devices" in reason(changed(runs, 0, **where))
        assert cost_of(table, result, [replace(run, **where) for run in runs]).effects is not None
    assert "ended at different steps" in reason(runs, same_length=False)
    assert "below 1 s" in reason([replace(run, seconds=run.seconds / 1000) for run in runs])
    assert "not measured" in reason([replace(run, seconds=10.0) for run in runs])


def test_too_few_runs_have_times_but_no_comparison() -> None:
    table, result = study(replicates=1)
    found = cost_of(table, result, runs_of(table))
    assert "residual degrees of freedom" in found.reason
    assert len(found.cells) == 6


def test_factors_whose_levels_ran_one_after_the_other_are_not_compared() -> None:
    table, result = study()
    in_blocks = np.argsort(np.argsort(table.attention.to_numpy(), kind="stable"), kind="stable")
    found = cost_of(table, result, runs_of(table, started=in_blocks))
    assert found.apart == ("attention",)
    assert set(found.effects.factor) == {"act"}
    unknown = [replace(run, started=np.nan) for run in runs_of(table)]
    assert cost_of(table, result, unknown).apart == ()
    assert cost_of(table, result, unknown).at_once == 0
    side_by_side = runs_of(table, started=np.random.default_rng(1).permutation(len(table)) // 3)
    assert cost_of(table, result, side_by_side).at_once == 3


def test_intervals_cover_the_true_ratio() -> None:
    table, result = study(replicates=3)
    rng = np.random.default_rng(2)
    runs = runs_of(table)
    names, hits, clear = table.run.tolist(), 0, 0
    for _ in range(300):
        noise = np.exp(0.05 * rng.normal(size=len(table)))
        noisy = [replace(run, seconds=run.seconds * factor) for run, factor in zip(runs, noise, strict=True)]
        row = study_cost(result.design, result.y, names, noisy, result.reading).effects.iloc[-1]
        hits += row.ci_low <= 1.25 <= row.ci_high
        clear += row.p_holm < 0.05
    assert 0.92 <= hits / 300 <= 0.98
    assert clear / 300 > 0.9


def test_the_sentences_say_how_much_longer_and_the_first_screen_only_what_is_clear() -> None:
    table, result = study()
    noise = np.tile([1.01, 1 / 1.01], len(table) // 2)
    found = replace(result, cost=cost_of(table, result, runs_of(table.assign(seconds=table.seconds * noise))))
    act, attention = cost_sentences(found)
    assert act.startswith(
        "Time: act, compared with elu: relu takes 20% less time (95% CI 19% to 21%) and sigmoid takes 4.0 times as long"
    )
    assert attention.startswith("Time: Attention takes 25% longer (95% CI 24% to 26%), and changes response by +")
    assert attention.endswith("(hurts)")
    line = cost_line(found)
    assert line.startswith(
        "Time per run, on this machine and at its load: act = sigmoid instead of elu takes 4.0 times"
    )
    assert "Attention takes 25% longer" in line
    same = np.random.default_rng(3).permutation(np.linspace(99, 101, len(table)))
    nothing = replace(result, cost=cost_of(table, result, runs_of(table.assign(seconds=same))))
    assert "shows no significant difference (95% CI -" in cost_sentences(nothing)[1]
    assert cost_line(nothing) == ""


def test_the_figure_numbers_and_names_the_frontier() -> None:
    table, result = study()
    assert cost_figure(result) is None
    found = replace(result, cost=cost_of(table, result, runs_of(table)))
    figure = cost_figure(found)
    axes, cells = figure.axes[0], found.cost.cells
    front = cells[cells.number > 0]
    np.testing.assert_allclose(axes.lines[0].get_xdata(), cells.seconds[cells.number == 0])
    np.testing.assert_allclose(axes.lines[1].get_xydata(), front[["seconds", "mean"]])
    assert [text.get_text() for text in axes.texts] == [str(number) for number in front.number]
    assert figure.get_supxlabel().startswith("1  act=relu, attention=False")
    assert axes.get_xscale() == "log"


def test_the_report_of_event_files_has_the_cost_of_their_wall_times(tmp_path, capsys) -> None:
    table = factorial(replicates=4, act=["elu", "relu"], attention=[False, True])
    rng = np.random.default_rng(0)
    for run, place in zip(table.to_dict("records"), rng.permutation(len(table)), strict=True):
        file = EventFile(wall_time=1e9 + 500 * place)
        file.hparams({"act": run["act"], "attention": run["attention"], "seed": run["seed"]})
        seconds = (200 if run["attention"] else 100) * np.exp(0.02 * rng.normal())
        for step in range(1, 6):
            file.wall_time = 1e9 + 500 * place + seconds * step / 5 - 1
            file.scalar("val/loss", 1 / step + 0.01 * rng.normal(), step)
        file.write(tmp_path / run["run"])
    assert analyze(tmp_path) == 0
    assert "Time per run, on this machine and at its load: Attention takes" in " ".join(capsys.readouterr().out.split())
    values = json.loads((tmp_path / "analysis" / "report.json").read_text())
    assert values["summary"]["overview"]["cost"].startswith("Time per run")
    assert values["cost"]["reason"] == ""
    assert [row["factor"] for row in values["tables"]["times"]] == ["act", "attention"]
    assert values["tables"]["times"][1]["ratio"] == pytest.approx(2, rel=0.03)
    assert len(values["tables"]["cost_cells"]) == 4
    page = (tmp_path / "analysis" / "report.html").read_text(encoding="utf-8")
    assert '<p class="cost">Time per run' in page
    assert "No other one beats these on both" in page
    assert analyze(tmp_path, "--full") == 0
    assert "Combinations, fastest first" in capsys.readouterr().out


def test_a_report_without_times_says_so(tmp_path, capsys) -> None:
    table = factorial(replicates=3, act=["elu", "relu"])
    for run in table.to_dict("records"):
        EventFile().hparams({"act": run["act"], "seed": run["seed"]}).scalar("val/loss", run["seed"], 1).write(
            tmp_path / run["run"]
        )
    assert analyze(tmp_path, "--full") == 0
    assert "Nothing is known about time" in " ".join(capsys.readouterr().out.split())
    assert not (tmp_path / "analysis" / "figures" / "cost.svg").exists()
