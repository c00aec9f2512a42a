"""Searches for the tests: settings drawn at random, and a response with a known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd

SETTINGS = ["lr", "dropout", "act", "units", "aug", "optimizer", "momentum"]
ACTIVATIONS = ["elu", "gelu", "relu", "tanh"]


def draw_settings(n: int, seed: int) -> pd.DataFrame:
    """(n, 7) settings; momentum is recorded with sgd only."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "lr": 10 ** rng.uniform(-5, -1, n),
            "dropout": rng.uniform(0, 0.5, n),
            "act": rng.choice(ACTIVATIONS, n),
            "units": rng.integers(16, 513, n),
            "aug": rng.random(n) < 0.5,
            "optimizer": rng.choice(["adam", "sgd"], n),
            "momentum": rng.uniform(0, 1, n),
        }
    )
    return table.assign(momentum=table["momentum"].where(table["optimizer"] == "sgd"))


def search(n: int = 60, seed: int = 1, noise: float = 0.1) -> pd.DataFrame:
    """A search whose loss is lowest at lr = 1e-3, rises with dropout, and is worse with tanh and without aug."""
    table = draw_settings(n, seed)
    rng = np.random.default_rng([seed, 1])
    loss = 0.3 * (np.log10(table["lr"]) + 3) ** 2 + 1.2 * table["dropout"] + 0.4 * (table["act"] == "tanh")
    loss += 0.3 * ~table["aug"] + noise * rng.standard_normal(n)
    return table.assign(response=loss, status="finished", run=[f"run-{i}" for i in range(n)])
