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
from attnae.analysis.estimates.lenth import Lenth
from attnae.analysis.estimates.noise import PureError


@dataclass(frozen=True)
class Model:
    """Model M in numbers.

    Attributes:
        formula: its terms, as `response ~ seed + a + b + a:b`.
        reason: why it has interactions or not.
        parameters: columns of the model matrix; more than `rank` where terms are aliased.
        condition_number: of the sum-to-zero coded matrix, aliased directions left out.
        residual_sd: pooled, in units of the (transformed) response; NaN without residual degrees of freedom.
    """

    formula: str
    terms: tuple[str, ...]
    reason: str
    runs: int
    cells: int
    parameters: int
    rank: int
    residual_df: int
    residual_sd: float
    r_squared: float
    condition_number: float


@dataclass(frozen=True)
class Noise:
    """Where the noise of a study is seen.

    Attributes:
        method: "pure error" (replicated runs), "lenth" (unreplicated two-level designs) or "residual" (of
            model M).
        statement: what that means for the conclusions, in plain words.
        seeds: the seeds, and `blocks` whether they recur across cells and enter model M.
        runs_per_cell: smallest and largest number.
        seed_interactions, seed_effects: whether effects change with the seed; None without blocks.
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
