"""The saturated model of cells + blocks: pure error, and cell means adjusted for blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attnae.analysis.design.model import BLOCK, Design


@dataclass(frozen=True)
class CellMeans:
    """Means of cells at equal weights of the blocks, with the pure error of their differences.

    Attributes:
        mean: (cells,), in the order of `Design.cells`.
        counts: (cells,) runs.
        blocks: (cells, columns), the mean block columns of each cell.
        block_inverse: (columns, columns), inverse cross product of the blocks within cells.
        mean_square: pure error variance; df its degrees of freedom.
    """

    mean: np.ndarray
    counts: np.ndarray
    blocks: np.ndarray
    block_inverse: np.ndarray
    mean_square: float
    df: int

    def difference_error(self, cells: np.ndarray, other: int) -> np.ndarray:
        """(cells,) standard errors of the differences to the other cell."""
        shift = self.blocks[cells] - self.blocks[other]
        imbalance = np.einsum("ij,jk,ik->i", shift, self.block_inverse, shift)
        return np.sqrt(self.mean_square * (1 / self.counts[cells] + 1 / self.counts[other] + imbalance))


def is_replicated(design: Design) -> bool:
    """Whether at least half of the cells have two runs or more."""
    return bool(np.mean(np.bincount(design.cells) > 1) >= 0.5)


def cell_means(design: Design, y: np.ndarray) -> CellMeans | None:
    """None unless cells are replicated and blocks leave a pure error."""
    residuals, df = cell_residuals(design, y)
    if df == 0 or not is_replicated(design):
        return None
    counts = np.bincount(design.cells)
    columns = _block_columns(design)
    swept = within_cells(design, columns)
    inverse = np.linalg.pinv(swept.T @ swept, rcond=1e-9, hermitian=True)
    blocks = cell_averages(design, columns)
    mean = cell_averages(design, y[:, None])[:, 0] - blocks @ (inverse @ (swept.T @ y))
    return CellMeans(mean, counts, blocks, inverse, float(residuals @ residuals) / df, df)


def cell_residuals(design: Design, y: np.ndarray) -> tuple[np.ndarray, int]:
    """(runs,) residuals of cells + blocks, and their degrees of freedom.

    Cells are swept out as means, then blocks from what is left (Frisch & Waugh 1933). Least squares on the matrix of
    cells and blocks gives the same numbers in 0.6 s for 1,000 cells and 8 s for 2,500 (5,000 runs); this takes 0.01 s.
    """
    centred = within_cells(design, y)
    left = design.n - int(design.cells.max()) - 1
    if left == 0:
        return centred, 0
    vectors, singular, _ = np.linalg.svd(within_cells(design, _block_columns(design)), full_matrices=False)
    basis = vectors[:, singular > 1e-9 * np.sqrt(design.n)]
    return centred - basis @ (basis.T @ centred), left - basis.shape[1]


def cell_averages(design: Design, columns: np.ndarray) -> np.ndarray:
    """(cells, columns) means over the runs of each cell."""
    counts = np.bincount(design.cells)
    means = np.empty((len(counts), columns.shape[1]))
    for i, column in enumerate(columns.T):
        means[:, i] = np.bincount(design.cells, column) / counts
    return means


def within_cells(design: Design, values: np.ndarray) -> np.ndarray:
    """Values minus the mean of their cell; (runs,) or (runs, columns)."""
    columns = values.reshape(design.n, -1)
    return (columns - cell_averages(design, columns)[design.cells]).reshape(values.shape)


def _block_columns(design: Design) -> np.ndarray:
    return design.columns([BLOCK]) if design.has_blocks else np.zeros((design.n, 0))
