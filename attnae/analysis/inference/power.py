"""Power of t tests: the smallest detectable effect, and how many seeds would detect an effect."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from attnae.analysis.design.model import Design
from attnae.analysis.inference.distributions import chi2_ppf, normal_cdf, root, t_ppf
from attnae.analysis.inference.scope import seed_count, seeds_recur, seeds_shared

# The power that `mde` and `seeds_needed` speak of.
POWER = 0.8
MAX_SEEDS = 1000
# The cautious number of seeds takes the upper end of a one-sided 80% interval of the standard deviation.
CAUTION = 0.2
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(300)


def t_power(shift: float, df: float, alpha: float) -> float:
    """Power of a two-sided t test at alpha for an effect of `shift` standard errors.

    The probability given the estimated standard error, integrated over its chi distribution by Gauss-Legendre
    quadrature. scipy's noncentral t gives NaN from shifts of about 5 on.
    """
    return _power(shift, *_scales(df), t_ppf(1 - alpha / 2, df))


@lru_cache(maxsize=4096)
def detectable_shift(df: float, alpha: float) -> float:
    """The smallest effect, in standard errors, that a two-sided t test at alpha detects with a power of 80%."""
    ratio, weights = _scales(df)
    critical = float(t_ppf(1 - alpha / 2, df))
    high = critical + 2.0
    while _power(high, ratio, weights, critical) < POWER:
        high *= 2
    return root(lambda shift: _power(shift, ratio, weights, critical) - POWER, 0.0, high)


def detectable(std_error: np.ndarray, df: np.ndarray, *, family: int | np.ndarray, alpha: float) -> np.ndarray:
    """(rows,) the smallest effect that a two-sided t test at alpha / family detects with a power of 80%; one family, or
    that of each row."""
    level = np.broadcast_to(alpha / np.maximum(family, 1), np.shape(df))
    known = np.isfinite(df) & (df > 0)
    shifts = [detectable_shift(float(d), float(a)) if k else np.nan for d, a, k in zip(df, level, known, strict=True)]
    return std_error * np.array(shifts)


def seeds_for(effect_in_sd: float, df_per_seed: float | None, alpha: float) -> float:
    """The smallest number of seeds whose power reaches 80%; NaN above 1,000.

    Args:
        effect_in_sd: the effect divided by the standard deviation of the effect of one seed.
        df_per_seed: degrees of freedom that each seed adds; None: seeds are shared, and S of them leave S - 1.
    """

    def enough(seeds: int) -> bool:
        df = seeds - 1.0 if df_per_seed is None else max(df_per_seed * seeds, 1.0)
        return t_power(effect_in_sd * np.sqrt(seeds), df, alpha) >= POWER

    if not np.isfinite(effect_in_sd) or not enough(MAX_SEEDS):
        return np.nan
    low, high = 1, MAX_SEEDS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return float(high)


def next_steps_table(
    design: Design,
    effects: pd.DataFrame,
    *,
    target: float | None,
    negligible: float | None,
    family: np.ndarray,
    alpha: float,
) -> pd.DataFrame:
    """factor, level, effect, power_target, seeds_now, seeds_needed, seeds_cautious: a row for each row of the effects.

    The effect to detect is the target, else the largest negligible effect, else the estimate. `power_target` is the
    power of the present study for the target or the negligible bound; there is none for the estimate, whose power is
    a function of its p-value. `seeds_needed` gives a power of 80% at alpha / family (of each row) if the standard
    deviation of the effect is as estimated, `seeds_cautious` if it is at the upper end of its one-sided 80% interval;
    blank where above 1,000. Seeds are seeds shared by all cells, or runs per cell where each run has its own.
    """
    shared = seeds_shared(design)
    each = float(seed_count(design) if seeds_recur(design) else design.n)
    now = each if shared and design.seeds is not None else each / (design.cells.max() + 1.0)
    levels = (alpha / np.maximum(family, 1)).tolist()
    wanted = target if target is not None else negligible
    rows = []
    records = effects[["factor", "level", "estimate", "std_error", "df"]].to_dict("records")
    for row, level in zip(records, levels, strict=True):
        effect = abs(row["estimate"]) if wanted is None else wanted
        error, df = row["std_error"], row["df"]
        if not (np.isfinite(error) and error > 0 and df > 0):
            rows.append((row["factor"], row["level"], effect, np.nan, now, np.nan, np.nan))
            continue
        spread = error * np.sqrt(now)
        per_seed = None if shared else df / now
        caution = np.sqrt(df / chi2_ppf(CAUTION, df))
        rows.append(
            (
                row["factor"],
                row["level"],
                effect,
                np.nan if wanted is None else t_power(effect / error, df, level),
                now,
                seeds_for(effect / spread, per_seed, level),
                seeds_for(effect / (spread * caution), per_seed, level),
            )
        )
    columns = ["factor", "level", "effect", "power_target", "seeds_now", "seeds_needed", "seeds_cautious"]
    return pd.DataFrame(rows, columns=columns)


@lru_cache(maxsize=4096)
def _scales(df: float) -> tuple[np.ndarray, np.ndarray]:
    """Estimated over true standard error at the nodes, and the weights of the nodes."""
    return np.sqrt(chi2_ppf((_NODES + 1) / 2, df) / df), _WEIGHTS / 2


def _power(shift: float, ratio: np.ndarray, weights: np.ndarray, critical: float) -> float:
    above, below = normal_cdf(shift - critical * ratio), normal_cdf(-shift - critical * ratio)
    return float(weights @ (above + below))
