"""How noisy a run is: pure error, lack of fit, Lenth's method, and whether effects change with the seed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from attnae.analysis.design.model import BLOCK, Design
from attnae.analysis.design.prepare import UNKNOWN_SEED
from attnae.analysis.estimates.family import MainEffects, main_rows
from attnae.analysis.inference.anova import added_space, f_row, sum_of_squares
from attnae.analysis.inference.contrasts import point_estimates, two_sided_p
from attnae.analysis.inference.distributions import normal_ppf, t_ppf
from attnae.analysis.inference.families import holm
from attnae.analysis.inference.power import detectable_shift
from attnae.analysis.inference.saturated import cell_residuals
from attnae.analysis.inference.scope import seed_count

# With fewer shared seeds than this, the report says what distinct seeds would give.
FEW_SEEDS = 10


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


@dataclass(frozen=True)
class Lenth:
    """Lenth's method (Lenth 1989, Technometrics 31, 469-473), in units of the (transformed) response.

    Attributes:
        table: `lenth.csv`: contrast, effect (high minus low), ratio (|effect| / ME), active (> ME),
            active_sme (> SME); then half_normal (the plot's quantile) and aliases (contrasts that have the same
            column in a fraction).
        pse: pseudo standard error of an effect.
        me: margin of error, for one contrast.
        sme: simultaneous margin of error, for all of them.
    """

    table: pd.DataFrame
    pse: float
    me: float
    sme: float


@dataclass(frozen=True)
class DistinctSeeds:
    """Detectable effects (80% power) of a factor, with the shared seeds of the study and with a seed for each run."""

    factor: str
    seeds: int
    shared: float
    distinct: float


@dataclass(frozen=True)
class Noise:
    """What a study says about its noise.

    Attributes:
        method: "pure error" (replicated runs), "lenth" (unreplicated two-level designs) or "residual" (of
            model M).
        statement: what that means for the conclusions, in plain words.
        seeds: labels of the seeds.
        blocks: whether the seeds recur across cells and enter model M.
        runs_per_cell: smallest and largest number.
        pure_error: None unless some cells are replicated.
        lenth: None unless the design is a regular two-level one with one run per cell.
        seed_interactions: F tests of whether effects change with the seed; None without blocks, as are the next two.
        seed_effects: the mean of each effect over the seeds; effects_by_seed has the effects of each seed alone.
        distinct_seeds: what the same number of runs would detect with a seed each; None unless few seeds are shared.
    """

    method: str
    statement: str
    seeds: tuple[str, ...]
    blocks: bool
    runs_per_cell: tuple[int, int]
    pure_error: PureError | None
    lenth: Lenth | None
    seed_interactions: pd.DataFrame | None
    seed_effects: pd.DataFrame | None
    effects_by_seed: pd.DataFrame | None
    distinct_seeds: DistinctSeeds | None


def assess_noise(family: MainEffects, y: np.ndarray, seeds: tuple[str, ...], *, alpha: float) -> Noise:
    """Everything that a study says about its noise; y is (runs,), seeds the labels that `prepare` found."""
    design = family.design
    pure, screening = pure_error(design, y), lenth(design, y, alpha=alpha)
    runs_per_cell = np.bincount(design.cells)
    if design.blocks is None:
        seeds = tuple(label for label in seeds if not label.startswith(UNKNOWN_SEED))
    recorded = {0: "no seeds recorded", 1: "all of one seed, so that the results hold for this seed only"}
    validity = recorded.get(len(seeds), "with several seeds")
    if pure is not None:
        method, statement = "pure error", "noise is estimated from the differences between runs of the same cell"
    elif screening is not None:
        method, statement = "lenth", f"one run per cell, {validity}: Lenth's method is screening only"
    else:
        method, statement = "residual", f"one run per cell, {validity}: noise is estimated from model M's residuals"
    mean, each = _effects_by_seed(family, y, seeds, alpha) if design.has_blocks else (None, None)
    return Noise(
        method=method,
        statement=statement,
        seeds=seeds,
        blocks=design.has_blocks,
        runs_per_cell=(int(runs_per_cell.min()), int(runs_per_cell.max())),
        pure_error=pure,
        lenth=screening,
        seed_interactions=seed_interactions(design, y),
        seed_effects=mean,
        effects_by_seed=each,
        distinct_seeds=distinct_seeds(family, y, alpha),
    )


def distinct_seeds(family: MainEffects, y: np.ndarray, alpha: float) -> DistinctSeeds | None:
    """The detectable effect of the first factor of two levels, as the study is and with a seed for each run.

    With distinct seeds the variation between seeds is part of the noise of each run: its variance is the mean square of
    model M plus the variance component of the seeds, max(0, MS(seeds) - MS(M)) S / n (Searle, Casella & McCulloch
    1992, chapter 3). None unless fewer than `FEW_SEEDS` seeds are shared and verdicts are about new seeds.
    """
    design = family.design
    seeds = seed_count(design)
    single = [i for i, (name, _) in enumerate(family.keys) if name not in family.levels and family.rows.for_new[i]]
    if not design.has_blocks or not 0 < seeds < FEW_SEEDS or not single or not family.judged:
        return None
    row = single[0]
    centred = y - y.mean()
    mean_square = sum_of_squares(design.residuals(centred)) / design.residual_df
    space = added_space(design, BLOCK)
    between = sum_of_squares(space.T @ design.row_sums(centred)) / space.shape[1]
    variance = mean_square + max(0.0, between - mean_square) * seeds / design.n
    error = np.sqrt(variance * (family.rows.here.weights[row] ** 2 @ design.counts))
    shared = float(family.rows.fit(y)[0].std_error[row])
    level = alpha / family.hypotheses[row]
    return DistinctSeeds(
        family.keys[row][0],
        seeds,
        shared * detectable_shift(float(family.rows.df[row]), level),
        float(error) * detectable_shift(float(design.residual_df), level),
    )


def pure_error(design: Design, y: np.ndarray) -> PureError | None:
    """The noise between equal runs, and the F test of model M's lack of fit (Draper & Smith 1998, section 2.1).

    None if cells and blocks leave no residual degrees of freedom.
    """
    residuals, df = cell_residuals(design, y)
    if df == 0:
        return None
    ss = sum_of_squares(residuals)
    lack_df = design.residual_df - df
    lack_ss = max(0.0, sum_of_squares(design.residuals(y - y.mean())) - ss) if lack_df else 0.0
    f, p = f_row(lack_ss, lack_df, ss, df)
    return PureError(ss, df, float(np.sqrt(ss / df)), lack_ss, lack_df, f, p)


def seed_interactions(design: Design, y: np.ndarray) -> pd.DataFrame | None:
    """Whether a factor's effect changes with the seed: term, factor, sum_sq, df, F, p, p_holm, one row
    for each factor.

    F of the products of blocks and factor, added to model M, against what they leave. None without blocks.
    """
    if not design.has_blocks:
        return None
    blocks = design.columns([BLOCK])
    centred = y - y.mean()
    residual_ss = sum_of_squares(design.residuals(centred))
    rows = []
    for factor in design.factors:
        columns = design.columns([factor.name])
        product = (blocks[:, :, None] * columns[:, None, :]).reshape(design.n, -1)
        ss, df = _added_sum_of_squares(design, product, centred)
        f, p = f_row(ss, df, residual_ss - ss, design.residual_df - df)
        rows.append({"term": f"{BLOCK}:{factor.name}", "factor": factor.name, "sum_sq": ss, "df": df, "F": f, "p": p})
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
    """(contrasts, seeds): contrasts estimated from the runs of each seed alone; NaN where not estimable.

    Args:
        rows: (contrasts, columns) over the design's columns, zero on those of the blocks.
    """
    assert design.blocks is not None
    keep = np.ones(design.rows.shape[1], dtype=bool)
    if design.has_blocks:
        keep[design.terms[BLOCK]] = False
    estimates = []
    for seed in np.unique(design.blocks):
        own = design.blocks == seed
        estimates.append(point_estimates(design.subset(own, keep_blocks=False), rows[:, keep], y[own]))
    return np.array(estimates).T


def t_over_seeds(by_seed: np.ndarray, alpha: float) -> pd.DataFrame:
    """One-sample t test (Student 1908) of each row of (contrasts, seeds), over the seeds that have an estimate.

    Returns:
        estimate (mean over seeds), std_error (SD / sqrt(S)), df (S - 1), ci_low, ci_high, p; one row for each
        contrast, NaN in all but the estimate where fewer than two seeds have one.
    """
    known = np.isfinite(by_seed)
    count = known.sum(axis=1)
    df = np.where(count > 1, count - 1.0, np.nan)
    with np.errstate(invalid="ignore"):  # no seed can estimate a contrast
        mean = np.where(known, by_seed, 0).sum(axis=1) / count
        squares = np.where(known, (by_seed - mean[:, None]) ** 2, 0).sum(axis=1)
        std_error = np.sqrt(squares / df / count)
    half = t_ppf(1 - alpha / 2, df) * std_error
    return pd.DataFrame(
        {
            "estimate": mean,
            "std_error": std_error,
            "df": df,
            "ci_low": mean - half,
            "ci_high": mean + half,
            "p": two_sided_p(mean, std_error, df),
        }
    )


def _effects_by_seed(
    family: MainEffects, y: np.ndarray, labels: Sequence[str], alpha: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The main effects from the runs of each seed alone.

    Returns:
        factor, level, and the columns of `t_over_seeds`: their mean over the seeds, with a t interval that stays
        valid if effects change with the seed; and factor, level, seed, estimate: one row for each effect and seed.
    """
    by_seed = estimates_by_seed(family.design, main_rows(family.design), y)
    keys = pd.DataFrame(family.keys, columns=["factor", "level"])
    each = keys.loc[keys.index.repeat(len(labels))].reset_index(drop=True)
    each["seed"], each["estimate"] = list(labels) * len(keys), by_seed.ravel()
    return pd.concat([keys, t_over_seeds(by_seed, alpha)], axis=1), each


