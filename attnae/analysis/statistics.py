"""Additional statistics: each is a table in a section of the report and, under its name, in report.json.

To add a statistic, write a function from the design and the responses to a table, and list it in `STATISTICS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from attnae.analysis.design.model import Design
from attnae.analysis.estimates.effects import trends_table
from attnae.analysis.estimates.family import Reading
from attnae.analysis.estimates.improvement import improvement_table

# Columns that tables like effects.csv show.
EFFECT_COLUMNS = (
    *("factor", "level", "estimate", "interval", "p_holm", "percent_change", "verdict", "mde"),
    *("p_holm_here", "std_error", "df", "p", "error", "scope"),
)


@dataclass(frozen=True)
class Statistic:
    """One statistic of a study.

    Attributes:
        name: its key in `StudyResult.statistics` and among the tables of report.json.
        section: key of the section of the report that ends with the table, such as "effects".
        caption: the heading of the table.
        columns: keys of the columns that the report shows; "interval" stands for ci_low and ci_high. report.json has
            all columns.
        compute: from the design, the responses (runs,), which are logarithms if that was asked for, and the options
            of the analysis to a table; None where the statistic does not apply to the study.
    """

    name: str
    section: str
    caption: str
    columns: tuple[str, ...]
    compute: Callable[[Design, np.ndarray, Reading], pd.DataFrame | None]


STATISTICS = [
    Statistic("trends", "effects", "Trends of numeric factors, lowest to highest value", EFFECT_COLUMNS, trends_table),
    Statistic(
        "improvement",
        "effects",
        "Probability that a run of one level is better than a run of another, all else equal",
        ("factor", "level", "versus", "probability", "ci_low", "ci_high", "cells"),
        improvement_table,
    ),
]


def compute_statistics(design: Design, y: np.ndarray, reading: Reading) -> dict[str, pd.DataFrame | None]:
    """The tables of all statistics, by name; None for those that do not apply."""
    return {statistic.name: statistic.compute(design, y, reading) for statistic in STATISTICS}
