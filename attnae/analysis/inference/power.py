"""Power of t tests: the smallest detectable effect, and how many seeds would detect an effect."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from attnae.analysis.design.model import Design

# The power that `mde` and `seeds_needed` speak of.
POWER = 0.8
MAX_SEEDS = 1000


def next_steps_table(design: Design, effects: pd.DataFrame, *, target: float | None, alpha: float) -> pd.DataFrame:
    """factor, level, effect, power_now, seeds_now, seeds_needed: one row for each row of the effects.

    The effect to detect is the target, else the estimate (optimistic if it was selected because it is large).
    `seeds_now` is the mean number of runs per cell. Standard errors shrink with the square root of the seeds,
    and degrees of freedom grow with them. `seeds_needed` gives a power of 80%; blank where above 1,000.
    """
    seeds_now = design.n / (int(design.cells.max()) + 1)
    family = int(np.isfinite(effects["p"]).sum())
    seeds = np.arange(1, MAX_SEEDS + 1)
    table = effects[["factor", "level"]].copy()
    table["effect"] = effects["estimate"].abs() if target is None else target
    effect, error, df = (
        values.to_numpy(dtype=float)[:, None] for values in (table["effect"], effects["std_error"], effects["df"])
    )
    grown = np.maximum(df * seeds / seeds_now, 1.0)
    power = shifted_t_power(effect, error * np.sqrt(seeds_now / seeds), grown, family=family, alpha=alpha)
    table["power_now"] = shifted_t_power(effect, error, df, family=family, alpha=alpha)[:, 0]
    table["seeds_now"] = seeds_now
    enough = power >= POWER
    table["seeds_needed"] = np.where(enough.any(axis=1), seeds[enough.argmax(axis=1)], np.nan)
    return table


def shifted_t_power(
    effect: np.ndarray, std_error: np.ndarray, df: np.ndarray, *, family: int, alpha: float
) -> np.ndarray:
    """Power of a two-sided t test at alpha / family, in the direction of the effect; all arrays broadcast.

    P(T > t[1 - alpha / (2 family), df] - effect / std_error): a Student's t shifted by the effect approximates the
    noncentral t.
    """
    critical = stats.t.ppf(1 - alpha / (2 * max(family, 1)), df)
    with np.errstate(divide="ignore", invalid="ignore"):
        return stats.t.sf(critical - np.divide(effect, std_error), df)


def detectable(std_error: np.ndarray, df: np.ndarray, *, family: int, alpha: float) -> np.ndarray:
    """The smallest effect that a two-sided t test at alpha / family detects with a power of 80%.

    `shifted_t_power` solved for the effect (Bloom 1995, Evaluation Review 19, 547-556); in the units of std_error.
    """
    return std_error * (stats.t.ppf(1 - alpha / (2 * max(family, 1)), df) + stats.t.ppf(POWER, df))
