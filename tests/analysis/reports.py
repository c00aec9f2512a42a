"""Helpers: reports of studies that are written to disk first."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console

from attnae.analysis.audit.audit import audit_runs
from attnae.analysis.report.report import StudyReport
from attnae.analysis.study import fit_study
from attnae.cli import analyze_command
from attnae.reading.read import read_logs
from tests.reading.event_logs import write_study


def make_report(directory: Path, table: pd.DataFrame, factors: Sequence[str], **options: object) -> StudyReport:
    """The report of a table that is written to event files and read back; options are those of `fit_study`."""
    write_study(directory, table, factors, status="status" if "status" in table else None)
    runs = read_logs(directory)
    audit = audit_runs(runs, goal=options.pop("goal", None))
    result = fit_study(
        audit.ended.rename(columns={"response": audit.response}),
        audit.factors,
        response=audit.response,
        seed=audit.seed,
        goal=audit.goal,
        alternatives=audit.alternatives,
        **{"permutations": 99, **options},
    )
    return StudyReport.of(runs, audit, result)


def analyze(directory: Path, *flags: str) -> int:
    """Run `analyze.py directory ...`, with few permutations by default."""
    draws = () if "--permutations" in flags else ("--permutations", "99")
    return analyze_command([str(directory), *flags, *draws])


def read_back(path: Path) -> pd.DataFrame:
    """A CSV file as other programs read it: only empty cells are missing values."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def console(width: int = 80) -> Console:
    """A terminal that writes into memory."""
    return Console(file=io.StringIO(), width=width, highlight=False)


def without_clock(summary: str) -> list[str]:
    """The lines of statsmodels' summary without date and time."""
    return [line for line in summary.splitlines() if not line.startswith(("Date:", "Time:"))]
