"""Distributions and roots. scipy.stats and scipy.optimize have them too, and take 0.7 s to import.

Numbers and arrays broadcast. All of them are NaN where the degrees of freedom are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

MOST_STEPS = 200  # of `root`, which takes about ten


def t_sf(x: ArrayLike, df: ArrayLike) -> Any:
    """P(T > x) of Student's t; infinite degrees of freedom are the normal distribution."""
    return special.stdtr(df, np.negative(x))


def t_ppf(p: ArrayLike, df: ArrayLike) -> Any:
    """The quantile of Student's t at p in (0, 1)."""
    return special.stdtrit(df, p)


def f_sf(x: ArrayLike, df1: ArrayLike, df2: ArrayLike) -> Any:
    """P(F > x) of Fisher's F, x >= 0."""
    return special.fdtrc(df1, df2, x)


def chi2_ppf(p: ArrayLike, df: ArrayLike) -> Any:
    """The quantile of chi-squared at p."""
    return 2 * special.gammaincinv(np.divide(df, 2), p)


def normal_cdf(x: ArrayLike) -> Any:
    return special.ndtr(x)


def normal_ppf(p: ArrayLike) -> Any:
    return special.ndtri(p)


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where an increasing function is zero, to twelve digits, between a point where it is negative and one where it is
    positive.

    By the Illinois method (Dowell & Jarratt 1971, BIT 11, 168-174).
    """
    below, above = function(low), function(high)
    last, x = math.inf, low
    for _ in range(MOST_STEPS):
        last, x = x, (low * above - high * below) / (above - below)
        if abs(x - last) <= 1e-12 * abs(x):
            break
        if (value := function(x)) < 0:
            above = above / 2 if last == low else above
            low, below = x, value
        else:
            below = below / 2 if last == high else below
            high, above = x, value
    return x
