"""Configurations drawn from ranges by scrambled Sobol points."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from attnae.errors import UserError
from attnae.study.designs.cells import Cell, cell_key, matches

DistributionKind = Literal["uniform", "loguniform", "int"]
# Points are drawn until there are as many different cells as asked for, at most so many times that number.
MOST_DOUBLINGS = 7


@dataclass(frozen=True)
class Distribution:
    """A range that levels are drawn from; both ends belong to it.

    Levels are rounded, so that names and files stay readable: to a thousandth of the range's order of magnitude
    (`uniform`), or to three significant digits, more where the range is narrower than a factor of two (`loguniform`).
    """

    kind: DistributionKind
    low: float
    high: float

    def level(self, u: float) -> float:
        """The level at the quantile u in [0, 1)."""
        if self.kind == "int":
            return self.low + math.floor(u * (self.high - self.low + 1))
        if self.kind == "uniform":
            digits = 2 - math.floor(math.log10(self.high - self.low))
            level = round(self.low + u * (self.high - self.low), digits)
        else:
            digits = 3 - min(0, math.floor(math.log10(self.high / self.low - 1)))
            exact = math.exp(math.log(self.low) + u * (math.log(self.high) - math.log(self.low)))
            level = float(f"{exact:.{digits - 1}e}")
        return min(max(level, self.low), self.high)

    def plain(self) -> dict[str, list[float]]:
        """The distribution as a study file writes it."""
        return {self.kind: [self.low, self.high]}

    def __str__(self) -> str:
        return f"{self.kind} [{self.low}, {self.high}]"


Space = Mapping[str, "Sequence[Any] | Distribution"]


def sample_cells(
    space: Space, count: int, *, seed: int, exclude: Sequence[Cell] = (), kept: Sequence[Cell] = ()
) -> list[Cell]:
    """The kept cells, completed to `count` different cells by Sobol points scrambled with the seed.

    A larger count only appends cells, since a Sobol sequence continues. Cells that are drawn twice, which happens where
    all factors are lists or whole numbers, count once.

    Raises:
        UserError: there are not so many different cells.
    """
    found = {cell_key(cell): cell for cell in kept}
    for cell in _points(space, count, seed):
        if len(found) >= count:
            break
        if not matches(cell, exclude):
            found.setdefault(cell_key(cell), cell)
    if len(found) < count:
        raise UserError(
            f"sample: {count}: only {len(found)} different cells were found: ask for fewer, give wider ranges, or "
            "leave out sample to train all combinations of levels"
        )
    return list(found.values())


def _points(space: Space, count: int, seed: int) -> Iterator[Cell]:
    from scipy.stats import qmc  # half a second

    engine = qmc.Sobol(len(space), seed=np.random.default_rng(seed))
    size = max(count - 1, 1).bit_length()  # Sobol points are balanced in powers of two
    for doubling in range(MOST_DOUBLINGS):
        for point in engine.random_base2(size + max(doubling - 1, 0)).tolist():
            yield {name: _level(values, u) for (name, values), u in zip(space.items(), point, strict=True)}


def _level(values: Sequence[Any] | Distribution, u: float) -> Any:
    return values.level(u) if isinstance(values, Distribution) else values[math.floor(u * len(values))]
