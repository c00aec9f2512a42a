"""Lenth's method: which contrasts of an unreplicated two-level design stand out of the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from attnae.analysis.design.model import Design


@dataclass(frozen=True)
class Lenth:
    """Lenth (1989), Technometrics 31, 469-473.

    Attributes:
        table: `lenth.csv`: contrast, effect (high minus low), ratio (|effect| / ME), active (> ME),
            active_sme; then half_normal (the plot's quantile) and aliases (words of the same column in a
        fraction). pse: pseudo standard error of an effect.
        me: margin of error, for one contrast.
        sme: simultaneous margin of error, for all of them.
    """

    table: pd.DataFrame
    pse: float
    me: float
    sme: float


def lenth(design: Design, y: np.ndarray, *, alpha: float = 0.05) -> Lenth | None:
    """Lenth's screening of a complete or regular two-level design with one run a cell; None for any other."""
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
    rank = stats.rankdata(size, method="ordinal")
    table = pd.DataFrame(
        {
            "contrast": [_spell(names, word) for word, _ in words],
            "effect": effect,
            "ratio": ratio,
            "active": size > me,
            "active_sme": size > sme,
            "half_normal": stats.norm.ppf(0.5 + 0.5 * (rank - 0.5) / len(effect)),
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
    return float(stats.t.ppf(1 - alpha / 2, df)) * pse, float(stats.t.ppf(simultaneous, df)) * pse


def two_level_words(design: Design) -> list[tuple[tuple[int, ...], list[tuple[int, ...]]]] | None:
    """The n - 1 contrasts of a complete or regular two-level design with one run a cell, else None.

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
