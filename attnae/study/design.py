"""The design of a study: factors, their levels and seeds, and the options of each run that follow from them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attnae.config import RunConfig, cut, flag, option_names, suggestion
from attnae.errors import UserError
from attnae.files import short_name

MOST_RUNS = 100_000
Cell = Mapping[str, Any]  # {factor: level}

# Option -> the values of `attention` with a layer that it configures.
ATTENTIONS_WITH = {
    "attention_kernel_size": ("spatial",),
    "attention_norm": ("spatial",),
    "channel_reduction": ("channel", "cbam", "se", "coordinate"),
}


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
    """What a study trains: every combination of the levels of its factors (a cell), with every seed.

    `base` holds the options that all runs share. Its `log_dir` and `name` give the directory of the study.
    """

    factors: Mapping[str, tuple[Any, ...]]
    seeds: tuple[int, ...]
    base: RunConfig

    @property
    def directory(self) -> Path:
        """The directory of the study."""
        assert self.base.name is not None
        return self.base.log_dir / self.base.name

    def cells(self) -> list[Cell]:
        """All combinations of levels; the last factor varies fastest."""
        return [dict(zip(self.factors, levels, strict=True)) for levels in itertools.product(*self.factors.values())]

    def runs(self) -> list[PlannedRun]:
        """All runs, ordered by seed, so that a study that is interrupted has complete replicates.

        Raises `UserError`, which names the cell, for values out of range.
        """
        return [self._run(cell, seed) for seed in self.seeds for cell in self.cells()]

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


def make_design(factors: Mapping[str, tuple[Any, ...]], seeds: Sequence[int], base: RunConfig) -> Design:
    """The design, after all checks that need no images; `UserError` for options with which a study cannot run."""
    for option, single in {"devices": ("1", "auto"), "num_nodes": (1,), "strategy": ("auto",)}.items():
        if (value := getattr(base, option)) not in single:
            raise UserError(
                f"{flag(option)} {value}: a study trains each run on one device and many runs side by side: "
                f"leave out {flag(option)}"
            )
    count = math.prod(map(len, factors.values())) * len(seeds)
    if count > MOST_RUNS:
        raise UserError(f"these levels and seeds make {count:,} runs: a study has at most {MOST_RUNS:,}")
    design = Design(dict(factors), tuple(seeds), base.replace(devices="1"))
    names = [run.name for run in design.runs()]
    if len(set(names)) < len(names):
        raise UserError("two runs of the study would have the same name: use fewer factors")
    return design


def first_seeds(start: int, count: int) -> tuple[int, ...]:
    """The seeds start, start + 1, ...; `UserError` for more than a study can have."""
    if count > MOST_RUNS:
        raise UserError(f"{count:,} seeds: a study has at most {MOST_RUNS:,} runs")
    return tuple(range(start, start + count))


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


def cell_name(cell: Cell) -> str:
    """A cell as text, such as batch_norm=true,act=elu."""
    return ",".join(f"{factor}={level_text(level)}" for factor, level in cell.items())


def level_text(level: Any) -> str:
    """A level as shown in file names and tables."""
    if isinstance(level, bool):
        return str(level).lower()
    return "-".join(map(str, level)) if isinstance(level, tuple) else str(level)


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
