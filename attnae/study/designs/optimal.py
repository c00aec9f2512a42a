"""Subsets of a factorial where no regular fraction fits: generalized subset designs, and D-optimal ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

# A D-optimal subset is searched from so many starts, fewer where there are many candidates.
MOST_STARTS = 20
_WORK = 2e8
_MOST_PASSES = 50
# Determinants that differ by less are ties. Ties go to the first candidate, so that rounding errors decide nothing.
_TIE = 1e-8


def subset_design(codes: np.ndarray, parts: int) -> np.ndarray:
    """(cells of the subset, factors) of a generalized subset design: about 1 / parts of the cells of a factorial.

    A cell belongs to it if its last level number equals the sum of the others modulo `parts`.

    Source: Surowiec et al. (2017), Analytical Chemistry 89, 6491-6497.
    """
    return codes[(codes[:, :-1].sum(axis=1) - codes[:, -1]) % parts == 0]


def full_factorial(levels: Sequence[int]) -> np.ndarray:
    """(cells, factors) level numbers of all combinations; the last factor varies fastest."""
    return np.indices(levels).reshape(len(levels), -1).T


def is_orthogonal(codes: np.ndarray, levels: Sequence[int]) -> bool:
    """Whether all pairs of levels of any two factors occur equally often."""
    for a, b in combinations(range(len(levels)), 2):
        pairs = np.bincount(codes[:, a] * levels[b] + codes[:, b], minlength=levels[a] * levels[b])
        if pairs.min() != pairs.max():
            return False
    return True


def model_matrix(codes: np.ndarray, levels: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """(cells, columns) of the intercept, main effects and two-way interactions, and (columns,) which are interactions.

    All columns are orthogonal and have mean square 1 over the full factorial.
    """
    mains = [_contrasts(number)[codes[:, factor]] for factor, number in enumerate(levels)]
    pairs = [(a[:, :, None] * b[:, None, :]).reshape(len(codes), -1) for a, b in combinations(mains, 2)]
    matrix = np.hstack([np.ones((len(codes), 1)), *mains, *pairs])
    first = 1 + sum(number - 1 for number in levels)
    return matrix, np.arange(matrix.shape[1]) >= first


def log_determinant(matrix: np.ndarray, interactions: np.ndarray) -> float:
    """The logarithm of what a D-optimal choice maximizes: det(X'X + K), with 1 in K for each interaction.

    The main effects must be estimable; interactions are estimated as well as they can be, as if they were random with
    the variance of the noise (DuMouchel & Jones 1994, Technometrics 36, 37-47).
    """
    sign, value = np.linalg.slogdet(matrix.T @ matrix + np.diag(interactions.astype(float)))
    return float(value) if sign > 0 else -np.inf


def d_optimal(matrix: np.ndarray, interactions: np.ndarray, count: int, kept: Sequence[int] = ()) -> np.ndarray:
    """(count,) sorted numbers of the candidates that maximize `log_determinant`, as far as exchanges find them.

    Exchanges of one candidate after the other (Cook & Nachtsheim 1980, Technometrics 22, 315-324) start from a greedy
    choice and from random ones, with fixed seeds.

    Args:
        matrix: (candidates, columns).
        kept: candidates that belong to the choice in any case.
    """
    starts = int(np.clip(_WORK / (count * matrix.size), 1, MOST_STARTS))
    best, best_value = np.arange(0), -np.inf
    for start in range(starts):
        chosen = _greedy(matrix, interactions, count, kept, start)
        chosen = _exchange(matrix, interactions, chosen, len(kept))
        value = log_determinant(matrix[chosen], interactions)
        if not len(best) or value > best_value + _TIE:
            best, best_value = chosen, value
    return np.sort(best)


def _greedy(matrix: np.ndarray, interactions: np.ndarray, count: int, kept: Sequence[int], start: int) -> np.ndarray:
    """The kept candidates, half of the others at random in all starts but the first, and the best in turn."""
    chosen = list(kept)
    if start:
        rest = np.setdiff1d(np.arange(len(matrix)), chosen)
        drawn = np.random.default_rng(start).permutation(rest)[: (count - len(chosen) + 1) // 2]
        chosen += drawn.tolist()
    inverse = _inverse(matrix[chosen], interactions)
    variance = np.einsum("ij,ij->i", matrix @ inverse, matrix)
    while len(chosen) < count:
        gain = variance.copy()
        gain[chosen] = -np.inf
        chosen.append(_first_largest(gain))
        inverse, variance = _add(matrix, inverse, variance, chosen[-1], sign=1)
    return np.array(chosen)


def _exchange(matrix: np.ndarray, interactions: np.ndarray, chosen: np.ndarray, kept: int) -> np.ndarray:
    """The choice after exchanges, each the best for its place, until none is better. The first `kept` stay."""
    chosen = chosen.copy()
    for _ in range(_MOST_PASSES):
        changed = False
        inverse = _inverse(matrix[chosen], interactions)
        variance = np.einsum("ij,ij->i", matrix @ inverse, matrix)
        for place in range(kept, len(chosen)):
            old = chosen[place]
            inverse, variance = _add(matrix, inverse, variance, old, sign=-1)
            gain = variance.copy()  # the determinant grows by 1 + gain with each candidate
            gain[chosen] = -np.inf
            new = _first_largest(gain)
            if 1 + gain[new] > (1 + variance[old]) * (1 + _TIE):
                chosen[place], changed = new, True
            inverse, variance = _add(matrix, inverse, variance, chosen[place], sign=1)
        if not changed:
            break
    return chosen


def _add(
    matrix: np.ndarray, inverse: np.ndarray, variance: np.ndarray, new: int, *, sign: int
) -> tuple[np.ndarray, np.ndarray]:
    """The inverse of the information and the candidates' variances once a candidate is added (1) or removed (-1)."""
    row = inverse @ matrix[new]
    scale = sign + matrix[new] @ row
    return inverse - np.outer(row, row) / scale, variance - (matrix @ row) ** 2 / scale


def _inverse(rows: np.ndarray, interactions: np.ndarray) -> np.ndarray:
    """The inverse of the information; a trace of the main effects is added, because few rows leave it singular."""
    return np.linalg.inv(rows.T @ rows + np.diag(np.where(interactions, 1.0, 1e-6)))


def _first_largest(values: np.ndarray) -> int:
    largest = values.max()
    return int(np.flatnonzero(values >= largest - _TIE * abs(largest))[0])


def _contrasts(levels: int) -> np.ndarray:
    """(levels, levels - 1) orthogonal contrasts of mean square 1: each level against those before it."""
    contrasts = np.zeros((levels, levels - 1))
    for last in range(1, levels):
        contrasts[:last, last - 1], contrasts[last, last - 1] = -1.0, last
        contrasts[:, last - 1] *= np.sqrt(levels / (last * (last + 1)))
    return contrasts
