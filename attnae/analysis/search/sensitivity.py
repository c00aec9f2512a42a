"""The same tests on raw responses, and without the diverged runs: whether a verdict depends on the ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from attnae.analysis.inference.verdicts import HELPS, HURTS
from attnae.analysis.search.assess import Assessment, assess
from attnae.analysis.search.prepare import Prepared
from attnae.analysis.search.result import SENSITIVITY_COLUMNS
from attnae.analysis.search.scores import winsorised

WINSORISED, FINISHED_ONLY = "raw response, winsorised", "finished runs only"
OPPOSITE = {HELPS: HURTS, HURTS: HELPS}


def sensitivity_table(
    data: Prepared,
    finished: Prepared | None,
    found: Sequence[Assessment],
    *,
    adaptive: bool,
    alpha: float,
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """analysis, factor, p, p_holm, verdict, primary (the verdict as reported), reverses (whether it is the opposite).

    The raw responses are limited to the median +- 3 MAD, and diverged runs are at the upper limit. The second analysis
    exists if a run diverged and if at least one setting still varies among the others.
    """
    variants = {}
    y = winsorised(data.cost, data.strata) if not np.isnan(data.cost).any() else None
    if y is not None:
        variants[WINSORISED] = replace(data, z=y - y.mean())
    if finished is not None:
        variants[FINISHED_ONLY] = finished
    reported = {one.setting.name: one.verdict for one in found}
    rows = []
    for name, variant in variants.items():
        others, _ = assess(variant, None, adaptive=adaptive, alpha=alpha, draws=draws, seed=seed)
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
