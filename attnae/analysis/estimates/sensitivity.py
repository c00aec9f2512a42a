"""Whether the verdicts stay the same under other analyses of the same runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from attnae.analysis.design.model import Interactions
from attnae.analysis.design.prepare import Columns, finished, prepare
from attnae.analysis.estimates.effects import NO_CHOICE, judged_effects
from attnae.analysis.estimates.family import MainEffects, Reading
from attnae.analysis.estimates.planned import judge_replicates
from attnae.analysis.inference.looks import Replicates
from attnae.analysis.inference.verdicts import (
    BEST,
    HELPS,
    HELPS_HERE,
    HURTS,
    HURTS_HERE,
    MATTERS,
    NEGLIGIBLE,
    NOT_DISTINGUISHABLE,
    WORSE,
)
from attnae.errors import UserError
from attnae.tags import DIVERGED

AS_REPORTED = "as reported"
DIVERGED_WORST = "diverged ranked worst"
OPPOSITES = {
    **dict.fromkeys((HELPS, HELPS_HERE), (HURTS, HURTS_HERE)),
    **dict.fromkeys((HURTS, HURTS_HERE), (HELPS, HELPS_HERE)),
    BEST: (WORSE,),
    WORSE: (BEST,),
}
# The verdicts of another analysis under which a verdict remains.
CONFIRMED = {HELPS_HERE: (HELPS, HELPS_HERE), HURTS_HERE: (HURTS, HURTS_HERE)}


def sensitivity_table(
    effects: pd.DataFrame,
    table: pd.DataFrame,
    factors: Sequence[str],
    columns: Columns,
    interactions: Interactions,
    reading: Reading,
    alternatives: Mapping[str, pd.Series],
    replicates: Replicates | None = None,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Verdicts again under the other scale, other epoch rules, and with diverged runs ranked worst.

    Returns:
        analysis, factor, level, estimate, p, p_holm, verdict, reverses (helps against hurts, best against
        worse), vanishes (helps, hurts, best or worse that this analysis does not find; negligible that one on the same
        scale does not), starting with the effects as reported; and one line for each analysis that was not possible.
    """
    kept = ["factor", "level", "estimate", "p", "p_holm", "verdict"]
    tables = [effects[kept].assign(analysis=AS_REPORTED)]
    problems = []
    no_choice = effects.factor[effects.note == NO_CHOICE].tolist()
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
        family = MainEffects.of(data.design)
        judged = family.judge(y, variant)
        if replicates is not None and (looks := judge_replicates(data, y, replicates, variant)) is not None:
            judged = looks.instead_of(judged)
        tables.append(judged_effects(family, judged, y, variant, no_choice)[kept].assign(analysis=name))
    result = pd.concat(tables, ignore_index=True)[["analysis", *kept]]
    reported = {(row.factor, row.level): row.verdict for row in effects.itertuples()}
    words = [(str(row.verdict), str(reported.get((row.factor, row.level), ""))) for row in result.itertuples()]
    result["reverses"] = [word in OPPOSITES.get(first, ()) for word, first in words]
    result["vanishes"] = [
        first in OPPOSITES and word not in CONFIRMED.get(first, (first,)) and word not in OPPOSITES[first]
        for word, first in words
    ]
    # On another scale nothing is negligible: the bound has no meaning there.
    same_scale = result.analysis.isin([AS_REPORTED, *map(str, alternatives)])
    result["vanishes"] |= same_scale & np.array([first == NEGLIGIBLE != word for word, first in words], dtype=bool)
    return result, tuple(problems)


def reversals(sensitivity: pd.DataFrame, *, alpha: float) -> tuple[str, ...]:
    """One line for each verdict that turns into its opposite or is not found in another analysis, and for each factor
    that matters, with no level that is worse, and does not matter in another analysis."""
    reported = sensitivity[sensitivity.analysis == AS_REPORTED].set_index(["factor", "level"]).verdict
    changed = sensitivity[sensitivity.reverses | sensitivity.vanishes]
    lines = [
        f"{row.factor} = {row.level}: {reported[row.factor, row.level]} as reported, but "
        f"{row.verdict or 'no verdict'} ({row.analysis})"
        for row in changed.itertuples()
    ]
    for factor in dict.fromkeys(sensitivity.factor):
        rows = sensitivity[sensitivity.factor == factor]
        # The rows of a factor of many levels carry its p-value.
        p = {name: own.p_holm.iloc[0] for name, own in rows.groupby("analysis") if _no_level_is_worse(own)}
        if p.get(AS_REPORTED, 1.0) < alpha:
            names = [name for name in dict.fromkeys(rows.analysis) if p.get(name, 0.0) >= alpha]
            said = f"{factor}: {MATTERS} as reported, but its levels do not differ significantly"
            lines += [f"{said} ({name})" for name in names]
    return tuple(lines)


def _no_level_is_worse(rows: pd.DataFrame) -> bool:
    return bool((rows.verdict == NOT_DISTINGUISHABLE).all())


def ranked_worst(values: pd.Series, diverged: pd.Series, *, goal: str) -> pd.Series:
    """Ranks of the responses, from 1; diverged runs share the worst ones."""
    worst = np.inf if goal == "min" else -np.inf
    usable = values.where(~diverged, worst)
    return usable.rank()


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
