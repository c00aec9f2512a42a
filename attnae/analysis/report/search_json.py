"""The report of a search in report.json: its values and its tables by name."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd

from attnae.analysis.report.report import SearchReport
from attnae.analysis.search.next import next_search


def search_values(report: SearchReport) -> dict[str, Any]:
    """What only report.json of a search has, by key; the values may still be frames, arrays and NaN."""
    result, audit = report.result, report.audit
    return {
        "design": {
            **asdict(audit.design),
            "adaptive": result.adaptive,
            "adaptive_reason": result.adaptive_reason,
        },
        "response": {
            "tag": audit.response,
            "rule": str(audit.rule),
            "goal": result.goal,
            "transform": "none" if result.response == audit.response else "log",
            "alpha": result.alpha,
        },
        "search": {
            "runs": result.runs,
            "configurations": result.n,
            "diverged": result.diverged,
            "adjusted": result.adjusted,
            "r_squared": result.r_squared,
            "pairs_p": result.pairs_p,
            "next_runs": next_search(result).runs,
        },
        "left_out": result.left_out,
        "tables": {
            **search_tables(report),
            "configurations": result.configurations,
            "sensitivity": result.sensitivity,
            "next": next_search(result).table,
        },
        "verdicts": dict(zip(result.settings["factor"], result.settings["verdict"], strict=True)),
        "reversals": result.reversals,
        "notes": (*result.notes, *report.remarks),
    }


def search_tables(report: SearchReport) -> dict[str, pd.DataFrame | None]:
    """The tables that are CSV files, by the file's stem; None for those without rows."""
    result = report.result
    found = {
        "runs": report.audit.table,
        "settings": result.settings,
        "setting_levels": result.levels,
        "setting_curves": result.curves,
        "pairs": result.pairs,
    }
    return {name: table if len(table) else None for name, table in found.items()}
