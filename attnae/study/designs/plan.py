"""How the cells of a study are chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from attnae.errors import UserError
from attnae.study.designs.cells import Cell, all_cells, level_text, refuse_too_many
from attnae.study.designs.distributions import Distribution, Space, sample_cells
from attnae.study.designs.fraction import fraction_cells


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

    Cells that a sample or a fraction begins with stay, if there is room for them.

    Raises:
        UserError: the plan cannot be carried out.
    """
    if plan.sample is not None:
        return _sample(space, plan, plan.sample, seed)
    factors = {name: levels for name, levels in space.items() if not isinstance(levels, Distribution)}
    if plan.exclude:
        _refuse_empty_levels(factors, plan.exclude)
    if plan.fraction is None:
        return plan.cells
    cells = fraction_cells(factors, plan.fraction, exclude=plan.exclude, kept=plan.cells)
    return tuple(cells)


def _sample(space: Space, plan: Plan, count: int, seed: int) -> tuple[Cell, ...]:
    refuse_too_many(f"sample: {count}", count)
    if len(plan.cells) == count:
        return plan.cells
    kept = plan.cells if len(plan.cells) < count else ()
    return tuple(sample_cells(space, count, seed=seed, exclude=plan.exclude, kept=kept))


def levels_of(space: Space, cells: Sequence[Cell]) -> dict[str, tuple[Any, ...]]:
    """The levels of each factor: those of a list, or those that were drawn, in the order of the cells."""
    return {
        name: tuple(dict.fromkeys(cell[name] for cell in cells)) if isinstance(levels, Distribution) else tuple(levels)
        for name, levels in space.items()
    }


def _refuse_empty_levels(factors: Mapping[str, Sequence[Any]], exclude: Sequence[Cell]) -> None:
    cells = all_cells(factors, exclude)
    for name, levels in factors.items():
        if empty := [level_text(level) for level in levels if not any(cell[name] == level for cell in cells)]:
            raise UserError(f"exclude leaves no cell with {name}={empty[0]}: delete this level from the factors")
