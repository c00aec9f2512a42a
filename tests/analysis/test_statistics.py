"""A statistic is added by one entry: fit_study computes it, and its section, the page and report.json show it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from attnae.analysis import statistics
from attnae.analysis.design.model import Design
from attnae.analysis.estimates.effects import Reading
from attnae.analysis.report.files import report_files
from attnae.analysis.report.sections import SECTIONS, write_sections
from attnae.analysis.report.study_json import tables
from attnae.analysis.report.terminal import print_report
from attnae.analysis.statistics import STATISTICS, Statistic
from tests.analysis.reports import console, make_report
from tests.analysis.studies import factorial


def medians_table(design: Design, y: np.ndarray, reading: Reading) -> pd.DataFrame | None:
    rows = [
        (factor.name, label, np.median(y[design.codes[:, column] == level]))
        for column, factor in enumerate(design.factors)
        for level, label in enumerate(factor.labels)
    ]
    return pd.DataFrame(rows, columns=["factor", "level", "median_response"])


def study() -> pd.DataFrame:
    table = factorial(act=["elu", "relu"], replicates=5)
    return table.assign(response=np.random.default_rng(0).standard_normal(len(table)))


def test_a_statistic_is_added_by_one_entry(tmp_path, monkeypatch) -> None:
    shown = ("factor", "level", "median_response")
    added = [
        Statistic("medians", "means", "Medians of each level", shown, medians_table),
        Statistic("nothing", "means", "Does not apply", shown, lambda *args: None),
    ]
    monkeypatch.setattr(statistics, "STATISTICS", [*STATISTICS, *added])
    report = make_report(tmp_path, study(), ["act"])
    expected = study().groupby("act").response.median().tolist()
    assert report.result.statistics["medians"]["median_response"].tolist() == pytest.approx(expected)
    section = next(section for section in write_sections(report) if section.key == "means")
    assert section.blocks[-1].caption == "Medians of each level"
    screen = console()
    print_report(report, screen)
    files = report_files(report)
    for text in (screen.file.getvalue(), files["report.html"]):
        assert text.count("Medians of each level") == 1
        assert "median response" in text
        assert "Does not apply" not in text
    values = json.loads(files["report.json"])["tables"]
    assert [row["median_response"] for row in values["medians"]] == pytest.approx(expected)
    assert values["nothing"] is None


@pytest.mark.parametrize(
    ("name", "section", "line"),
    [
        ("spread", "means", "the statistic 'spread' has the name of another table"),
        ("medians", "mean", "the statistic 'medians' is for the section 'mean': choose from audit, response"),
    ],
)
def test_a_statistic_with_a_taken_name_or_an_unknown_section_is_an_error(
    name, section, line, tmp_path, monkeypatch
) -> None:
    added = Statistic(name, section, "Medians", ("factor", "level"), medians_table)
    monkeypatch.setattr(statistics, "STATISTICS", [*STATISTICS, added])
    report = make_report(tmp_path, study(), ["act"])
    with pytest.raises(ValueError, match=line):
        report_files(report)


def test_names_and_sections_of_statistics_are_valid(tmp_path) -> None:
    assert {statistic.section for statistic in STATISTICS} <= {section.key for section in SECTIONS}
    names = [statistic.name for statistic in STATISTICS]
    report = make_report(tmp_path, study(), ["act"])
    others = tables(replace(report, result=replace(report.result, statistics={})))
    assert len({*names, *others}) == len(names) + len(others)
