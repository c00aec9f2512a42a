"""What a study amounts to: the object whose tables are the report's files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from attnae.analysis.design.factors import Factor
from attnae.analysis.design.model import Design
from attnae.analysis.estimates.article import ArticleTable
from attnae.analysis.estimates.diagnostics import Diagnostics
from attnae.analysis.estimates.effects import Reading
from attnae.analysis.estimates.fit import Model
from attnae.analysis.estimates.noise import Noise


@dataclass(frozen=True)
class StudyResult:
    """All results of a study; its tables are the report's files. Tables that do not apply are None."""

    response: str
    reading: Reading
    factors: tuple[Factor, ...]
    dropped_factors: dict[str, str]
    design: Design
    y: np.ndarray
    model: Model
    article: ArticleTable | None
    effects: pd.DataFrame
    anova: pd.DataFrame
    interactions: pd.DataFrame | None
    noise: Noise
    marginal_means: pd.DataFrame
    pairwise: pd.DataFrame | None
    simple_effects: pd.DataFrame | None
    diagnostics: Diagnostics
    sensitivity: pd.DataFrame
    permutation: pd.DataFrame | None
    reversals: tuple[str, ...]
    cells: pd.DataFrame
    baseline: pd.DataFrame | None
    next_steps: pd.DataFrame
    further: dict[str, pd.DataFrame | None]
    notes: tuple[str, ...]

    @property
    def coefficients(self) -> pd.DataFrame | None:
        """`coefficients.csv`, the article's table."""
        return self.article.coefficients if self.article is not None else None

    @property
    def lenth(self) -> pd.DataFrame | None:
        """`lenth.csv`."""
        return self.noise.lenth.table if self.noise.lenth is not None else None
