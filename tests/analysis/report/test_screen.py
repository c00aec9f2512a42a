"""The report on one screen of a terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from attnae.analysis.report.screen import print_screen
from tests.analysis.report.test_pages import evil_study
from tests.analysis.reports import console, make_report
from tests.analysis.studies import ARTICLE_FACTORS, article_study

FILES = ["report.html", "report.json", "effects.csv", "runs.csv"]


def printed(report, width: int = 80) -> str:
    screen = console(width)
    print_screen(report, Path("logs/analysis"), FILES, screen)
    return screen.file.getvalue()


@pytest.fixture(scope="module")
def article(tmp_path_factory):
    return make_report(tmp_path_factory.mktemp("article"), article_study(3), ARTICLE_FACTORS)


def test_an_ordinary_study_fits_one_screen(article) -> None:
    text = printed(article)
    assert len(text.splitlines()) <= 30
    assert max(map(cell_len, text.splitlines())) <= 80
    words = " ".join(text.split())
    for sentence in article.sentences:
        assert sentence.text in words
    assert article.overview.advice in words
    assert "Report: logs/analysis/report.html, with report.json and 2 CSV files." in words
    effects = article.result.effects.set_index("factor").loc["dropout"]
    line = next(line for line in text.splitlines() if line.startswith("dropout True"))
    assert f"{effects.ci_low:.4f} to {effects.ci_high:.4f}" in line
    assert line.split()[-2:] == effects.verdict.split()


def test_what_limits_the_verdicts_is_whole_and_other_warnings_take_a_line_each(article) -> None:
    headline = f"act=elu diverged {'again and ' * 20}again"
    lines = (headline, *(f"warning {i} {'word ' * 40}" for i in range(6)))
    text = printed(replace(article, audit=replace(article.audit, headline=headline, warnings=lines)))
    assert f"! {headline}." in " ".join(text.split())
    short = [line for line in text.splitlines() if line.startswith("! warning")]
    assert len(short) == 4
    assert all(cell_len(line) <= 80 and line.endswith("…") for line in short)
    assert "... and 2 more warnings (--full)" in text


def test_many_sentences_leave_those_without_a_finding_to_the_whole_report(article) -> None:
    silent = [replace(article.sentences[-1], factor=f"f{i}", text=f"f{i} changes nothing") for i in range(9)]
    report = replace(article)
    report.__dict__["sentences"] = (*article.sentences, *silent)
    text = printed(report)
    assert "changes nothing" not in text
    assert "... and 10 more sentences (--full)" in text
    assert "Shown to matter: act" in text


def test_names_are_text_and_long_ones_are_shortened_in_the_middle(tmp_path) -> None:
    table, factors = evil_study()
    long = f"model.encoder.{'block.' * 30}kernel_size"
    table = table.rename(columns={factors[1]: long})
    text = printed(make_report(tmp_path, table, [factors[0], long, *factors[2:]]))
    assert "\x1b" not in text
    assert "[red]b[/red]" in text
    assert "model.encoder.blo" in text
    assert "…" in text
    assert max(map(cell_len, text.splitlines())) <= 80
    assert len(text.splitlines()) <= 45
