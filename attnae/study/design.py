"""The design of a study: factors, their levels and seeds, and the options of each run that follow from them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
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
    level_text,
    levels_of,
)

MOST_RUNS = 100_000

# Option -> the values of `attention` with a layer that it configures.
ATTENTIONS_WITH = {
    "attention_kernel_size": ("spatial",),
    "attention_norm": ("spatial",),
    "channel_reduction": ("channel", "cbam", "se", "coordinate"),
}


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study: a cell and a seed. `repeat` counts the runs of each cell, from 1."""

    name: str
    cell: Cell
    config: RunConfig
    repeat: int

    @property
    def directory(self) -> Path:
        """The directory of the run, inside that of the study."""
        return self.config.log_dir / self.name


@dataclass(frozen=True)
class Until:
    """When to stop adding replicates: when each of the `factors` is decided.

    Effects within +- `negligible` do not matter; None: every effect does.
    """

    factors: tuple[str, ...]
    negligible: float | None = None


@dataclass(frozen=True)
class Design:
    """What a study trains: combinations of the levels of its factors (cells), several times.

    Attributes:
        seeds: shared by all cells; empty where each run has a seed of its own.
        base: the options that all runs share. Its `log_dir` and `name` give the directory of the study, and the seeds
            of runs follow from its `seed` where they are not shared.
        replicates: the number of runs of each cell, where each run has a seed of its own; otherwise 0.
        until: the rule by which the study stops before it has all `replicates`; None: it trains all of them.
        chosen: the cells that the plan has led to; empty for all combinations that it does not exclude.
    """

    factors: Mapping[str, tuple[Any, ...]]
    seeds: tuple[int, ...]
    base: RunConfig
    replicates: int = 0
    plan: Plan = EVERYTHING
    until: Until | None = None
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

    @property
    def repeats(self) -> list[str]:
        """What tells the runs of a cell apart, such as `seed=768` or `replicate=1`; it ends their names."""
        own = [f"replicate={number}" for number in range(1, self.replicates + 1)]
        return [f"seed={seed}" for seed in self.seeds] or own

    def runs(self) -> list[PlannedRun]:
        """All runs, ordered by seed or replicate, so that a study that is interrupted has complete replicates.

        Raises `UserError`, which names the cell, for values out of range.
        """
        return list(self._runs)

    @cached_property
    def _runs(self) -> list[PlannedRun]:
        cells = self.cells()
        return [self._run(cell, number, repeat) for number, repeat in enumerate(self.repeats, 1) for cell in cells]

    def shared_options(self) -> dict[str, Any]:
        """The options that all runs share, as YAML holds them, without the seed."""
        return {name: value for name, value in self.base.plain().items() if name not in (*self.factors, "seed")}

    def _run(self, cell: Cell, number: int, repeat: str) -> PlannedRun:
        name = short_name(f"{cell_name(cell)},{repeat}")
        seed = self.seeds[number - 1] if self.seeds else own_seed(self.base.seed, cell, number)
        try:
            config = self.base.replace(**cell, seed=seed, log_dir=self.directory, name=name)
        except UserError as error:
            raise UserError(f"cell {cell_name(cell)}: {error}") from error
        return PlannedRun(name, cell, config, number)


