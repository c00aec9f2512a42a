"""What each setting is adjusted for: all other settings, or those that a forward selection chooses."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from attnae.analysis.search.model.regression import orthonormal, select_by_bic

# All settings are in the model if there are this many configurations for each of its parameters.
RUNS_PER_PARAMETER, RUNS_PER_PARAMETER_ADAPTIVE = 3, 2
# A forward selection takes at most this share of the configurations as parameters.
SELECTED_SHARE = 1 / 3


class Nuisance:
    """The columns of all other settings, or of some of them; the values of the tested setting are never used.

    Attributes:
        adjusted: whether all other settings are in the model. It depends on the design alone.
    """

    def __init__(self, base: np.ndarray, blocks: Sequence[np.ndarray], z: np.ndarray, *, adaptive: bool) -> None:
        """
        Args:
            base: (n, columns) that are in every model.
            blocks: (n, df) columns of each setting.
            z: (n,) the response.
            adaptive: in an adaptive search the sampler moves settings together. All others have to be in the model, so
                that fewer configurations for each parameter are accepted.
        """
        self._base, self._blocks, self._z = base, list(blocks), z
        parameters = base.shape[1] + sum(block.shape[1] for block in self._blocks)
        needed = (RUNS_PER_PARAMETER_ADAPTIVE if adaptive else RUNS_PER_PARAMETER) * parameters
        self.adjusted = len(z) >= needed
        everyone = list(range(len(self._blocks)))
        self._chosen = everyone if self.adjusted else self._select(everyone)

    @cached_property
    def model(self) -> np.ndarray:
        """(n, rank) orthonormal basis of the whole model."""
        return self._basis(self._chosen)

    def without(self, *positions: int) -> np.ndarray:
        """(n, rank) orthonormal basis of what settings are adjusted for: other settings, chosen without them."""
        others = [i for i in range(len(self._blocks)) if i not in positions]
        if self.adjusted:
            # Their space lies in that of the whole model: work with its coordinates, rank instead of runs many.
            base, *blocks = self._coordinates
            return self.model @ orthonormal(np.hstack([base, *(blocks[i] for i in others)]))
        # A setting that the selection did not choose did not influence it either.
        unused = not set(positions) & set(self._chosen)
        return self._basis(self._chosen if unused else self._select(others))

    @cached_property
    def _coordinates(self) -> list[np.ndarray]:
        """(rank, columns) of the base and of each block."""
        return [self.model.T @ columns for columns in (self._base, *self._blocks)]

    def _select(self, candidates: list[int]) -> list[int]:
        blocks = [self._blocks[i] for i in candidates]
        chosen = select_by_bic(self._z, self._base, blocks, int(len(self._z) * SELECTED_SHARE))
        return [candidates[i] for i in chosen]

    def _basis(self, positions: list[int]) -> np.ndarray:
        return orthonormal(np.hstack([self._base, *(self._blocks[i] for i in positions)]))