def lenth(design: Design, y: np.ndarray, *, alpha: float = 0.05) -> Lenth | None:
    """Lenth's screening of a complete or regular two-level design with one run per cell; None for any other."""
    words = two_level_words(design)
    if words is None:
        return None
    signs = 2 * design.codes - 1
    names = [factor.name for factor in design.factors]
    columns = np.array([signs[:, word].prod(axis=1) for word, _ in words])
    effect = columns @ y / (design.n / 2)
    pse = pseudo_standard_error(effect)
    me, sme = margins(pse, len(effect), alpha)
    size = np.abs(effect)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = size / me
    rank = pd.Series(size).rank(method="first").to_numpy()
    table = pd.DataFrame(
        {
            "contrast": [_spell(names, word) for word, _ in words],
            "effect": effect,
            "ratio": ratio,
            "active": size > me,
            "active_sme": size > sme,
            "half_normal": normal_ppf(0.5 + 0.5 * (rank - 0.5) / len(effect)),
            "aliases": [" = ".join(_spell(names, alias) for alias in aliases) for _, aliases in words],
        }
    )
    return Lenth(table, pse, me, sme)


def pseudo_standard_error(effects: np.ndarray) -> float:
    """PSE = 1.5 times the median |effect| of those below 2.5 s0, s0 = 1.5 times the median of all (eq. 1-2)."""
    size = np.abs(effects)
    first = 1.5 * np.median(size)
    trimmed = size[size < 2.5 * first]
    return 1.5 * float(np.median(trimmed)) if len(trimmed) else 0.0


