"""The sections of the report, in their order. Their numbers come from their places in the list.

To add a section, write a function from the report to blocks, and list it in `SECTIONS`, or in `SEARCH_SECTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from attnae.analysis import statistics
from attnae.analysis.report.blocks import Block, Blocks, Table
from attnae.analysis.report.report import AnyReport
from attnae.analysis.report.sections import checks, cost, effects, runs, searches


@dataclass(frozen=True)
class Section:
    """One section of every report of a kind.

    Attributes:
        key: by which statistics, links and other sections refer to it.
        title: its heading, without a number.
        reading: how to read it, in whole sentences.
        blocks: its content, from a report of its kind. A section that does not apply to a study says why.
    """

    key: str
    title: str
    reading: str
    blocks: Callable[[Any], Blocks]


SECTIONS = [
    Section(
        "audit",
        "Audit",
        "What was found in the logs, which runs are used, and what to know before reading the results.",
        runs.audit,
    ),
    Section("response", "Response", "The response that is analysed, and the model that explains it.", runs.response),
    Section(
        "article",
        "The article's table",
        "The regression that the article reports, in the same form. The main effects answer the question better.",
        runs.article,
    ),
    Section(
        "effects",
        "Main effects",
        "For a factor of two levels: the named level minus the other one. For a factor of more levels: each level "
        "minus the mean of all levels. The levels of all other factors have equal weights. Each factor "
        "is one hypothesis.",
        effects.main_effects,
    ),
    Section(
        "anova",
        "Analysis of variance and interactions",
        "How much of the variation each term explains. These F tests assume the same error variance everywhere. No "
        "verdict uses them; they only help to decide which simple effects are shown.",
        effects.anova,
    ),
    Section(
        "noise",
        "Noise",
        "How much runs with the same settings differ, and whether effects change with the seed. Intervals for new "
        "seeds come from the differences between seeds, all others from the residuals of model M.",
        effects.noise,
    ),
    Section(
        "means",
        "Marginal means",
        "The mean response at each level. The levels of all other factors and the seeds have equal weights.",
        effects.marginal_means,
    ),
    Section(
        "curves",
        "Learning curves",
        "The mean at each level while the runs were trained, as the marginal means are computed: all other factors and "
        "the seeds have equal weights.",
        effects.learning,
    ),
    Section(
        "diagnostics",
        "Diagnostics",
        "Whether the model fits. The intervals and verdicts of effects already allow for levels of unequal variance; "
        "the comparison of combinations with replicates does not.",
        checks.diagnostics,
    ),
    Section(
        "sensitivity",
        "Sensitivity",
        "Whether the verdicts depend on choices made in the analysis. Do not rely on a verdict that another analysis "
        "reverses or does not find.",
        checks.sensitivity,
    ),
    Section(
        "cells",
        "Best combinations",
        "The combinations of levels (cells) that were run, best first, and which of them may be the best one (Hsu's "
        "comparisons with the best).",
        checks.best_cells,
    ),
    Section(
        "cost",
        "Cost",
        "How much longer the runs of one level take than those of another, as a ratio of their mean times, and which "
        "combinations are worth their time. Times are those of the machine of these runs and of its load. They have "
        "no verdicts, and no part in the correction of those of the response.",
        cost.cost,
    ),
    Section(
        "next",
        "What to run next",
        "How many seeds per cell are needed to detect an effect of the given size with 80% power; blank: unknown, or "
        "more than 1,000. The cautious number allows for the noise being estimated. The size is --target, else "
        "--negligible, else the estimate, which tends to be too large for the largest effects.",
        checks.next_steps,
    ),
]

SEARCH_SECTIONS = [
    Section(
        "audit",
        "Audit",
        "What was found in the logs, which runs are used, and what to know before reading the results.",
        searches.audit,
    ),
    Section(
        "response", "Response", "The response that is analysed, and how the settings are tested.", searches.response
    ),
    Section(
        "settings",
        "Settings",
        "What each setting does, beside the others: how much of the variation of the ranks it explains, its effect in "
        "units of the response, and where the response is best.",
        searches.settings,
    ),
    Section(
        "pairs",
        "Pairs of settings",
        "Whether the settings act one at a time: products of two settings, beside the effects of both.",
        searches.pairs,
    ),
    Section(
        "sensitivity",
        "Sensitivity",
        "Whether the verdicts depend on choices made in the analysis. Do not rely on a verdict that another analysis "
        "reverses.",
        searches.sensitivity,
    ),
    Section(
        "next",
        "What to search next",
        "The range of each setting in the next search: narrowed to where the best value lies, extended where it lies "
        "at an end, fixed or dropped where that is known, and otherwise as before.",
        searches.next_steps,
    ),
]


@dataclass(frozen=True)
class WrittenSection:
    """A section of one report: its number, from 1, and its content with that of the statistics that belong to it."""

    number: int
    key: str
    title: str
    reading: str
    blocks: tuple[Block, ...]


def write_sections(report: AnyReport, chosen: Sequence[Section] | None = None) -> list[WrittenSection]:
    """The chosen sections of a report, in their order; None: `SECTIONS`.

    Raises:
        ValueError: a statistic belongs to a section that does not exist.
    """
    keys = [section.key for section in SECTIONS]
    if lost := [statistic for statistic in statistics.STATISTICS if statistic.section not in keys]:
        raise ValueError(
            f"the statistic {lost[0].name!r} is for the section {lost[0].section!r}: choose from {', '.join(keys)}"
        )
    return [
        WrittenSection(
            number,
            section.key,
            section.title,
            section.reading,
            tuple(
                replace(block, decimals=report.decimals) if isinstance(block, Table) else block
                for block in (*section.blocks(report), *_statistics(section.key, report))
            ),
        )
        for number, section in enumerate(SECTIONS if chosen is None else chosen, 1)
    ]


def _statistics(key: str, report: AnyReport) -> Blocks:
    """The tables of the statistics that belong to a section and apply to the study."""
    tables = report.statistics
    return [
        Table(statistic.caption, table, statistic.columns)
        for statistic in statistics.STATISTICS
        if statistic.section == key and (table := tables.get(statistic.name)) is not None
    ]
