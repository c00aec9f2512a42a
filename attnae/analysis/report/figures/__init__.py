"""The figures of the report, as SVG text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from attnae.analysis.report.figures import descriptions as about
from attnae.analysis.report.figures.checks import box_cox_figure, half_normal_figure, residuals_figure
from attnae.analysis.report.figures.cost import cost_figure
from attnae.analysis.report.figures.curves import cell_curves_figure, level_curves_figure
from attnae.analysis.report.figures.forest import forest_figure
from attnae.analysis.report.figures.means import interactions_figure, marginal_means_figure
from attnae.analysis.report.figures.searches import MAX_CURVES, curve_figure, pair_figure, trials_figure
from attnae.analysis.report.figures.style import figure_style, to_svg
from attnae.analysis.result import StudyResult
from attnae.analysis.search.result import SearchResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# How a figure is drawn from the result (None where it does not apply), and its text alternative.
FigureEntry = tuple[Callable[[Any], "Figure | None"], Callable[[Any], str]]

FIGURES: dict[str, FigureEntry] = {
    "forest": (forest_figure, about.describe_forest),
    "interactions": (interactions_figure, about.describe_interactions),
    "half_normal": (half_normal_figure, about.describe_half_normal),
    "marginal_means": (marginal_means_figure, about.describe_means),
    "learning_curves": (level_curves_figure, about.describe_level_curves),
    "cell_curves": (cell_curves_figure, about.describe_cell_curves),
    "cost": (cost_figure, about.describe_cost),
    "residuals": (residuals_figure, about.describe_residuals),
    "box_cox": (box_cox_figure, about.describe_box_cox),
}

SEARCH_FIGURES: dict[str, FigureEntry] = {
    **{
        f"setting_{place + 1}": (partial(curve_figure, place=place), partial(about.describe_curve, place=place))
        for place in range(MAX_CURVES)
    },
    "pair": (pair_figure, about.describe_pair),
    "trials": (trials_figure, about.describe_trials),
}


def draw_figures(result: StudyResult | SearchResult, figures: Mapping[str, FigureEntry] = FIGURES) -> dict[str, str]:
    """SVG text by name, without the figures that do not apply to this result."""
    with figure_style():
        drawn = {name: (draw(result), describe) for name, (draw, describe) in figures.items()}
        return {
            name: to_svg(figure, name, describe(result))
            for name, (figure, describe) in drawn.items()
            if figure is not None
        }
