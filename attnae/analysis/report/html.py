"""The report as one page that needs nothing else: no script, no request, every name escaped."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from attnae.analysis.inference.verdicts import BEST, HELPS, HURTS, NEGLIGIBLE, SUGGESTIVE, TIED, UNDETERMINED, WORSE
from attnae.analysis.report.blocks import Figure, Section, Table, Text, Verbatim
from attnae.analysis.report.report import Report
from attnae.text import clean

MAX_ROWS = 200
# The class of a verdict in the style sheet; names from logs never become classes.
CLASSES = {
    HELPS: "good",
    BEST: "good",
    HURTS: "bad",
    WORSE: "bad",
    SUGGESTIVE: "maybe",
    NEGLIGIBLE: "small",
    UNDETERMINED: "open",
    TIED: "open",
}


def render_html(report: Report, figures: Mapping[str, str], file_names: list[str]) -> str:
    """The page.

    Args:
        figures: SVG text by name, as `plots.draw_figures` makes it.
        file_names: the files beside the page.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    folder = files("attnae.analysis.report")
    template = environment.from_string((folder / "report.html.jinja").read_text(encoding="utf-8"))
    return template.render(
        style=Markup((folder / "report.css").read_text(encoding="utf-8")),
        response=clean(report.result.response),
        headlines=[clean(line) for line in report.headlines],
        sentences=report.sentences,
        classes=CLASSES,
        sections=[_section(section, figures) for section in report.sections],
        figures={name: Markup(svg) for name, svg in figures.items()},
        provenance=report.provenance,
        file_names=file_names,
    )


def _section(section: Section, figures: Mapping[str, str]) -> dict[str, Any]:
    blocks = [_block(block) for block in section.blocks if not isinstance(block, Figure) or block.name in figures]
    return {"number": section.number, "title": section.title, "reading": section.reading, "blocks": blocks}


def _block(block: Text | Verbatim | Table | Figure) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"kind": "text", "text": block.text, "warning": block.warning}
    if isinstance(block, Verbatim):
        return {"kind": "verbatim", "text": block.text}
    if isinstance(block, Figure):
        return {"kind": "figure", "name": block.name, "caption": block.caption}
    columns, rows = block.layout(MAX_ROWS)
    return {
        "kind": "table",
        "caption": block.caption,
        "columns": columns,
        "rows": rows,
        "more": max(0, len(block.frame) - MAX_ROWS),
        "file": block.file,
    }
