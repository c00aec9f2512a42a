"""Tables of runs for tests of the statistics."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd

ARTICLE_FACTORS = ["batch_norm", "dropout", "spatial_attention", "act"]


def factorial(seeds: int = 1, replicates: int = 1, **levels: Any) -> pd.DataFrame:
    """All combinations of the levels, `replicates` runs each for every seed; the response is 0."""
    rows = list(product(*levels.values(), range(seeds), range(replicates)))
    table = pd.DataFrame(rows, columns=[*levels, "seed", "replicate"]).assign(response=0.0)
    if seeds == 1 and replicates > 1:
        table["seed"] = np.arange(len(table))
    return table.assign(run=[f"run{i}" for i in range(len(table))], status="finished")


def article_study(seeds: int = 3, rng_seed: int = 1, noise: float = 0.01) -> pd.DataFrame:
    """32 cells: dropout hurts by 0.03, batch norm helps by 0.02, sigmoid is worse, attention does nothing."""
    rng = np.random.default_rng(rng_seed)
    switch = [False, True]
    table = factorial(
        seeds,
        batch_norm=switch,
        dropout=switch,
        spatial_attention=switch,
        act=["elu", "relu", "selu", "sigmoid"],
    )
    shifts = 2 * noise * rng.standard_normal(seeds)
    effects = 0.03 * table.dropout - 0.02 * table.batch_norm + 0.02 * (table.act == "sigmoid")
    table["response"] = 0.25 + effects + shifts[table.seed] + noise * rng.standard_normal(len(table))
    return table
