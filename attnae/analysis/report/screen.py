"""The report on one screen of a terminal: the answer, the table of effects, the warnings, and where everything is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.text import Text as Line

from attnae.analysis.report.contents import contents_of
from attnae.analysis.report.report import AnyReport
from attnae.analysis.report.sentences.study import leading_sentences
from attnae.analysis.report.terminal import print_rows, sentence_line
from attnae.text import counted

MAX_SENTENCES, MAX_ROWS, MAX_WARNINGS = 8, 8, 4
# Characters of a name in the table; a longer one is shortened in the middle.
MAX_NAME = 32


def print_screen(report: AnyReport, directory: Path, names: Sequence[str], console: Console) -> None:
    """Print the report without its sections.

    Args:
        directory: where the files of the report are.
        names: their paths below it.
    """
    overview, warnings = report.overview, list(report.warnings)
    found_nothing = overview.answer in report.headlines
    shown, others = leading_sentences(report.sentences, MAX_SENTENCES)
    console.print()
    console.print(Line(f"{overview.question} {overview.basis}", style="bold"))
    if len(report.headlines) > found_nothing:  # it limits the verdicts: not a word of it is cut off
        console.print(Line(f"! {warnings.pop(0)}", style="bold yellow"))
    if others or found_nothing:
        console.print(Line(overview.answer))
    for sentence in shown:
        console.print(sentence_line(sentence))
    if others:
        console.print(Line(f"... and {counted(len(others), 'more sentence')} (--full)", style="bright_black"))
    if overview.cost:
        console.print(Line(overview.cost))
    console.print()
    table = contents_of(report).effects(report)
    print_rows(replace(table, decimals=report.decimals), console, MAX_ROWS, MAX_NAME)
    console.print()
    for line in warnings[:MAX_WARNINGS]:
        console.print(Line(f"! {line}", style="yellow"), no_wrap=True, overflow="ellipsis", crop=False)
    if rest := warnings[MAX_WARNINGS:]:
        console.print(Line(f"... and {counted(len(rest), 'more warning')} (--full)", style="bright_black"))
    console.print(Line.assemble(("Next: ", "bold"), overview.advice))
    tables = sum(name.endswith(".csv") for name in names)
    console.print(Line(f"Report: {directory / 'report.html'}, with report.json and {counted(tables, 'CSV file')}."))
    console.print(Line("--full prints all sections here.", style="bright_black"))
