"""Which range or levels of each setting to search next."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from attnae.analysis.inference.verdicts import NEGLIGIBLE, SUGGESTIVE, UNDETERMINED
from attnae.analysis.search.assess import FINDINGS
from attnae.analysis.search.result import SearchResult

NARROW, EXTEND, KEEP, FIX, DROP = "narrow", "extend", "keep", "fix", "drop"
NEXT_COLUMNS = ("factor", "action", "low", "high", "levels", "reason")
# Names of settings that are probabilities or shares, and cannot exceed 1.
SHARE = re.compile(
    r"(.*[^a-z])?(drop_?out|drop|momentum|beta_?\d*|prob(ability)?|p|ratio|fraction|smoothing|gamma|decay)([^a-z].*)?",
    re.IGNORECASE,
)
NO_SHARE = re.compile(r".*(weight_?decay|wd).*", re.IGNORECASE)
# An extension adds this share of the tried range, on the scale of the setting; one below the second share is too small.
EXTENSION, WORTHWHILE = 0.5, 0.05
# A new search has at least and at most so many runs; powers of two fill the ranges most evenly (Sobol).
FEWEST, MOST = 32, 128

Row = Mapping[Hashable, Any]


@dataclass(frozen=True)
class NextSearch:
    """What to search next.

    Attributes:
        table: factor, action, low and high of a numeric setting, levels of another one (";"-separated), reason.
        runs: the number of runs.
    """

    table: pd.DataFrame
    runs: int


def next_search(result: SearchResult) -> NextSearch:
    """The range of each setting in the next search, in the order of `result.settings`.

    Where the best value is located, its interval is searched; if it lies at an end of the tried range, the range is
    extended there by half of its length, on the scale of the setting, unless there is a natural limit such as 0. A
    setting that explains too little is left out, and everything that is open is kept. After an adaptive search nothing
    is narrowed.
    """
    together = set(result.pairs.iloc[0][["first", "second"]]) if result.pairs_p < result.alpha else set()
    rows = [(row["factor"], *_next(row, result, together)) for row in result.settings.to_dict("records")]
    open_ = result.settings[result.settings["verdict"].isin((SUGGESTIVE, UNDETERMINED, ""))]
    wanted = open_["runs_for_10pct"].max() - result.n if len(open_) else FEWEST
    wanted = min(MOST, max(FEWEST, wanted if math.isfinite(wanted) else FEWEST))
    return NextSearch(pd.DataFrame(rows, columns=list(NEXT_COLUMNS)), 2 ** math.ceil(math.log2(wanted)))


def extension(row: Row, edge: str) -> float | None:
    """The new end of a numeric setting's range beyond the edge "low" or "high"; None at a natural limit.

    Args:
        row: of `SearchResult.settings`.
    """
    low, high = float(row["tried_low"]), float(row["tried_high"])
    if row["scale"] == "log10" and low > 0:
        factor = (high / low) ** EXTENSION
        return low / factor if edge == "low" else high * factor
    step = EXTENSION * (high - low)
    name = str(row["factor"]).rsplit("/", 1)[-1]
    share = SHARE.fullmatch(name) and not NO_SHARE.fullmatch(name) and low >= 0 and high <= 1
    least = 1.0 if row["kind"] == "integer" and low >= 1 else 0.0 if low >= 0 else -math.inf
    end = max(least, low - step) if edge == "low" else min(1.0 if share else math.inf, high + step)
    if abs(end - (low if edge == "low" else high)) < WORTHWHILE * (high - low):
        return None
    return end


def _next(row: Row, result: SearchResult, together: set[str]) -> tuple[str, float, float, str, str]:
    """action, low, high, levels, reason."""
    numeric = row["kind"] in ("continuous", "integer")
    ends = (float(row["tried_low"]), float(row["tried_high"])) if numeric else (math.nan, math.nan)
    levels = "" if numeric else ";".join(levels_of(row["factor"], result))
    low, high = (float(f"{end:.3g}") if row["kind"] == "continuous" else end for end in ends)
    keep = (KEEP, low, high, levels)
    if result.adaptive:
        return (*keep, "the sampler chose where to search, so a random search over the same range comes first")
    if row["verdict"] == NEGLIGIBLE:
        best = row["best"]
        share = f"it explains at most {100 * row['share_high']:.0f}% of the variation"
        return (DROP, best, best, "", share) if numeric else (DROP, math.nan, math.nan, str(best), share)
    if row["factor"] in together:
        return (*keep, "it acts together with another setting, so its best value depends on that one")
    if row["verdict"] not in FINDINGS:
        return (*keep, "open")
    if not numeric:
        kept = [row["best"], *filter(None, str(row["tied"]).split(";"))]
        if not isinstance(row["worse"], str) or not row["worse"]:
            return (*keep, "which level is best is open")
        kept = [level for level in levels_of(row["factor"], result) if level in kept]
        action, reason = (FIX, "it is best") if len(kept) == 1 else (NARROW, "the other levels are worse")
        return action, math.nan, math.nan, ";".join(kept), reason
    detail = result.details[row["factor"]]
    edge = row["at_edge"]
    if edge and (end := extension(row, edge)) is not None:
        # The interval is the tried range where the best value is not located.
        best_low, best_high = float(row["best_low"]), float(row["best_high"])
        low, high = (end, best_high) if edge == "low" else (best_low, end)
        return (EXTEND, *_outward(low, high, row), "", f"the best tried value is at the {edge} end")
    if not detail.located:
        return (*keep, "where it is best is open")
    kind = "rough" if detail.rough else f"{100 * (1 - result.alpha):.6g}%"
    low, high = _outward(float(row["best_low"]), float(row["best_high"]), row)
    return NARROW, max(low, ends[0]), min(high, ends[1]), "", f"the {kind} interval of the best value"


def levels_of(name: str, result: SearchResult) -> list[str]:
    """All levels that were tried, low to high, those that were pooled last."""
    values = [str(value) for value in pd.unique(result.details[name].values) if value is not None]
    known = list(result.levels.loc[result.levels["factor"] == name, "level"])
    return sorted(values, key=lambda level: known.index(level) if level in known else len(known))


def _outward(low: float, high: float, row: Row) -> tuple[float, float]:
    """Both ends with two significant digits, the low one rounded down and the high one up; whole numbers stay whole."""
    if row["kind"] == "integer":
        return float(math.floor(low)), float(math.ceil(high))
    return _rounded(low, math.floor), _rounded(high, math.ceil)


def _rounded(value: float, towards: Any) -> float:
    if value == 0:
        return 0.0
    digits = 1 - math.floor(math.log10(abs(value)))
    # The small number keeps 0.3, which is 2.9999999999999996 tenths, from becoming 0.29.
    sign = -1e-9 if towards is math.ceil else 1e-9
    return float(f"{towards(value * 10**digits + sign) / 10**digits:.12g}")
