"""Permutation tests of single factors, which assume no distribution of the noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from attnae.analysis.design.factors import Factor
from attnae.analysis.design.model import Design
from attnae.analysis.design.rows import equal_rows
from attnae.analysis.inference.anova import added_space
from attnae.analysis.inference.families import holm

WITHIN_STRATA = "labels within strata"
FREEDMAN_LANE = "Freedman-Lane within seed"
# Values shuffled at once: bounds the memory of large studies.
CHUNK = 4_000_000
MIN_ARRANGEMENTS = 20
# The arrangements of more runs than this are replaced by normal numbers with the same mean and variance.
MOST_PERMUTED = 5000


@dataclass(frozen=True)
class Scheme:
    """What is permuted, and within which strata; all (runs,)."""

    method: str
    values: np.ndarray
    strata: np.ndarray


def permutation_table(design: Design, y: np.ndarray, *, draws: int, seed: int = 0) -> pd.DataFrame:
    """One row for each factor: factor, statistic (type-II SS), p, p_holm, method, draws.

    The labels of a factor are permuted within strata of runs that agree in all other factors and the seed;
    there it is the same as permuting responses, and the design stays as it is. Where fewer than half of the
    runs lie in strata with two levels of the factor, residuals of the model without the factor are permuted
    within seeds instead (Freedman & Lane 1983). p = (1 + draws at least as extreme) / (1 + draws)
    (Phipson & Smyth 2010). The null hypothesis is that the factor changes nothing, alone or in an interaction. There is
    no p where fewer than `MIN_ARRANGEMENTS` arrangements exist: it could not be small, whatever the runs say.
    """
    rows = []
    for position, factor in enumerate(design.factors):
        space = added_space(design, factor.name)[design.row_of]
        scheme = choose_scheme(design, factor, position, y - y.mean())
        observed = float(np.sum((space.T @ scheme.values) ** 2))
        rng = np.random.default_rng([seed, position])
        possible = space.shape[1] > 0 and arrangements(scheme) >= MIN_ARRANGEMENTS
        p = permutation_p(space, scheme, observed, draws, rng) if possible else np.nan
        rows.append({"factor": factor.name, "statistic": observed, "p": p, "method": scheme.method, "draws": draws})
    table = pd.DataFrame(rows)
    table.insert(3, "p_holm", holm(table["p"].to_numpy()))
    return table


def arrangements(scheme: Scheme) -> float:
    """The number of ways to arrange the runs within their strata; large ones are approximate."""
    return float(np.exp(min(special.gammaln(np.bincount(scheme.strata) + 1.0).sum(), 700.0)))


def strata_of(design: Design, position: int) -> np.ndarray:
    """(runs,) index of the combination of all other factors and the block."""
    others = np.delete(design.codes, position, axis=1)
    if design.blocks is not None:
        others = np.column_stack([others, design.blocks])
    return equal_rows(others)[1]


def choose_scheme(design: Design, factor: Factor, position: int, y: np.ndarray) -> Scheme:
    """Responses within strata if at least half of the runs lie in strata with two levels, else Freedman-Lane."""
    strata = strata_of(design, position)
    codes = design.codes[:, position]
    low = np.full(strata.max() + 1, len(factor.levels))
    high = np.full(strata.max() + 1, -1)
    np.minimum.at(low, strata, codes)
    np.maximum.at(high, strata, codes)
    if (low < high)[strata].mean() >= 0.5:
        return Scheme(WITHIN_STRATA, y, strata)
    reduced = design.columns([term for term, members in design.members.items() if factor.name not in members])
    residuals = y - reduced @ np.linalg.lstsq(reduced, y, rcond=1e-9)[0]
    blocks = design.blocks if design.blocks is not None else np.zeros(design.n, dtype=int)
    return Scheme(FREEDMAN_LANE, residuals, blocks)


def normal_sums(space: np.ndarray, scheme: Scheme, draws: int, rng: np.random.Generator) -> np.ndarray:
    """(draws,) sums of squares in `space`, (runs, df), of normal numbers in the place of arrangements.

    The mean and the variance matrix of the values' products with the columns are exactly those over all arrangements
    within the strata (Hoeffding 1951, Annals of Mathematical Statistics 22, 558-566), which become normal with many
    runs.
    """
    sizes = np.bincount(scheme.strata)

    def centred(values: np.ndarray) -> np.ndarray:
        return values - (np.bincount(scheme.strata, values) / sizes)[scheme.strata]

    rest = centred(scheme.values)
    variances = np.bincount(scheme.strata, rest**2) / np.maximum(sizes - 1, 1)
    columns = np.column_stack([centred(column) for column in space.T])
    values, vectors = np.linalg.eigh((columns * variances[scheme.strata, None]).T @ columns)
    normal = rng.standard_normal((draws, len(values))) * np.sqrt(np.maximum(values, 0))
    sums: np.ndarray = ((space.T @ (scheme.values - rest) + normal @ vectors.T) ** 2).sum(axis=1)
    return sums


def permutation_p(space: np.ndarray, scheme: Scheme, observed: float, draws: int, rng: np.random.Generator) -> float:
    """The share of arrangements whose sum of squares in `space`, (runs, df), is at least the observed one."""
    groups = _groups(scheme.strata)
    # Draws that only differ from the observed arrangement by rounding are as extreme as it is.
    threshold = observed * (1 - 1e-9)
    if len(scheme.values) > MOST_PERMUTED:
        return float(1 + (normal_sums(space, scheme, draws, rng) >= threshold).sum()) / (1 + draws)
    step = max(1, CHUNK // len(scheme.values))
    extreme = 0
    for start in range(0, draws, step):
        shuffled = np.tile(scheme.values, (min(step, draws - start), 1))
        for rows in groups:
            shuffled[:, rows] = rng.permuted(shuffled[:, rows], axis=2)
        extreme += int((((shuffled @ space) ** 2).sum(axis=1) >= threshold).sum())
    return (1 + extreme) / (1 + draws)


def _groups(strata: np.ndarray) -> list[np.ndarray]:
    """For each size of strata above one, (strata, size) rows of the runs in them."""
    order = np.argsort(strata, kind="stable")
    sizes = np.bincount(strata)
    starts = np.cumsum(sizes) - sizes
    return [order[starts[sizes == size][:, None] + np.arange(size)] for size in np.unique(sizes[sizes > 1]).tolist()]
