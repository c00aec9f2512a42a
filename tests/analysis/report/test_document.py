"""docs/report.md names every key, table and column there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from attnae.analysis.report.json_report import json_text
from tests.analysis.published import FILTRATION
from tests.analysis.reports import make_report
from tests.analysis.studies import article_study, factorial

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
    assert keys(values, set(factors)) - named == set()
    for key in (*values, *values["audit"], *values["provenance"]):
        assert f"`{key}`" in DOCUMENT
    for key in values["tables"]:
        assert f"`{key}`" in DOCUMENT or f"`{key}.csv`" in DOCUMENT
