"""The figures of the report, as SVG text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from attnae.analysis.report.figures.checks import box_cox_figure, half_normal_figure, residuals_figure
from attnae.analysis.report.figures.curves import cell_curves_figure, level_curves_figure
from attnae.analysis.report.figures.forest import forest_figure
from attnae.analysis.report.figures.means import interactions_figure, marginal_means_figure
from attnae.analysis.report.figures.searches import MAX_CURVES, curve_figure, pair_figure, trials_figure
from attnae.analysis.report.figures.style import figure_style, to_svg
from attnae.analysis.result import StudyResult
from attnae.analysis.search.result import SearchResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# How a figure is drawn from the result (None where it does not apply), and what it shows.
FigureEntry = tuple[Callable[[Any], "Figure | None"], str]

FIGURES: dict[str, FigureEntry] = {
    "forest": (forest_figure, "Forest plot: effects with intervals without correction, coloured by verdict"),
    "interactions": (interactions_figure, "Interaction plots: means at each pair of levels"),
    "half_normal": (half_normal_figure, "Half-normal plot of the contrasts, with Lenth's margins of error"),
    "marginal_means": (marginal_means_figure, "Marginal means of each factor, with intervals"),
    "learning_curves": (level_curves_figure, "Learning curves: means of each level at each step, with intervals"),
    "cell_curves": (cell_curves_figure, "Learning curves of the runs of each combination of levels"),
    "residuals": (residuals_figure, "Residuals against fitted values and against normal quantiles"),
    "box_cox": (box_cox_figure, "Box-Cox profile likelihood"),
}

SEARCH_FIGURES: dict[str, FigureEntry] = {
    **{
        f"setting_{place + 1}": (partial(curve_figure, place=place), "Response over the values of a setting")
        for place in range(MAX_CURVES)
    },
    "pair": (pair_figure, "The runs over two settings, coloured from the best to the worst"),
    "trials": (trials_figure, "The response in the order of the runs"),
}


def draw_figures(result: StudyResult | SearchResult, figures: Mapping[str, FigureEntry] = FIGURES) -> dict[str, str]:
    """SVG text by name, without the figures that do not apply to this result."""
    with figure_style():
        drawn = {name: (draw(result), description) for name, (draw, description) in figures.items()}
        return {
            name: to_svg(figure, name, description)
            for name, (figure, description) in drawn.items()
            if figure is not None
        }
