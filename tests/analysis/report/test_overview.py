"""The first screen: the question, the answer, which runs it rests on, the one warning, and what to run next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from attnae.analysis.audit.audit import audit_runs
from attnae.analysis.report.files import report_files
from attnae.analysis.report.report import SearchReport
from attnae.analysis.report.sentences.overview import study_advice
from attnae.analysis.search import fit_search
from attnae.reading.read import read_logs
from tests.analysis.report.test_pages import Page
from tests.analysis.reports import make_report
from tests.analysis.search.searches import SETTINGS, search
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial
from tests.reading.event_logs import write_study

pytestmark = pytest.mark.usefixtures("blank_figures")


@pytest.fixture(scope="module")
def article(tmp_path_factory):
    return make_report(tmp_path_factory.mktemp("article"), article_study(5), ARTICLE_FACTORS)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    directory = tmp_path_factory.mktemp("search")
    write_study(directory, search(60), SETTINGS, seed=None)
    runs = read_logs(directory)
    audit = audit_runs(runs)
    assert audit.search is not None
    result = fit_search(audit.search.table, audit.search.settings, response_name=audit.response, permutations=499)
    return SearchReport.of(runs, audit, result)


def test_the_answer_names_each_factor_once(article) -> None:
    found = article.overview
    assert found.question == "Which choices matter for test/loss?"
    assert found.basis == "160 runs of 32 combinations, 5 seeds; smaller is better."
    assert found.answer == ("Shown to matter: act, batch_norm (helps) and dropout (hurts); open: spatial_attention.")


def test_verdicts_for_these_seeds_alone_are_no_answer_for_new_ones(tmp_path) -> None:
    answer = make_report(tmp_path, article_study(3), ARTICLE_FACTORS).overview.answer
    assert "shown only for these 3 seeds: batch_norm (helps here) and dropout (hurts here)" in answer
    assert "act" in answer.partition(";")[0]


def test_runs_that_are_not_used_are_counted(tmp_path) -> None:
    table = article_study(3)
    table["status"] = ["unfinished", "unfinished", *["finished"] * 94]
    assert make_report(tmp_path, table, ARTICLE_FACTORS).overview.basis.startswith("94 of 96 runs of 32 combinations")


def test_the_advice_has_the_seeds_of_the_table(article) -> None:
    advice = article.overview.advice
    table = article.result.next_steps.set_index("factor")
    undecided = article.result.effects.set_index("factor").verdict == "not distinguishable"
    needed = table[undecided].loc["act", "seeds_needed"]
    span = f"{needed.min():.0f} to {needed.max():.0f}" if len(needed) > 1 else f"{needed.min():.0f}"
    assert np.isnan(table.loc["spatial_attention", "seeds_needed"])
    assert advice == (
        "Not decided yet: which act is best and spatial_attention. Seeds per cell that would detect effects of these "
        f"sizes (now 5): act {span} and spatial_attention unknown, or more than 1,000."
    )
    decided = replace(article.result, effects=article.result.effects.assign(verdict="helps"))
    assert study_advice(decided) == "All is decided."


def test_too_few_degrees_of_freedom_advise_more_seeds(tmp_path) -> None:
    table = factorial(a=[0, 1], b=[0, 1]).assign(response=[1.0, 2.0, 3.0, 5.0])
    report = make_report(tmp_path, table, ["a", "b"], interactions="two-way")
    assert report.overview.advice == "Train the same combinations with more seeds to get verdicts on a and b."
    assert report.overview.answer == "No verdict: a and b."


def test_a_search_has_its_best_region(searched) -> None:
    found = searched.overview
    rows = searched.result.settings.set_index("factor")
    assert found.basis == "60 runs of a random search over 6 settings; smaller is better."
    assert found.answer.startswith("Shown to matter: lr, ")
    assert "act = elu or " in found.answer
    assert "aug = True" in found.answer
    assert rows.loc["lr", "best_low"] < 1e-3 < rows.loc["lr", "best_high"]
    assert f"lr {'roughly ' if searched.result.details['lr'].rough else ''}" in found.answer
    assert found.advice.startswith("32 runs: narrow lr")


def test_the_first_screen_has_one_warning_and_the_others_are_counted(article) -> None:
    # A long one is shortened on the first screen, and whole in its section.
    long = f"elu diverged {'again and ' * 60}again"
    page = report_files(replace(article, audit=replace(article.audit, warnings=(long,))))["report.html"]
    first, _, rest = page.partition("<nav")
    assert long not in first
    assert "elu diverged again and" in first
    assert long in rest
    audit = replace(article.audit, headline="elu diverged", warnings=("elu diverged", "seeds are missing"))
    report = replace(article, audit=audit)
    assert report.warnings == ("elu diverged.", "seeds are missing.")
    page = report_files(report)["report.html"]
    first, _, rest = page.partition("<nav")
    assert first.count('class="headline"') == 1
    assert "elu diverged." in first
    assert "seeds are missing" not in first
    assert '<span class="warned">2 warnings</span>' in rest
    assert "seeds are missing." in rest
    assert report_files(article)["report.html"].count('class="headline"') == 0


@pytest.mark.parametrize("name", ["article", "searched"])
def test_every_section_folds_and_every_figure_stands_once(name, request) -> None:
    report = request.getfixturevalue(name)
    files = report_files(report)
    page = files["report.html"]
    first, _, rest = page.partition("<nav")
    assert rest.count("<details>") == rest.count("</details>") == rest.count("<summary>") == rest.count("<section id=")
    assert "<details open" not in page
    figures = [path for path, text in files.items() if path.endswith(".svg") and text]
    assert page.count("<svg") == len(figures)
    assert first.count("<svg") == (1 if name == "article" else 4)


def test_of_many_sentences_those_without_a_finding_are_folded(article) -> None:
    silent = [replace(article.sentences[-1], factor=f"f{i}", verdict="undetermined", text=f"f{i}") for i in range(9)]
    report = replace(article)
    report.__dict__["sentences"] = (*article.sentences, *silent)
    page = report_files(report)["report.html"]
    shown, _, folded = page.partition('<details class="others">')
    assert "10 more, without a finding" in folded
    for sentence in article.sentences:
        assert (sentence.text in Page(shown).text) == (sentence.verdict != "undetermined")
    assert all(f"<span>{item.text}</span>" in folded for item in silent)


def test_undecided_counts_blank_as_unknown(article) -> None:
    table = article.result.next_steps.assign(seeds_needed=np.nan)
    text = study_advice(replace(article.result, next_steps=pd.DataFrame(table)))
    assert text.endswith("spatial_attention unknown, or more than 1,000.")
