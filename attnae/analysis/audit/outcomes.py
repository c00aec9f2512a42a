"""How each run ended, whether its response can be used, and whether divergence depends on a factor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attnae.analysis.audit.roles import UNSET, Roles
from attnae.analysis.design.factors import MAX_NUMERIC_LEVELS
from attnae.analysis.design.model import INTERCEPT, RESIDUAL
from attnae.reading.run import DIVERGED, FINISHED, UNFINISHED, UNKNOWN, Run

UNREADABLE, DUPLICATE = "unreadable", "duplicate"
USED = (FINISHED, UNKNOWN)
# Names that columns or rows of `runs.csv` and `anova.csv` have already.
RESERVED = ("run", "status", "response", RESIDUAL, INTERCEPT)
TEST_COLUMNS = ["factor", "level", "diverged", "runs", "diverged_elsewhere", "runs_elsewhere", "p", "p_holm"]


def rename_reserved(run: Run) -> Run:
    """The run, with hyper-parameters that have a reserved name renamed to `hparams/<name>`."""
    hparams = {f"hparams/{name}" if name in RESERVED else name: value for name, value in run.hparams.items()}
    return replace(run, hparams=hparams) if hparams != run.hparams else run


def run_table(
    runs: Sequence[Run], roles: Roles, tag: str, values: Sequence[float | None]
) -> tuple[pd.DataFrame, dict[int, str]]:
    """The table `runs.csv`, and by row the reason why a run is not used. None in `values`: the run has no response."""
    rows: list[dict[str, Any]] = []
    reasons: dict[int, str] = {}
    for index, run in enumerate(runs):
        status, reason = outcome(run, tag, values[index])
        if reason is not None:
            reasons[index] = reason
        row: dict[str, Any] = {"run": run.name, "status": status}
        row |= {name: run.hparams.get(name, UNSET) if run.hparams else None for name in roles.factors}
        if roles.seed is not None:
            row["seed"] = run.hparams.get(roles.seed)
        rows.append(row | {"response": math.nan if values[index] is None else values[index]})
    return pd.DataFrame(rows), reasons


def outcome(run: Run, tag: str, value: float | None) -> tuple[str, str | None]:
    """The status of a run, and the reason if it is not used."""
    if not run.scalars:
        return UNREADABLE, "; ".join(run.problems) or "no scalar values"
    if not run.hparams:
        return UNREADABLE, "; ".join(["no hyper-parameters", *run.problems])
    if run.status == DIVERGED:
        return DIVERGED, "its completion mark says that it diverged"
    if run.status == UNFINISHED:
        return UNFINISHED, "no completion mark: still running, or stopped"
    if value is None:
        return UNFINISHED, f"no value of {tag}"
    if not math.isfinite(value):
        return DIVERGED, f"{tag} is {value}"
    return run.status, None


def divergence_tests(table: pd.DataFrame, factors: Sequence[str]) -> pd.DataFrame:
    """Fisher's exact test (two-sided) of each level against the other levels, Holm-adjusted over all rows.

    If runs diverge more often at some level, a comparison of the finished runs makes that level look better than it is.

    Args:
        table: one row per run that finished or diverged, with `status` and the factors.

    Returns:
        factor, level, diverged, runs, diverged_elsewhere, runs_elsewhere, p, p_holm. One row per level; a factor of two
        levels has only the row of the level at which more runs diverged, and so has a numeric factor with many values,
        which is split at its median. No rows if no run diverged.
    """
    diverged = (table["status"] == DIVERGED).to_numpy()
    if not diverged.any():
        return pd.DataFrame(columns=TEST_COLUMNS)
    from scipy.stats import fisher_exact

    from attnae.analysis.inference.families import holm

    rows = []
    for factor in factors:
        tests = []
        for level, members in _groups(table[factor]).items():
            inside, outside = diverged[members], diverged[~members]
            counts = int(inside.sum()), len(inside), int(outside.sum()), len(outside)
            p = fisher_exact([[counts[0], counts[1] - counts[0]], [counts[2], counts[3] - counts[2]]]).pvalue
            tests.append((factor, level, *counts, float(p)))
        if len(tests) == 2:
            tests = [max(tests, key=lambda test: test[2] / test[3])]
        rows += tests
    frame = pd.DataFrame(rows, columns=TEST_COLUMNS[:-1])
    frame["p_holm"] = holm(frame["p"].to_numpy())
    return frame


def _groups(column: pd.Series) -> dict[str, NDArray[np.bool_]]:
    """Which runs have which level; a numeric factor with many values is split at its median."""
    levels = list(dict.fromkeys(column))
    if len(levels) < 2:
        return {}
    numeric = all(isinstance(level, (int, float)) for level in levels)
    if numeric and len(levels) > MAX_NUMERIC_LEVELS:
        middle = float(column.astype(float).median())
        above = column.astype(float) > middle
        return {f"> {middle:.6g}": above.to_numpy(), f"<= {middle:.6g}": ~above.to_numpy()}
    return {str(level): (column == level).to_numpy() for level in levels}
