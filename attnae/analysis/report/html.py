"""The report as one HTML page without scripts and requests; every name from the logs is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from attnae.analysis.report.blocks import Block, Figure, Text, Verbatim
from attnae.analysis.report.contents import contents_of
from attnae.analysis.report.report import AnyReport
from attnae.analysis.report.sections import write_sections
from attnae.analysis.report.sentences.study import leading_sentences
from attnae.analysis.report.tones import OPEN, TONES, tone_css
from attnae.text import clean

MAX_ROWS, MAX_SENTENCES = 200, 8
# Characters of the warning on the first screen; its section has all of it.
MAX_LIMIT = 400


def render_html(report: AnyReport, figures: Mapping[str, str], file_names: list[str]) -> str:
    """The text of the page.

    Args:
        figures: SVG text by name, from `figures.draw_figures`.
        file_names: paths of the other files of the report, relative to the page.
    """
    contents = contents_of(report)
    leading, others = leading_sentences(report.sentences, MAX_SENTENCES)
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    folder = files("attnae.analysis.report")
    template = environment.from_string((folder / "report.html.jinja").read_text(encoding="utf-8"))
    return template.render(
        style=Markup((folder / "report.css").read_text(encoding="utf-8") + tone_css()),
        overview=report.overview,
        limit=clean(next(iter(report.warnings), ""), MAX_LIMIT),
        kicker=contents.kicker,
        sentences=leading,
        others=others,
        lead=_blocks(contents.lead(report), figures),
        # Verdicts are the only words that become classes; names from logs never do.
        tones=TONES,
        no_verdict=OPEN,
        sections=[
            (section, _blocks(section.blocks, figures), _warnings(section.blocks))
            for section in write_sections(report, contents.sections())
        ],
        figures={name: Markup(svg) for name, svg in figures.items()},
        provenance=report.provenance,
        file_names=file_names,
    )


def _warnings(blocks: Sequence[Block]) -> int:
    return sum(isinstance(block, Text) and block.warning for block in blocks)


def _blocks(blocks: Sequence[Block], figures: Mapping[str, str]) -> list[dict[str, Any]]:
    return [_block(block) for block in blocks if not isinstance(block, Figure) or block.name in figures]


def _block(block: Block) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"kind": "text", "text": block.text, "warning": block.warning}
    if isinstance(block, Verbatim):
        return {"kind": "verbatim", "text": block.text}
    if isinstance(block, Figure):
        return {"kind": "figure", "name": block.name, "caption": block.caption, "small": block.small}
    columns, rows = block.layout(MAX_ROWS)
    return {
        "kind": "table",
        "caption": block.caption,
        "columns": columns,
        "rows": rows,
        "more": max(0, len(block.frame) - MAX_ROWS),
        "file": block.file,
    }
