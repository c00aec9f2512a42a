"""Figures that check: residuals, the half-normal plot, the Box-Cox profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnae.analysis.inference.distributions import chi2_ppf, normal_ppf
from attnae.analysis.report.figures.style import ACCENT, FAINT, GREY, MANY_POINTS, WIDTH, label
from attnae.analysis.report.tones import GOOD, MAYBE
from attnae.analysis.result import StudyResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_NAMES = 8


def half_normal_figure(result: StudyResult) -> Figure | None:
    """Sizes of contrasts against half-normal quantiles, with names above ME; None without Lenth's method."""
    from matplotlib.figure import Figure

    found = result.noise.lenth
    if found is None:
        return None
    table = found.table.sort_values("half_normal")
    size = table.effect.abs()
    figure = Figure(figsize=(WIDTH, 3.6))
    axes = figure.add_subplot()
    top = table.half_normal.max()
    axes.plot([0, top], [0, found.pse * top], color=GREY, linewidth=0.8, linestyle="--")
    for margin, name in ((found.me, "ME"), (found.sme, "SME")):
        axes.axhline(margin, color=FAINT, linewidth=1)
        axes.annotate(name, (0.01, margin), xycoords=("axes fraction", "data"), va="bottom", fontsize=8, color=GREY)
    colours = np.where(table.active_sme, GOOD.light, np.where(table.active, MAYBE.light, GREY))
    axes.scatter(table.half_normal, size, c=colours, s=22, rasterized=len(table) > MANY_POINTS)
    named = table[table.active].tail(MAX_NAMES)
    for row in named.itertuples():
        place = (row.half_normal, abs(row.effect))
        axes.annotate(label(row.contrast), place, (-6, 3), textcoords="offset points", ha="right", fontsize=8)
    axes.set_xlabel("half-normal quantile (dashed line: expected from noise alone)")
    axes.set_ylabel("|effect|")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    return figure


def residuals_figure(result: StudyResult) -> Figure | None:
    """Residuals against fitted values, and against normal quantiles; None where the model leaves none."""
    from matplotlib.figure import Figure

    if not result.model.residual_df:
        return None
    table = result.diagnostics.residuals
    figure = Figure(figsize=(WIDTH, 3.0))
    left, right = figure.subplots(1, 2, sharey=True)
    style = {"s": 16, "color": ACCENT, "alpha": 0.75, "linewidths": 0, "rasterized": len(table) > MANY_POINTS}
    left.axhline(0, color=GREY, linewidth=0.8)
    left.scatter(table.fitted, table.residual, **style)
    left.set_xlabel("fitted")
    left.set_ylabel("residual")
    left.set_title("Against fitted values")
    quartiles = np.percentile(table.residual, [25, 75])
    slope = np.ptp(quartiles) / np.ptp(normal_ppf([0.25, 0.75]))
    ends = np.array([table["quantile"].min(), table["quantile"].max()])
    right.plot(ends, quartiles.mean() + slope * ends, color=GREY, linewidth=0.8)
    right.scatter(table["quantile"], table.residual, **style)
    right.set_xlabel("normal quantile")
    right.set_title("Normal Q-Q")
    largest = result.diagnostics.largest
    if largest is not None and float(largest["p"]) < result.reading.alpha:
        row = table[table.run == largest["run"]].iloc[0]
        left.annotate(label(row.run), (row.fitted, row.residual), (5, 3), textcoords="offset points", fontsize=7.5)
    return figure


def box_cox_figure(result: StudyResult) -> Figure | None:
    """Profile likelihood of the power, with its interval; None where there is no profile."""
    from matplotlib.figure import Figure

    found = result.diagnostics.box_cox
    if found is None:
        return None
    profile = found.profile
    threshold = profile.log_likelihood.max() - chi2_ppf(1 - result.reading.alpha, 1) / 2
    figure = Figure(figsize=(WIDTH, 2.6))
    axes = figure.add_subplot()
    axes.axvspan(found.low, found.high, color=ACCENT, alpha=0.12, linewidth=0)
    axes.axhline(threshold, color=GREY, linewidth=0.8, linestyle="--")
    axes.plot(profile["lambda"], profile.log_likelihood, color=ACCENT)
    for power, name in ((1, "raw"), (0, "log")):
        axes.axvline(power, color=FAINT, linewidth=1)
        axes.annotate(
            name, (power, 0.02), (3, 0), xycoords=("data", "axes fraction"), textcoords="offset points", fontsize=8
        )
    axes.set_xlabel("power λ of the response")
    axes.set_ylabel("log likelihood")
    return figure
