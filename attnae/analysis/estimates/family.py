"""The family of main effects: one hypothesis for each factor, and what follows from it for rows, pairs and verdicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attnae.analysis.design.factors import Factor
from attnae.analysis.design.model import Design
from attnae.analysis.inference.contrasts import Estimates
from attnae.analysis.inference.distributions import t_sf
from attnae.analysis.inference.families import step_down
from attnae.analysis.inference.levels import LevelTests, Omnibus
from attnae.analysis.inference.scope import NEW_SEEDS, THESE_SEEDS, ScopedContrasts, scoped_contrasts
from attnae.analysis.inference.verdicts import MIN_VERDICT_DF, Goal, effect_verdicts, level_verdicts

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
class Adjusted:
    """p-values of one kind of inference, adjusted over the whole study.

    Attributes:
        rows: (rows, ...) of `effects.csv`; the rows of a many-level factor carry that of its omnibus test.
        factors: for each factor the smallest p of its hypotheses, before and after the adjustment.
        omnibus: of each many-level factor.
        pairs: for each many-level factor (pairs, ...) p by Ryan's closure, and adjusted over the study.
    """

    rows: np.ndarray
    factors: dict[str, tuple[np.ndarray, np.ndarray]]
    omnibus: dict[str, Omnibus]
    pairs: dict[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Judged:
    """What the responses say about all main effects; arrays are (rows,) or (rows, studies).

    Attributes:
        estimates: scoped inference: for new seeds where the study allows it.
        here: the inference for the seeds of the study alone.
        p_negligible: p of |effect| >= the largest negligible effect, and adjusted over the factors; NaN if none was
            given, and on levels.
    """

    estimates: Estimates
    here: Estimates
    adjusted: Adjusted
    adjusted_here: Adjusted
    p_negligible: tuple[np.ndarray, np.ndarray]
    verdicts: np.ndarray


@dataclass(frozen=True)
class MainEffects:
    """The family of main effects of one design: all that is needed to judge any responses of it.

    Attributes:
        keys: factor and level of each row of `effects.csv`.
        rows: their contrasts.
        levels: for each many-level factor its tests, scoped and for the seeds of the study alone.
    """

    design: Design
    keys: list[Key]
    rows: ScopedContrasts
    levels: dict[str, tuple[LevelTests, LevelTests]]

    @classmethod
    def of(cls, design: Design) -> MainEffects:
        keys = [(factor.name, label) for factor in design.factors for label, _ in factor.effect_rows()]
        rows = scoped_contrasts(design, main_rows(design))
        many = [factor.name for factor in design.factors if factor.kind == "many-level"]
        scope = rows.scope.copy()
        levels = {}
        for name in many:
            mine = np.array([factor == name for factor, _ in keys])
            # The tests of a factor combine all of its levels: they are about new seeds only if each of them is.
            if (scope[mine] != NEW_SEEDS).any():
                scope[mine] = np.where(scope[mine] == NEW_SEEDS, THESE_SEEDS, scope[mine])
            wide = rows.new is not None and (scope[mine] == NEW_SEEDS).all()
            here = LevelTests(rows.here.take(mine))
            levels[name] = (LevelTests(rows.new.take(mine)) if wide and rows.new is not None else here, here)
        return cls(design, keys, ScopedContrasts(rows.here, rows.new, scope), levels)

    @property
    def judged(self) -> bool:
        """Whether model M leaves enough residual degrees of freedom for verdicts."""
        return self.design.residual_df >= MIN_VERDICT_DF

    @property
    def size(self) -> int:
        """The number of factors that have a hypothesis."""
        return len({name for (name, _), df in zip(self.keys, self.rows.df, strict=True) if np.isfinite(df)})

    @property
    def hypotheses(self) -> np.ndarray:
        """(rows,) by how much the smallest p of a row is multiplied if no other one is processed before: the number of
        factors, twice for the two rows of a curve."""
        rows = [1 if name in self.levels else int(self.of_factor(name).sum()) for name, _ in self.keys]
        return self.size * np.array(rows)

    def of_factor(self, name: str) -> np.ndarray:
        """(rows,), which rows are the factor's."""
        return np.array([factor == name for factor, _ in self.keys])

    def judge(self, y: np.ndarray, reading: Reading) -> Judged:
        """Everything about responses y, (runs,) or (runs, studies)."""
        estimates, here = self.rows.fit(y)
        adjusted = self._adjust(estimates, y, place=0)
        same = self.rows.new is None or self.rows.new is self.rows.here
        adjusted_here = adjusted if same else self._adjust(here, y, place=1)
        small = self.adjust_negligible(negligible_p(estimates, reading.negligible))
        wide = self.rows.for_new if y.ndim == 1 else self.rows.for_new[:, None]
        words = effect_verdicts(
            estimates.estimate,
            adjusted.rows,
            adjusted_here.rows,
            small[1],
            estimates.interval(1 - reading.alpha),
            wide,
            goal=reading.goal,
            alpha=reading.alpha,
        ).astype(object)
        for name, (tests, _) in self.levels.items():
            mine = self.of_factor(name)
            differs = np.zeros((tests.count, tests.count, *y.shape[1:]), dtype=bool)
            for (i, j), p in zip(tests.pairs, adjusted.pairs[name][1], strict=True):
                differs[i, j] = differs[j, i] = p < reading.alpha
            words[mine] = level_verdicts(estimates.estimate[mine], differs, goal=reading.goal)
        if not self.judged:
            words[:] = ""
        return Judged(estimates, here, adjusted, adjusted_here, small, words)

    def _adjust(self, estimates: Estimates, y: np.ndarray, *, place: int) -> Adjusted:
        """One hypothesis for a switch, one for each row of a curve, and the omnibus and all pairs of many levels."""
        tests = {name: both[place] for name, both in self.levels.items()}
        omnibus = {name: test.omnibus(y) for name, test in tests.items()}
        return self.adjust(estimates.p, omnibus, {name: test.pair_p(y) for name, test in tests.items()})

    def adjust(self, rows_p: np.ndarray, omnibus: dict[str, Omnibus], pair_p: dict[str, np.ndarray]) -> Adjusted:
        """The step-down over factors, from the p-values of all rows and of the tests of many-level factors."""
        found: list[np.ndarray] = []
        owner: list[int] = []
        where: dict[str, slice] = {}
        for number, factor in enumerate(self.design.factors):
            p = rows_p[self.of_factor(factor.name)]
            if factor.name in self.levels:
                p = np.concatenate([omnibus[factor.name].p[None], pair_p[factor.name]])
            elif len(p) > 1:
                p = np.minimum(len(p) * p, 1.0)
            where[factor.name] = slice(len(owner), len(owner) + len(p))
            owner += [number] * len(p)
            found += list(p)
        raw = np.array(found)
        held = step_down(raw, np.array(owner))
        rows = np.empty_like(rows_p)
        factors, pairs = {}, {}
        for factor in self.design.factors:
            own = where[factor.name]
            mine = self.of_factor(factor.name)
            if factor.name in self.levels:
                rows[mine] = held[own][0]
                factors[factor.name] = raw[own][0], held[own][0]
                pairs[factor.name] = raw[own][1:], held[own][1:]
            else:
                rows[mine] = held[own]
                factors[factor.name] = raw[own].min(axis=0), held[own].min(axis=0)
        return Adjusted(rows, factors, omnibus, pairs)

    def adjust_negligible(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """p of |effect| >= the largest negligible effect, without the rows of levels, and adjusted over factors."""
        p = p.copy()
        p[[name in self.levels for name, _ in self.keys]] = np.nan
        if np.isnan(p).all():
            return p, p
        parts = np.array([sum(name == other for other, _ in self.keys) for name, _ in self.keys])
        names = [factor.name for factor in self.design.factors]
        owner = np.array([names.index(name) for name, _ in self.keys])
        family = np.minimum(p * parts.reshape(-1, *[1] * (p.ndim - 1)), 1.0)
        return p, step_down(family, owner)


def negligible_p(estimates: Estimates, bound: float | None) -> np.ndarray:
    """p of the hypothesis |effect| >= bound: the larger of two one-sided tests (Schuirmann 1987); NaN without bound."""
    if bound is None:
        return np.full(np.shape(estimates.estimate), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return t_sf((bound - np.abs(estimates.estimate)) / estimates.std_error, estimates.df)


def main_rows(design: Design) -> np.ndarray:
    """(rows, columns): the contrasts of `effects.csv` over the columns of the design."""
    return np.array([design.place(f.name, weights) for f in design.factors for _, weights in f.effect_rows()])


def pair_rows(design: Design, factor: Factor, pairs: list[tuple[int, int]]) -> np.ndarray:
    """(pairs, columns): the differences of two levels, first minus second."""
    return np.array([design.place(factor.name, factor.coding[i] - factor.coding[j]) for i, j in pairs])
