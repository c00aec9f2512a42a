"""Degrees of freedom of HC2 variances where the levels of a factor differ in spread.

The variance V of a contrast is a sum over runs, and so the sum of parts V_g, one for each level g of a factor. Then
df = V^2 / sum_gh V_g V_h c_gh, where c_gh is half of the relative covariance of two parts if errors are equal within a
level. For two groups this is Welch's (1947) t test. If the parts are as large as under equal errors everywhere, it is
the df of Bell & McCaffrey. For the means of more groups it would be that of Brunner, Dette & Munk (1997), which is too
large with few runs a level: V_g^1.5 then takes the place of V_g.
"""

from __future__ import annotations

import numpy as np

from attnae.analysis.design.model import Design
from attnae.analysis.inference.clusters import members

# Levels of factors with more of them have too few runs each to show their spread.
MAX_LEVELS = 10
# The power to which the parts are raised where there are more than two. Where few runs show a spread, a variance that
# comes out too small comes with degrees of freedom that are too large; the largest part counts for more than its
# share, so that they are not. docs/statistics.md has the error rates with and without it.
CAUTION = 1.5
# Up to this number of rows, all pairs of them are faster than matrices of the size of the model.
DENSE_ROWS = 4000
# For each factor the rows of each level, and (contrasts, levels, levels) the relative covariances.
LevelMoments = list[tuple[list[np.ndarray], np.ndarray]]


def level_moments(design: Design, loadings: np.ndarray) -> LevelMoments:
    """What the design fixes of the degrees of freedom by level, for each factor of up to ten levels.

    Args:
        loadings: (contrasts, rows), V = sum over the runs of (loadings * residuals)**2.
    """
    codes = np.empty((len(design.rows), len(design.factors)), dtype=design.codes.dtype)
    codes[design.row_of] = design.codes
    counts, leverage, squared = design.counts, design.leverage, loadings**2
    # With R = I - B B', half of cov(V_g, V_h) is the sum of q_i q_j R_ij^2 over the runs i of g and j of h.
    found = []
    for column, factor in enumerate(design.factors):
        if factor.kind == "continuous" or len(factor.levels) > MAX_LEVELS:
            continue
        levels = members(codes[:, column])
        second = products(design, levels, squared)
        own = [squared[:, rows] ** 2 @ (counts[rows] * (1 - 2 * leverage[rows])) for rows in levels]
        second[:, range(len(levels)), range(len(levels))] += np.stack(own, axis=1)
        mean = np.stack([squared[:, rows] @ (counts[rows] * (1 - leverage[rows])) for rows in levels], axis=1)
        weight = np.where(mean > 0, mean, np.inf)
        found.append((levels, second / weight[:, :, None] / weight[:, None, :]))
    return found


def products(design: Design, groups: list[np.ndarray], squared: np.ndarray) -> np.ndarray:
    """(contrasts, groups, groups): the sum of q_i q_j (B B')_ij^2 over the runs i of one group of rows and j of
    another; q_i are (contrasts, rows) `squared`."""
    found = np.empty((len(squared), len(groups), len(groups)))
    weight = squared * design.counts
    if len(design.rows) <= DENSE_ROWS:
        for place, own in enumerate(groups):
            through = weight[:, own] @ design.squared_hat[own] * weight
            found[:, place] = np.stack([through[:, its].sum(axis=1) for its in groups], axis=1)
        return found
    for number, q in enumerate(weight):
        # The same sum is the inner product of B' Q B of both groups.
        scaled = np.sqrt(q)[:, None] * design.basis
        grams = np.stack([(scaled[own].T @ scaled[own]).ravel() for own in groups])
        found[number] = grams @ grams.T
    return found


def level_df(moments: LevelMoments, loadings: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """(contrasts, ...) the smallest degrees of freedom over the factors; infinite without such a factor, or if V is 0.

    Args:
        sums: (rows, ...) sums of squared residuals over the runs of each row.
    """
    smallest = np.full((len(loadings), *sums.shape[1:]), np.inf)
    squared = loadings**2
    for levels, relative in moments:
        parts = np.stack([squared[:, rows] @ sums[rows] for rows in levels], axis=1)
        parts **= CAUTION if len(levels) > 2 else 1
        spread = np.einsum("kg...,kh...,kgh->k...", parts, parts, relative, optimize=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            smallest = np.fmin(smallest, parts.sum(axis=1) ** 2 / spread)
    return smallest
