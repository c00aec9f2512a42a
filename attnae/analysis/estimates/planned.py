"""Main effects of a study that adds replicates and looks after each one: verdicts that are valid wherever it stops.

A replicate of all cells takes the place of a seed: its effects are estimated from its runs alone, and the looks of
`inference.looks` judge their means. The tests of many-level factors are those of `inference.levels` with the replicates
as clusters, one at each look. The step-down over factors is applied to the p-values over all looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from attnae.analysis.design.factors import Factor
from attnae.analysis.design.model import Interactions, choose_model
from attnae.analysis.design.prepare import Prepared
from attnae.analysis.estimates.family import Adjusted, Judged, MainEffects, Reading
from attnae.analysis.inference.looks import FIRST_LOOK, PlannedLook, Replicates, p_over_looks, planned_look
from attnae.analysis.inference.verdicts import (
    HELPS,
    HURTS,
    MATTERS,
    NEGLIGIBLE,
    UNDETERMINED,
    effect_verdicts,
    level_verdicts,
)


@dataclass(frozen=True)
class PlannedEffects:
    """The main effects at a look; arrays are (rows,) or (rows, studies), in the order of `MainEffects.keys`.

    Attributes:
        look: estimates, intervals and p-values of single rows; those of levels carry the p of their omnibus test.
        adjusted: p-values over all looks, adjusted over the study.
        p_negligible: p of |effect| >= the largest negligible effect over all looks, and adjusted over the factors.
        verdicts: the words of `inference.verdicts`.
    """

    look: PlannedLook
    adjusted: Adjusted
    p_negligible: tuple[np.ndarray, np.ndarray]
    verdicts: np.ndarray

    def instead_of(self, judged: Judged) -> Judged:
        """The judgement with the adjusted p-values and the verdicts of the planned looks."""
        omnibus = judged.adjusted.omnibus
        adjusted = replace(self.adjusted, omnibus=omnibus)
        return replace(judged, adjusted=adjusted, p_negligible=self.p_negligible, verdicts=self.verdicts)

    def columns(self) -> dict[str, np.ndarray]:
        """The columns that `effects.csv` has in such studies only."""
        return {"p_planned": self.look.p, "ci_low_planned": self.look.ci_low, "ci_high_planned": self.look.ci_high}


class PlannedFamily:
    """The looks at the main effects of one set of cells, each trained once in each replicate.

    Args:
        factors: the factors.
        cells: (cells, factors), the level of each factor in each cell.
        planned: the largest number of replicates, fixed before the first run.
        interactions: two-way interactions in model M.
    """

    def __init__(
        self, factors: Sequence[Factor], cells: np.ndarray, *, planned: int, interactions: Interactions = "auto"
    ) -> None:
        self.factors = tuple(factors)
        self.cells = cells
        self.planned = planned
        self.interactions: Interactions = interactions
        self._families: dict[int, MainEffects] = {}

    def after(self, replicates: int) -> MainEffects:
        """The family of main effects after so many replicates, which are its clusters."""
        if replicates not in self._families:
            codes = np.tile(self.cells, (replicates, 1))
            number = np.repeat(np.arange(replicates), len(self.cells))
            design = replace(choose_model(self.factors, codes, number, self.interactions), seeds=number)
            self._families[replicates] = MainEffects.of(design)
        return self._families[replicates]

    def judge(self, y: np.ndarray, reading: Reading) -> PlannedEffects:
        """The look after the replicates so far.

        Args:
            y: (replicates, cells) or (replicates, cells, studies) responses, in the order in which the replicates
                were added.

        Raises:
            ValueError: fewer than three replicates, or more than planned.
        """
        count = len(y)
        family = self.after(count)
        each = family.rows.here.weights[:, family.design.row_of]
        weights = count * each.reshape(-1, count, len(self.cells))
        by_replicate = np.einsum("rnc,nc...->nr...", weights, y)
        look = planned_look(by_replicate, planned=self.planned, alpha=reading.alpha, negligible=reading.negligible)
        omnibus, pairs, p = {}, {}, look.p.copy()
        for name in family.levels:
            tests = [self.after(n).levels[name][0] for n in range(FIRST_LOOK, count + 1)]
            stacked = [y[:n].reshape(-1, *y.shape[2:]) for n in range(FIRST_LOOK, count + 1)]
            at_looks = [test.omnibus(part) for test, part in zip(tests, stacked, strict=True)]
            pair_p = np.array([test.pair_p(part) for test, part in zip(tests, stacked, strict=True)])
            over_looks = p_over_looks(np.array([found.p for found in at_looks]), planned=self.planned)
            omnibus[name] = replace(at_looks[-1], p=over_looks)
            pairs[name] = p_over_looks(pair_p, planned=self.planned)
            p[family.of_factor(name)] = over_looks
        adjusted = family.adjust(p, omnibus, pairs)
        small = family.adjust_negligible(look.p_negligible)
        words = effect_verdicts(
            look.estimate,
            adjusted.rows,
            np.full_like(p, np.nan),
            small[1],
            (look.ci_low, look.ci_high),
            np.ones_like(p, dtype=bool),
            goal=reading.goal,
            alpha=reading.alpha,
        ).astype(object)
        for name, (now, _) in family.levels.items():
            mine = family.of_factor(name)
            differs = np.zeros((now.count, now.count, *y.shape[2:]), dtype=bool)
            for (i, j), pair in zip(now.pairs, adjusted.pairs[name][1], strict=True):
                differs[i, j] = differs[j, i] = pair < reading.alpha
            words[mine] = level_verdicts(look.estimate[mine], differs, goal=reading.goal)
        return PlannedEffects(replace(look, p=p), adjusted, small, words)

    def decisions(self, found: PlannedEffects, alpha: float) -> dict[str, np.ndarray]:
        """For each factor `helps`, `hurts`, `negligible`, `matters` or `undetermined`, each () or (studies,).

        A factor of many levels is decided once its levels are known to differ (`matters`): which of them is best may
        take more. A curve is decided if its line or its curvature helps or hurts, or if both are negligible.
        """
        family = self.after(found.look.seeds)
        words = {}
        for factor in self.factors:
            rows = found.verdicts[family.of_factor(factor.name)]
            if factor.name in family.levels:
                words[factor.name] = np.where(
                    found.adjusted.factors[factor.name][1] < alpha, MATTERS, UNDETERMINED
                ).astype(object)
                continue
            word = np.where((rows == NEGLIGIBLE).all(axis=0), NEGLIGIBLE, UNDETERMINED).astype(object)
            for row in rows[::-1]:  # the first row, the line of a curve, has the last word
                word = np.where(np.isin(row, (HELPS, HURTS)), row, word)
            words[factor.name] = word
        return words


def judge_replicates(data: Prepared, y: np.ndarray, replicates: Replicates, reading: Reading) -> PlannedEffects | None:
    """The look at the runs of a study; None unless they are three or more replicates of the same cells.

    Args:
        data: the runs; `y` are their responses, (runs,), on the scale of the analysis.
    """
    numbers = np.array([replicates.of_run.get(run, 0) for run in data.runs])
    codes = data.design.codes
    order = np.lexsort((*codes.T[::-1], numbers))
    count = len(np.unique(numbers))
    if not FIRST_LOOK <= count <= replicates.planned or len(order) % count:
        return None
    shape = count, len(order) // count
    cells = codes[order].reshape(*shape, -1)
    if (numbers[order].reshape(shape) != np.arange(1, count + 1)[:, None]).any() or (cells != cells[0]).any():
        return None
    interactions: Interactions = "two-way" if data.design.has_interactions else "none"
    family = PlannedFamily(data.design.factors, cells[0], planned=replicates.planned, interactions=interactions)
    return family.judge(y[order].reshape(shape), reading)
