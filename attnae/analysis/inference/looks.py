"""Tests and intervals for studies that add seeds and look after each one, planned before the first run.

With N seeds at most, the looks come after 3, 4, ..., N seeds. Look k has the weight w_k = (k / N)^2, and the study is
judged by x_n = min over k <= n of p_k / w_k, p_k the p-value of the t test of the first k seeds. Comparing x_n with its
distribution without any effect makes the probability of a false verdict over all looks at most alpha: a group
sequential test (Jennison & Turnbull 2000, chapter 7) whose null distribution is simulated instead of approximated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from attnae.analysis.inference.distributions import t_ppf, t_sf

FIRST_LOOK = 3
NULL_PATHS = 200_000
CHUNK = 10_000
SEED = 20_211_109


@dataclass(frozen=True)
class Replicates:
    """The runs of a study that adds replicates and looks after each one.

    Attributes:
        planned: the largest number of replicates, fixed before the first run.
        of_run: the replicate of each run, from 1, by the run's name. Each replicate holds all cells once.
        negligible: effects on `response` within +- this do not matter, as the plan says; None: it says nothing.
    """

    planned: int
    of_run: Mapping[str, int]
    response: str = ""
    negligible: float | None = None


@dataclass(frozen=True)
class PlannedLook:
    """What a study says at a look; arrays are (effects,) or of the shape of one seed's effects.

    Attributes:
        seeds: the number of seeds so far; planned: the largest number, fixed beforehand.
        estimate: mean over the seeds. If the study stops early because of it, it tends to be too large.
        p: of no effect, valid over all looks up to this one.
        ci_low, ci_high: valid wherever the study stops.
        p_negligible: of |effect| >= the largest negligible effect, valid over all looks; NaN if none was given.
    """

    seeds: int
    planned: int
    estimate: np.ndarray
    p: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    p_negligible: np.ndarray


def planned_look(
    by_seed: np.ndarray, *, planned: int, alpha: float = 0.05, negligible: float | None = None
) -> PlannedLook:
    """The look after the seeds so far.

    Args:
        by_seed: (seeds, ...) the effects estimated from each seed alone, in the order in which the seeds were added;
            each seed holds all cells.
        planned: the largest number of seeds, fixed before the first run.
        alpha: 1 - confidence of the intervals.
        negligible: effects within +- this do not matter.

    Raises:
        ValueError: fewer than three seeds, or more than planned.
    """
    by_seed = np.asarray(by_seed, dtype=float)
    seeds = len(by_seed)
    if not FIRST_LOOK <= seeds <= planned:
        raise ValueError(f"{seeds} seeds: looks come after {FIRST_LOOK} to {planned} seeds")
    mean, error = running_t(by_seed)
    df = np.arange(FIRST_LOOK, seeds + 1).reshape(-1, *[1] * (by_seed.ndim - 1)) - 1.0
    p = 2 * t_sf(_ratio(np.abs(mean), error), df)
    small = np.full(by_seed.shape[1:], np.nan)
    if negligible is not None:
        below = t_sf(_ratio(negligible - mean, error), df)
        above = t_sf(_ratio(mean + negligible, error), df)
        small = np.maximum(*(p_over_looks(side, planned=planned, sides=1) for side in (below, above)))
    critical = float(np.quantile(null_distribution(planned, sides=2), alpha))
    half = t_ppf(1 - critical * weights(planned)[seeds - FIRST_LOOK] / 2, seeds - 1) * error[-1]
    return PlannedLook(
        seeds, planned, mean[-1], p_over_looks(p, planned=planned), mean[-1] - half, mean[-1] + half, small
    )


def weights(planned: int) -> np.ndarray:
    """(looks,) w_k = (k / N)^2 for k = 3 ... N."""
    return (np.arange(FIRST_LOOK, planned + 1) / planned) ** 2


def running_t(by_seed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(looks, ...) mean and its standard error over the first 3, 4, ... seeds; by_seed is (seeds, ...)."""
    count = np.arange(1, len(by_seed) + 1).reshape(-1, *[1] * (by_seed.ndim - 1))
    shifted = by_seed - by_seed.mean(axis=0)
    mean = np.cumsum(shifted, axis=0) / count
    squares = np.cumsum(shifted**2, axis=0) - count * mean**2
    variance = np.maximum(squares[FIRST_LOOK - 1 :], 0) / (count[FIRST_LOOK - 1 :] - 1)
    return mean[FIRST_LOOK - 1 :] + by_seed.mean(axis=0), np.sqrt(variance / count[FIRST_LOOK - 1 :])


@lru_cache(maxsize=32)
def null_distribution(planned: int, *, sides: int) -> np.ndarray:
    """(paths,) sorted x over all looks up to the last, without any effect; the same for the same arguments."""
    rng = np.random.default_rng([SEED, planned, sides])
    df = np.arange(FIRST_LOOK, planned + 1)[:, None] - 1.0
    found = []
    for _ in range(NULL_PATHS // CHUNK):
        mean, error = running_t(rng.standard_normal((planned, CHUNK)))
        t = mean / error
        p = t_sf(t, df) if sides == 1 else 2 * t_sf(np.abs(t), df)
        found.append((p / weights(planned)[:, None]).min(axis=0))
    return np.sort(np.concatenate(found))


def p_over_looks(p: np.ndarray, *, planned: int, sides: int = 2) -> np.ndarray:
    """The p-value over all looks so far, from those of each look, (looks, ...): simulated, or the bound by the sum of
    the weights where it is smaller, far in the tail."""
    weight = weights(planned)
    x = (p / weight[: len(p)].reshape(-1, *[1] * (p.ndim - 1))).min(axis=0)
    null = null_distribution(planned, sides=sides)
    simulated = (1 + np.searchsorted(null, x, side="right")) / (1 + len(null))
    return np.minimum(simulated, x * weight.sum())


def _ratio(difference: np.ndarray, error: np.ndarray) -> np.ndarray:
    """t, where equal effects in all seeds leave no error: 0 / 0 is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((difference == 0) & (error == 0), 0.0, difference / error)
