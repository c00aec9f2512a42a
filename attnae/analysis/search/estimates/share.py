"""How much of the variation a setting explains, and how many runs would show it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import chdtri, chndtr, ncfdtrinc

from attnae.analysis.inference.distributions import root
from attnae.analysis.search.model.partial import Partial

POWER = 0.8
TENTH = 0.1


@dataclass(frozen=True)
class Share:
    """The share of the variance of the scores that a setting explains beside the others.

    Attributes:
        estimate, low, high: between 0 and 1.
        df: degrees of freedom of the setting.
        unexplained: the share that the setting and what it is adjusted for leave, adjusted for their number (1 - R^2).
    """

    estimate: float
    low: float
    high: float
    df: int
    unexplained: float


def share_of(partial: Partial, z: np.ndarray, alpha: float) -> Share | None:
    """The share max(0, SS - df s^2) / (n var z), and its interval from the noncentral F distribution.

    With s^2 the residual variance and lambda the noncentrality at which the observed F has the probability 1 - alpha/2
    (low) or alpha/2 (high), the limits are lambda s^2 / (n var z). If F is below 1, its expectation without any effect,
    the upper limit is that of F = 1: an F that is small by chance would give limits of 0 with any number of runs.
    None without residual degrees of freedom, or if the columns add nothing.
    """
    fit = partial.least_squares(z)
    total = float(((z - z.mean()) ** 2).sum())
    if fit is None or partial.rank == 0 or not total > 0:
        return None
    added = partial.space[:, -partial.rank :].T @ z
    squares, variance = float(added @ added), fit.spread**2
    unexplained = min(1.0, variance * (len(z) - 1) / total)
    if not variance > 1e-12 * total:
        share = min(1.0, squares / total)
        return Share(share, share, share, partial.rank, 0.0)
    f = squares / partial.rank / variance
    low, high = (
        min(1.0, float(ncfdtrinc(partial.rank, fit.df, p, at)) * variance / total)
        for p, at in ((1 - alpha / 2, f), (alpha / 2, max(f, 1.0)))
    )
    estimate = max(0.0, squares - partial.rank * variance) / total
    return Share(estimate, low, max(high, estimate), partial.rank, unexplained)


@dataclass(frozen=True)
class Needs:
    """The smallest share that these runs find with 80% power (NaN if none), and the runs that find other shares.

    `runs_for_this` is that of the estimated share, NaN if it is 0.
    """

    mde_share: float
    runs_for_this: float
    runs_for_tenth: float


def needs_of(share: Share, n: int, family: int, alpha: float) -> Needs:
    """N(s) = lambda80 (1 - R^2) / s, with lambda80 the noncentrality of `noncentrality` at the level alpha / family."""
    required = noncentrality(share.df, alpha / family) * share.unexplained
    detectable = required / n
    this = math.ceil(required / share.estimate) if share.estimate > 0 else math.nan
    return Needs(detectable if detectable <= 1 else math.nan, this, math.ceil(required / TENTH))


@lru_cache(maxsize=1024)
def noncentrality(df: int, level: float) -> float:
    """The noncentrality at which a chi-square test with df degrees of freedom has a power of 80% at the level."""
    critical = float(chdtri(df, level))
    return root(lambda nc: 1 - POWER - float(chndtr(critical, df, nc)), 1e-6, 10 * critical + 100)
