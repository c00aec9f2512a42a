"""Sums of squares that columns add to a linear model, partial F tests, and forward selection by BIC."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import qr
from scipy.special import fdtrc

# A column whose part outside the other columns has less than this share of its sum of squares adds nothing.
TOLERANCE = 1e-8


def orthonormal(columns: np.ndarray) -> np.ndarray:
    """(runs, rank) orthonormal basis of the space of the columns."""
    norms = np.linalg.norm(columns, axis=0)
    columns = columns[:, norms > 0] / norms[norms > 0]
    if columns.shape[1] == 0:
        return columns
    q, r, _ = qr(columns, mode="economic", pivoting=True)
    return q[:, np.abs(np.diag(r)) > np.sqrt(TOLERANCE)]


def outside(basis: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What the orthonormal basis, (runs, rank), leaves of y, (runs,) or (runs, columns)."""
    return y - basis @ (basis.T @ y)


def added_squares(gram: np.ndarray, cross: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sum of squares that the first k columns explain, k = 1 ... d, and their rank; both (..., d).

    Cholesky's elimination, for many regressions at once.

    Args:
        gram: (..., d, d), the products of the columns after projection off all other columns.
        cross: (..., d), their products with the residuals.
        size: (d,), the sums of squares of the columns before the projection.
    """
    gram, cross = gram.copy(), cross.copy()
    squares, ranks = np.empty(cross.shape), np.empty(cross.shape)
    total, rank = np.zeros(cross.shape[:-1]), np.zeros(cross.shape[:-1])
    for i in range(cross.shape[-1]):
        pivot = gram[..., i, i]
        new = pivot > TOLERANCE * size[i]
        scale = np.where(new, 1 / np.sqrt(np.where(new, pivot, 1)), 0)
        weight = cross[..., i] * scale
        total, rank = total + weight**2, rank + new
        squares[..., i], ranks[..., i] = total, rank
        below = gram[..., i + 1 :, i] * scale[..., None]
        cross[..., i + 1 :] -= below * weight[..., None]
        gram[..., i + 1 :, i + 1 :] -= below[..., :, None] * below[..., None, :]
    return squares, ranks


def smallest_p(squares: np.ndarray, ranks: np.ndarray, total: np.ndarray | float, df: int) -> np.ndarray:
    """(...,) the smallest p-value of the partial F tests; 1 where the columns add nothing.

    Args:
        squares, ranks: (..., tests), what `added_squares` gives for the columns of each test.
        total: (...,), the sum of squares of the residuals without these columns.
        df: their degrees of freedom.
    """
    left = df - ranks
    rest = np.maximum(np.asarray(total)[..., None] - squares, 0)
    testable = (ranks > 0) & (left > 0) & (squares > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        f = np.where(testable, squares * left / (ranks * rest), 0)
    return np.where(testable, fdtrc(np.maximum(ranks, 1), np.maximum(left, 1), f), 1).min(axis=-1)


def select_by_bic(y: np.ndarray, base: np.ndarray, blocks: Sequence[np.ndarray], most: int) -> list[int]:
    """Forward selection of whole blocks of columns by BIC.

    In every step the block with the largest gain -n log(1 - SS / RSS) - df log n is added, if the gain is positive.

    Args:
        y: (runs,) response.
        base: (runs, columns) that are always in the model.
        blocks: (runs, df) columns of each candidate.
        most: the rank of the model never exceeds this.

    Returns:
        The positions of the selected blocks, in the order of selection.
    """
    n = len(y)
    basis = orthonormal(base)
    residual, rest = outside(basis, y), [outside(basis, block) for block in blocks]
    sizes = [(block**2).sum(axis=0) for block in blocks]
    rank, chosen = basis.shape[1], list[int]()
    while True:
        rss = residual @ residual
        gains: dict[int, float] = {}
        for i, block in enumerate(rest):
            if i in chosen:
                continue
            squares, ranks = added_squares(block.T @ block, block.T @ residual, sizes[i])
            df = int(ranks[-1])
            if 0 < df <= most - rank and squares[-1] < rss:
                gains[i] = -n * np.log1p(-squares[-1] / rss) - df * np.log(n)
        if not gains or max(gains.values()) <= 0:
            return chosen
        best = max(gains, key=lambda i: gains[i])
        new = orthonormal_part(rest[best], sizes[best])
        chosen.append(best)
        rank += new.shape[1]
        residual = outside(new, residual)
        rest = [outside(new, block) for block in rest]


def orthonormal_part(projected: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(runs, rank) basis of columns that were projected off others; `size` are their former sums of squares."""
    kept = (projected**2).sum(axis=0) > TOLERANCE * size
    return orthonormal(projected[:, kept])
