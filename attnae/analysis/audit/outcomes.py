"""How each run ended, and whether its response can be used: the rows of `runs.csv`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from attnae.analysis.audit.structure import UNSET, Structure
from attnae.analysis.design.model import INTERCEPT, RESIDUAL
from attnae.reading.run import DIVERGED, FINISHED, UNFINISHED, UNKNOWN, Run

UNREADABLE, DUPLICATE = "unreadable", "duplicate"
USED = (FINISHED, UNKNOWN)
# What `runs.csv` and `anova.csv` call things of their own.
RESERVED = ("run", "status", "response", RESIDUAL, INTERCEPT)


def rename_reserved(run: Run) -> Run:
    """The run with its hyper-parameters of such names called `hparams/<name>`."""
    hparams = {f"hparams/{name}" if name in RESERVED else name: value for name, value in run.hparams.items()}
    return replace(run, hparams=hparams) if hparams != run.hparams else run


def run_table(
    runs: Sequence[Run], structure: Structure, tag: str, values: Sequence[float | None]
) -> tuple[pd.DataFrame, dict[int, str]]:
    """`runs.csv`, and by row the reason why a run is not used. None in `values`: the run has no response."""
    rows: list[dict[str, Any]] = []
    reasons: dict[int, str] = {}
    for index, run in enumerate(runs):
        status, reason = outcome(run, tag, values[index])
        if reason is not None:
            reasons[index] = reason
        row: dict[str, Any] = {"run": run.name, "status": status}
        row |= {name: run.hparams.get(name, UNSET) if run.hparams else None for name in structure.factors}
        if structure.seed is not None:
            row["seed"] = run.hparams.get(structure.seed)
        rows.append(row | {"response": math.nan if values[index] is None else values[index]})
    return pd.DataFrame(rows), reasons


def outcome(run: Run, tag: str, value: float | None) -> tuple[str, str | None]:
    """The status of a run, and why it is not used, if it is not."""
    if not run.scalars:
        return UNREADABLE, "; ".join(run.problems) or "no scalar values"
    if not run.hparams:
        return UNREADABLE, "; ".join(["no hyper-parameters", *run.problems])
    if run.status == DIVERGED:
        return DIVERGED, "its completion mark says so"
    if run.status == UNFINISHED:
        return UNFINISHED, "no completion mark: still running, or stopped"
    if value is None:
        return UNFINISHED, f"no value of {tag}"
    if not math.isfinite(value):
        return DIVERGED, f"{tag} is {value}"
    return run.status, None
