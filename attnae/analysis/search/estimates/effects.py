"""Effects in units of the response, among finished runs, by Huber's M-estimates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attnae.analysis.search.estimates.curve import Curve
from attnae.analysis.search.estimates.levels import Levels
from attnae.analysis.search.model.partial import Fit, Partial
from attnae.analysis.search.model.regression import orthonormal
from attnae.analysis.search.model.settings import Setting

# An effect needs this number of finished configurations more than the model has parameters.
SPARE_RUNS = 3

Interval = tuple[float, float, float]
UNKNOWN: Interval = (np.nan, np.nan, np.nan)


@dataclass(frozen=True)
class Effect:
    """The effect of one setting on the response, in its units and with its sign; NaN where it cannot be estimated.

    Attributes:
        effect: estimate, ci_low, ci_high. Numeric: the curve at the rank 0.95 minus at 0.05 of the tried values. Two
            levels: high minus low. Words: the best level minus the mean of the runs.
        low_end, high_end: the curve at these ranks minus at the best value.
        means: (levels,) adjusted means.
        differences: (levels, 3) each level minus the best one, with its interval.
    """

    effect: Interval = UNKNOWN
    low_end: float = np.nan
    high_end: float = np.nan
    means: np.ndarray | None = None
    differences: np.ndarray | None = None


def fit_effect(
    setting: Setting,
    response: np.ndarray,
    complete: np.ndarray,
    nuisance: np.ndarray,
    shape: Curve | Levels,
    alpha: float,
) -> Effect:
    """The effect of a setting among the configurations whose response can be compared in its own units.

    Args:
        response: (n,), not oriented: large values may be better.
        complete: (n,) which configurations are used; the others diverged or were stopped.
        nuisance: (n, rank) orthonormal basis of what the setting is adjusted for.
        shape: where the best value or level is.
    """
    nuisance = nuisance if complete.all() else orthonormal(nuisance[complete])
    partial = Partial(nuisance, setting.curve_columns[complete])
    if partial.df < SPARE_RUNS or (fit := partial.huber(response[complete])) is None:
        return Effect()
    if isinstance(shape, Curve):
        ends = setting.curve_at(np.array(setting.ends))
        best = setting.curve_at(np.array([shape.u_best]))
        (low_end, high_end), _ = fit.contrast(ends - best)
        return Effect(_interval(fit, ends[1] - ends[0], alpha), float(low_end), float(high_end))
    rows = setting.level_rows()
    among = setting.columns[complete & setting.active]
    centre = among.mean(axis=0)
    # Nothing is known about a level at which all runs diverged.
    here = np.array([bool((setting.codes[complete] == i).any()) for i in range(len(rows))])
    overall = float((response[complete] - fit.residuals)[setting.active[complete]].mean()) if len(among) else np.nan
    means = np.where(here, overall + fit.contrast(rows - centre)[0], np.nan)
    differences = np.array([_interval(fit, row - rows[shape.best], alpha) for row in rows])
    differences[~here] = np.nan
    differences[shape.best] = [0.0, np.nan, np.nan]
    if not here[shape.best]:
        differences[:] = np.nan
    if setting.kind == "two-level":
        effect = _interval(fit, rows[1] - rows[0], alpha) if here.all() else UNKNOWN
    else:
        effect = _interval(fit, rows[shape.best] - centre, alpha) if here[shape.best] else UNKNOWN
    return Effect(effect, means=means, differences=differences)


def _interval(fit: Fit, weights: np.ndarray, alpha: float) -> Interval:
    estimate, error = (float(value[0]) for value in fit.contrast(weights[None]))
    margin = fit.quantile(1 - alpha / 2) * error
    return estimate, estimate - margin, estimate + margin
