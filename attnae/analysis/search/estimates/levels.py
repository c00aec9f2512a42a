"""The levels of a setting: which is best, and which are worse, on the scale of the scores."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from attnae.analysis.inference.distributions import t_sf
from attnae.analysis.inference.families import holm
from attnae.analysis.search.model.partial import Partial
from attnae.analysis.search.model.settings import RARE, Setting


@dataclass(frozen=True)
class Levels:
    """The levels of one setting; all (levels,), in the order of `Setting.levels`.

    Attributes:
        fitted: adjusted means of z relative to the mean of the runs; NaN if it cannot be estimated.
        best: index of the best level; levels that were pooled are never best.
        p_holm: of the difference from the best level, adjusted over all pairs of levels; NaN for the best and for
            pooled ones.
    """

    fitted: np.ndarray
    best: int
    p_holm: np.ndarray


def compare_levels(setting: Setting, z: np.ndarray, nuisance: np.ndarray) -> Levels | None:
    """Least squares of z on the nuisance and the levels; None if no level can be estimated.

    Args:
        z: (n,) scores, lower is better.
        nuisance: (n, rank) orthonormal basis.
    """
    fit = Partial(nuisance, setting.columns).least_squares(z)
    if fit is None:
        return None
    rows = setting.level_rows()
    fitted, _ = fit.contrast(rows)
    named = [i for i, level in enumerate(setting.levels) if level != RARE and np.isfinite(fitted[i])]
    if not named:
        return None
    best = min(named, key=lambda i: fitted[i])
    pairs = list(combinations(named, 2))
    p_holm = np.full(len(rows), np.nan)
    if pairs:
        estimates, errors = fit.contrast(np.array([rows[a] - rows[b] for a, b in pairs]))
        with np.errstate(divide="ignore", invalid="ignore"):
            p = np.where(errors > 0, 2 * t_sf(np.abs(estimates) / errors, fit.df), np.nan)
        for (a, b), adjusted in zip(pairs, holm(p), strict=True):
            if best in (a, b):
                p_holm[b if a == best else a] = adjusted
    return Levels(fitted, best, p_holm)
