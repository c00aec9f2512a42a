"""Figures of learning curves: the mean of each level, and the runs of each combination."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnae.analysis.design.factors import Factor
from attnae.analysis.estimates.learning import LearningCurves
from attnae.analysis.report.figures.means import MARKERS, MAX_LINES, MAX_PANELS, panels
from attnae.analysis.report.figures.style import ACCENT, FAINT, LINES, MAX_LEVEL, label
from attnae.analysis.result import StudyResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Levels differ in their markers as well, so that the figure can be read in grey. One point in eight has a marker.
EVERY = 8


def level_curves_figure(result: StudyResult) -> Figure | None:
    """One panel per categorical factor; None without curves."""
    curves = result.curves
    if curves is None:
        return None
    factors = [factor for factor in result.factors if factor.kind != "continuous"][:MAX_PANELS]
    figure, grid = panels(len(factors), share_y=True)
    for axes, factor in zip(grid, factors, strict=True):
        _levels(axes, factor, curves)
    late = curves.means[curves.means.step >= _start(curves.means.step.unique())]
    ends = [late[end].fillna(late["mean"]).to_numpy() for end in ("ci_low", "ci_high")]
    grid[0].set_ylim(*_range(*ends))
    figure.supxlabel("step", fontsize=9)
    figure.supylabel(label(curves.tags[0]), fontsize=9)
    return figure


def _levels(axes: Axes, factor: Factor, curves: LearningCurves) -> None:
    table = curves.means[curves.means.factor == factor.name]
    for place, level in enumerate(factor.labels[:MAX_LINES]):
        colour = LINES[place % len(LINES)]
        for tag in curves.tags:
            rows = table[(table.level == level) & (table.tag == tag)]
            if tag == curves.tags[0]:
                axes.plot(
                    rows.step,
                    rows["mean"],
                    color=colour,
                    linewidth=1.5,
                    label=label(level, MAX_LEVEL),
                    marker=MARKERS[place % len(MARKERS)],
                    markersize=4,
                    markevery=(place, EVERY),
                )
                axes.fill_between(rows.step, rows.ci_low, rows.ci_high, color=colour, alpha=0.15, linewidth=0)
            else:
                axes.plot(rows.step, rows["mean"], color=colour, linewidth=0.9, linestyle="--")
        for run in curves.stopped:
            if run.levels[factor.name] == level:
                known = np.isfinite(run.series.values)
                steps, values = run.series.steps[known], run.series.values[known]
                axes.plot(steps, values, color=colour, linewidth=0.8, linestyle=":")
                axes.plot(steps[-1:], values[-1:], "x", color=colour, markersize=5)
    axes.set_title(label(factor.name))
    axes.legend(fontsize=7, handlelength=1.6)
    axes.grid(axis="y", color=FAINT, linewidth=0.5)


def cell_curves_figure(result: StudyResult) -> Figure | None:
    """One panel per combination of levels, with a line for each run; None without curves or above 12 combinations."""
    curves, design = result.curves, result.design
    cells, first = np.unique(design.cells, return_index=True)
    if curves is None or len(cells) > MAX_PANELS:
        return None
    figure, grid = panels(len(cells), share_y=True)
    for axes, cell, run in zip(grid, cells, first, strict=True):
        own = curves.values[design.cells == cell]
        axes.plot(curves.steps, own.T, color=ACCENT, linewidth=0.7, alpha=0.5)
        axes.plot(curves.steps, own.mean(axis=0), color=ACCENT, linewidth=1.8)
        named = zip(design.factors, design.codes[run], strict=True)
        axes.set_title(
            "\n".join(f"{label(factor.name)}={label(factor.labels[code])}" for factor, code in named), fontsize=7
        )
        axes.grid(axis="y", color=FAINT, linewidth=0.5)
    late = curves.values[:, curves.steps >= _start(curves.steps)]
    grid[0].set_ylim(*_range(late, late))
    figure.supxlabel("step", fontsize=9)
    figure.supylabel(label(curves.tags[0]), fontsize=9)
    return figure


def _start(steps: np.ndarray) -> float:
    """From where on the axis shows all points: the first fifth of a training would hide the differences at its end."""
    return float(steps.min() + (steps.max() - steps.min()) / 5)


def _range(low: np.ndarray, high: np.ndarray) -> tuple[float, float]:
    """Limits of the axis with a margin of 4%."""
    bottom, top = float(np.min(low)), float(np.max(high))
    margin = 0.04 * (top - bottom) or 1.0
    return bottom - margin, top + margin
