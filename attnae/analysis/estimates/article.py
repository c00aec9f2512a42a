"""The article's table: ordinary least squares without an intercept, as its author fitted it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from attnae.analysis.design.factors import Factor

ARTICLE_NAMES = {
    "batch_norm": "BatchNorm",
    "dropout": "Dropout",
    "spatial_attention": "SpatialAttention",
    "act": "Activation",
}
READING = (
    "The rows of levels are mean responses with all two-level factors off, not effects. "
    "Their p-values do not test whether the levels differ."
)


@dataclass(frozen=True)
class ArticleTable:
    """The fit of the article: one row a column, and statsmodels' own summary."""

    coefficients: pd.DataFrame
    summary: str


def article_matrix(factors: Sequence[Factor], codes: np.ndarray) -> tuple[list[str], np.ndarray] | None:
    """Names and matrix (runs, columns): a 0/1 column for each two-level factor, then one for each level of the
    many-level factor.

    None unless there is exactly one many-level factor and all others have two levels.
    """
    many = [i for i, factor in enumerate(factors) if factor.kind == "many-level"]
    two = [i for i, factor in enumerate(factors) if factor.kind == "two-level"]
    if len(many) != 1 or len(many) + len(two) != len(factors):
        return None
    order = list(ARTICLE_NAMES)
    two.sort(key=lambda i: order.index(factors[i].name) if factors[i].name in order else len(order))
    names = [ARTICLE_NAMES.get(factors[i].name, factors[i].name) for i in two]
    level_factor = factors[many[0]]
    prefix = ARTICLE_NAMES.get(level_factor.name, level_factor.name)
    names += [f"{prefix}_{label}" for label in level_factor.labels]
    levels = codes[:, many] == np.arange(len(level_factor.levels))
    return names, np.hstack([codes[:, two], levels]).astype(float)


def article_table(factors: Sequence[Factor], codes: np.ndarray, y: np.ndarray, *, alpha: float) -> ArticleTable | None:
    """`coefficients.csv`: term, estimate, std_error, t, p, ci_low, ci_high; None where the table has no meaning."""
    named = article_matrix(factors, codes)
    if named is None:
        return None
    from statsmodels.regression.linear_model import OLS  # statsmodels.api imports all of its models

    names, matrix = named
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # statsmodels warns of small samples in the normality tests that its summary prints.
        warnings.simplefilter("ignore")
        fit = OLS(y, matrix).fit()
        summary = fit.summary(xname=names, alpha=alpha).as_text()
        interval = fit.conf_int(alpha)
        coefficients = pd.DataFrame(
            {
                "term": names,
                "estimate": fit.params,
                "std_error": fit.bse,
                "t": fit.tvalues,
                "p": fit.pvalues,
                "ci_low": interval[:, 0],
                "ci_high": interval[:, 1],
            }
        )
    return ArticleTable(coefficients, summary)
