"""Other methods for the searches of searches.py: from a table of runs to an adjusted p-value of each setting."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import f as f_distribution
from scipy.stats import kruskal

from attnae.analysis.inference.families import holm

ACTIVATIONS = ("elu", "gelu", "relu", "tanh")


def least_squares(table: pd.DataFrame, names: Sequence[str]) -> dict[str, float]:
    """OLS on linear and quadratic terms of the finished runs, on the true scale, F tests with Holm's correction."""
    rows = table[table["status"] == "finished"]
    blocks = {}
    for name in names:
        x = rows[name]
        if name in ("act", "aug", "optimizer"):
            blocks[name] = pd.get_dummies(x, drop_first=True).to_numpy(dtype=float)
            continue
        x = np.log10(x) if name in ("lr", "wd") else x.astype(float)
        scaled = ((x - x.mean()) / x.std()).fillna(0).to_numpy()
        blocks[name] = np.column_stack([scaled, scaled**2])
    y = rows["response"].to_numpy()
    full = np.column_stack([np.ones(len(y)), *blocks.values()])
    df = len(y) - np.linalg.matrix_rank(full)
    if df < 1:
        return {}
    rss = _rss(full, y)
    p = {}
    for name in blocks:
        others = [block for other, block in blocks.items() if other != name]
        reduced = np.column_stack([np.ones(len(y)), *others])
        added = np.linalg.matrix_rank(full) - np.linalg.matrix_rank(reduced)
        ratio = (_rss(reduced, y) - rss) / max(added, 1) / (rss / df)
        p[name] = float(f_distribution.sf(ratio, added, df)) if added else 1.0
    return dict(zip(p, holm(np.array(list(p.values()))).tolist(), strict=True))


def _rss(columns: np.ndarray, y: np.ndarray) -> float:
    left = y - columns @ np.linalg.lstsq(columns, y, rcond=1e-9)[0]
    return float(left @ left)


def kruskal_wallis(table: pd.DataFrame, names: Sequence[str]) -> dict[str, float]:
    """Kruskal-Wallis for each setting on its own, numeric ones in quarters, diverged runs as the worst, with Holm."""
    response = table["response"].where(table["status"] == "finished", np.inf).rank()
    p = {}
    for name in names:
        x = table[name]
        groups = pd.qcut(x.astype(float), 4, duplicates="drop") if x.nunique() > 4 and name != "act" else x
        parts = [part.to_numpy() for _, part in response.groupby(groups, observed=True) if len(part)]
        p[name] = float(kruskal(*parts).pvalue) if len(parts) > 1 else 1.0
    return dict(zip(p, holm(np.array(list(p.values()))).tolist(), strict=True))


def ped_anova(table: pd.DataFrame, names: Sequence[str], draws: int = 19) -> dict[str, float]:
    """Optuna's PED-ANOVA; a setting is found if its importance exceeds the largest of any setting in permuted searches.

    The settings of runs that do not record one are left out. Needs `pip install optuna`.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    complete = [name for name in names if table[name].notna().all()]
    finished = table[table["status"] == "finished"]
    rng = np.random.default_rng(0)

    def importances(values: np.ndarray) -> dict[str, float]:
        study = optuna.create_study()
        for row, value in zip(finished[complete].to_dict("records"), values, strict=True):
            params = {name: x.item() if isinstance(x, np.generic) else x for name, x in row.items()}
            spaces = {name: space_of(optuna, name) for name in complete}
            study.add_trial(optuna.trial.create_trial(params=params, distributions=spaces, value=float(value)))
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        return optuna.importance.get_param_importances(study, evaluator=evaluator, normalize=False)

    y = finished["response"].to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        observed = importances(y)
        largest = [max(importances(rng.permutation(y)).values()) for _ in range(draws)]
    return {name: (1 + sum(value <= top for top in largest)) / (1 + draws) - 1e-9 for name, value in observed.items()}


def space_of(optuna: Any, name: str) -> Any:
    """The range from which a setting is drawn."""
    distributions = optuna.distributions
    floats = {"lr": (1e-5, 0.1, True), "wd": (1e-6, 1e-2, True), "dropout": (0, 0.5, False), "warmup": (0, 0.2, False)}
    if name in floats:
        low, high, log = floats[name]
        return distributions.FloatDistribution(low, high, log=log)
    if name == "units":
        return distributions.IntDistribution(16, 512)
    levels = {"act": ACTIVATIONS, "aug": (False, True), "optimizer": ("adam", "sgd")}
    return distributions.CategoricalDistribution(levels.get(name, (16, 32, 64, 128, 256)))


RIVALS: dict[str, Callable[[pd.DataFrame, Sequence[str]], dict[str, float]]] = {
    "OLS": least_squares,
    "Kruskal-Wallis": kruskal_wallis,
}
