"""Whether the verdicts stay the same under other analyses of the same runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from attnae.analysis.design.model import Interactions
from attnae.analysis.design.prepare import Columns, finished, prepare
from attnae.analysis.estimates.effects import MainEffects, Reading, effects_table
from attnae.analysis.inference.verdicts import BEST, HELPS, HURTS, WORSE
from attnae.errors import UserError
from attnae.tags import DIVERGED

AS_REPORTED = "as reported"
DIVERGED_WORST = "diverged ranked worst"
OPPOSITES = {HELPS: HURTS, HURTS: HELPS, BEST: WORSE, WORSE: BEST}


def sensitivity_table(
    effects: pd.DataFrame,
    table: pd.DataFrame,
    factors: Sequence[str],
    columns: Columns,
    interactions: Interactions,
    reading: Reading,
    alternatives: Mapping[str, pd.Series],
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Verdicts again under the other scale, other epoch rules, and with diverged runs ranked worst.

    Returns:
        analysis, factor, level, estimate, p, p_holm, verdict, reverses (helps against hurts, best against
        worse), starting with the effects as reported; and one line for each analysis that was not
        possible.
    """
    kept = ["factor", "level", "estimate", "p", "p_holm", "verdict"]
    tables = [effects[kept].assign(analysis=AS_REPORTED)]
    problems = []
    for name, (values, among, variant) in _variants(table, columns, reading, alternatives).items():
        try:
            data = prepare(table, factors, values, columns, interactions, among=among)
        except UserError as error:
            problems.append(f"sensitivity, {name}: {error}")
            continue
        if variant.log and (data.y <= 0).any():
            problems.append(f"sensitivity, {name}: not computed, because not all responses are positive")
            continue
        y = np.log(data.y) if variant.log else data.y
        tables.append(effects_table(MainEffects.of(data.design), y, variant)[kept].assign(analysis=name))
    result = pd.concat(tables, ignore_index=True)[["analysis", *kept]]
    reported = {(row.factor, row.level): row.verdict for row in effects.itertuples()}
    result["reverses"] = [
        OPPOSITES.get(str(row.verdict)) == reported.get((row.factor, row.level), "") for row in result.itertuples()
    ]
    return result, tuple(problems)


def reversals(sensitivity: pd.DataFrame) -> tuple[str, ...]:
    """One line for each verdict that turns into its opposite."""
    reported = sensitivity[sensitivity.analysis == AS_REPORTED].set_index(["factor", "level"]).verdict
    return tuple(
        f"{row.factor} = {row.level}: {reported[row.factor, row.level]} as reported, but {row.verdict} ({row.analysis})"
        for row in sensitivity[sensitivity.reverses].itertuples()
    )


def ranked_worst(values: pd.Series, diverged: pd.Series, *, goal: str) -> pd.Series:
    """Ranks of the responses, from 1; diverged runs share the worst ones."""
    worst = np.inf if goal == "min" else -np.inf
    usable = values.where(~diverged, worst)
    return pd.Series(stats.rankdata(usable, nan_policy="omit"), index=values.index)


def _variants(
    table: pd.DataFrame, columns: Columns, reading: Reading, alternatives: Mapping[str, pd.Series]
) -> dict[str, tuple[pd.Series, pd.Series, Reading]]:
    responses = pd.to_numeric(table[columns.response], errors="coerce").astype(float)
    keep = finished(table, columns)
    scale = "raw" if reading.log else "log"
    other_scale = replace(reading, log=not reading.log, negligible=None)
    variants: dict[str, tuple[pd.Series, pd.Series, Reading]] = {}
    if reading.log or (responses[keep & np.isfinite(responses)] > 0).all():
        variants[scale] = (responses, keep, other_scale)
    for name, values in alternatives.items():
        aligned = values if values.index.equals(table.index) else values.reindex(table.index)
        variants[str(name)] = (aligned, keep, reading)
    if columns.status in table and (diverged := table[columns.status] == DIVERGED).any():
        ranks = ranked_worst(responses.where(keep), diverged, goal=reading.goal)
        variants[DIVERGED_WORST] = (ranks, keep | diverged, replace(reading, log=False, negligible=None))
    return variants
