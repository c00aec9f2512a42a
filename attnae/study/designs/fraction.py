"""`fraction`: the cells of a part of a factorial."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from attnae.errors import UserError
from attnae.study.designs.cells import Cell, all_cells, matches, refuse_too_many
from attnae.study.designs.optimal import d_optimal, full_factorial, is_orthogonal, model_matrix, subset_design
from attnae.study.designs.regular import regular_fraction

# A D-optimal choice looks at all combinations.
MOST_CANDIDATES = 20_000


def fraction_cells(
    factors: Mapping[str, Sequence[Any]],
    fraction: Fraction | int,
    *,
    exclude: Sequence[Cell] = (),
    kept: Sequence[Cell] = (),
) -> list[Cell]:
    """The cells of a fraction, in the order of the full factorial; all of them if it is 1.

    A regular fraction if one fits, else a generalized subset design if it is orthogonal, else a D-optimal choice. If
    the first two do not hold the kept cells, these are completed by a D-optimal choice, provided that there is room for
    them and that none is excluded.

    Args:
        fraction: the share of all combinations that are not excluded, or a number of cells.

    Raises:
        UserError: the main effects cannot be estimated from so few cells, or there are fewer combinations.
    """
    levels = [len(own) for own in factors.values()]
    combinations = math.prod(levels)
    if exclude and combinations > MOST_CANDIDATES:
        raise UserError(
            f"exclude: {combinations:,} combinations are too many to leave out some: at most {MOST_CANDIDATES:,}"
        )
    left = _allowed(factors, levels, exclude) if exclude else None
    available = combinations if left is None else len(left)
    count = fraction if isinstance(fraction, int) else math.ceil(fraction * available)
    _check_count(levels, fraction, count, available)
    if count == available:
        return all_cells(factors, exclude)
    wanted = _codes(factors, [cell for cell in kept if not matches(cell, exclude)]) if len(kept) <= count else []
    if len(wanted) == count:
        found: np.ndarray | None = np.array(sorted(wanted))
    else:
        found = _structured(levels, count) if left is None else None
    if found is None or not {*wanted} <= {*map(tuple, found.tolist())}:
        if combinations > MOST_CANDIDATES:
            raise UserError(
                f"fraction: {fraction}: no regular fraction fits, and {combinations:,} combinations are too many to "
                f"choose from: give a power of two of cells, or draw them, such as `sample: {count}`"
            )
        found = _choose(full_factorial(levels) if left is None else left, levels, count, wanted)
    names = list(factors)
    return [{name: factors[name][code] for name, code in zip(names, row, strict=True)} for row in found.tolist()]


def advice(levels: Sequence[int]) -> str:
    """What to write for factors whose combinations are too many: a first study of twice the fewest cells, or more.

    A regular fraction has a power of two of cells. So many keep the main effects of two-level factors free of two-way
    interactions.
    """
    count = 1 << (2 * (_fewest(levels) - 1) - 1).bit_length()
    possible = math.prod(levels) <= MOST_CANDIDATES or regular_fraction(levels, count) is not None
    return f"`{'fraction' if possible else 'sample'}: {count}`"


def _check_count(levels: Sequence[int], fraction: Fraction | int, count: int, available: int) -> None:
    if count > available:
        raise UserError(f"fraction: {fraction}: there are only {available:,} combinations")
    least = _fewest(levels)
    if count < min(least, available):
        raise UserError(
            f"fraction: {fraction}: {count} cells are fewer than the {least} parameters of the main effects: "
            f"give a larger one, such as {advice(levels)}"
        )
    refuse_too_many(f"fraction: {fraction}", count)


def _fewest(levels: Sequence[int]) -> int:
    """The number of parameters of the main effects."""
    return 1 + sum(number - 1 for number in levels)


def _structured(levels: Sequence[int], count: int) -> np.ndarray | None:
    """A regular fraction or an orthogonal generalized subset design; None if neither fits."""
    found = regular_fraction(levels, count)
    combinations = math.prod(levels)
    if found is not None or combinations > MOST_CANDIDATES or combinations % count:
        return found
    found = subset_design(full_factorial(levels), combinations // count)
    return found if len(found) == count and is_orthogonal(found, levels) else None


def _allowed(factors: Mapping[str, Sequence[Any]], levels: Sequence[int], exclude: Sequence[Cell]) -> np.ndarray:
    codes = full_factorial(levels)
    names = list(factors)
    cells = ({name: factors[name][code] for name, code in zip(names, row, strict=True)} for row in codes.tolist())
    return codes[np.array([not matches(cell, exclude) for cell in cells], dtype=bool)]


def _codes(factors: Mapping[str, Sequence[Any]], cells: Sequence[Cell]) -> list[tuple[int, ...]]:
    """The level numbers of the cells; those that have a level that does not exist are left out."""
    return [
        tuple(list(own).index(cell[name]) for name, own in factors.items())
        for cell in cells
        if all(cell[name] in own for name, own in factors.items())
    ]


def _choose(candidates: np.ndarray, levels: Sequence[int], count: int, wanted: Sequence[tuple[int, ...]]) -> np.ndarray:
    numbers = {row: number for number, row in enumerate(map(tuple, candidates.tolist()))}
    matrix, interactions = model_matrix(candidates, levels)
    return candidates[d_optimal(matrix, interactions, count, [numbers[row] for row in wanted if row in numbers])]
