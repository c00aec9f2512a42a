"""Interactions and trends: further contrasts of model M, each kind a Holm family of its own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from attnae.analysis.design.model import Design
from attnae.analysis.estimates.effects import Key, Reading, complete_table, contrast_frame, effect_words, percent_change
from attnae.analysis.inference.contrasts import contrasts, holm, point_estimates


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
