"""What each kind of report consists of: the one place where the report of a study and that of a search part ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from attnae.analysis.report import figures, sections
from attnae.analysis.report.blocks import Figure, Table
from attnae.analysis.report.figures import FigureEntry, searches
from attnae.analysis.report.next_study import NEXT_STUDY, next_study
from attnae.analysis.report.report import AnyReport, StudyReport
from attnae.analysis.report.search_json import search_tables, search_values
from attnae.analysis.report.sections import Section
from attnae.analysis.report.study_json import csv_tables, study_values


@dataclass(frozen=True)
class Contents:
    """The parts of a report. Each takes the report, or the result, of its kind.

    Attributes:
        kicker: the line above the title of the page.
        sections: in their order.
        effects: the table below the sentences on a terminal.
        figures: by name; see `figures.FIGURES`.
        lead: the figures beside the sentences.
        tables: the CSV files by their stems, None for those that do not apply.
        texts: other files by their names, None for those that do not apply.
        values: what report.json has beside what every report has.
    """

    kicker: str
    sections: Callable[[], Sequence[Section]]
    effects: Callable[[Any], Table]
    figures: Mapping[str, FigureEntry]
    lead: Callable[[Any], Sequence[Figure]]
    tables: Callable[[Any], Mapping[str, pd.DataFrame | None]]
    texts: Callable[[Any], Mapping[str, str | None]]
    values: Callable[[Any], Mapping[str, Any]]


STUDY = Contents(
    kicker="attnae study report",
    sections=lambda: sections.SECTIONS,
    effects=lambda report: sections.effects.short_table(report.result),
    figures=figures.FIGURES,
    lead=lambda report: (Figure("forest", "Effects with their intervals, without correction."),),
    tables=csv_tables,
    texts=lambda report: {},
    values=study_values,
)
SEARCH = Contents(
    kicker="attnae search report",
    sections=lambda: sections.SEARCH_SECTIONS,
    effects=lambda report: sections.searches.short_table(report.result),
    figures=figures.SEARCH_FIGURES,
    lead=lambda report: searches.leading(report.result),
    tables=search_tables,
    texts=lambda report: {NEXT_STUDY: next_study(report)},
    values=search_values,
)
# The files that an earlier report of either kind may have left.
CSV_FILES = (
    *("runs", "coefficients", "effects", "factors", "anova", "interactions", "marginal_means", "lenth"),
    "learning_curves",
    *("settings", "setting_levels", "setting_curves", "pairs"),
)
TEXT_FILES = (NEXT_STUDY,)


def contents_of(report: AnyReport) -> Contents:
    """The parts of a report, by its kind."""
    return STUDY if isinstance(report, StudyReport) else SEARCH
