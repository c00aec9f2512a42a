"""Learning curves: the marginal mean of each level at each step, at equal budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd

from attnae.analysis.audit.responses import curve_tags
from attnae.analysis.design.factors import level_label
from attnae.analysis.design.model import Design
from attnae.analysis.estimates.means import marginal_means_table
from attnae.reading.run import DIVERGED, FAILED, PRUNED, UNFINISHED, Run, Series

# With fewer points there is no curve; more are thinned, because a figure cannot show them.
MIN_STEPS, MAX_STEPS = 3, 40
STOPPED = (DIVERGED, UNFINISHED, FAILED, PRUNED)
COLUMNS = ["tag", "factor", "level", "step", "mean", "ci_low", "ci_high", "n"]


@dataclass(frozen=True)
class Stopped:
    """A run that is in no mean, because it did not finish or diverged.

    Attributes:
        levels: factor -> label of its level.
    """

    name: str
    status: str
    levels: dict[str, str]
    series: Series


@dataclass(frozen=True)
class LearningCurves:
    """The series of the runs of a study, averaged over all choices but one.

    Attributes:
        tags: the series that are shown: that of the response, or its validation twin, then its training twin.
        means: `learning_curves.csv`: tag, factor, level, step, mean, ci_low, ci_high, n. Means are the marginal means
            of model M at this step, with the intervals that they have as responses.
        last_step: the last step that all of these runs reached. Levels are compared up to it.
        longest: the last step that any of them reached.
        steps: (steps,), those of the first tag.
        values: (runs, steps), the series of the first tag, of the runs of the study in the order of its design.
        stopped: the other runs that have this series.
    """

    tags: tuple[str, ...]
    means: pd.DataFrame
    last_step: int
    longest: int
    steps: np.ndarray
    values: np.ndarray
    stopped: tuple[Stopped, ...]


def study_curves(
    design: Design, names: Sequence[str], runs: Sequence[Run], table: pd.DataFrame, response: str, *, alpha: float
) -> LearningCurves | None:
    """The learning curves of a study; None if there are fewer than three steps that all of its runs logged.

    Args:
        design: model M, whose runs have these names.
        runs: all runs that were read.
        table: the audit's table of runs, with a column for each factor and the status.
        response: its tag.
    """
    by_name = {run.name: run for run in runs}
    used = [by_name[name] for name in names]
    tags = [tag for tag in curve_tags(used, response) if all(tag in run.scalars for run in used)]
    shown, tables = [], []
    for tag in tags:
        series = [run.scalars[tag] for run in used]
        if min(len(one.steps) for one in series) < MIN_STEPS:
            continue
        steps, values = _table(series)
        if len(steps) < MIN_STEPS:
            continue
        # Marginal means are linear in the responses, so those of each step are computed like those of the end.
        means = [
            marginal_means_table(design, y, alpha=alpha).assign(tag=tag, step=int(step))
            for step, y in zip(steps, values.T, strict=True)
        ]
        tables.append(pd.concat(means, ignore_index=True)[COLUMNS])
        shown.append((tag, steps, values))
    if not shown or tables[0].empty:
        return None
    tag, steps, values = shown[0]
    ends = [int(run.scalars[tag].steps[-1]) for run in used]
    rest = table[table["status"].isin(STOPPED)]
    stopped = tuple(
        Stopped(
            str(row["run"]),
            str(row["status"]),
            {factor.name: level_label(row[factor.name]) for factor in design.factors},
            by_name[str(row["run"])].scalars[tag],
        )
        for _, row in rest.iterrows()
        if tag in by_name[str(row["run"])].scalars
    )
    return LearningCurves(
        tuple(tag for tag, _, _ in shown),
        pd.concat(tables, ignore_index=True),
        min(ends),
        max(ends),
        steps,
        values,
        stopped,
    )


def _table(series: Sequence[Series]) -> tuple[np.ndarray, np.ndarray]:
    """(steps,) and (runs, steps): the values at the steps that all series have, without those where one is not finite.

    At most MAX_STEPS of them, always with the last one.
    """
    steps = reduce(np.intersect1d, (one.steps for one in series))
    values = np.array([one.values[np.searchsorted(one.steps, steps)] for one in series])
    kept = np.flatnonzero(np.isfinite(values).all(axis=0))
    if len(kept) > MAX_STEPS:
        kept = kept[np.unique(np.linspace(0, len(kept) - 1, MAX_STEPS).round().astype(int))]
    return steps[kept], values[:, kept]
