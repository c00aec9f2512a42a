"""The report on a terminal; readable at 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text as Line

from attnae.analysis.report.blocks import Column, Figure, Section, Table, Text, Verbatim
from attnae.analysis.report.report import Report
from attnae.text import counted

COLOURS = {
    "helps": "green",
    "best": "green",
    "hurts": "red",
    "worse": "red",
    "suggestive": "yellow",
    "negligible": "cyan",
    "undetermined": "bright_black",
    "tied": "bright_black",
}
MAX_ROWS = 16
GAP = 2


def print_report(report: Report, console: Console) -> None:
    """Headlines, one sentence a factor, then the sections."""
    console.print()
    for line in report.headlines:
        console.print(Line(f"! {line}", style="bold yellow"))
        console.print()
    for sentence in report.sentences:
        console.print(_sentence(sentence.text, sentence.verdict))
    for section in report.sections:
        print_section(section, console)


def print_section(section: Section, console: Console) -> None:
    """Heading, how to read it, and its blocks."""
    console.print()
    console.print(Line(f"{section.number}. {section.title}", style="bold underline"))
    console.print(Line(section.reading, style="italic"))
    for block in section.blocks:
        if isinstance(block, Text):
            console.print(Line(f"! {block.text}", style="yellow") if block.warning else Line(block.text))
        elif isinstance(block, Verbatim):
            _print_verbatim(block.text, console)
        elif isinstance(block, Table):
            _print_table(block, console)
        else:
            assert isinstance(block, Figure)


def print_files(directory: Path, names: Sequence[str], console: Console) -> None:
    """Section 12: where everything is."""
    console.print()
    console.print(Line("12. Files", style="bold underline"))
    console.print(Line(f"In {directory}: {', '.join(names)}"))
    console.print(Line(f"Open {directory / 'report.html'} for the figures.", style="bold"))


def _print_verbatim(text: str, console: Console) -> None:
    """Lines of fixed width; only said where there is no room for them. Sentences below them may be longer."""
    ruled = max((len(line) for line in text.split("\n") if line.startswith("=")), default=0)
    console.print()
    if ruled > console.width:
        console.print(Line(f"statsmodels' own summary is {ruled} columns wide: see report.html", style="bright_black"))
    else:
        console.print(Line(text))


def _print_table(table: Table, console: Console) -> None:
    console.print()
    console.print(Line(table.caption, style="bold"))
    if table.frame.empty:
        console.print(Line("none", style="bright_black"))
        return
    columns, rows = _merged(*table.layout(MAX_ROWS))
    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    shown = _fitting(columns, rows, console.width)
    for place in shown:
        words = columns[place].kind in ("text", "verdict", "flag")
        # Words may be folded, numbers may not.
        justify: Literal["left", "right"] = "left" if words else "right"
        grid.add_column(Line(columns[place].head), justify=justify, no_wrap=not words, overflow="fold")
    for cells in rows:
        grid.add_row(*(_cell(cells[place], columns[place]) for place in shown))
    console.print(grid)
    if (rest := len(table.frame) - MAX_ROWS) > 0:
        where = table.file or "report.html"
        console.print(Line(f"... and {counted(rest, 'more row')} in {where}", style="bright_black"))


def _merged(columns: Sequence[Column], rows: list[list[str]]) -> tuple[list[Column], list[list[str]]]:
    """Factor and level in one column, which can be folded between them."""
    if len(columns) < 2 or (columns[0].key, columns[1].key) != ("factor", "level"):
        return list(columns), rows
    both = Column("factor", "factor, level")
    return [both, *columns[2:]], [[f"{cells[0]} {cells[1]}", *cells[2:]] for cells in rows]


def _fitting(columns: Sequence[Column], rows: list[list[str]], width: int) -> list[int]:
    """Places of the columns that fit side by side, those of the highest rank dropped first."""
    shown = list(range(len(columns)))
    widths = [
        max(map(len, (column.head, *cells))) for column, cells in zip(columns, zip(*rows, strict=True), strict=True)
    ]
    for rank in sorted({column.rank for column in columns} - {0}, reverse=True):
        if sum(widths[place] + GAP for place in shown) - GAP > width:
            shown = [place for place in shown if columns[place].rank < rank]
    return shown


def _cell(text: str, column: Column) -> Line:
    return Line(text, style=COLOURS.get(text, "") if column.kind == "verdict" else "")


def _sentence(text: str, verdict: str) -> Line:
    line = Line(f"• {text}")
    if verdict:
        line.highlight_words([f": {verdict}"], style=f"bold {COLOURS.get(verdict, '')}")
    return line
