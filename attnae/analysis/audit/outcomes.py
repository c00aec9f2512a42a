"""How each run ended, whether its response can be used, and whether divergence depends on a factor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from attnae.analysis.audit.roles import Roles
from attnae.analysis.design.model import INTERCEPT, RESIDUAL
from attnae.reading.run import DIVERGED, FAILED, FINISHED, PRUNED, UNFINISHED, UNKNOWN, Run

UNREADABLE, DUPLICATE = "unreadable", "duplicate"
USED = (FINISHED, UNKNOWN)
# Names that columns or rows of `runs.csv` and `anova.csv` have already.
RESERVED = ("run", "status", "response", "source", "format", RESIDUAL, INTERCEPT)
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
        row |= {name: run.hparams.get(name) for name in roles.settings}
        if roles.seed is not None:
            row["seed"] = run.hparams.get(roles.seed)
        row["response"] = math.nan if values[index] is None else values[index]
        rows.append(row | {"source": run.source, "format": run.format})
    return pd.DataFrame(rows), reasons


def outcome(run: Run, tag: str, value: float | None) -> tuple[str, str | None]:
    """The status of a run, and the reason if it is not used."""
    if run.status == FAILED:
        return FAILED, "; ".join(["its log says that it failed or was stopped", *run.problems])
    if run.status == PRUNED:
        return PRUNED, "it was stopped early because its results looked bad"
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
    """Whether runs diverge more often at some levels, Holm-adjusted over all rows.

    If they do, a comparison of the finished runs makes these levels look better than they are. Levels are compared with
    the other levels by Fisher's exact test (two-sided). A numeric factor of more than two values has one row instead:
    the Mann-Whitney test of whether diverged runs have larger or smaller values than others.

    Args:
        table: one row per run that finished or diverged, with `status` and the factors; None where not recorded.

    Returns:
        factor, level, diverged, runs, diverged_elsewhere, runs_elsewhere, p, p_holm. A factor of two levels has only
        the row of the level at which more runs diverged. The row of a numeric factor counts the runs on the side of its
        median on which more runs diverged. No rows if no run diverged.
    """
    diverged = table["status"] == DIVERGED
    if not diverged.any():
        return pd.DataFrame(columns=TEST_COLUMNS)
    from attnae.analysis.inference.families import holm

    rows = []
    for factor in factors:
        known = table[factor].notna()
        column, bad = table.loc[known, factor], diverged[known]
        levels = list(dict.fromkeys(column))
        if len(levels) > 2 and all(isinstance(level, (int, float)) for level in levels):
            rows.append((factor, *_trend(column.astype(float), bad)))
        elif len(levels) > 1:
            tests = [(factor, *_one_level(str(level), column == level, bad)) for level in levels]
            rows += [max(tests, key=lambda test: test[2] / test[3])] if len(tests) == 2 else tests
    frame = pd.DataFrame(rows, columns=TEST_COLUMNS[:-1])
    frame["p_holm"] = holm(frame["p"].to_numpy())
    return frame


def _one_level(level: str, here: pd.Series, diverged: pd.Series) -> tuple[str, int, int, int, int, float]:
    from scipy.stats import fisher_exact

    counts = _counts(here, diverged)
    p = fisher_exact([[counts[0], counts[1] - counts[0]], [counts[2], counts[3] - counts[2]]]).pvalue
    return level, *counts, float(p)


def _trend(values: pd.Series, diverged: pd.Series) -> tuple[str, int, int, int, int, float]:
    from scipy.stats import mannwhitneyu

    middle = float(values.median())
    high = _counts(values > middle, diverged)
    low = _counts(values <= middle, diverged)
    both = diverged.any() and not diverged.all()
    p = float(mannwhitneyu(values[diverged], values[~diverged]).pvalue) if both else 1.0
    if high[0] * low[1] >= low[0] * high[1]:
        return f"> {middle:.6g}", *high, p
    return f"<= {middle:.6g}", *low, p


def _counts(here: pd.Series, diverged: pd.Series) -> tuple[int, int, int, int]:
    """Diverged runs and all runs, here and elsewhere."""
    return int((here & diverged).sum()), int(here.sum()), int((~here & diverged).sum()), int((~here).sum())
