"""The permutation test of one setting, which is exact if its values were drawn independently of everything else."""

from __future__ import annotations

import numpy as np

from attnae.analysis.search.model.regression import added_squares, outside, smallest_p
from attnae.analysis.search.model.settings import Setting

# Values permuted at once: bounds the memory of large searches.
CHUNK = 2_000_000
# With more configurations than this, scores are rotated instead of permuted, which takes no longer for more of them.
MOST_PERMUTED = 1000
# After this number of draws the test stops if the p-value is above the limit.
FIRST_DRAWS, CLEARLY_LARGE = 199, 0.2


def permutation_p(
    setting: Setting, z: np.ndarray, nuisance: np.ndarray, strata: np.ndarray, draws: int, rng: np.random.Generator
) -> float:
    """p = (1 + draws whose statistic is at most the observed one) / (1 + draws); NaN if nothing can be tested.

    The statistic is the smallest p-value of the partial F tests of the first 1, 2, ... d columns of a numeric setting
    given the nuisance, or that of all columns of a setting with levels. A draw permutes the rows of the columns among
    the active configurations of a stratum, and projects them off the nuisance anew. The nuisance never depends on the
    setting, so the test is exact whatever the nuisance is.

    Args:
        z: (n,) scores.
        nuisance: (n, rank) orthonormal basis.
        strata: (n,) index of the stratum.
        draws: number of permutations; 0: the parametric p-value of all columns.
    """
    statistic = Statistic(setting, z, nuisance)
    observed = statistic.observed()
    if np.isnan(observed) or draws == 0:
        return observed
    if len(z) > MOST_PERMUTED:
        rotated = statistic.of_rotations(draws, rng)
        return float(1 + (rotated <= observed * (1 + 1e-9)).sum()) / (1 + draws)
    groups = [np.flatnonzero(setting.active & (strata == stratum)) for stratum in np.unique(strata)]
    groups = [group for group in groups if len(group) > 1]
    extreme = done = 0
    step = max(1, CHUNK // len(z))
    while done < draws:
        size = min(step, draws - done, FIRST_DRAWS if done == 0 else draws)
        orders = np.tile(np.arange(len(z)), (size, 1))
        for group in groups:
            orders[:, group] = rng.permuted(orders[:, group], axis=1)
        extreme += int((statistic.of(orders) <= observed * (1 + 1e-9)).sum())
        done += size
        if done == FIRST_DRAWS and (1 + extreme) / (1 + done) > CLEARLY_LARGE:
            break
    return (1 + extreme) / (1 + done)


class Statistic:
    """The statistic of one setting for many arrangements of its values."""

    def __init__(self, setting: Setting, z: np.ndarray, nuisance: np.ndarray) -> None:
        self._columns = setting.columns
        self._gram = self._columns.T @ self._columns
        residual = outside(nuisance, z)
        self._rss = float(residual @ residual)
        self._df = len(z) - nuisance.shape[1]
        self._targets = np.column_stack([nuisance, residual])
        self._numeric = setting.numeric
        self._flat = self._rss <= 1e-12 * float(z @ z) or self._rss == 0

    def observed(self) -> float:
        """NaN if the columns or the scores have no part outside the nuisance, or no residual df are left."""
        squares, ranks = self._added(np.arange(len(self._columns))[None])
        if self._flat or ranks[0, -1] == 0 or self._df - ranks[0, -1] < 1:
            return float("nan")
        return float(self._smallest(squares, ranks)[0])

    def of(self, orders: np.ndarray) -> np.ndarray:
        """(draws,) the statistic for orders, (draws, n), of the rows of the columns."""
        return self._smallest(*self._added(orders))

    def of_rotations(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """(draws,) the statistic for random rotations of the residuals of the scores.

        Rotating is exact for normal scores (Langsrud 2005, Statistics and Computing 15, 53-60). The sums of squares on
        the columns and on all other directions are then those of independent normal numbers, whatever the columns are.
        """
        ranks = self._added(np.arange(len(self._columns))[None])[1]
        squares = np.cumsum(rng.standard_normal((draws, ranks.shape[1])) ** 2 * np.diff(ranks, prepend=0), axis=1)
        total = squares[:, -1] + rng.chisquare(self._df - ranks[0, -1], draws)
        return self._smallest(squares / total[:, None] * self._rss, np.broadcast_to(ranks, squares.shape))

    def _smallest(self, squares: np.ndarray, ranks: np.ndarray) -> np.ndarray:
        if not self._numeric:
            squares, ranks = squares[:, -1:], ranks[:, -1:]
        return smallest_p(squares, ranks, self._rss, self._df)

    def _added(self, orders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        products = np.stack([column[orders] @ self._targets for column in self._columns.T], axis=1)
        on_nuisance, cross = products[..., :-1], products[..., -1]
        gram = self._gram - on_nuisance @ on_nuisance.transpose(0, 2, 1)
        return added_squares(gram, cross, np.diag(self._gram))
