"""Hyper-parameters that follow from others, such as the number of parameters: they are no factors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

DERIVED = re.compile(
    r"(.*_)?(params|parameters|flops|macs)",
    re.IGNORECASE,
)

Codes = NDArray[np.int64]


def last_part_matches(name: str, pattern: re.Pattern[str]) -> bool:
    """Whether the pattern fits what is behind the last `/` of a nested name."""
    return pattern.fullmatch(name.rsplit("/", 1)[-1]) is not None


def find_derived(codes: Mapping[str, Codes]) -> dict[str, tuple[str, ...]]:
    """Columns that follow from others, with a smallest set of these. Given as level indices, each (runs,).

    A column is derived if it merely merges the levels of one other column, if it is another name for the
    combinations of several others (parameter counts, labels of cells), or if it follows from others in any
    way and is called like a model's size. A factor of a regular fraction follows from several others too, but
    neither way: it stays. Of two that explain each other the one with more levels goes.
    """
    left = dict(codes)
    derived: dict[str, tuple[str, ...]] = {}
    while True:
        found = {name: sources for name in left if (sources := _sources(name, left))}
        if not found:
            return derived
        finest = max(found, key=lambda name: (last_part_matches(name, DERIVED), left[name].max()))
        derived[finest] = found[finest]
        del left[finest]


def _sources(name: str, codes: Mapping[str, Codes]) -> tuple[str, ...]:
    """A smallest set of other columns that determine the column, if it is derived; else empty."""
    column = codes[name]
    sized = last_part_matches(name, DERIVED)
    others = {other: code for other, code in codes.items() if other != name}
    if not sized:
        others = {other: code for other, code in others.items() if not np.array_equal(code, column)}
    if not others or not _determines(list(others.values()), column):
        return ()
    for other in sorted(others, key=lambda other: -others[other].max()):
        rest = [code for name_, code in others.items() if name_ != other]
        if rest and _determines(rest, column):
            del others[other]
    cells = int(_joint(list(codes.values())).max()) + 1
    one_coarser = len(others) == 1 and 2 * (int(next(iter(others.values())).max()) + 1) <= cells
    same_cells = len(others) > 1 and all(_determines([column], code) for code in others.values())
    return tuple(others) if sized or one_coarser or same_cells else ()


def _joint(codes: Sequence[Codes]) -> Codes:
    """(runs,) the index of each run's combination of the columns' levels."""
    index = codes[0]
    for code in codes[1:]:
        index = np.unique(index * (code.max() + 1) + code, return_inverse=True)[1]
    return index


def _determines(sources: Sequence[Codes], column: Codes) -> bool:
    """Whether runs that agree in the sources agree in the column."""
    index = _joint(sources)
    return bool(_joint([index, column]).max() == index.max())
