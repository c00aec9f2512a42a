"""The report on a terminal of 80 columns and as a page: complete, escaped, without requests."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from rich.cells import cell_len

from attnae.analysis.report.files import report_files
from attnae.analysis.report.sections import write_sections
from attnae.analysis.report.terminal import print_report
from attnae.text import clean, common_decimals, number, p_value
from tests.analysis import published
from tests.analysis.reports import console, make_report
from tests.analysis.studies import ARTICLE_FACTORS, article_study

EVIL_FACTOR = "<script>alert(1)</script>"
EVIL_LEVEL = '"><img src=x onerror=alert(2)>$\\frac{'
EVIL_SEED = "</style><b>{{ 7 * 7 }}"


def evil_study():
    table = article_study(2).rename(columns={"act": EVIL_FACTOR, "batch_norm": "$x^2$ [red]b[/red]\x1b[31m"})
    table[EVIL_FACTOR] = [EVIL_LEVEL + level for level in table[EVIL_FACTOR]]
    table["seed"] = [f"{EVIL_SEED}{seed}" for seed in table.seed]
    return table, ["$x^2$ [red]b[/red]\x1b[31m", "dropout", "spatial_attention", EVIL_FACTOR]


@pytest.fixture(scope="module")
def article(tmp_path_factory):
    return make_report(tmp_path_factory.mktemp("article"), article_study(), ARTICLE_FACTORS)


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    return make_report(tmp_path_factory.mktemp("evil"), *evil_study())


def printed(report, width: int = 80) -> str:
    screen = console(width)
    print_report(report, screen)
    return screen.file.getvalue()


class Page(HTMLParser):
    """Which elements and attributes a page has, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_terminal_has_sentences_first_and_fits_80_columns(article) -> None:
    text = printed(article)
    assert max(map(cell_len, text.splitlines())) <= 80
    for sentence in article.sentences:
        assert " ".join(sentence.text.split()) in " ".join(text.split())
    assert re.findall(r"^(\d+)\. ", text, re.MULTILINE) == [str(number) for number in range(1, 14)]
    assert text.index(article.sentences[-1].text[:40]) < text.index("1. Audit")


def test_terminal_shows_the_numbers_of_the_effects(article) -> None:
    text = printed(article, 160)
    row = article.result.effects.set_index("factor").loc["dropout"]
    line = next(line for line in text.splitlines() if line.startswith("dropout True") and "hurts" in line)
    assert f"{row.estimate:.4f}" in line
    assert f"{row.ci_low:.4f} to {row.ci_high:.4f}" in line
    assert f"{row.mde:.4f}" in line
    assert "detectable effect" in text
    assert "columns that do not fit: change, detectable effect" in printed(article, 80)
    assert "columns that do not fit: change" not in text


def test_statsmodels_summary_is_printed_if_it_fits(article) -> None:
    assert "OLS Regression Results" in printed(article, 120)
    assert "columns: see report.html" in printed(article, 80)


def test_terminal_does_not_interpret_names(evil) -> None:
    text = printed(evil)
    assert "\x1b" not in text
    assert "[red]b[/red]" in text


def test_page_is_self_contained_and_has_everything(article) -> None:
    files = report_files(article)
    text = files["report.html"]
    page = Page(text)
    assert not page.tags & {"script", "iframe", "object", "embed", "form", "base"}
    for name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("src", "srcset", "href", "xlink:href", "action", "data"):
            assert value.startswith(("#", "data:")) or re.fullmatch(r"[\w/]+\.(csv|json|svg)", value), (name, value)
    assert "@import" not in text
    assert "url(http" not in text
    for sentence in article.sentences:
        assert sentence.text in page.text
    for section in write_sections(article):
        assert section.title in page.text
        assert section.reading in page.text
    figures = [name for name, svg in files.items() if name.endswith(".svg") and svg]
    assert text.count("<svg") == len(figures)


def test_ids_are_unique(article) -> None:
    ids = re.findall(r'\bid="([^"]+)"', report_files(article)["report.html"])
    assert len(ids) == len(set(ids))


def test_names_from_logs_are_text_in_page_and_figures(evil) -> None:
    files = report_files(evil)
    for name in ("report.html", "figures/forest.svg", "figures/interactions.svg", "figures/marginal_means.svg"):
        page = Page(files[name])
        assert not page.tags & {"script", "img", "b"}, name
        assert not [key for key, _ in page.attributes if key.startswith("on")], name
    page = Page(files["report.html"])
    assert EVIL_FACTOR in page.text
    assert EVIL_LEVEL + "elu" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "$x^2$" in Page(files["figures/forest.svg"]).text
    assert all("\x1b" not in text for text in files.values() if text)


def test_sections_that_do_not_apply_say_why(tmp_path) -> None:
    text = " ".join(printed(make_report(tmp_path, published.FILTRATION, list("ABCD"))).split())
    for line in (
        "Not shown: it needs exactly one factor of three or more levels",
        "No pairs of levels to compare",
        "No comparison with a baseline",
        "The spread of the levels is not tested",
        "screening only",
    ):
        assert line in text


def test_a_significant_interaction_is_shown_with_simple_effects(tmp_path) -> None:
    text = " ".join(printed(make_report(tmp_path, published.FILTRATION, list("ABCD"))).split())
    assert "An interaction is significant, so the main effects alone are misleading" in text


def test_numbers_as_text() -> None:
    assert [p_value(p) for p in (0.00001, 0.00034, 0.0321, 1.0, float("nan"))] == [
        "< 0.0001",
        "0.0003",
        "0.032",
        "1",
        "",
    ]
    assert [number(x) for x in (0, 0.01234, 1234.5, 1.5e-9)] == ["0", "0.0123", "1,234", "1.50e-09"]
    assert common_decimals([[0.031, 0.2], [0.0021, float("nan")]]) == 4
    assert clean("a\x1b[31m\nb\u202ec") == "a [31m b c"
    assert clean("start" + "x" * 50 + "end.", 10) == "start…end."
