"""The result of a study: the object whose tables are the files of the report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from attnae.analysis.design.factors import Factor
from attnae.analysis.design.model import Design
from attnae.analysis.estimates.article import ArticleTable
from attnae.analysis.estimates.cost import Cost
from attnae.analysis.estimates.diagnostics import Diagnostics
from attnae.analysis.estimates.family import Reading
from attnae.analysis.estimates.fit import Model
from attnae.analysis.estimates.learning import LearningCurves
from attnae.analysis.estimates.noise import Noise
from attnae.analysis.estimates.planned import PlannedEffects


@dataclass(frozen=True)
class StudyResult:
    """All results of a study, in the order of the report. Tables that do not apply are None.

    Attributes:
        response: name of the response.
        factors: the factors of model M; dropped_factors have only one level, which is given.
        notes: what was left out, and which analyses were not possible; one line each.
        y: (runs,) the responses that were analysed: logarithms if `reading.log`.
        reversals: one line for each verdict that another analysis reverses or does not find.
        factor_tests: `factors.csv`, one row for each factor.
        cells, baseline: combinations of settings; `attrs["factors"]` maps their columns of settings to factors.
        looks: the planned looks of a study that adds replicates until it is decided.
        curves: the learning curves of logs that have series; `fit_study`, which sees a table only, leaves them out.
        cost: what the choices cost in time, if runs recorded it; left out by `fit_study` as well.
        statistics: the tables of `attnae.analysis.statistics.STATISTICS`, by name.

    The columns of each table are documented in docs/report.md.
    """

    response: str
    reading: Reading
    factors: tuple[Factor, ...]
    dropped_factors: dict[str, str]
    notes: tuple[str, ...]
    design: Design
    y: np.ndarray
    model: Model
    article: ArticleTable | None
    effects: pd.DataFrame
    factor_tests: pd.DataFrame
    anova: pd.DataFrame
    interactions: pd.DataFrame | None
    noise: Noise
    marginal_means: pd.DataFrame
    pairwise: pd.DataFrame | None
    simple_effects: pd.DataFrame | None
    diagnostics: Diagnostics
    sensitivity: pd.DataFrame
    reversals: tuple[str, ...]
    permutation: pd.DataFrame | None
    cells: pd.DataFrame
    baseline: pd.DataFrame | None
    next_steps: pd.DataFrame
    statistics: dict[str, pd.DataFrame | None]
    looks: PlannedEffects | None = None
    curves: LearningCurves | None = None
    cost: Cost | None = None

    @property
    def shown_effects(self) -> pd.DataFrame:
        """`effects.csv` as the report shows it: with the intervals and p-values of the planned looks, if there are."""
        if self.looks is None:
            return self.effects
        return self.effects.assign(p=self.looks.look.p, ci_low=self.looks.look.ci_low, ci_high=self.looks.look.ci_high)

    @property
    def coefficients(self) -> pd.DataFrame | None:
        """`coefficients.csv`, the article's table."""
        return self.article.coefficients if self.article is not None else None

    @property
    def lenth(self) -> pd.DataFrame | None:
        """`lenth.csv`."""
        return self.noise.lenth.table if self.noise.lenth is not None else None
