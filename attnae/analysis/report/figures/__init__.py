"""The figures of the report, as SVG text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attnae.analysis.report.figures.checks import box_cox_figure, half_normal_figure, residuals_figure
from attnae.analysis.report.figures.forest import forest_figure
from attnae.analysis.report.figures.means import interactions_figure, marginal_means_figure
from attnae.analysis.report.figures.style import figure_style, to_svg
from attnae.analysis.result import StudyResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# By name: how a figure is drawn (None where it does not apply to the study), and what it shows.
FIGURES: dict[str, tuple[Callable[[StudyResult], Figure | None], str]] = {
    "forest": (forest_figure, "Forest plot: effects with intervals without correction, coloured by verdict"),
    "interactions": (interactions_figure, "Interaction plots: means at each pair of levels"),
    "half_normal": (half_normal_figure, "Half-normal plot of the contrasts, with Lenth's margins of error"),
    "marginal_means": (marginal_means_figure, "Marginal means of each factor, with intervals"),
    "residuals": (residuals_figure, "Residuals against fitted values and against normal quantiles"),
    "box_cox": (box_cox_figure, "Box-Cox profile likelihood"),
}


def draw_figures(result: StudyResult) -> dict[str, str]:
    """SVG text by name, without the figures that do not apply to this study."""
    with figure_style():
        drawn = {name: (draw(result), description) for name, (draw, description) in FIGURES.items()}
        return {
            name: to_svg(figure, name, description)
            for name, (figure, description) in drawn.items()
            if figure is not None
        }