def make_design(
    space: Space,
    seeds: Sequence[int],
    base: RunConfig,
    plan: Plan = EVERYTHING,
    *,
    replicates: int = 0,
    until: Until | None = None,
) -> Design:
    """The design, after all checks that need no images; `UserError` for options with which a study cannot run.

    Args:
        space: the levels of each factor, or the range that they are drawn from.
        seeds: shared by all cells; empty for `replicates` runs of each cell with seeds of their own.
    """
    for option, single in {"devices": ("1", "auto"), "num_nodes": (1,), "strategy": ("auto",)}.items():
        if (value := getattr(base, option)) not in single:
            raise UserError(
                f"{flag(option)} {value}: a study trains each run on one device and many runs side by side: "
                f"leave out {flag(option)}"
            )
    repeats = len(seeds) or replicates
    if not (plan.chooses or plan.cells):
        levels = [len(own) for own in space.values() if not isinstance(own, Distribution)]
        _refuse_too_many_runs(math.prod(levels) * repeats, bool(seeds), levels)
    design = Design({}, tuple(seeds), base.replace(devices="1"), replicates, plan, until)
    design = replace(design, chosen=choose_cells(space, plan, design._sample_seed))
    design = replace(design, factors=levels_of(space, design.chosen))
    _refuse_too_many_runs(len(design.chosen) * repeats, bool(seeds))
    names = [run.name for run in design.runs()]
    if len(set(names)) < len(names):
        raise UserError("two runs of the study would have the same name: use fewer factors")
    return design


def _refuse_too_many_runs(count: int, shared: bool, levels: Sequence[int] = ()) -> None:
    if count > MOST_RUNS:
        many = math.prod(levels) > MOST_LISTED
        part = f"; train a part of the combinations, such as {advice(levels)}" if many else ""
        kind = "seeds" if shared else "replicates"
        raise UserError(f"these levels and {kind} make {count:,} runs: a study has at most {MOST_RUNS:,}{part}")


def first_seeds(start: int, count: int) -> tuple[int, ...]:
    """The seeds start, start + 1, ...; `UserError` for more than a study can have."""
    if count > MOST_RUNS:
        raise UserError(f"{count:,} seeds: a study has at most {MOST_RUNS:,} runs")
    return tuple(range(start, start + count))


def own_seed(base: int, cell: Cell, replicate: int) -> int:
    """The seed of a run that shares it with no other run, a number below 2^32.

    It depends on the base seed, the cell and the replicate's number alone, so that a study that grows keeps the seeds
    of all its runs: the first 4 bytes, in big-endian order, of the SHA-256 of `base/cell/replicate`, where the factors
    of the cell are in alphabetical order, such as `768/act=elu,batch_norm=true/1`. The probability that any two of n
    runs have the same seed is about n^2 / 2^33: 1 in 20,000 for 640 runs.
    """
    text = f"{base}/{cell_name(dict(sorted(cell.items())))}/{replicate}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def idle_factors(design: Design) -> list[str]:
    """A warning for each factor that has no effect in some cells, because the layer that it configures is off there."""
    attentions = design.factors.get("attention", (design.base.attention,))
    lines = []
    for switch, option in (
        ("dropout", "dropout_rate"),
        ("spatial_attention", "attention_kernel_size"),
        ("spatial_attention", "attention_norm"),
        ("channel_attention", "channel_reduction"),
        ("variational", "kl_weight"),
        ("variational", "beta"),
        ("variational", "kl_warmup"),
    ):
        if option not in design.factors:
            continue
        if option in ATTENTIONS_WITH and attentions != (None,):
            idle = [level for level in attentions if level not in ATTENTIONS_WITH[option]]
            where = f"attention is {' or '.join(map(level_text, idle))}" if idle else None
        else:
            off = False in design.factors.get(switch, (getattr(design.base, switch),))
            where = f"{switch} is false" if off else None
        if where:
            lines.append(f"{option} has no effect where {where}: cells that differ only in it are the same")
    return lines


def factor_names() -> list[str]:
    """The options that may be factors."""
    return [name for name in option_names("model", "training") if name != "seed"]


def check_factor_name(name: Any) -> None:
    """Raise `UserError` unless the name is that of an option of the model or of training."""
    allowed = factor_names()
    if name == "seed":
        raise UserError(
            "seed is not a factor: every cell is trained several times; set `replicates: 3` or --replicates 3"
        )
    if name not in allowed:
        known = name in option_names("data", "hardware", "output")
        why = "only options of the model and of training can be factors" if known else "there is no such option"
        raise UserError(f"{cut(str(name))} is not a factor: {why}{'' if known else suggestion(str(name), allowed)}")
