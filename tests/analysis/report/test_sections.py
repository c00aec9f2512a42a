"""Sections are numbered by their order, and a section is added by one entry: the terminal and the page show it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from attnae.analysis.audit.provenance import Provenance
from attnae.analysis.report import sections
from attnae.analysis.report.blocks import Blocks, Table, Text
from attnae.analysis.report.files import report_files
from attnae.analysis.report.report import StudyReport
from attnae.analysis.report.sections import SECTIONS, Section, write_sections
from attnae.analysis.report.sections.checks import best_cells
from attnae.analysis.report.sections.effects import marginal_means
from attnae.analysis.report.terminal import print_files, print_report
from tests.analysis.reports import console, make_report
from tests.analysis.studies import ARTICLE_FACTORS, article_study

pytestmark = pytest.mark.usefixtures("blank_figures")


@pytest.fixture(scope="module")
def article(tmp_path_factory) -> StudyReport:
    return make_report(tmp_path_factory.mktemp("article"), article_study(), ARTICLE_FACTORS)


def test_checksums_of_images_that_each_seed_draws_are_explained(article) -> None:
    mixed = Provenance({"dataset/sha256": {"a": 1, "b": 1}}, ("dataset/sha256",), {})
    screen = console()
    print_report(replace(article, provenance=mixed), screen)
    text = " ".join(screen.file.getvalue().split())
    assert "and differ in dataset/sha256 (each seed holds out images of its own)." in text


def test_combinations_that_are_worse_are_named_only_where_there_are_some(article) -> None:
    for worse, said in ((0, "None of the 32 combinations is significantly worse"), (1, "31 of 32 combinations may be")):
        cells = article.result.cells.assign(may_be_best=np.arange(32) < 32 - worse)
        text = best_cells(replace(article, result=replace(article.result, cells=cells)))[0].text
        assert text.startswith(said)
        assert ("the others are" in text) == bool(worse)


def largest_effect(report: StudyReport) -> Blocks:
    effects = report.result.effects
    row = effects.loc[effects.estimate.abs().idxmax()]
    return [Text(f"The largest effect is that of {row.factor}.")]


def test_a_section_is_added_by_one_entry(article, monkeypatch, tmp_path) -> None:
    added = Section("largest", "Largest effect", "The factor that changes the response most.", largest_effect)
    monkeypatch.setattr(sections, "SECTIONS", [*SECTIONS[:2], added, *SECTIONS[2:]])
    screen = console()
    print_report(article, screen)
    page = report_files(article)["report.html"]
    for text in (screen.file.getvalue(), page):
        assert text.count("The factor that changes the response most.") == 1
        assert text.count("The largest effect is that of dropout.") == 1
    assert "3. Largest effect" in screen.file.getvalue()
    assert '<a href="#largest">Largest effect</a>' in page
    assert '<summary><h2><span class="index">3</span> Largest effect</h2></summary>\n<section id="largest"' in page


def test_sections_are_numbered_by_their_order(article, tmp_path) -> None:
    written = write_sections(article)
    assert [section.number for section in written] == list(range(1, len(SECTIONS) + 1))
    assert [section.key for section in written] == [section.key for section in SECTIONS]
    screen = console()
    print_report(article, screen)
    print_files(article, tmp_path, ["report.html"], screen)
    page = report_files(article)["report.html"]
    titles = [*(section.title for section in SECTIONS), "Files"]
    assert re.findall(r"^\d+\. .*$", screen.file.getvalue(), re.MULTILINE) == [
        f"{number}. {title}" for number, title in enumerate(titles, 1)
    ]
    numbers = re.findall(r'<h2><span class="index">(\d+)</span>', page)
    assert [int(number) for number in numbers] == list(range(1, len(titles) + 1))


def test_amounts_have_the_same_decimals_in_all_sections(article) -> None:
    """The mean of a cell reads the same among the means and among the combinations."""
    screen = console(200)
    print_report(article, screen)
    lines = screen.file.getvalue().splitlines()
    means = next(line for line in lines if line.startswith("act elu") and line.split()[-2:] == ["24", "2"])
    cells = next(line for line in lines if line.startswith(article.result.cells.act[0]) and line.split()[-1] == "yes")
    assert re.search(r" 0\.\d{4} ", means)
    assert re.search(r" 0\.\d{4} ", cells)


def test_keys_are_unique() -> None:
    keys = [*(section.key for section in SECTIONS), "files"]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("response", "others", "said"),
    [
        ("test/loss", ["val/loss, last", "val/loss, best, chosen on itself"], "(--response val/loss) and report"),
        ("test_acc", [], "whose results these logs do not have, and report"),
        ("val/loss", ["val/loss, tail:5"], None),
        ("latest_loss", [], None),
    ],
)
def test_choosing_by_the_test_set_is_named_and_the_validation_set_offered_if_there_is_one(
    article, response, others, said
) -> None:
    series = article.result.effects.estimate
    changed = replace(
        article,
        audit=replace(article.audit, alternatives=dict.fromkeys(others, series)),
        result=replace(article.result, response=response),
    )
    lines = [block.text for block in best_cells(changed) if isinstance(block, Text) and "test set" in block.text]
    assert len(lines) == (said is not None)
    assert said is None or said in lines[0]


def test_the_table_of_means_names_their_errors_where_these_differ(article) -> None:
    def headings(*methods: str) -> list[str]:
        means = article.result.marginal_means
        means = means.assign(method=[methods[i % len(methods)] for i in range(len(means))])
        table = marginal_means(replace(article, result=replace(article.result, marginal_means=means)))[0]
        assert isinstance(table, Table)
        return [column for column in table.columns if isinstance(column, str)]

    assert "method" not in headings("model M, HC2")
    assert "method" in headings("model M, HC2", "SD of per-seed means / sqrt(seeds)")
