"""The report of a search: sentences, figures, the terminal, the page, and what docs/report.md says about its files."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from rich.cells import cell_len

from attnae.analysis.report.blocks import Text as TextBlock
from attnae.analysis.report.figures import SEARCH_FIGURES, draw_figures
from attnae.analysis.report.figures.searches import curve_figure, curve_names, pair_figure, pair_names, trials_figure
from attnae.analysis.report.figures.style import figure_style
from attnae.analysis.report.files import report_files
from attnae.analysis.report.sections import SEARCH_SECTIONS
from attnae.analysis.report.sections.searches import settings as settings_section
from attnae.analysis.report.sentences import search as search_sentences
from attnae.analysis.report.sentences.search import headlines, range_text, sentences, value_text
from attnae.analysis.report.terminal import print_report
from attnae.analysis.search import SearchResult, fit_search
from attnae.analysis.search.next import extension, next_search
from tests.analysis.report.test_document import DOCUMENT, keys
from tests.analysis.report.test_pages import Page
from tests.analysis.reports import console
from tests.analysis.search.searches import SETTINGS, search

ROW = {
    "factor": "x", "kind": "continuous", "parent": None, "scale": "linear", "n": 40, "df": 3,
    "share": 0.12, "share_low": 0.02, "share_high": 0.3, "p": 0.001, "p_holm": 0.002, "verdict": "hurts",
    "effect": 0.13, "effect_low": 0.1, "effect_high": 0.16, "low_end": 0.01, "high_end": 0.14,
    "best": 0.003, "best_low": 0.003, "best_high": 0.1, "tried_low": 0.003, "tried_high": 0.5, "at_edge": "",
    "worse": np.nan, "tied": np.nan, "mde_share": 0.15, "runs_for_this": 70.0, "runs_for_10pct": 60.0, "note": "",
}  # fmt: skip


@pytest.fixture(scope="module")
def result() -> SearchResult:
    table = search(60)
    table.loc[table["lr"] > 0.03, ["response", "status"]] = [np.nan, "diverged"]
    return fit_search(table, SETTINGS, response_name="test/loss", permutations=499)


def said(result: SearchResult, detail: dict | None = None, **row: object) -> str:
    """The sentence about one setting whose row is given."""
    kept = replace(result.details["dropout"], low_value=0.03, high_value=0.47, located=True, rough=False, step=None)
    table = pd.DataFrame([ROW | row])
    found = replace(result, settings=table, runs=40, n=40, details={"x": replace(kept, **(detail or {}))})
    return sentences(found)[0].text


def test_numbers_of_settings() -> None:
    assert [value_text(x) for x in (6e-4, 1e-5, 0.1, 0.25, 0, 128, 0.0123, 1234.5, 2e6)] == [
        "6e-4", "1e-5", "0.10", "0.25", "0", "128", "0.012", "1234", "2e6",
    ]  # fmt: skip
    assert range_text(1e-5, 0.1) == "1e-5 to 0.10"
    assert range_text(1.5e-5, 1.5e-5) == "1.5e-5"
    assert range_text(0.10001, 0.10499) == "0.100 to 0.105"


def test_sentences_of_numbers(result) -> None:
    assert said(result) == (
        "Raising x from 0.03 to 0.47 raises test/loss by 0.130 (95% interval 0.100 to 0.160; 12% of the variation, "
        "p = 0.002 after Holm): hurts"
    ).replace("0.03 to", "0.030 to")
    optimum = {"verdict": "optimum", "best": 6e-4, "best_low": 4e-4, "best_high": 9e-4, "tried_low": 1e-5}
    optimum |= {"tried_high": 0.1, "scale": "log10", "low_end": 0.12, "high_end": 0.30, "share": 0.31}
    text = (
        "test/loss is lowest near x = 6e-4 (95% interval 4e-4 to 9e-4; tried 1e-5 to 0.10); at the low end it is 0.12 "
        "higher, at the high end 0.30 higher (31% of the variation, p = 0.002 after Holm): optimum"
    )
    assert said(result, **optimum) == text
    assert said(result, {"rough": True}, **optimum) == text.replace("95% interval", "roughly")
    unknown = said(result, {"located": False}, **optimum)
    assert unknown.startswith("test/loss is lowest inside the range of x (tried 1e-5 to 0.10), but these runs do not ")
    assert "near" not in unknown
    assert said(result, verdict="matters").endswith(
        "(12% of the variation, p = 0.002 after Holm), but these runs do not tell which way: matters"
    )


def test_an_interval_with_zero_in_it_says_that_the_verdict_is_by_ranks(result) -> None:
    """The tests use ranks and the interval does not, so that both together can look like a contradiction."""
    wide = said(result, effect_low=-0.01, effect_high=0.27)
    assert "95% interval -0.01 to 0.27" in wide
    assert wide.endswith("after Holm, by ranks; the amount is uncertain): hurts")
    assert "ranks" not in said(result)


def test_sentences_without_a_finding(result) -> None:
    assert said(result, verdict="undetermined", share_high=0.09) == (
        "x: no effect found (at most 9% of the variation); 15% was detectable in these 40 runs (80% power), "
        "10% needs about 60: undetermined"
    )
    assert "10% needs" not in said(result, verdict="undetermined", runs_for_10pct=39.0)
    assert "are too few to find any setting" in said(result, verdict="undetermined", mde_share=np.nan)
    assert said(result, verdict="negligible", share_high=0.018) == (
        "x explains at most 2% of the variation: negligible"
    )
    perhaps = said(result, verdict="suggestive")
    assert perhaps.startswith("Perhaps raising x from ")
    assert perhaps.endswith(": suggestive; about 70 runs in all would settle it")
    assert said(result, verdict="suggestive", runs_for_this=30.0).endswith("; more runs would settle it")
    assert "raising" not in said(result, verdict="suggestive", effect_low=-0.1)
    assert said(result, verdict="", note="active in 4 runs only") == "x: no verdict (active in 4 runs only)"


def test_diverged_runs_may_contradict_the_finished_ones(result) -> None:
    """The ranks say that it hurts, the finished runs alone the opposite: both are said."""
    text = said(result, effect=-0.13, effect_low=-0.16, effect_high=-0.1)
    assert text.startswith(
        "Raising x from 0.030 to 0.47 makes runs rank worse by test/loss (diverged runs count as the "
    )
    assert "among the finished runs test/loss changes by -0.130" in text
    blank = said(result, effect=np.nan, effect_low=np.nan, effect_high=np.nan)
    assert "raises test/loss (too few finished runs for an amount; " in blank


def test_extending_the_range(result) -> None:
    assert said(result, at_edge="high").endswith(
        "The best tried value is at the high end (0.50): extend the range upwards"
    )
    # It starts at 0.003 of 0 to 0.5: there is next to nothing below.
    assert said(result, at_edge="low").endswith("after Holm): hurts")
    assert extension(ROW | {"tried_low": 0.0}, "low") is None
    assert extension(ROW | {"tried_low": 1.0, "tried_high": 9.0, "kind": "integer"}, "low") is None
    assert extension(ROW | {"factor": "dropout", "tried_high": 1.0}, "high") is None
    assert extension(ROW | {"factor": "dropout", "tried_high": 0.5}, "high") == pytest.approx(0.7485)
    log = {"scale": "log10", "tried_low": 1e-4, "tried_high": 1e-2}
    assert extension(ROW | log, "high") == pytest.approx(0.1)
    assert extension(ROW | log, "low") == pytest.approx(1e-5)


def test_headlines(result) -> None:
    assert headlines(result) == ()
    adaptive = replace(result, adaptive=True, adaptive_reason="the logs name TPESampler")
    assert headlines(adaptive)[0] == f"{search_sentences.ADAPTIVE}. The search is adaptive: the logs name TPESampler."
    assert "optimistic 95% interval" in sentences(adaptive)[1].text + sentences(adaptive)[2].text
    turned = replace(result, reversals=("lr: helps as reported, but hurts (finished runs only)",))
    assert headlines(turned)[0].startswith("the verdict depends on the analysis: lr: helps")


def test_the_next_ranges(result) -> None:
    table = next_search(result).table.set_index("factor")
    rows = result.settings.set_index("factor")
    assert table.loc["aug", ["action", "levels"]].tolist() == ["fix", "True"]
    assert table.loc["act", "action"] == "narrow"
    assert "tanh" not in table.loc["act", "levels"]
    assert table.loc["lr", "action"] == "narrow"
    assert table.loc["lr", "low"] <= rows.loc["lr", "best_low"] < rows.loc["lr", "best_high"] <= table.loc["lr", "high"]
    assert next_search(result).runs in (32, 64, 128)


def test_curves_show_the_runs_the_band_and_the_best_value(result) -> None:
    place = [sentence.factor for sentence in sentences(result)].index("lr")
    with figure_style():
        axes = curve_figure(result, place).axes[0]
    curve = result.curves[result.curves["factor"] == "lr"]
    drawn = next(line for line in axes.lines if len(line.get_xdata()) == 101)
    np.testing.assert_allclose(drawn.get_xdata(), curve["value"])
    lost = result.configurations["diverged"]
    points = [line.get_xdata() for line in axes.lines if line.get_marker() in ("o", "x")]
    assert sorted(map(len, points)) == sorted([int(lost.sum()), int((~lost).sum())])
    assert axes.get_xscale() == "log"
    row = result.settings.set_index("factor").loc["lr"]
    low, high = axes.patches[0].get_extents().transformed(axes.transData.inverted()).intervalx
    assert (low, high) == pytest.approx((row["best_low"], row["best_high"]))


def test_a_curve_of_the_runs_that_did_not_diverge_lies_among_their_scores() -> None:
    table = search(60, seed=4, noise=0.5)
    lost = np.random.default_rng(8).random(60) < 0.3
    found = fit_search(table.assign(status=np.where(lost, "diverged", "finished")), SETTINGS, permutations=499)
    assert found.settings.set_index("factor").loc["lr", "n"] == (~lost).sum()
    place = [sentence.factor for sentence in sentences(found)].index("lr")
    with figure_style():
        axes = curve_figure(found, place).axes[0]
    points = {line.get_marker(): line for line in axes.lines if line.get_marker() in ("o", "x")}
    np.testing.assert_allclose(points["o"].get_ydata(), found.details["lr"].z[~lost])
    assert len(points["x"].get_xdata()) == lost.sum()
    drawn = next(line for line in axes.lines if len(line.get_xdata()) == 101).get_ydata()
    curve = found.curves[found.curves["factor"] == "lr"]
    np.testing.assert_allclose(drawn, curve["fitted"] + found.details["lr"].z[~lost].mean())


def test_levels_and_pairs_and_trials(result) -> None:
    place = [sentence.factor for sentence in sentences(result)].index("act")
    with figure_style():
        axes = curve_figure(result, place).axes[0]
        pair = pair_figure(result)
        trials = trials_figure(
            replace(result, adaptive=True, configurations=result.configurations.assign(order=range(60)))
        )
    levels = result.levels[result.levels["factor"] == "act"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == levels["level"].tolist()
    shown = np.concatenate([line.get_ydata() for line in axes.lines if line.get_marker() == "o"])
    np.testing.assert_allclose(shown, levels["difference"])
    assert (pair.axes[0].get_xlabel(), pair.axes[0].get_ylabel()) == pair_names(result)
    assert trials.axes[0].get_xlabel() == "number of the run (x: diverged)"
    assert trials_figure(result) is None


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The report of a search whose names and levels contain HTML, formulas and escape sequences."""
    from attnae.analysis.audit.audit import audit_runs
    from attnae.analysis.report.report import SearchReport
    from attnae.reading.read import read_logs
    from tests.reading.event_logs import write_study

    names = {"lr": "<script>alert(1)</script>", "act": "$x$ [red]b[/red]\x1b[31m", "optimizer": "=cmd()"}
    table = search(40).rename(columns=names)
    table[names["act"]] = '"><img src=x onerror=alert(2)>' + table[names["act"]]
    directory = tmp_path_factory.mktemp("evil")
    settings = [names.get(name, name) for name in SETTINGS if name != "momentum"]
    write_study(directory, table, settings, "</style><b>{{ 7 * 7 }}", seed=None)
    runs = read_logs(directory)
    audit = audit_runs(runs)
    assert audit.search is not None
    found = fit_search(audit.search.table, audit.search.settings, response_name=audit.response, permutations=99)
    return SearchReport.of(runs, audit, found)


