"""Statistics that stand on their own: each a table in a section of the report, and in report.json under its name.

A line in `FURTHER` adds one. It is computed by `fit_study`, as `StudyResult.further[name]`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from attnae.analysis.design.model import Design
from attnae.analysis.estimates.effects import Reading, trends_table
from attnae.analysis.report.blocks import Column, Table
from attnae.analysis.report.sections.effects import estimate_columns
from attnae.analysis.result import StudyResult


@dataclass(frozen=True)
class Statistic:
    """One statistic.

    Attributes:
        section: the number of the section that ends with it.
        caption: what stands above the table.
        columns: those that are shown; report.json has all.
        table: from the design and the responses, one a run (transformed, if that was asked for); None where it does
            not apply.
    """

    section: int
    caption: str
    columns: tuple[Column, ...]
    table: Callable[[Design, np.ndarray, Reading], pd.DataFrame | None]


FURTHER: dict[str, Statistic] = {
    "trends": Statistic(4, "Trends of numeric factors, lowest to highest value", estimate_columns(), trends_table),
}


def further_tables(design: Design, y: np.ndarray, reading: Reading) -> dict[str, pd.DataFrame | None]:
    """All of them, by name."""
    return {name: statistic.table(design, y, reading) for name, statistic in FURTHER.items()}


def further_blocks(section: int, result: StudyResult) -> list[Table]:
    """What this section ends with."""
    return [
        Table(FURTHER[name].caption, table, FURTHER[name].columns)
        for name, table in result.further.items()
        if table is not None and FURTHER[name].section == section
    ]
