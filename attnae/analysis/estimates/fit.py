"""Model M fitted to the responses, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attnae.analysis.design.model import (
    INTERCEPT,
    MAX_ERROR_RATIO,
    MIN_RESIDUAL_DF,
    Design,
    Interactions,
    build,
    interactions_are_too_many,
)


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


def summarise_model(design: Design, y: np.ndarray, interactions: Interactions) -> Model:
    """Model M fitted to y, (runs,); `interactions` is the option that was given."""
    centred = y - y.mean()
    residuals = design.residuals(centred)
    rss = float(residuals @ residuals)
    terms = tuple(term for term in design.terms if term != INTERCEPT)
    if interactions != "auto":
        reason = f"--interactions {interactions} was given"
    elif len(design.factors) < 2:
        reason = "one factor has no interactions"
    elif design.has_interactions:
        reason = f"two-way interactions leave {design.residual_df} residual degrees of freedom"
    elif interactions_are_too_many(design.factors, design.n):
        reason = "the two-way interactions are too many to be estimated here"
    elif build(design.factors, design.codes, design.blocks, interactions=True).residual_df >= MIN_RESIDUAL_DF:
        reason = (
            "with two-way interactions, main effects could not be estimated, or had standard errors more than "
            f"{MAX_ERROR_RATIO - 1:.0%} larger"
        )
    else:
        reason = f"two-way interactions would leave fewer than {MIN_RESIDUAL_DF} residual degrees of freedom"
    return Model(
        formula=f"response ~ {' + '.join(terms)}",
        terms=terms,
        reason=reason,
        runs=design.n,
        cells=int(design.cells.max()) + 1,
        parameters=design.rows.shape[1],
        rank=design.rank,
        residual_df=design.residual_df,
        residual_sd=float(np.sqrt(rss / design.residual_df)) if design.residual_df else np.nan,
        r_squared=1 - rss / float(centred @ centred),
        condition_number=design.condition_number,
    )
