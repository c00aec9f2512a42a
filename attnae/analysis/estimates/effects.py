"""Effects: contrasts of model M with a verdict each.

Main effects, interactions and trends are three families of hypotheses: Holm's adjustment is done within each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from attnae.analysis.design.aliases import why_not_estimable
from attnae.analysis.design.factors import Factor
from attnae.analysis.design.model import Design
from attnae.analysis.inference.contrasts import Contrasts, Estimates, contrasts, holm, point_estimates
from attnae.analysis.inference.power import detectable
from attnae.analysis.inference.verdicts import Goal, effect_verdicts, level_verdicts

# Level of the interval that decides about `negligible`: two one-sided tests at 5% (Schuirmann 1987).
NARROW_LEVEL = 0.9

Key = tuple[str, str]


@dataclass(frozen=True)
class Reading:
    """How results are judged.

    Attributes:
        goal: whether small or large responses are better.
        alpha: familywise error of verdicts, and 1 - confidence of intervals.
        log: the responses are logarithms; percent changes are 100 * (exp(b) - 1).
        negligible: effects within +- this, on the scale of the analysis, do not matter.
    """

    goal: Goal = "min"
    alpha: float = 0.05
    log: bool = False
    negligible: float | None = None


@dataclass(frozen=True)
class MainEffects:
    """The family of main effects of one design: all that is needed to judge any responses of it.

    Attributes:
        keys: factor and level of each row of `effects.csv`.
        rows: their contrasts.
        pairs: for each many-level factor the pairs of its levels and their contrasts.
    """

    design: Design
    keys: list[Key]
    rows: Contrasts
    pairs: dict[str, tuple[list[tuple[int, int]], Contrasts]]

    @classmethod
    def of(cls, design: Design) -> MainEffects:
        many = [factor for factor in design.factors if factor.kind == "many-level"]
        keys = [(factor.name, label) for factor in design.factors for label, _ in factor.effect_rows()]
        return cls(design, keys, contrasts(design, main_rows(design)), {f.name: _pairs(design, f) for f in many})

    def of_factor(self, name: str) -> np.ndarray:
        """(rows,), which rows are the factor's."""
        return np.array([factor == name for factor, _ in self.keys])

    def judge(self, y: np.ndarray, reading: Reading) -> tuple[Estimates, np.ndarray, np.ndarray]:
        """Estimates, Holm p over all rows, and verdicts; y is (runs,) or (runs, studies)."""
        estimates = self.rows.fit(y)
        p_holm = holm(estimates.p)
        words = effect_words(estimates, p_holm, reading)
        for name, (pairs, pair_contrasts) in self.pairs.items():
            mine = self.of_factor(name)
            words[mine] = level_verdicts(
                estimates.estimate[mine],
                _symmetric(pairs, holm(pair_contrasts.fit(y).p), int(mine.sum())),
                (p_holm[mine] < reading.alpha).any(axis=0),
                goal=reading.goal,
                alpha=reading.alpha,
            )
        return estimates, p_holm, words


def effects_table(family: MainEffects, y: np.ndarray, reading: Reading) -> pd.DataFrame:
    """`effects.csv`: one row for a two-level factor, one for each level of a many-level factor, and rows `linear` and
    `quadratic` for a continuous one."""
    design = family.design
    estimates, p_holm, words = family.judge(y, reading)
    two_level = {factor.name for factor in design.factors if factor.kind == "two-level"}
    off = [design.mean_contrast({name: 0} if name in two_level else {}) for name, _ in family.keys]
    reference = point_estimates(design, np.array(off), y)
    table = contrast_frame(family.keys, family.rows, estimates, reading.alpha, p_holm)
    return complete_table(
        table,
        family.rows,
        main_rows(design),
        words,
        percent_change(estimates, reference, y, reading),
        reading,
    )


def contrast_frame(
    keys: Sequence[Key],
    fitted: Contrasts,
    estimates: Estimates,
    alpha: float,
    p_holm: np.ndarray | None = None,
) -> pd.DataFrame:
    """factor, level, estimate, std_error, df, unadjusted interval, p and Holm's p of one study."""
    low, high = estimates.interval(1 - alpha)
    return pd.DataFrame(
        {
            "factor": [factor for factor, _ in keys],
            "level": [level for _, level in keys],
            "estimate": estimates.estimate,
            "std_error": estimates.std_error,
            "df": fitted.df,
            "ci_low": low,
            "ci_high": high,
            "p": estimates.p,
            "p_holm": holm(estimates.p) if p_holm is None else p_holm,
        }
    )


def error_names(fitted: Contrasts) -> list[str]:
    """Which standard error each contrast has: HC2, pooled, or none."""
    known = np.isfinite(fitted.df)
    return np.select([~known, fitted.pooled], ["", "pooled"], "HC2").tolist()


