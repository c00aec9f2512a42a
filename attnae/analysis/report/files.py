"""The files of a report. Each is written completely or not at all."""

from __future__ import annotations

import json
from pathlib import Path

from attnae.analysis.report.contents import CSV_FILES, TEXT_FILES, contents_of
from attnae.analysis.report.figures import FIGURES, SEARCH_FIGURES, draw_figures
from attnae.analysis.report.html import render_html
from attnae.analysis.report.json_report import SCHEMA, json_text
from attnae.analysis.report.report import AnyReport
from attnae.errors import UserError
from attnae.files import write_text
from attnae.text import csv_text

PAGE, VALUES, FIGURE_FOLDER = "report.html", "report.json", "figures"


def report_files(report: AnyReport) -> dict[str, str | None]:
    """Text by path relative to the report's directory; None for files that do not apply to this report."""
    contents = contents_of(report)
    figures = draw_figures(report.result, contents.figures)
    tables = {f"{name}.csv": table for name, table in contents.tables(report).items()}
    found: dict[str, str | None] = {
        name: csv_text(table) if table is not None else None for name, table in tables.items()
    }
    found |= contents.texts(report)
    found[VALUES] = json_text(report)
    found |= {f"{FIGURE_FOLDER}/{name}.svg": figures.get(name) for name in (*FIGURES, *SEARCH_FIGURES)}
    found |= {name: None for name in (*(f"{name}.csv" for name in CSV_FILES), *TEXT_FILES) if name not in found}
    names = [PAGE, *(name for name, text in found.items() if text is not None)]
    return {PAGE: render_html(report, figures, names[1:]), **found}


def write_report(files: dict[str, str | None], directory: Path) -> list[str]:
    """Write the files and return the names of those written.

    A file of an earlier report that does not apply to this one is removed, because it would look like a result of
    it. All other files in the directory stay as they are.

    Args:
        files: text by relative path, from `report_files`.

    Raises:
        UserError: the directory cannot be written to.
    """
    try:
        earlier = _is_report(directory)
        for name, text in files.items():
            if text is not None:
                write_text(directory / name, text)
            elif earlier:
                (directory / name).unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"{directory} cannot be written to ({error.strerror}): choose another directory with --out"
        ) from error
    return [name for name, text in files.items() if text is not None]


def _is_report(directory: Path) -> bool:
    """Whether the directory holds an earlier report."""
    try:
        content = json.loads((directory / VALUES).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("schema") == SCHEMA
