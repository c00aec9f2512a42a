"""The figure of cost: the response against the time of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnae.analysis.report.figures.style import ACCENT, FAINT, GREY, WIDTH, label
from attnae.analysis.report.sentences.cost import combination
from attnae.analysis.result import StudyResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Times that differ by more are drawn on a logarithmic axis.
LOG_FROM = 5.0
MAX_NAMED = 12


def cost_figure(result: StudyResult) -> Figure | None:
    """One point per combination, those that no other one beats on both joined, numbered and named; None without times
    or with a single combination."""
    cells = None if result.cost is None else result.cost.cells
    if cells is None or len(cells) < 2:
        return None
    from matplotlib.figure import Figure

    front = cells[cells.number > 0].sort_values("number")
    others = cells[cells.number == 0]
    names = [
        f"{row['number']}  {label(combination(row, cells.attrs['factors']), 90)}"
        for row in front.head(MAX_NAMED).to_dict("records")
    ]
    figure = Figure(figsize=(WIDTH, 3.1 + 0.17 * len(names)))
    axes = figure.add_subplot()
    axes.plot(others.seconds, others["mean"], "o", color=GREY, markersize=5, fillstyle="none")
    axes.plot(front.seconds, front["mean"], "D-", color=ACCENT, markersize=6, linewidth=1)
    for row in front.itertuples():
        axes.annotate(str(row.number), (row.seconds, row.mean), (6, 5), textcoords="offset points", color=ACCENT)
    if cells.seconds.max() > LOG_FROM * cells.seconds.min():
        axes.set_xscale("log")
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_xlabel("seconds per run")
    better = "lower" if result.reading.goal == "min" else "higher"
    axes.set_ylabel(f"{'log ' if result.reading.log else ''}{label(result.response)} ({better} is better)")
    figure.supxlabel("\n".join(names), x=0.02, ha="left", fontsize=7.5)
    return figure
