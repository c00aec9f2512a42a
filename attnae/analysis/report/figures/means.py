"""Figures of means: marginal means of each factor, and of pairs of factors."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from attnae.analysis.design.factors import Factor, scaled
from attnae.analysis.inference.contrasts import point_estimates
from attnae.analysis.report.figures.style import ACCENT, FAINT, LINES, MAX_LEVEL, WIDTH, label
from attnae.analysis.result import StudyResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_PANELS = 12
MAX_LINES = 8
COLUMNS = 3
MARKERS = "os^Dv<>P"
# Characters of level names that fit side by side under a panel.
CROWDED = 24


def marginal_means_figure(result: StudyResult) -> Figure | None:
    """One panel per factor: means with intervals, or the fitted curve of a continuous factor."""
    factors = result.factors[:MAX_PANELS]
    figure, grid = panels(len(factors), share_y=True)
    for axes, factor in zip(grid, factors, strict=True):
        axes.set_title(label(factor.name))
        if factor.kind == "continuous":
            _curve(axes, factor, result)
        else:
            _means(axes, factor, result)
        axes.grid(axis="y", color=FAINT, linewidth=0.5)
    _name_response(figure, result)
    return figure


def interactions_figure(result: StudyResult) -> Figure | None:
    """One panel per pair of categorical factors, smallest p-value first; None where M has no such interactions."""
    p = result.anova.set_index("term").p
    pairs = [
        (a, b)
        for a, b in combinations(result.factors, 2)
        if f"{a.name}:{b.name}" in p.index and "continuous" not in (a.kind, b.kind)
    ]
    if not pairs:
        return None
    pairs.sort(key=lambda pair: np.nan_to_num(p[f"{pair[0].name}:{pair[1].name}"], nan=2.0))
    figure, grid = panels(min(len(pairs), MAX_PANELS), share_y=True)
    for axes, (a, b) in zip(grid, pairs, strict=False):
        # The factor of more levels runs along the axis: fewer lines are easier to tell apart.
        across, lines = (a, b) if len(a.levels) >= len(b.levels) else (b, a)
        for j, level in enumerate(lines.labels[:MAX_LINES]):
            rows = [result.design.mean_contrast({across.name: i, lines.name: j}) for i in range(len(across.levels))]
            means = point_estimates(result.design, np.array(rows), result.y)
            colour, marker = LINES[j % len(LINES)], MARKERS[j % len(MARKERS)]
            axes.plot(
                range(len(means)), means, color=colour, marker=marker, markersize=4.5, label=label(level, MAX_LEVEL)
            )
        _levels(axes, across)
        axes.set_xlabel(label(across.name))
        axes.legend(title=label(lines.name), fontsize=7, title_fontsize=7, handlelength=1.4)
        axes.grid(axis="y", color=FAINT, linewidth=0.5)
    _name_response(figure, result)
    return figure


def panels(count: int, *, share_y: bool) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    across = 2 if count == 4 else min(COLUMNS, count)
    down = math.ceil(count / across)
    figure = Figure(figsize=(max(3.4, WIDTH * across / COLUMNS), 0.4 + 2.1 * down))
    grid = figure.subplots(down, across, sharey=share_y, squeeze=False).ravel()
    for axes in grid[count:]:
        axes.set_visible(False)
    return figure, list(grid[:count])


def _means(axes: Axes, factor: Factor, result: StudyResult) -> None:
    rows = result.marginal_means[result.marginal_means.factor == factor.name]
    places = np.arange(len(rows))
    known = np.isfinite(rows.ci_low.to_numpy())
    axes.vlines(places[known], rows.ci_low[known], rows.ci_high[known], color=ACCENT, linewidth=1.8, alpha=0.55)
    axes.plot(places, rows["mean"], "o", color=ACCENT, markersize=5)
    _levels(axes, factor)


def _curve(axes: Axes, factor: Factor, result: StudyResult) -> None:
    rows = np.array([result.design.mean_contrast({factor.name: i}) for i in range(len(factor.levels))])
    means = point_estimates(result.design, rows, result.y)
    axes.plot(scaled(factor.levels, factor.scale), means, color=ACCENT)
    axes.set_xticks([-1, 1], [label(factor.labels[0]), label(factor.labels[-1])])
    axes.set_xlabel(factor.scale, fontsize=7.5)


def _levels(axes: Axes, factor: Factor) -> None:
    names = [label(level, MAX_LEVEL) for level in factor.labels]
    axes.set_xticks(range(len(names)), names, fontsize=8)
    if sum(map(len, names)) > CROWDED:
        axes.tick_params(axis="x", labelrotation=35)
        for tick in axes.get_xticklabels():
            tick.set_horizontalalignment("right")
    axes.set_xlim(-0.4, len(names) - 0.6)


def _name_response(figure: Figure, result: StudyResult) -> None:
    figure.supylabel(f"{'log ' if result.reading.log else ''}{label(result.response)}", fontsize=9, color="#374151")
