"""How the cells of a study are chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from attnae.errors import UserError
from attnae.study.designs.cells import Cell
from attnae.study.designs.distributions import Distribution, Space, sample_cells

# A study that lists its cells in study.yaml has at most so many: its file stays below the size that is read.
MOST_LISTED = 2048


@dataclass(frozen=True)
class Plan:
    """How the cells of a study are chosen; by default, all combinations of levels.

    Attributes:
        sample: the number of cells that are drawn.
        fraction: the share of all combinations, or a number of cells.
        exclude: partial cells; no cell has all levels of one of them.
        cells: cells that belong to the study in any case; without `sample` and `fraction`, they are all of it.
        ranges: the factors whose levels are drawn from a range.
        noise: the standard deviation of the response between runs that differ only in their seeds, in its own unit;
            only the explanation of a dry run depends on it.
    """

    sample: int | None = None
    fraction: Fraction | int | None = None
    exclude: tuple[Cell, ...] = ()
    cells: tuple[Cell, ...] = ()
    noise: float | None = None
    ranges: Mapping[str, Distribution] = field(default_factory=dict)

    @property
    def chooses(self) -> bool:
        """Whether the cells are chosen from more, and not all combinations or those of a list."""
        return self.sample is not None or self.fraction is not None


EVERYTHING = Plan()


def choose_cells(space: Space, plan: Plan, seed: int) -> tuple[Cell, ...]:
    """The cells of the study in their order; empty for all combinations that are not excluded.

    Raises:
        UserError: the plan cannot be carried out.
    """
    if plan.sample is not None:
        _refuse_too_many(f"sample: {plan.sample}", plan.sample)
        if len(plan.cells) == plan.sample:
            return plan.cells
        kept = plan.cells if len(plan.cells) < plan.sample else ()
        return tuple(sample_cells(space, plan.sample, seed=seed, exclude=plan.exclude, kept=kept))
    return plan.cells


def levels_of(space: Space, cells: Sequence[Cell]) -> dict[str, tuple[Any, ...]]:
    """The levels of each factor: those of a list, or those that were drawn, in the order of the cells."""
    return {
        name: tuple(dict.fromkeys(cell[name] for cell in cells)) if isinstance(levels, Distribution) else tuple(levels)
        for name, levels in space.items()
    }


def _refuse_too_many(what: str, count: int) -> None:
    if count > MOST_LISTED:
        raise UserError(f"{what} makes {count:,} cells: a study that lists its cells has at most {MOST_LISTED:,}")
