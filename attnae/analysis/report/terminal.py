"""The whole report on a terminal, readable at 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text as Line

from attnae.analysis.report.blocks import Table, Text, Verbatim
from attnae.analysis.report.columns import ALWAYS, Column
from attnae.analysis.report.contents import contents_of
from attnae.analysis.report.report import AnyReport
from attnae.analysis.report.sections import WrittenSection, write_sections
from attnae.analysis.report.sentences.study import Sentence
from attnae.analysis.report.tones import OPEN, TONES
from attnae.text import clean, counted

MAX_ROWS = 16
GAP = 2


def print_report(report: AnyReport, console: Console) -> None:
    """Print the headlines, one sentence per factor, then the sections."""
    console.print()
    for line in report.headlines:
        console.print(Line(f"! {line}", style="bold yellow"))
        console.print()
    for sentence in report.sentences:
        console.print(sentence_line(sentence))
    for section in write_sections(report, contents_of(report).sections()):
        _print_section(section, console)


def print_files(report: AnyReport, directory: Path, names: Sequence[str], console: Console) -> None:
    """Print the last section: which files were written, and where."""
    _print_heading(len(contents_of(report).sections()) + 1, "Files", console)
    console.print(Line(f"In {directory}: {', '.join(names)}"))
    console.print(Line(f"Open {directory / 'report.html'} for the figures.", style="bold"))


def _print_heading(number: int, title: str, console: Console) -> None:
    console.print()
    console.print(Line(f"{number}. {title}", style="bold underline"))


def _print_section(section: WrittenSection, console: Console) -> None:
    """Its heading, how to read it, and its blocks. Figures are only in the page."""
    _print_heading(section.number, section.title, console)
    console.print(Line(section.reading, style="italic"))
    for before, block in zip((None, *section.blocks), section.blocks, strict=False):
        if isinstance(block, Text):
            if isinstance(before, Table):
                console.print()
            console.print(Line(f"! {block.text}", style="yellow") if block.warning else Line(block.text))
        elif isinstance(block, Verbatim):
            _print_verbatim(block.text, console)
        elif isinstance(block, Table):
            _print_table(block, console)


def _print_verbatim(text: str, console: Console) -> None:
    """Lines of fixed width, or where to find them if the terminal is narrower than their rules ("====")."""
    ruled = max((len(line) for line in text.split("\n") if line.startswith("=")), default=0)
    console.print()
    if ruled > console.width:
        console.print(Line(f"The summary of statsmodels needs {ruled} columns: see report.html.", style="bright_black"))
    else:
        console.print(Line(text))


def _print_table(table: Table, console: Console) -> None:
    console.print()
    console.print(Line(table.caption, style="bold"))
    if table.frame.empty:
        console.print(Line("none", style="bright_black"))
        return
    where = table.file or "report.html"
    if hidden := print_rows(table, console, MAX_ROWS):
        console.print(Line(f"columns that do not fit: {', '.join(hidden)} (in {where})", style="bright_black"))
    if (rest := len(table.frame) - MAX_ROWS) > 0:
        console.print(Line(f"... and {counted(rest, 'more row')} in {where}", style="bright_black"))


def print_rows(table: Table, console: Console, limit: int, longest: int | None = None) -> list[str]:
    """Print the first `limit` rows of a table, and return the headings of the columns that did not fit.

    Args:
        longest: the number of characters to which names are shortened.
    """
    columns, rows = _merged(*table.layout(limit))
    rows = [[clean(cell, longest) for cell in cells] for cells in rows]
    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    shown = _fitting(columns, rows, console.width)
    for place in shown:
        words = columns[place].kind in ("text", "verdict", "flag")
        # Words may be wrapped, numbers may not.
        justify: Literal["left", "right"] = "left" if words else "right"
        grid.add_column(Line(columns[place].head), justify=justify, no_wrap=not words, overflow="fold")
    for cells in rows:
        grid.add_row(*(_cell(cells[place], columns[place]) for place in shown))
    console.print(grid)
    return [column.head for place, column in enumerate(columns) if place not in shown]


def _merged(columns: Sequence[Column], rows: list[list[str]]) -> tuple[list[Column], list[list[str]]]:
    """Factor and level in one column, which can be wrapped between them."""
    if len(columns) < 2 or (columns[0].key, columns[1].key) != ("factor", "level"):
        return list(columns), rows
    both = Column("factor", "factor, level")
    return [both, *columns[2:]], [[f"{cells[0]} {cells[1]}", *cells[2:]] for cells in rows]


def _fitting(columns: Sequence[Column], rows: list[list[str]], width: int) -> list[int]:
    """Places of the columns that fit side by side; those of the highest rank are left out first."""
    shown = list(range(len(columns)))
    widths = [
        max(map(len, (column.head, *cells))) for column, cells in zip(columns, zip(*rows, strict=True), strict=True)
    ]
    for rank in sorted({column.rank for column in columns} - {ALWAYS}, reverse=True):
        if sum(widths[place] + GAP for place in shown) - GAP > width:
            shown = [place for place in shown if columns[place].rank < rank]
    return shown


def _cell(text: str, column: Column) -> Line:
    return Line(text, style=_style(text) if column.kind == "verdict" else "")


def sentence_line(sentence: Sentence) -> Line:
    """A sentence with its verdict in colour, and its mark in front."""
    line = Line(f"{TONES.get(sentence.verdict, OPEN).mark} {sentence.text}")
    if sentence.verdict:
        line.highlight_words([f": {sentence.verdict}"], style=f"bold {_style(sentence.verdict)}")
    return line


def _style(verdict: str) -> str:
    tone = TONES.get(verdict)
    return tone.terminal if tone is not None else ""
