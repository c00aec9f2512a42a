"""In which unit a sentence gives effects: percent of a mean, points of a percentage, or units of the response."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from attnae.analysis.result import StudyResult
from attnae.text import decimals_for, fixed

# Words of names whose values are shares or percentages.
SHARES = (
    *("acc", "accuracy", "auc", "auroc", "f1", "precision", "recall", "iou", "miou", "dice", "top1", "top5"),
    *("percent", "percentage", "pct"),
)


def points_per_unit(result: StudyResult) -> float | None:
    """How many percentage points one unit of the response is: 100 if all values lie in [0, 1], 1 if they lie in
    [0, 100]; None if the response has no name of a share, or is a logarithm."""
    if result.reading.log or not set(re.findall(r"[a-z0-9]+", result.response.lower())).intersection(SHARES):
        return None
    low, high = float(np.min(result.y)), float(np.max(result.y))
    if low < 0 or high > 100:
        return None
    return 100.0 if high <= 1 else 1.0


@dataclass(frozen=True)
class Unit:
    """Points of a percentage; else percent of the reference mean where there is one, else units of the response.

    Attributes:
        scale: percent, or points, of one unit of the response; NaN where percentages have no meaning.
        sign: what stands behind a number.
        decimals: the same for all numbers of a sentence; None for significant digits.
    """

    log: bool
    scale: float
    decimals: int | None
    sign: str = "%"

    @classmethod
    def of_row(cls, row: dict[str, Any], result: StudyResult) -> Unit:
        log, change, estimate = result.reading.log, row["percent_change"], row["estimate"]
        points = points_per_unit(result)
        scale = points or (100.0 if log else change / estimate if estimate else math.nan)
        half = (row["ci_high"] - row["ci_low"]) / 2
        half = half if half > 0 else abs(estimate)
        if not math.isfinite(scale):
            return cls(log, scale, decimals_for(half, 2) if 1e-7 < half < 1e7 else None)
        shown = abs(scale) * half
        decimals = max(1, decimals_for(shown, 1)) if shown < 1e7 else None
        return cls(log, scale, decimals, " points" if points else "%")

    def value(self, amount: float) -> float:
        """An amount on the scale of the analysis as this unit shows it."""
        if not math.isfinite(self.scale):
            return amount
        return 100 * math.expm1(amount) if self.log else self.scale * amount

    def text(self, value: float, *, signed: bool = False) -> str:
        sign = "+" if signed and value > 0 else ""
        return f"{sign}{fixed(value, self.decimals)}{self.sign if math.isfinite(self.scale) else ''}"

    def span(self, low: float, high: float) -> str:
        return f"{fixed(low, self.decimals)} to {fixed(high, self.decimals)}"
