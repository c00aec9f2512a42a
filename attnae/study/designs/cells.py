"""Cells: one level of each factor."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attnae.errors import UserError

# A study that lists its cells in study.yaml has at most so many: its file stays below the size that is read.
MOST_LISTED = 2048

Cell = Mapping[str, Any]  # {factor: level}; an excluded one names some of the factors only


def all_cells(factors: Mapping[str, Sequence[Any]], exclude: Sequence[Cell] = ()) -> list[Cell]:
    """All combinations of levels that are not excluded; the last factor varies fastest."""
    cells = (dict(zip(factors, levels, strict=True)) for levels in itertools.product(*factors.values()))
    return [cell for cell in cells if not matches(cell, exclude)]


def matches(cell: Cell, exclude: Iterable[Cell]) -> bool:
    """Whether the cell has all levels of one of the partial cells."""
    return any(all(cell[factor] == level for factor, level in partial.items()) for partial in exclude)


def cell_key(cell: Cell) -> tuple[Any, ...]:
    """The cell as something that can be looked up, whatever the order of its factors."""
    return tuple(sorted(cell.items(), key=lambda item: item[0]))


def cell_name(cell: Cell) -> str:
    """A cell as text, such as batch_norm=true,act=elu."""
    return ",".join(f"{factor}={level_text(level)}" for factor, level in cell.items())


def level_text(level: Any) -> str:
    """A level as shown in file names and tables."""
    if isinstance(level, bool):
        return str(level).lower()
    return "-".join(map(str, level)) if isinstance(level, tuple) else str(level)


def refuse_too_many(what: str, count: int) -> None:
    """Raise `UserError` if so many cells cannot be listed; it begins with `what` asks for them."""
    if count > MOST_LISTED:
        raise UserError(f"{what} makes {count:,} cells: a study that lists its cells has at most {MOST_LISTED:,}")
