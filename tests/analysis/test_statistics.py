"""A statistic is added by one line, and is in its section and in report.json."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from attnae.analysis import statistics as further
from attnae.analysis.design.model import Design
from attnae.analysis.estimates.effects import Reading
from attnae.analysis.report.blocks import Table, columns
from attnae.analysis.report.json_report import json_text, tables
from attnae.analysis.statistics import Statistic
from tests.analysis.reports import make_report
from tests.analysis.studies import factorial


def medians(design: Design, y: np.ndarray, reading: Reading) -> pd.DataFrame:
    codes = design.codes[:, 0]
    return pd.DataFrame(
        {"level": list(design.factors[0].levels), "median": [np.median(y[codes == code]) for code in (0, 1)]}
    )


def test_one_line_adds_it(tmp_path, monkeypatch) -> None:
    shown = columns("level", ("median", "median", "response"))
    monkeypatch.setitem(further.FURTHER, "medians", Statistic(7, "Medians", shown, medians))
    monkeypatch.setitem(further.FURTHER, "nothing", Statistic(7, "Nothing", shown, lambda *args: None))
    table = factorial(act=["elu", "relu"], replicates=5)
    table["response"] = np.random.default_rng(0).standard_normal(len(table))
    report = make_report(tmp_path, table, ["act"])
    expected = table.groupby("act").response.median().tolist()
    last = report.sections[6].blocks[-1]
    assert isinstance(last, Table)
    assert last.caption == "Medians"
    assert last.frame["median"].tolist() == pytest.approx(expected)
    captions = [block.caption for section in report.sections for block in section.blocks if isinstance(block, Table)]
    assert captions.count("Medians") == 1
    assert "Nothing" not in captions
    tables = json.loads(json_text(report))["tables"]
    assert [row["median"] for row in tables["medians"]] == pytest.approx(expected)
    assert tables["nothing"] is None


def test_they_take_nobody_s_place(tmp_path) -> None:
    table = factorial(act=["elu", "relu"], replicates=5)
    table["response"] = np.random.default_rng(0).standard_normal(len(table))
    report = make_report(tmp_path, table, ["act"])
    assert {statistic.section for statistic in further.FURTHER.values()} <= {part.number for part in report.sections}
    others = tables(replace(report, result=replace(report.result, further={})))
    assert not further.FURTHER.keys() & others.keys()
