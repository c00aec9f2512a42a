"""The permutation test of one setting, which is exact if its values were drawn independently of everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attnae.analysis.search.model.regression import added_squares, outside, smallest_p
from attnae.analysis.search.model.settings import Setting

# Values permuted at once: bounds the memory of large searches.
CHUNK = 2_000_000
# With more configurations than this, scores are rotated instead of permuted, which takes no longer for more of them.
MOST_PERMUTED = 1000
# After this number of draws the test stops if the p-value is above the limit.
FIRST_DRAWS, CLEARLY_LARGE = 199, 0.2


@dataclass(frozen=True)
class Tested:
    """What the permutations say about one setting; NaN if nothing can be tested.

    Attributes:
        p: of the smallest statistic over all scorings.
        first_p: of the first scoring alone.
        smallest: the index of the scoring with the smallest statistic.
    """

    p: float = np.nan
    first_p: float = np.nan
    smallest: int = 0


def permutation_p(
    setting: Setting, z: np.ndarray, nuisance: np.ndarray, strata: np.ndarray, draws: int, rng: np.random.Generator
) -> float:
    """The p-value of one setting by one scoring of all configurations, see `permutation_test`.

    Args:
        z: (n,) scores.
        nuisance: (n, rank) orthonormal basis.
        strata: (n,) index of the stratum.
        draws: number of permutations; 0: the parametric p-value of all columns.
    """
    return permutation_test(setting, [Statistic(setting, z, nuisance)], strata, draws, rng).p


def permutation_test(
    setting: Setting, statistics: Sequence[Statistic], strata: np.ndarray, draws: int, rng: np.random.Generator
) -> Tested:
    """p = (1 + draws whose statistic is at most the observed one) / (1 + draws).

    The statistic of a scoring is the smallest p-value of the partial F tests of the first 1, 2, ... d columns of a
    numeric setting given the nuisance, or that of all columns of a setting with levels; that of several scorings is the
    smallest of theirs. A draw permutes the rows of the columns among the active configurations of a stratum, once for
    all scorings, and projects them off the nuisance anew. Neither the nuisance nor which configurations count in a
    scoring depends on the setting if it has no effect, so the test is exact whatever they are.

    Args:
        statistics: of the setting by each scoring. Nothing is tested if the first one cannot be computed.
        strata: (n,) index of the stratum.
        draws: number of permutations; 0: the parametric p-value of all columns, times the number of scorings.
    """
    each = np.array([statistic.observed() for statistic in statistics])
    if np.isnan(each[0]):
        return Tested()
    observed, smallest = float(np.nanmin(each)), int(np.nanargmin(each))
    if draws == 0:
        return Tested(min(1.0, observed * len(each)), float(each[0]), smallest)
    if len(strata) > MOST_PERMUTED:
        # Each scoring has rotations of its own, hence Bonferroni's correction.
        alone = [_rotation_p(*scoring, draws, rng) for scoring in zip(statistics, each, strict=True)]
        return Tested(min(1.0, min(alone) * len(alone)), alone[0], smallest)
    groups = [np.flatnonzero(setting.active & (strata == stratum)) for stratum in np.unique(strata)]
    groups = [group for group in groups if len(group) > 1]
    extreme = np.zeros(2, dtype=int)
    done = 0
    step = max(1, CHUNK // len(strata))
    while done < draws:
        size = min(step, draws - done, FIRST_DRAWS if done == 0 else draws)
        orders = np.tile(np.arange(len(strata)), (size, 1))
        for group in groups:
            orders[:, group] = rng.permuted(orders[:, group], axis=1)
        drawn = np.array([statistic.of(orders) for statistic in statistics])
        extreme[0] += (drawn.min(axis=0) <= observed * (1 + 1e-9)).sum()
        extreme[1] += (drawn[0] <= each[0] * (1 + 1e-9)).sum()
        done += size
        if done == FIRST_DRAWS and (1 + extreme[0]) / (1 + done) > CLEARLY_LARGE:
            break
    p, first_p = ((1 + extreme) / (1 + done)).tolist()
    return Tested(p, first_p, smallest)


def _rotation_p(statistic: Statistic, observed: float, draws: int, rng: np.random.Generator) -> float:
    """That of one scoring; 1 if it cannot be computed."""
    if np.isnan(observed):
        return 1.0
    return float(1 + (statistic.of_rotations(draws, rng) <= observed * (1 + 1e-9)).sum()) / (1 + draws)


class Statistic:
    """The statistic of one setting for many arrangements of its values."""

    def __init__(self, setting: Setting, z: np.ndarray, nuisance: np.ndarray, counts: np.ndarray | None = None) -> None:
        """
        Args:
            z: (rows,) scores of the configurations that count.
            nuisance: (rows, rank) orthonormal basis.
            counts: (n,) which configurations count, however the values are arranged; None: all.
        """
        counts = np.ones(len(z), dtype=bool) if counts is None else counts
        self._columns = setting.columns
        self._gram = self._columns.T @ self._columns
        residual = outside(nuisance, z)
        self._rss = float(residual @ residual)
        self._df = len(z) - nuisance.shape[1]
        self._targets = np.zeros((len(counts), nuisance.shape[1] + 1))
        self._targets[counts] = np.column_stack([nuisance, residual])
        self._left_out = np.flatnonzero(~counts)
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
        if self._flat:
            return np.ones(len(squares))
        if not self._numeric:
            squares, ranks = squares[:, -1:], ranks[:, -1:]
        return smallest_p(squares, ranks, self._rss, self._df)

    def _added(self, orders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        products = np.stack([column[orders] @ self._targets for column in self._columns.T], axis=1)
        on_nuisance, cross = products[..., :-1], products[..., -1]
        left_out = self._columns[orders[:, self._left_out]]
        gram = self._gram - left_out.transpose(0, 2, 1) @ left_out - on_nuisance @ on_nuisance.transpose(0, 2, 1)
        return added_squares(gram, cross, np.diag(self._gram))