def test_settings_without_a_figure_are_named_in_words(hostile) -> None:
    def said(settings: int) -> list[str]:
        rows = pd.concat([hostile.result.settings] * 3, ignore_index=True).head(settings)
        report = replace(hostile, result=replace(hostile.result, settings=rows))
        return [block.text for block in settings_section(report) if isinstance(block, TextBlock)]

    assert not any("have a figure" in text for text in said(12))
    assert (
        "Only the 12 settings that explain most have a figure. The curves and levels of all 3 others are in "
        "setting_curves.csv and setting_levels.csv."
    ) in said(15)


def test_hostile_names_are_text(hostile) -> None:
    files = report_files(hostile)
    page = Page(files["report.html"])
    assert page.tags.isdisjoint({"script", "img", "b", "iframe"})
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    for text in ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "</style><b>{{ 7 * 7 }}"):
        assert text in page.text
    assert "'=cmd()" in files["settings.csv"]
    assert files["next.yaml"] is None
    screen = console()
    print_report(hostile, screen)
    assert "\x1b" not in screen.file.getvalue()


def test_terminal_fits_80_columns_and_has_all_sections(hostile) -> None:
    screen = console()
    print_report(hostile, screen)
    text = screen.file.getvalue()
    assert max(map(cell_len, text.splitlines())) <= 80
    titles = re.findall(r"^\d+\. (.*)$", text, re.MULTILINE)
    assert titles == [section.title for section in SEARCH_SECTIONS]


