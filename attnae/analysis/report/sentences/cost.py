"""What the choices cost in time, in one sentence per factor; none of them is a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from attnae.analysis.report.sentences.study import is_switch, level_name
from attnae.analysis.report.sentences.units import Unit
from attnae.analysis.result import StudyResult
from attnae.text import clean, listed, percent, title_of

NO_TIMES = "the runs did not record how long they took"
# From here on a ratio is read more easily than a percentage.
MANY_TIMES = 3.0
MAX_TOLD = 3


def cost_sentences(result: StudyResult) -> list[str]:
    """One sentence per factor with a comparison, without its full stop; none if nothing can be said."""
    cost = result.cost
    if cost is None or cost.effects is None:
        return []
    found = []
    for factor in result.factors:
        rows = cost.effects[cost.effects.factor == factor.name].to_dict("records")
        if factor.kind == "many-level" and rows:
            base = level_name(rows[0]["versus"], factor.labels)
            told = listed(f"{level_name(row['level'], factor.labels)} {_change(row, result)}" for row in rows)
            found.append(f"Time: {clean(factor.name)}, compared with {base}: {told}")
        elif rows:
            found.append(
                f"Time: {_subject(factor.name, rows[0], result)} {_change(rows[0], result)}{_gain(rows[0], result)}"
            )
    return found


def cost_line(result: StudyResult) -> str:
    """The choices that are shown to take more or less time, for the first screen; empty if there are none."""
    if result.cost is None or result.cost.effects is None or not result.cost.found:
        return ""
    effects = result.cost.effects.assign(size=np.log(result.cost.effects.ratio).abs())
    clear = effects[effects.p_holm < result.reading.alpha].sort_values("size", ascending=False, kind="stable")
    rows = clear.drop_duplicates("factor").to_dict("records")  # of each factor, the level that differs most
    told = "; ".join(f"{_subject(row['factor'], row, result)} {_change(row, result)}" for row in rows[:MAX_TOLD])
    more = f"; and {len(rows) - MAX_TOLD} more" if len(rows) > MAX_TOLD else ""
    return f"Time per run, on this machine and at its load: {told}{more}."


def combination(row: Mapping[Any, Any], factors: Mapping[str, str]) -> str:
    """The levels of a row of a table of combinations, by `attrs["factors"]`."""
    return ", ".join(f"{clean(name, 24)}={clean(row[column], 24)}" for column, name in factors.items())


def _subject(name: str, row: Mapping[Any, Any], result: StudyResult) -> str:
    factor = next(factor for factor in result.factors if factor.name == name)
    if factor.kind == "two-level" and is_switch(factor):
        return title_of(name)
    low, high = (level_name(row[key], factor.labels) for key in ("versus", "level"))
    if factor.kind == "continuous":
        return f"raising {clean(name)} from {low} to {high}"
    return f"{clean(name)} = {high} instead of {low}"


def _change(row: Mapping[Any, Any], result: StudyResult) -> str:
    """`takes 12% longer (95% CI 8% to 16%)`."""
    ratio, low, high = (float(row[key]) for key in ("ratio", "ci_low", "ci_high"))
    interval = f"{percent(1 - result.reading.alpha)} CI"
    if not row["p_holm"] < result.reading.alpha:
        return f"shows no significant difference ({interval} {_signed(low)} to {_signed(high)})"
    if ratio >= MANY_TIMES:
        return f"takes {ratio:.1f} times as long ({interval} {low:.1f} to {high:.1f})"
    if ratio > 1:
        return f"takes {_share(ratio - 1)} longer ({interval} {_share(low - 1)} to {_share(high - 1)})"
    return f"takes {_share(1 - ratio)} less time ({interval} {_share(1 - high)} to {_share(1 - low)})"


def _gain(row: Mapping[Any, Any], result: StudyResult) -> str:
    """What the same choice does to the response, by its own verdict."""
    effects = result.shown_effects
    effect = effects[effects.factor == row["factor"]].iloc[0].to_dict()
    if not math.isfinite(effect["estimate"]) or not effect["verdict"]:
        return ""
    unit = Unit.of_row(effect, result)
    size = unit.text(unit.value(effect["estimate"]), signed=True)
    return f", and changes {clean(result.response)} by {size} ({effect['verdict']})"


def _share(part: float) -> str:
    return f"{100 * part:.1f}%" if part < 0.1 else f"{100 * part:.0f}%"


def _signed(ratio: float) -> str:
    """A ratio as a change in percent: +8.1%."""
    change = 100 * (ratio - 1)
    return f"{change:+,.1f}%" if abs(change) < 10 else f"{change:+,.0f}%"