def margins(pse: float, contrasts: int, alpha: float = 0.05) -> tuple[float, float]:
    """ME and SME: t quantiles on contrasts / 3 degrees of freedom times PSE, single and simultaneous (eq. 3-5)."""
    df = contrasts / 3
    simultaneous = (1 + (1 - alpha) ** (1 / contrasts)) / 2
    return float(t_ppf(1 - alpha / 2, df)) * pse, float(t_ppf(simultaneous, df)) * pse


def two_level_words(design: Design) -> list[tuple[tuple[int, ...], list[tuple[int, ...]]]] | None:
    """The n - 1 contrasts of a complete or regular two-level design with one run per cell, else None.

    Each is a word, the factors whose signs are multiplied, with the words of the same column up to a sign.
    Words are taken by length, then in the order of the factors; no longer than two letters or than needed.
    """
    k, n = len(design.factors), design.n
    if any(factor.kind != "two-level" for factor in design.factors) or n < 4 or n & (n - 1):
        return None
    points = {int(code @ (1 << np.arange(k))) for code in design.codes}
    origin = min(points)
    # Regular: n distinct runs that fill a coset of a subspace of GF(2)^k, whose dimension is then log2 n.
    if len(points) != n or _dimension(point ^ origin for point in points) != n.bit_length() - 1:
        return None
    signs = 2 * design.codes - 1
    found: dict[bytes, tuple[tuple[int, ...], list[tuple[int, ...]]]] = {}
    for length in range(1, k + 1):
        if length > 2 and len(found) == n - 1:
            break
        for word in combinations(range(k), length):
            column = signs[:, word].prod(axis=1)
            key = (column * column[0]).tobytes()
            if (column == column[0]).all():
                continue
            if key in found:
                found[key][1].append(word)
            else:
                found[key] = (word, [])
    return list(found.values())


def _dimension(vectors: Iterable[int]) -> int:
    """Of the span over GF(2) of vectors given as the bits of integers."""
    pivots: list[int] = []
    for vector in vectors:
        for pivot in pivots:
            vector = min(vector, vector ^ pivot)
        if vector:
            pivots.append(vector)
    return len(pivots)


def _spell(names: Sequence[str], word: tuple[int, ...]) -> str:
    return ":".join(names[i] for i in word)
