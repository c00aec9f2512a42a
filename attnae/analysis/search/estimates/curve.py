"""The curve of a numeric setting: where the response is best, and how certain that is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from attnae.analysis.inference.distributions import t_sf
from attnae.analysis.search.model.partial import Fit, Partial
from attnae.analysis.search.model.regression import TOLERANCE
from attnae.analysis.search.model.settings import Setting
from attnae.analysis.search.result import Step

ENOUGH_RUNS = 40
# The best value is located if its interval is narrower than this share of the tried runs.
LOCATED_SHARE = 0.8
# The interval of the best value is extended to a step that raises n log(RSS0 / RSS1) by more than this, at a rank
# between these. With few runs that is often noise, and a longer interval does no harm; a step is only named if its
# p-value times the number of possible steps is below STEP_ALPHA.
STEP_GAIN = 9.0
STEP_ALPHA = 0.05
STEP_LOW, STEP_HIGH = 0.04, 0.97
RUNS_BEYOND = 1.5
ENDS_ALPHA = 0.05


@dataclass(frozen=True)
class Curve:
    """The curve of a numeric setting over the ranks of its values, on the scale of z, relative to the mean of the runs.

    Attributes:
        u: (points,) ranks.
        fitted, low, high: (points,) with a pointwise interval.
        u_best, u_low, u_high: ranks of the best value and of its interval, the tried range if it is not located.
        located: whether the interval is narrower than 80% of the tried runs.
        step: the jump to which the interval was extended, if there is enough evidence to name it.
        inside: whether both ends of the curve are worse than the best value, which lies between them.
        rise, rise_p: the curve at the rank 0.95 minus at 0.05, and its two-sided p-value.
        at_edge: "low" or "high" if the best value may lie at or beyond that end of the tried range; else empty.
        rough: whether the interval must not be called a 95% interval.
    """

    u: np.ndarray
    fitted: np.ndarray
    low: np.ndarray
    high: np.ndarray
    u_best: float
    u_low: float
    u_high: float
    located: bool
    step: Step | None
    inside: bool
    rise: float
    rise_p: float
    at_edge: str
    rough: bool

    def not_located(self) -> Curve:
        """The curve without a place of its best value."""
        return replace(self, u_low=float(self.u[0]), u_high=float(self.u[-1]), located=False, step=None)


def fit_curve(setting: Setting, z: np.ndarray, nuisance: np.ndarray, alpha: float) -> Curve | None:
    """Least squares of z on the nuisance and the setting's spline; None if the curve cannot be estimated.

    Args:
        z: (n,) scores, lower is better.
        nuisance: (n, rank) orthonormal basis.
    """
    fit = Partial(nuisance, setting.curve_columns).least_squares(z)
    if fit is None:
        return None
    grid = setting.grid
    rows = setting.curve_at(grid)
    fitted, errors = fit.contrast(rows)
    if np.isnan(fitted).any():
        return None
    quantile = fit.quantile(1 - alpha / 2)
    best = int(fitted.argmin())
    differences, spread = fit.contrast(rows - rows[best])
    # The best value itself, and points of equal fit, differ by 0 with an error of 0.
    among = grid[differences <= quantile * spread + 1e-12]
    low, high = float(among.min()), float(among.max())
    jump = find_jump(setting, z, fit, float(grid[best]))
    if jump is not None:
        beyond = RUNS_BEYOND / setting.runs
        low, high = (low, max(high, jump.u + beyond)) if jump.step.above else (min(low, jump.u - beyond), high)
        low, high = max(low, float(grid[0])), min(high, float(grid[-1]))
    located = high - low <= LOCATED_SHARE * float(grid[-1] - grid[0])
    ends = np.array(setting.ends)
    at_ends = setting.curve_at(ends)
    worse, worse_error = fit.contrast(at_ends - rows[best])
    inside = bool(ends[0] < grid[best] < ends[1] and (_one_sided(worse, worse_error, fit.df) < ENDS_ALPHA).all())
    rise, rise_error = (float(value[0]) for value in fit.contrast(at_ends[1:] - at_ends[:1]))
    edges = {"low": low <= grid[0], "high": high >= grid[-1]}
    side = "low" if grid[best] < (grid[0] + grid[-1]) / 2 else "high"
    return Curve(
        u=grid,
        fitted=fitted,
        low=fitted - quantile * errors,
        high=fitted + quantile * errors,
        u_best=float(grid[best]),
        u_low=low if located else float(grid[0]),
        u_high=high if located else float(grid[-1]),
        located=located,
        step=jump.step if jump is not None and jump.p < STEP_ALPHA else None,
        inside=inside,
        rise=rise,
        rise_p=float(2 * t_sf(abs(rise) / rise_error, fit.df)) if rise_error > 0 else np.nan,
        at_edge=side if edges[side] and not inside else "",
        rough=len(z) < ENOUGH_RUNS or jump is not None,
    )


@dataclass(frozen=True)
class Jump:
    """A step beside the curve: where, at which rank, and its p-value times the number of possible steps."""

    step: Step
    u: float
    p: float


def find_jump(setting: Setting, z: np.ndarray, fit: Fit, u_best: float) -> Jump | None:
    """The step beside the curve that explains most, on the far side of which the response is worse.

    A smooth curve places the best value before a cliff, such as the learning rate from which runs diverge, although the
    response is often best at its foot.
    """
    values, ranks = setting.distinct
    cuts = (ranks[1:] + ranks[:-1]) / 2
    numbers = np.flatnonzero((cuts > STEP_LOW) & (cuts < STEP_HIGH))
    rss = float(fit.residuals @ fit.residuals)
    if not len(numbers) or not rss > 1e-12 * float(z @ z) or fit.df < 2:
        return None
    # A step is 1 in the runs above the cut and 0 elsewhere, so that products with it are sums over the last of the runs
    # in the order of their values. The residuals have no part in the space.
    rows = np.flatnonzero(setting.active)
    rows = rows[np.argsort(-setting.u[rows], kind="stable")]
    above_cut = np.searchsorted(-setting.u[rows], -cuts[numbers])
    products = np.cumsum(fit.residuals[rows])[above_cut - 1]
    on_space = np.cumsum(fit.partial.space[rows], axis=0)[above_cut - 1]
    size = above_cut - (on_space**2).sum(axis=1)
    new = size > TOLERANCE * above_cut
    shares = np.where(new, products**2 / np.where(new, size, 1), 0) / rss
    away = np.where(cuts[numbers] > u_best, products > 0, products < 0)
    shares = np.where(away, np.minimum(shares, 1 - 1e-12), 0)
    most = int(shares.argmax())
    if -len(z) * np.log1p(-shares[most]) <= STEP_GAIN:
        return None
    place, above = numbers[most], bool(cuts[numbers[most]] > u_best)
    step = Step(float(values[place] if above else values[place + 1]), above)
    statistic = np.sqrt(shares[most] * (fit.df - 1) / (1 - shares[most]))
    return Jump(step, float(cuts[place]), float(min(1, 2 * t_sf(statistic, fit.df - 1) * len(numbers))))


def _one_sided(estimate: np.ndarray, error: np.ndarray, df: int) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(error > 0, t_sf(estimate / error, df), np.where(estimate > 0, 0.0, 1.0))
