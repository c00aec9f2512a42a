"""The same tests on raw responses, and without the diverged runs: whether a verdict depends on the ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from attnae.analysis.design.columns import codes
from attnae.analysis.inference.verdicts import HELPS, HURTS
from attnae.analysis.search.assess import Assessment, assess
from attnae.analysis.search.model.settings import read_setting
from attnae.analysis.search.prepare import Prepared, base_columns
from attnae.analysis.search.result import SENSITIVITY_COLUMNS
from attnae.analysis.search.scores import normal_scores, winsorised

WINSORISED, FINISHED_ONLY = "raw response, winsorised", "finished runs only"
OPPOSITE = {HELPS: HURTS, HURTS: HELPS}


def sensitivity_table(
    data: Prepared, found: Sequence[Assessment], *, adaptive: bool, alpha: float, draws: int, seed: int
) -> pd.DataFrame:
    """analysis, factor, p, p_holm, verdict, primary (the verdict as reported), reverses (whether it is the opposite).

    The raw responses are limited to the median +- 3 MAD, and diverged runs are at the upper limit. The second analysis
    exists if a run diverged and if at least one setting still varies among the others.
    """
    variants = {}
    y = winsorised(data.cost, data.strata) if not np.isnan(data.cost).any() else None
    if y is not None:
        variants[WINSORISED] = replace(data, z=y - y.mean())
    if np.isinf(data.cost).any() and (rest := _finished(data)) is not None:
        variants[FINISHED_ONLY] = rest
    reported = {one.setting.name: one.verdict for one in found}
    rows = []
    for name, variant in variants.items():
        others, _ = assess(
            variant.settings,
            variant.base,
            variant.strata,
            variant.z,
            adaptive=adaptive,
            alpha=alpha,
            draws=draws,
            seed=seed,
        )
        for one in others:
            primary = reported[one.setting.name]
            reverses = OPPOSITE.get(primary) == one.verdict
            rows.append((name, one.setting.name, one.p, one.p_holm, one.verdict, primary, reverses))
    return pd.DataFrame(rows, columns=list(SENSITIVITY_COLUMNS)).astype({"reverses": bool})


def reversals(sensitivity: pd.DataFrame) -> tuple[str, ...]:
    """One line for each verdict that turns into its opposite."""
    return tuple(
        f"{row.factor}: {row.primary} as reported, but {row.verdict} ({row.analysis})"
        for row in sensitivity[sensitivity["reverses"]].itertuples()
    )


def _finished(data: Prepared) -> Prepared | None:
    """The configurations that did not diverge, with scores and settings of their own; None if no setting varies."""
    keep = np.isfinite(data.cost)
    columns = data.columns[keep].reset_index(drop=True)
    settings = []
    for setting in data.settings:
        again, _ = read_setting(setting.name, columns[setting.name], setting.parent, setting.active[keep])
        settings += [again] if again is not None else []
    if not settings:
        return None
    strata = codes(pd.Series(data.strata[keep]))
    z = normal_scores(data.cost[keep], strata)
    base = base_columns(settings, strata)
    return replace(data, columns=columns, z=z - z.mean(), strata=strata, base=base, settings=tuple(settings))
