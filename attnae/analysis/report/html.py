"""The report as one HTML page without scripts and requests; every name from the logs is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import zip_longest
from typing import Any

from attnae.analysis.report.blocks import Block, Figure, Text, Verbatim
from attnae.analysis.report.contents import contents_of
from attnae.analysis.report.report import AnyReport
from attnae.analysis.report.sections import write_sections
from attnae.analysis.report.tones import OPEN, TONES, tone_css
from attnae.text import clean

MAX_ROWS = 200


def render_html(report: AnyReport, figures: Mapping[str, str], file_names: list[str]) -> str:
    """The text of the page.

    Args:
        figures: SVG text by name, from `figures.draw_figures`.
        file_names: paths of the other files of the report, relative to the page.
    """
    contents = contents_of(report)
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    folder = files("attnae.analysis.report")
    template = environment.from_string((folder / "report.html.jinja").read_text(encoding="utf-8"))
    return template.render(
        style=Markup((folder / "report.css").read_text(encoding="utf-8") + tone_css()),
        response=clean(report.result.response),
        headlines=[clean(line) for line in report.headlines],
        kicker=contents.kicker,
        sentences=list(zip_longest(report.sentences, contents.beside(report), fillvalue="")),
        below=_blocks(contents.below(report), figures),
        # Verdicts are the only words that become classes; names from logs never do.
        classes={verdict: tone.name for verdict, tone in TONES.items()},
        no_verdict=OPEN.name,
        sections=[
            (section, _blocks(section.blocks, figures)) for section in write_sections(report, contents.sections())
        ],
        figures={name: Markup(svg) for name, svg in figures.items()},
        provenance=report.provenance,
        file_names=file_names,
    )


def _blocks(blocks: Sequence[Block], figures: Mapping[str, str]) -> list[dict[str, Any]]:
    return [_block(block) for block in blocks if not isinstance(block, Figure) or block.name in figures]


def _block(block: Block) -> dict[str, Any]:
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
