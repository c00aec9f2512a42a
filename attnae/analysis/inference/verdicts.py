"""Verdicts, from arrays of estimates and p-values: simulations and reports are judged by the same code."""

from __future__ import annotations

import numpy as np

from attnae.analysis.goal import Goal

HELPS, HURTS, SUGGESTIVE, UNDETERMINED, NEGLIGIBLE = (
    "helps",
    "hurts",
    "suggestive",
    "undetermined",
    "negligible",
)
BEST, TIED, WORSE = "best", "tied", "worse"


def effect_verdicts(
    estimate: np.ndarray,
    p_holm: np.ndarray,
    interval: tuple[np.ndarray, np.ndarray],
    narrow_interval: tuple[np.ndarray, np.ndarray],
    *,
    goal: Goal,
    alpha: float,
    negligible: float | None = None,
) -> np.ndarray:
    """Verdicts on differences of two levels; all arrays of one shape.

    `helps` or `hurts` if and only if Holm's p is below alpha; else `negligible` if the narrow (90%) interval
    lies within +-negligible (two one-sided tests, Schuirmann 1987); else `suggestive` if the unadjusted
    interval excludes 0; else `undetermined`. Blank where there is no estimate.
    """
    better = estimate < 0 if goal == "min" else estimate > 0
    small = np.zeros(np.shape(estimate), dtype=bool)
    if negligible is not None:
        small = (narrow_interval[0] > -negligible) & (narrow_interval[1] < negligible)
    significant = p_holm < alpha
    words = [HELPS, HURTS, NEGLIGIBLE, SUGGESTIVE]
    cases = [significant & better, significant & ~better, small, (interval[0] > 0) | (interval[1] < 0)]
    return np.where(np.isfinite(estimate), np.select(cases, words, UNDETERMINED), "")


def level_verdicts(
    means: np.ndarray, pairwise_p: np.ndarray, distinct: np.ndarray, *, goal: Goal, alpha: float
) -> np.ndarray:
    """Verdicts on the levels of a many-level factor.

    The level with the best mean is the reference: a level is `worse` if it differs from the reference by the
    pairwise Holm test, else `tied`; the reference is `best` if all others are worse, else tied with them.

    Args:
        means: (levels, ...) marginal means.
        pairwise_p: (levels, levels, ...) Holm-adjusted p of pairs, symmetric; the diagonal is not read.
        distinct: (...) whether any of the factor's rows in the family of main effects has Holm p below alpha.
            Without it no two levels are called different, which limits false verdicts in the whole study
            to a share of alpha.

    Returns:
        (levels, ...) words; blank where there is no mean.
    """
    known = np.isfinite(means)
    oriented = np.where(known, means if goal == "min" else -means, np.inf)
    reference = oriented.argmin(axis=0)
    to_reference = np.take_along_axis(pairwise_p, reference[None, None], axis=1)[:, 0]
    is_reference = np.arange(len(means)).reshape(-1, *[1] * (means.ndim - 1)) == reference
    worse = (to_reference < alpha) & ~is_reference & distinct
    alone = (worse | is_reference | ~known).all(axis=0) & distinct
    words = np.select([worse, is_reference & alone], [WORSE, BEST], TIED)
    return np.where(known, words, "")
