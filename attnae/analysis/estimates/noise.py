"""How noisy a run is: pure error, lack of fit, and whether effects change with the seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from attnae.analysis.design.model import BLOCK, Design
from attnae.analysis.inference.anova import f_row, sum_of_squares
from attnae.analysis.inference.contrasts import holm, point_estimates, two_sided_p
from attnae.analysis.inference.saturated import cell_residuals


@dataclass(frozen=True)
class PureError:
    """The residual of cells + blocks, and model M's lack of fit against it.

    Attributes:
        sd: square root of the mean square: the noise of one run, in units of the (transformed) response.
    """

    sum_sq: float
    df: int
    sd: float
    lack_of_fit_sum_sq: float
    lack_of_fit_df: int
    lack_of_fit_f: float
    lack_of_fit_p: float


def pure_error(design: Design, y: np.ndarray) -> PureError | None:
    """None where no cell is replicated beyond the blocks, so that nothing but model M's residual is left."""
    residuals, df = cell_residuals(design, y)
    if df == 0:
        return None
    ss = sum_of_squares(residuals)
    lack_df = design.residual_df - df
    lack_ss = max(0.0, sum_of_squares(design.residuals(y - y.mean())) - ss) if lack_df else 0.0
    f, p = f_row(lack_ss, lack_df, ss, df)
    return PureError(ss, df, float(np.sqrt(ss / df)), lack_ss, lack_df, f, p)


def seed_interactions(design: Design, y: np.ndarray) -> pd.DataFrame | None:
    """Whether a factor's effect changes with the seed: term, sum_sq, df, F, p, p_holm, one row a factor.

    F of the products of blocks and factor, added to model M, against what they leave. None without blocks.
    """
    if not design.has_blocks:
        return None
    blocks = design.matrix[:, design.terms[BLOCK]]
    centred = y - y.mean()
    residual_ss = sum_of_squares(design.residuals(centred))
    rows = []
    for factor in design.factors:
        columns = design.matrix[:, design.terms[factor.name]]
        product = (blocks[:, :, None] * columns[:, None, :]).reshape(design.n, -1)
        ss, df = _added_sum_of_squares(design, product, centred)
        f, p = f_row(ss, df, residual_ss - ss, design.residual_df - df)
        rows.append({"term": f"{BLOCK}:{factor.name}", "sum_sq": ss, "df": df, "F": f, "p": p})
    table = pd.DataFrame(rows)
    table["p_holm"] = holm(table["p"].to_numpy())
    return table


def _added_sum_of_squares(design: Design, columns: np.ndarray, y: np.ndarray) -> tuple[float, int]:
    """What columns outside the model explain of y, and the rank that they add.

    By the cross products of many seeds' columns, which are few beside the runs and, sum-to-zero coded, well
    conditioned.
    """
    rest = design.residuals(columns)
    values, vectors = np.linalg.eigh(rest.T @ rest)
    keep = values > 1e-10 * (columns**2).sum(axis=0).max()
    explained = (vectors[:, keep].T @ (rest.T @ y)) ** 2 / values[keep]
    return float(explained.sum()), int(keep.sum())


def estimates_by_seed(design: Design, rows: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(contrasts, seeds): contrasts estimated from each seed's runs alone; NaN where a seed cannot tell.

    Args:
        rows: (contrasts, columns) over the design's columns, zero on those of the blocks.
    """
    assert design.blocks is not None
    keep = np.ones(design.matrix.shape[1], dtype=bool)
    if design.has_blocks:
        keep[design.terms[BLOCK]] = False
    estimates = []
    for seed in np.unique(design.blocks):
        own = design.blocks == seed
        estimates.append(point_estimates(design.subset(own, keep_blocks=False), rows[:, keep], y[own]))
    return np.array(estimates).T


def seed_means(by_seed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over seeds, SD / sqrt(S) and df = S - 1, each (contrasts,), of the seeds that have an estimate."""
    known = np.isfinite(by_seed)
    count = known.sum(axis=1)
    mean = np.where(known, by_seed, 0).sum(axis=1) / np.where(count, count, np.nan)
    squares = np.where(known, (by_seed - mean[:, None]) ** 2, 0).sum(axis=1)
    df = np.where(count > 1, count - 1.0, np.nan)
    return mean, np.sqrt(squares / df / count), df


def seed_effects(
    design: Design,
    keys: list[tuple[str, str]],
    rows: np.ndarray,
    y: np.ndarray,
    labels: tuple[str, ...],
    alpha: float,
) -> pd.DataFrame | None:
    """Effects from each seed alone: factor, level, estimate (their mean), std_error, df, ci_low, ci_high, p, then
    a column `seed <label>` each. Their t interval is the honest one if effects change with the seed.
    """
    if not design.has_blocks:
        return None
    by_seed = estimates_by_seed(design, rows, y)
    mean, std_error, df = seed_means(by_seed)
    half = stats.t.ppf(1 - alpha / 2, df) * std_error
    table = pd.DataFrame(keys, columns=["factor", "level"])
    table["estimate"], table["std_error"], table["df"] = mean, std_error, df
    table["ci_low"], table["ci_high"] = mean - half, mean + half
    table["p"] = two_sided_p(mean, std_error, df)
    seeds = pd.DataFrame(by_seed, columns=[f"seed {label}" for label in labels])
    return pd.concat([table, seeds], axis=1)