def percent_change(estimates: Estimates, reference: np.ndarray, y: np.ndarray, reading: Reading) -> np.ndarray:
    """Percent of the reference mean; blank unless all responses are positive; exact for log responses."""
    if reading.log:
        return 100 * np.expm1(estimates.estimate)
    if (y <= 0).any():
        return np.full(len(estimates.estimate), np.nan)
    return 100 * estimates.estimate / reference


def main_rows(design: Design) -> np.ndarray:
    """(rows, columns): the contrasts of `effects.csv` over the columns of the design."""
    return np.array([design.place(f.name, weights) for f in design.factors for _, weights in f.effect_rows()])


def complete_table(
    table: pd.DataFrame,
    fitted: Contrasts,
    rows: np.ndarray,
    words: np.ndarray,
    percent: np.ndarray,
    reading: Reading,
) -> pd.DataFrame:
    """The columns that follow p_holm."""
    family = int(np.isfinite(table["p"]).sum())
    std_error, df = table["std_error"].to_numpy(), table["df"].to_numpy()
    return table.assign(
        percent_change=percent,
        verdict=words,
        mde=detectable(std_error, df, family=family, alpha=reading.alpha),
        error=error_names(fitted),
        note=[
            "" if known else why_not_estimable(fitted.design, term, row)
            for known, term, row in zip(fitted.estimable, table["factor"], rows, strict=True)
        ],
    )


def effect_words(estimates: Estimates, p_holm: np.ndarray, reading: Reading) -> np.ndarray:
    """Verdicts on single differences."""
    return effect_verdicts(
        estimates.estimate,
        p_holm,
        estimates.interval(1 - reading.alpha),
        estimates.interval(NARROW_LEVEL),
        goal=reading.goal,
        alpha=reading.alpha,
        negligible=reading.negligible,
    )


def judged_table(
    design: Design, keys: Sequence[Key], rows: np.ndarray, y: np.ndarray, reading: Reading
) -> pd.DataFrame:
    """Rows like those of `effects.csv`, a Holm family of their own, judged as single differences."""
    fitted = contrasts(design, rows)
    estimates = fitted.fit(y)
    p_holm = holm(estimates.p)
    grand = point_estimates(design, design.mean_contrast({})[None], y)
    table = contrast_frame(keys, fitted, estimates, reading.alpha, p_holm)
    words = effect_words(estimates, p_holm, reading)
    return complete_table(table, fitted, rows, words, percent_change(estimates, grand, y, reading), reading)


def trends_table(design: Design, y: np.ndarray, reading: Reading) -> pd.DataFrame | None:
    """The line through the level means of each numeric factor of three to six levels, lowest to highest value."""
    lines = [(factor, weights) for factor in design.factors if (weights := factor.trend()) is not None]
    if not lines:
        return None
    keys = [(f.name, f"{f.labels[0]} to {f.labels[-1]}{' (log10)' * (f.scale == 'log10')}") for f, _ in lines]
    rows = np.array([design.place(factor.name, weights) for factor, weights in lines])
    return judged_table(design, keys, rows, y, reading)


def interactions_table(design: Design, y: np.ndarray, reading: Reading) -> pd.DataFrame | None:
    """`interactions.csv`, None where model M has no interactions.

    Two single effects: half the difference of differences. A single effect and a level: the effect at that
    level minus the mean effect. Two levels: the cell mean minus what both main effects give.
    """
    keys, rows = [], []
    for a, b in combinations(design.factors, 2):
        term = f"{a.name}:{b.name}"
        if term not in design.terms:
            continue
        half = 0.5 if a.single_effect and b.single_effect else 1.0
        for label_a, weights_a in a.interaction_rows():
            for label_b, weights_b in b.interaction_rows():
                keys.append((term, f"{label_a}:{label_b}"))
                rows.append(design.place(term, half * np.kron(weights_a, weights_b)))
    return judged_table(design, keys, np.array(rows), y, reading) if keys else None


def _pairs(design: Design, factor: Factor) -> tuple[list[tuple[int, int]], Contrasts]:
    pairs = list(combinations(range(len(factor.levels)), 2))
    rows = [design.place(factor.name, factor.coding[i] - factor.coding[j]) for i, j in pairs]
    return pairs, contrasts(design, np.array(rows))


def _symmetric(pairs: Sequence[tuple[int, int]], p: np.ndarray, levels: int) -> np.ndarray:
    square = np.full((levels, levels, *p.shape[1:]), np.nan)
    for (i, j), value in zip(pairs, p, strict=True):
        square[i, j] = square[j, i] = value
    return square
