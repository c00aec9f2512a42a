"""The forest plot: all effects with their intervals, in the colour and shape of their verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnae.analysis.design.factors import Factor
from attnae.analysis.report.figures.style import FAINT, GREY, MAX_LEVEL, WIDTH, label
from attnae.analysis.report.tones import OPEN, TONES
from attnae.analysis.result import StudyResult
from attnae.text import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_ROWS = 60


def forest_figure(result: StudyResult) -> Figure | None:
    """One row per effect: estimate, interval without correction, verdict; the first 60 rows. None without estimates."""
    from matplotlib.figure import Figure

    effects = result.shown_effects
    rows = effects[np.isfinite(effects.estimate)].head(MAX_ROWS)
    if rows.empty:
        return None
    factors = {factor.name: factor for factor in result.factors}
    figure = Figure(figsize=(WIDTH, 0.9 + 0.3 * len(rows)))
    axes = figure.add_subplot()
    axes.axvline(0, color=GREY, linewidth=0.8)
    for place, row in enumerate(rows.itertuples()):
        tone = TONES.get(str(row.verdict))
        colour = tone.light if tone is not None else GREY
        if np.isfinite(row.ci_low):
            axes.plot([row.ci_low, row.ci_high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
        axes.plot(row.estimate, place, tone.marker if tone is not None else OPEN.marker, color=colour, markersize=6)
        axes.annotate(
            str(row.verdict), (1.02, place), xycoords=("axes fraction", "data"), color=colour, va="center", fontsize=8.5
        )
    axes.set_yticks(range(len(rows)), [_row_name(factors[row.factor], row.level) for row in rows.itertuples()])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.tick_params(axis="y", length=0)
    better = "left" if result.reading.goal == "min" else "right"
    level = percent(1 - result.reading.alpha)
    name = f"{'log ' if result.reading.log else ''}{label(result.response)}"
    figure.supxlabel(f"change of {name} ({level} intervals); {better} is better", fontsize=9)
    axes.spines["left"].set_visible(False)
    return figure


def _row_name(factor: Factor, level: str) -> str:
    if factor.kind == "two-level":
        return f"{label(factor.name)}: {label(level, MAX_LEVEL)} vs {label(factor.labels[0], MAX_LEVEL)}"
    return f"{label(factor.name)}: {label(level, MAX_LEVEL)}"
