"""Verdicts, from arrays of estimates and p-values: simulations and reports are judged by the same code."""

from __future__ import annotations

import numpy as np

from attnae.analysis.goal import Goal

HELPS, HURTS, HELPS_HERE, HURTS_HERE = "helps", "hurts", "helps here", "hurts here"
SUGGESTIVE, UNDETERMINED, NEGLIGIBLE = "suggestive", "undetermined", "negligible"
BEST, WORSE, NOT_DISTINGUISHABLE = "best", "worse", "not distinguishable"
MATTERS = "matters"

# With fewer residual degrees of freedom no verdict is given: normality and equal variance cannot be checked at all.
MIN_VERDICT_DF = 3


def effect_verdicts(
    estimate: np.ndarray,
    p_holm: np.ndarray,
    p_holm_here: np.ndarray,
    p_negligible: np.ndarray,
    interval: tuple[np.ndarray, np.ndarray],
    new_seeds: np.ndarray,
    *,
    goal: Goal,
    alpha: float,
) -> np.ndarray:
    """Verdicts on differences of two levels; all arrays of one shape.

    In this order: `helps` or `hurts` if the adjusted p for new seeds is below alpha; `negligible` if that of the two
    one-sided tests is (Schuirmann 1987); `helps here` or `hurts here` if the adjusted p for the seeds of the study is;
    `suggestive` if the unadjusted interval excludes 0; else `undetermined`. Blank where there is no estimate.

    Args:
        p_holm: adjusted p of the scoped inference.
        p_holm_here: adjusted p for the seeds of the study alone.
        p_negligible: adjusted p of |effect| >= the largest negligible effect; NaN if none was given.
        interval: unadjusted interval of the scoped inference.
        new_seeds: whether the scoped inference is about new seeds; without it there is no `helps` or `hurts`.
    """
    better = estimate < 0 if goal == "min" else estimate > 0
    found = (p_holm < alpha) & new_seeds
    here = p_holm_here < alpha
    words = [HELPS, HURTS, NEGLIGIBLE, HELPS_HERE, HURTS_HERE, SUGGESTIVE]
    excludes_zero = (interval[0] > 0) | (interval[1] < 0)
    cases = [found & better, found & ~better, p_negligible < alpha, here & better, here & ~better, excludes_zero]
    return np.where(np.isfinite(estimate), np.select(cases, words, UNDETERMINED), "")


def level_verdicts(means: np.ndarray, differs: np.ndarray, *, goal: Goal) -> np.ndarray:
    """Verdicts on the levels of a many-level factor.

    A level is `worse` if a level with a better mean differs from it; `best` if all others are worse; else `not
    distinguishable`.

    Args:
        means: (levels, ...) marginal means.
        differs: (levels, levels, ...) whether the adjusted p of a pair is below alpha; symmetric.

    Returns:
        (levels, ...) words; blank where there is no mean.
    """
    known = np.isfinite(means)
    oriented = np.where(known, means if goal == "min" else -means, np.inf)
    worse = (differs & (oriented[None] < oriented[:, None])).any(axis=1)
    others_worse = known.sum(axis=0) - 1 == (worse & known).sum(axis=0)
    words = np.select([worse, others_worse & (known.sum(axis=0) > 1)], [WORSE, BEST], NOT_DISTINGUISHABLE)
    return np.where(known, words, "")
