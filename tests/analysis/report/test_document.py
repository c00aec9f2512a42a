"""docs/report.md names every key, table and column, and uses the headings of the report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from attnae.analysis.report.columns import COLUMNS
from attnae.analysis.report.json_report import json_text
from tests.analysis.published import FILTRATION
from tests.analysis.reports import make_report
from tests.analysis.studies import article_study, factorial

pytestmark = pytest.mark.usefixtures("blank_figures")

DOCUMENT = (Path(__file__).parents[3] / "docs" / "report.md").read_text(encoding="utf-8")
# Objects whose keys are names of the study, or of packages.
OPEN = {"verdicts", "dropped_factors", "constants", "identifiers", "derived", "seeds_per_cell", "dropped", "provenance"}


def studies():
    trend = factorial(seeds=2, depth=[1, 2, 3], norm=["batch", "none"])
    trend["response"] = 1 + 0.1 * trend.depth * (trend.norm == "batch") + 0.001 * (trend.index % 5)
    diverged = article_study()
    diverged["status"] = ["diverged", *["finished"] * 95]
    return {
        "filtration": (FILTRATION, list("ABCD"), {}),
        "trend": (trend, ["depth", "norm"], {"baseline": {"norm": "none"}}),
        "diverged": (diverged, ["batch_norm", "dropout", "spatial_attention", "act"], {}),
    }


def keys(values: object, own: set[str]) -> set[str]:
    """All keys of all objects, but names of factors."""
    if isinstance(values, list):
        return set().union(*(keys(item, own) for item in values))
    if not isinstance(values, dict):
        return set()
    found = {key for key in values if key not in own}
    return found.union(*(keys(value, own) for key, value in values.items() if key not in OPEN))


@pytest.mark.parametrize("name", ["filtration", "trend", "diverged"])
def test_every_key_is_documented(name, tmp_path) -> None:
    table, factors, options = studies()[name]
    values = json.loads(json_text(make_report(tmp_path, table, factors, **options)))
    named = set(re.findall(r"\w+", DOCUMENT))
    own = {*factors, *(f"seed {seed}" for seed in values["noise"]["seeds"])}
    assert keys(values, own) - named == set()
    for key in (*values, *values["audit"], *values["provenance"]):
        assert f"`{key}`" in DOCUMENT
    for key in values["tables"]:
        assert f"`{key}`" in DOCUMENT or f"`{key}.csv`" in DOCUMENT


def test_the_headings_that_it_explains_are_those_of_the_report() -> None:
    table = DOCUMENT.partition("| heading |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([^|]+) \| (`[^|]+`) \| ", table, re.MULTILINE)
    explained = {
        key: head
        for heads, keys_of_row in rows
        for key, head in zip(re.findall(r"`(\w+)`", keys_of_row), heads.split(", "), strict=False)
    }
    explained["interval"] = explained.pop("ci_low")
    assert explained == {key: COLUMNS[key].head for key in explained}
    assert len(explained) == len(rows) + 2
