"""The tables of `SearchResult` from assessments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from attnae.analysis.inference.verdicts import BEST, WORSE
from attnae.analysis.search.assess import FINDINGS, SUGGESTIVE, Assessment
from attnae.analysis.search.estimates.curve import ENOUGH_RUNS, Curve
from attnae.analysis.search.estimates.effects import Effect
from attnae.analysis.search.estimates.levels import Levels
from attnae.analysis.search.estimates.share import needs_of
from attnae.analysis.search.model.settings import RARE, Setting
from attnae.analysis.search.result import CURVE_COLUMNS, LEVEL_COLUMNS, SETTING_COLUMNS, Detail

# Verdicts of levels that are neither the only best one nor worse, and of levels that were pooled.
TIED, POOLED = "tied", "rare"


def settings_table(found: Sequence[tuple[Assessment, Effect, str]], alpha: float) -> pd.DataFrame:
    """`settings.csv`, from the assessment, the effect and the note of each setting."""
    family = max(1, sum(bool(np.isfinite(one.p)) for one, _, _ in found))
    rows = [_row(one, effect, note, family, alpha) for one, effect, note in found]
    table = pd.DataFrame(rows, columns=list(SETTING_COLUMNS))
    order = table.assign(rank=-table["share"].fillna(-1)).sort_values(["p_holm", "rank"], kind="stable").index
    return table.loc[order].reset_index(drop=True)


def levels_table(found: Sequence[tuple[Assessment, Effect]]) -> pd.DataFrame:
    """`setting_levels.csv`."""
    rows = [row for one, effect in found for row in _level_rows(one, effect)]
    return pd.DataFrame(rows, columns=list(LEVEL_COLUMNS))


def curves_table(found: Sequence[Assessment]) -> pd.DataFrame:
    """`setting_curves.csv`."""
    rows = [
        (one.setting.name, *point)
        for one in found
        if isinstance(curve := one.shape, Curve)
        for point in zip(one.setting.values_at(curve.u), curve.fitted, curve.low, curve.high, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS))


def detail_of(one: Assessment) -> Detail:
    """What the report needs beyond the row of the setting."""
    shape = one.shape
    low, high = _compared(one.setting)
    located, step, rough = False, None, len(one.z) < ENOUGH_RUNS
    if isinstance(shape, Curve):
        # Beside a curve that is not shown to matter, a jump is more often noise than a cliff.
        located, step, rough = shape.located, shape.step if one.verdict in FINDINGS else None, shape.rough
    z = np.full(len(one.counts), np.nan)
    z[one.counts] = one.z
    return Detail(one.whole.values, one.whole.active, z, one.decides, low, high, located, step, rough)


def _row(one: Assessment, effect: Effect, note: str, family: int, alpha: float) -> dict[str, Any]:
    setting, share, shape = one.setting, one.share, one.shape
    row: dict[str, Any] = {
        "factor": setting.name,
        "kind": setting.kind,
        "parent": setting.parent,
        "scale": setting.scale,
        "n": setting.runs,
        "df": setting.columns.shape[1],
        "p": one.p,
        "p_holm": one.p_holm,
        "verdict": one.verdict,
        "effect": effect.effect[0],
        "effect_low": effect.effect[1],
        "effect_high": effect.effect[2],
        "low_end": effect.low_end,
        "high_end": effect.high_end,
        "at_edge": "",
        "note": note,
    }
    if share is not None:
        row |= {"share": share.estimate, "share_low": share.low, "share_high": share.high}
        if np.isfinite(one.p):
            needs = needs_of(share, len(one.z), family, alpha)
            row |= {
                "mde_share": needs.mde_share,
                "runs_for_this": needs.runs_for_this,
                "runs_for_10pct": needs.runs_for_tenth,
            }
    if one.whole.numeric:
        values, _ = one.whole.distinct
        row |= {"tried_low": values[0], "tried_high": values[-1]}
    if isinstance(shape, Curve):
        best, low, high = setting.values_at(np.array([shape.u_best, shape.u_low, shape.u_high]))
        row |= {"best": best, "best_low": low, "best_high": high}
        # Beyond the end of the range of the runs that did not diverge, others did.
        if one.verdict in (*FINDINGS, SUGGESTIVE) and one.counts.all():
            row["at_edge"] = shape.at_edge
    elif shape is not None:
        others = [i for i, level in enumerate(setting.levels) if i != shape.best and level != RARE]
        row |= {
            "best": setting.levels[shape.best],
            "worse": ";".join(setting.levels[i] for i in others if i in one.worse),
            "tied": ";".join(setting.levels[i] for i in others if i not in one.worse),
        }
    return row


def _level_rows(one: Assessment, effect: Effect) -> list[tuple[Any, ...]]:
    setting, shape = one.setting, one.shape
    if not isinstance(shape, Levels):
        return []
    unknown = np.full(len(setting.levels), np.nan)
    means = unknown if effect.means is None else effect.means
    differences = np.full((len(setting.levels), 3), np.nan) if effect.differences is None else effect.differences
    rows = []
    for i, level in enumerate(setting.levels):
        others_worse = len(one.worse) == sum(level != RARE for level in setting.levels) - 1
        word = BEST if i == shape.best and others_worse else WORSE if i in one.worse else TIED
        rare = level == RARE
        rows.append(
            (
                *(setting.name, level, int((setting.codes == i).sum()), means[i]),
                *(np.full(3, np.nan) if rare else differences[i]),
                *(shape.p_holm[i], POOLED if rare else word if one.verdict else ""),
            )
        )
    return rows


def _compared(setting: Setting) -> tuple[float | str | None, float | str | None]:
    """The values between which the effect is measured."""
    if setting.numeric:
        low, high = setting.values_at(np.array(setting.ends))
        return float(low), float(high)
    return setting.levels if setting.kind == "two-level" else (None, None)  # type: ignore[return-value]
