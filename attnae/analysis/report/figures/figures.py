"""Estimates -> figures, as SVG text by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from attnae.analysis.report.figures.checks import box_cox_figure, half_normal_figure, residuals_figure
from attnae.analysis.report.figures.means import interactions_figure, marginal_means_figure
from attnae.analysis.report.figures.style import (
    FAINT,
    GREY,
    MAX_LEVEL,
    VERDICT_COLOURS,
    WIDTH,
    figure_style,
    label,
    to_svg,
)
from attnae.analysis.result import StudyResult
from attnae.text import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_ROWS = 60

DESCRIPTIONS = {
    "forest": "Forest plot: effects with unadjusted intervals, coloured by verdict",
    "interactions": "Interaction plots: means at each pair of levels",
    "half_normal": "Half-normal plot of the contrasts, with Lenth's margins of error",
    "marginal_means": "Marginal means of each factor, with intervals",
    "residuals": "Residuals against fitted values and against normal quantiles",
    "box_cox": "Box-Cox profile likelihood",
}


def draw_figures(result: StudyResult) -> dict[str, str]:
    """SVG text by name; figures that do not apply are not there."""
    drawings: dict[str, Callable[[StudyResult], Figure | None]] = {
        "forest": forest_figure,
        "interactions": interactions_figure,
        "half_normal": half_normal_figure,
        "marginal_means": marginal_means_figure,
        "residuals": residuals_figure,
        "box_cox": box_cox_figure,
    }
    found = {}
    with figure_style():
        for name, draw in drawings.items():
            figure = draw(result)
            if figure is not None:
                found[name] = to_svg(figure, name, DESCRIPTIONS[name])
    return found


def forest_figure(result: StudyResult) -> Figure | None:
    """One row an effect: estimate, unadjusted interval, verdict."""
    from matplotlib.figure import Figure

    rows = result.effects[np.isfinite(result.effects.estimate)].head(MAX_ROWS)
    if rows.empty:
        return None
    figure = Figure(figsize=(WIDTH, 0.9 + 0.3 * len(rows)))
    axes = figure.add_subplot()
    axes.axvline(0, color=GREY, linewidth=0.8)
    for place, row in enumerate(rows.itertuples()):
        colour = VERDICT_COLOURS.get(str(row.verdict), GREY)
        if np.isfinite(row.ci_low):
            axes.plot([row.ci_low, row.ci_high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
        axes.plot(row.estimate, place, "o", color=colour, markersize=6)
        axes.annotate(
            str(row.verdict), (1.02, place), xycoords=("axes fraction", "data"), color=colour, va="center", fontsize=8.5
        )
    axes.set_yticks(range(len(rows)), [_row_name(result, row.factor, row.level) for row in rows.itertuples()])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.tick_params(axis="y", length=0)
    better = "left" if result.reading.goal == "min" else "right"
    name = f"{'log ' if result.reading.log else ''}{label(result.response)}"
    figure.supxlabel(f"change of {name} ({percent(1 - result.reading.alpha)} intervals); better: {better}", fontsize=9)
    axes.spines["left"].set_visible(False)
    return figure


def _row_name(result: StudyResult, factor: str, level: str) -> str:
    kind = next(item.kind for item in result.factors if item.name == factor)
    if kind == "two-level":
        low = next(item.labels[0] for item in result.factors if item.name == factor)
        return f"{label(factor)}: {label(level, MAX_LEVEL)} vs {label(low, MAX_LEVEL)}"
    return f"{label(factor)}: {label(level, MAX_LEVEL)}"
