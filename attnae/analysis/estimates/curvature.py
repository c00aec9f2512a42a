"""Whether the middle of the factors' ranges lies on the plane through their ends: the test of centre points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from attnae.analysis.design.model import Design
from attnae.analysis.design.prepare import Centre
from attnae.analysis.estimates.family import Reading
from attnae.analysis.estimates.noise import estimates_by_seed, t_over_seeds
from attnae.analysis.inference.anova import sum_of_squares
from attnae.analysis.inference.contrasts import two_sided_p
from attnae.analysis.inference.distributions import t_ppf
from attnae.text import counted, listed, number, p_statement, percent


def curvature(design: Design, y: np.ndarray, centre: Centre, seeds: tuple[str, ...]) -> tuple[float, float, float]:
    """The mean of the centre points minus that of the combinations of the ends, its standard error and df.

    Where seeds are blocks, from the differences of each seed. Otherwise the error variance is pooled over the residuals
    of model M and the centre points (Box, Hunter & Hunter 2005, chapter 11). NaN where there is no error to estimate.

    Args:
        y: (runs,) of the design; those of `centre` on the same scale.
        seeds: labels of the design's blocks.
    """
    row = design.mean_contrast({})[None]
    if design.has_blocks:
        of_seed = [centre.y[np.array(centre.seeds) == label] for label in seeds]
        means = np.array([values.mean() if len(values) else np.nan for values in of_seed])
        found = t_over_seeds(means[None] - estimates_by_seed(design, row, y), 0.05).iloc[0]
        return float(found.estimate), float(found.std_error), float(found.df)
    weights = (row @ design.pseudo_inverse)[0]
    df = design.residual_df + len(centre.y) - 1
    squares = sum_of_squares(design.residuals(y - y.mean())) + sum_of_squares(centre.y - centre.y.mean())
    spread = squares / df if df else np.nan
    error = float(np.sqrt(spread * (1 / len(centre.y) + weights**2 @ design.counts)))
    return float(centre.y.mean() - weights @ design.row_sums(y)), error, float(df) if df else np.nan


def curvature_note(design: Design, y: np.ndarray, centre: Centre, seeds: tuple[str, ...], reading: Reading) -> str:
    """What the centre points, whose responses are not transformed, say: a sentence."""
    count = len(centre.y)
    said = (
        f"centre points: {counted(count, 'run')} in the middle of {listed(centre.factors)} "
        f"{'is' if count == 1 else 'are'} no third level and not part of model M"
    )
    if reading.log and (centre.y <= 0).any():
        return f"{said}; they have no logarithm"
    scaled = replace(centre, y=np.log(centre.y)) if reading.log else centre
    estimate, error, df = curvature(design, y, scaled, seeds)
    said += f"; their mean minus that of the other combinations is {number(estimate)}"
    if not (np.isfinite(error) and df > 0):
        return f"{said}, without an interval, because nothing estimates the noise"
    half = float(t_ppf(1 - reading.alpha / 2, df)) * error
    p = float(two_sided_p(np.array(estimate), np.array(error), np.array(df)))
    word = "the response is curved between the levels" if p < reading.alpha else "no curvature was found"
    interval = f"{percent(1 - reading.alpha)} CI {number(estimate - half)} to {number(estimate + half)}"
    return f"{said} ({interval}, {p_statement(p)}): {word}"
