"""The design of a study: factors, their levels and seeds, and the options of each run that follow from them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from attnae.config import RunConfig, cut, flag, option_names, suggestion
from attnae.errors import UserError
from attnae.files import short_name
from attnae.study.designs import (
    EVERYTHING,
    MOST_LISTED,
    Cell,
    Distribution,
    Plan,
    Space,
    advice,
    all_cells,
    cell_key,
    cell_name,
    choose_cells,
    levels_of,
)

MOST_RUNS = 100_000


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study: a cell and a seed."""

    name: str
    cell: Cell
    config: RunConfig

    @property
    def directory(self) -> Path:
        """The directory of the run, inside that of the study."""
        return self.config.log_dir / self.name


@dataclass(frozen=True)
class Design:
    """What a study trains: combinations of the levels of its factors (cells), with every seed.

    `base` holds the options that all runs share. Its `log_dir` and `name` give the directory of the study. `chosen` are
    the cells that the plan has led to; empty for all combinations that it does not exclude.
    """

    factors: Mapping[str, tuple[Any, ...]]
    seeds: tuple[int, ...]
    base: RunConfig
    plan: Plan = EVERYTHING
    chosen: tuple[Cell, ...] = ()

    @property
    def directory(self) -> Path:
        """The directory of the study."""
        assert self.base.name is not None
        return self.base.log_dir / self.base.name

    def cells(self) -> list[Cell]:
        """The combinations of levels that are trained."""
        return list(self.chosen) or all_cells(self.factors, self.plan.exclude)

    def keeping(self, cells: Iterable[Cell]) -> Design:
        """The design that, where its cells are chosen from many, has these among them, if there is room for them."""
        if not self.plan.chooses:
            return self
        kept = {cell_key(cell): cell for cell in [*cells, *self.plan.cells]}
        space: Space = {**self.factors, **self.plan.ranges}
        chosen = choose_cells(space, replace(self.plan, cells=tuple(kept.values())), self._sample_seed)
        return replace(self, factors=levels_of(space, chosen), chosen=chosen)

    @property
    def _sample_seed(self) -> int:
        return self.seeds[0] if self.seeds else self.base.seed

    def runs(self) -> list[PlannedRun]:
        """All runs, ordered by seed, so that a study that is interrupted has complete replicates.

        Raises `UserError`, which names the cell, for values out of range.
        """
        cells = self.cells()
        return [self._run(cell, seed) for seed in self.seeds for cell in cells]

    def shared_options(self) -> dict[str, Any]:
        """The options that all runs share, as YAML holds them."""
        return {name: value for name, value in self.base.plain().items() if name not in (*self.factors, "seed")}

    def _run(self, cell: Cell, seed: int) -> PlannedRun:
        name = short_name(",".join([cell_name(cell), f"seed={seed}"]))
        try:
            config = self.base.replace(**cell, seed=seed, log_dir=self.directory, name=name)
        except UserError as error:
            raise UserError(f"cell {cell_name(cell)}: {error}") from error
        return PlannedRun(name, cell, config)


def make_design(space: Space, seeds: Sequence[int], base: RunConfig, plan: Plan = EVERYTHING) -> Design:
    """The design, after all checks that need no images; `UserError` for options with which a study cannot run.

    Args:
        space: the levels of each factor, or the range that they are drawn from.
    """
    for option, single in {"devices": ("1", "auto"), "num_nodes": (1,), "strategy": ("auto",)}.items():
        if (value := getattr(base, option)) not in single:
            raise UserError(
                f"{flag(option)} {value}: a study trains each run on one device and many runs side by side: "
                f"leave out {flag(option)}"
            )
    if not (plan.chooses or plan.cells):
        levels = [len(own) for own in space.values() if not isinstance(own, Distribution)]
        _refuse_too_many_runs(math.prod(levels) * len(seeds), levels)
    design = Design({}, tuple(seeds), base.replace(devices="1"), plan)
    design = replace(design, chosen=choose_cells(space, plan, design._sample_seed))
    design = replace(design, factors=levels_of(space, design.chosen))
    _refuse_too_many_runs(len(design.chosen) * len(seeds))
    names = [run.name for run in design.runs()]
    if len(set(names)) < len(names):
        raise UserError("two runs of the study would have the same name: use fewer factors")
    return design


def _refuse_too_many_runs(count: int, levels: Sequence[int] = ()) -> None:
    if count > MOST_RUNS:
        part = (
            f"; train a part of the combinations, such as {advice(levels)}" if math.prod(levels) > MOST_LISTED else ""
        )
        raise UserError(f"these levels and seeds make {count:,} runs: a study has at most {MOST_RUNS:,}{part}")


def first_seeds(start: int, count: int) -> tuple[int, ...]:
    """The seeds start, start + 1, ...; `UserError` for more than a study can have."""
    if count > MOST_RUNS:
        raise UserError(f"{count:,} seeds: a study has at most {MOST_RUNS:,} runs")
    return tuple(range(start, start + count))


def idle_factors(design: Design) -> list[str]:
    """A warning for each factor that has no effect in some cells, because the layer that it configures is off there."""
    lines = []
    for switch, option in (
        ("dropout", "dropout_rate"),
        ("spatial_attention", "attention_kernel_size"),
        ("spatial_attention", "attention_norm"),
        ("channel_attention", "channel_reduction"),
        ("variational", "kl_weight"),
    ):
        if option in design.factors and False in design.factors.get(switch, (getattr(design.base, switch),)):
            lines.append(f"{option} has no effect where {switch} is false: cells that differ only in it are the same")
    return lines


def factor_names() -> list[str]:
    """The options that may be factors."""
    return [name for name in option_names("model", "training") if name != "seed"]


def check_factor_name(name: Any) -> None:
    """Raise `UserError` unless the name is that of an option of the model or of training."""
    allowed = factor_names()
    if name == "seed":
        raise UserError("seed is not a factor: every cell is trained with every seed; set `seeds: 3` or --seeds 3")
    if name not in allowed:
        known = name in option_names("data", "hardware", "output")
        why = "only options of the model and of training can be factors" if known else "there is no such option"
        raise UserError(f"{cut(str(name))} is not a factor: {why}{'' if known else suggestion(str(name), allowed)}")
