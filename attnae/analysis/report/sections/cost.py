"""What the choices cost in time."""

from __future__ import annotations

from attnae.analysis.report.blocks import Blocks, Figure, Table, Text
from attnae.analysis.report.columns import EXTRA, Column, Columns
from attnae.analysis.report.report import StudyReport
from attnae.analysis.report.sections.checks import setting_columns
from attnae.analysis.report.sentences.cost import NO_TIMES, cost_sentences
from attnae.text import counted, listed

REMEDY = "To compare times, train all combinations on one machine without other work, and mix their order"


def cost(report: StudyReport) -> Blocks:
    """Times of the levels, the combinations that no other one beats on both, or why there are none."""
    found = report.result.cost
    if found is None:
        return [Text(f"Nothing is known about time, because {NO_TIMES}.")]
    blocks: Blocks = []
    if found.reason:
        blocks.append(Text(f"Which choices cost time cannot be said, because {found.reason}. {REMEDY}."))
    blocks += [Text(f"{sentence}.") for sentence in cost_sentences(report.result)]
    if found.effects is not None and found.apart:
        blocks.append(
            Text(
                f"Nothing is said about the time of {listed(found.apart)}: its levels ran one after the other. "
                f"{REMEDY}."
            )
        )
    if found.at_once > 1:
        blocks.append(Text(f"Up to {counted(found.at_once, 'run')} were under way at the same time."))
    if found.effects is not None:
        shown: Columns = (
            "factor",
            "level",
            "versus",
            Column("ratio", "ratio of times", "number"),
            Column("ci_low", "from", "number"),
            Column("ci_high", "to", "number"),
            "p_holm",
        )
        blocks.append(
            Table("Time of a level over that of another; the intervals are without correction", found.effects, shown)
        )
    if found.cells is None or len(found.cells) < 2:
        return blocks
    blocks.append(
        Figure(
            "cost",
            "Means of each combination. Numbered and joined: no other combination is both as fast and as good. "
            "The means have noise, so that neighbours of the line may belong to it.",
        )
    )
    named, frame = setting_columns(found.cells)
    frame = frame.assign(number=[str(number) if number else "" for number in frame["number"]])
    columns: Columns = (
        *named,
        Column("number", "number in the figure"),
        "n",
        Column("seconds", "seconds per run", "number"),
        Column("seconds_per_epoch", "per epoch", "number", EXTRA),
        "mean",
    )
    blocks.append(Table("Combinations, fastest first", frame, columns))
    return blocks