def test_every_figure_stands_once_in_the_page(hostile) -> None:
    page = report_files(hostile)["report.html"]
    figures = draw_figures(hostile.result, {})
    assert figures == {}
    names = [name for name in curve_names(hostile.result) if name]
    assert len(names) == 6
    for name in (*names, "pair"):
        assert page.count(f'id="{name}-figure_1"') == 1
    assert 'id="trials-figure_1"' not in page


def test_text_alternatives_are_the_sentences(result) -> None:
    drawn = draw_figures(result, SEARCH_FIGURES)
    for place, sentence in enumerate(sentences(result)):
        label = ElementTree.fromstring(drawn[f"setting_{place + 1}"]).get("aria-label")
        assert label.endswith(sentence.text)
    assert "60 configurations" in ElementTree.fromstring(drawn["pair"]).get("aria-label")


def test_every_key_is_documented(hostile) -> None:
    values = json.loads(report_files(hostile)["report.json"])
    own = {*values["verdicts"], *values["left_out"]}
    assert keys(values, own) - set(re.findall(r"\w+", DOCUMENT)) == set()
    for key in (*values, *values["audit"]):
        assert f"`{key}`" in DOCUMENT
    for key in values["tables"]:
        assert f"`{key}`" in DOCUMENT or f"`{key}.csv`" in DOCUMENT
