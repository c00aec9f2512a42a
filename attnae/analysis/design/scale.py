"""On which scale a numeric setting is read: as it is, or by its logarithm."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

Scale = Literal["linear", "log10"]
SCALES: tuple[Scale, ...] = ("linear", "log10")

# Names of settings that people choose by their order of magnitude.
LOG_NAME = re.compile(
    r"(.*[^a-z])?(lr|learning_?rate|weight_?decay|wd|l1|l2|eps|epsilon|reg|lambda)(_?\d*|[^a-z].*)?", re.IGNORECASE
)
# A range below the first ratio is linear; so is one with zeros below the second.
MIN_RATIO, MIN_RATIO_WITH_ZEROS, TWO_VALUES_RATIO = 3, 100, 10
FEW_VALUES, MIN_EVIDENCE = 6, 2


def choose_scale(name: str, values: Sequence[float]) -> Scale:
    """The scale of a numeric setting by how its values are spread, and by its name where the values do not say.

    Two values: log10 if they are a decade apart and the name is one such as lr. Three to six: log10 if their logarithms
    are more evenly spaced than the values themselves. More: log10 if values drawn log-uniformly over their range are
    more likely than values drawn uniformly, by a factor of e^2; where neither is, the name decides.

    Args:
        values: of the runs or of the distinct settings; zeros are set aside. Negative values: always linear.
    """
    x = np.asarray(values, dtype=float)
    x = x[np.isfinite(x)]
    positive = x[x > 0]
    if (x < 0).any() or len(positive) == 0:
        return "linear"
    low, high = float(positive.min()), float(positive.max())
    if high < MIN_RATIO * low or (len(positive) < len(x) and high < MIN_RATIO_WITH_ZEROS * low):
        return "linear"
    distinct = np.unique(positive)
    if len(distinct) == 2:
        return "log10" if high >= TWO_VALUES_RATIO * low and is_log_name(name) else "linear"
    if len(distinct) <= FEW_VALUES:
        return "log10" if _unevenness(np.log(distinct)) < _unevenness(distinct) - 1e-12 else "linear"
    n = len(positive)
    evidence = float(-np.log(positive).sum()) - n * math.log(math.log(high / low)) + n * math.log(high - low)
    if abs(evidence) < MIN_EVIDENCE:
        return "log10" if is_log_name(name) else "linear"
    return "log10" if evidence > 0 else "linear"


def is_log_name(name: str) -> bool:
    """Whether a setting is called like one that is chosen by its order of magnitude, such as `lr` or `weight_decay`."""
    return LOG_NAME.fullmatch(name.rsplit("/", 1)[-1]) is not None


def _unevenness(points: np.ndarray) -> float:
    """The coefficient of variation of the gaps between sorted points."""
    gaps = np.diff(points)
    return float(gaps.std() / gaps.mean())
