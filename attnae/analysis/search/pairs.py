"""Whether the settings act one at a time: products of pairs of settings against permuted residuals."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from attnae.analysis.search.model.nuisance import Nuisance
from attnae.analysis.search.model.regression import TOLERANCE, orthonormal, orthonormal_part, outside, smallest_p
from attnae.analysis.search.model.settings import Setting
from attnae.analysis.search.prepare import Prepared
from attnae.analysis.search.result import PAIR_COLUMNS

# There are fewer permutations of more values, which bounds time and memory; the test is exact with any number.
DRAWS, FEWEST_DRAWS, MOST_VALUES = 999, 99, 4_000_000
# With more pairs than this the test would take minutes.
MOST_PAIRS = 2000


def pairs_table(data: Prepared, nuisance: Nuisance, draws: int, rng: np.random.Generator) -> pd.DataFrame:
    """`pairs.csv`; see `SearchResult.pairs`.

    Each pair is tested by the F test of the products of the settings' first columns given both settings and what the
    model holds. The smallest p-value over all pairs is compared with those of permuted residuals of the model (Freedman
    & Lane 1983), permuted within strata.

    Args:
        nuisance: the model of the scores.
        draws: number of permutations; 0: no global p-value.
    """
    z, model = data.z, nuisance.model
    residual = outside(model, z)
    tests = list(combinations(data.settings, 2))
    if len(tests) > MOST_PAIRS or residual @ residual <= 1e-12 * (z @ z):
        return pd.DataFrame(columns=PAIR_COLUMNS)
    draws = min(draws, DRAWS, max(FEWEST_DRAWS, MOST_VALUES // data.n))
    responses = np.vstack([z, _permuted(residual, data.strata, draws, rng)])
    responses = outside(model, responses.T).T
    total = (responses**2).sum(axis=1)
    rows, smallest = [], np.ones(len(responses))
    # Many pairs at once: the product of one pair's columns with the responses takes as long, to read all of these.
    widest = max((setting.columns.shape[1] + 1) ** 2 for setting in data.settings)
    step = max(1, MOST_VALUES // (max(data.n, len(responses)) * widest))
    for some in (tests[start : start + step] for start in range(0, len(tests), step)):
        parts = [columns for first, second in some for columns in _added_columns(model, first, second)]
        squares = (responses @ np.hstack(parts)) ** 2
        explained = np.split(squares, np.cumsum([columns.shape[1] for columns in parts])[:-1], axis=1)
        for (first, second), mains, new in zip(some, explained[::2], explained[1::2], strict=True):
            df = data.n - model.shape[1] - mains.shape[1]
            if new.shape[1] == 0 or df - new.shape[1] < 1:
                continue
            rest = total - mains.sum(axis=1)
            p = smallest_p(new.sum(axis=1)[:, None], np.full((len(new), 1), new.shape[1]), rest, df)
            smallest = np.minimum(smallest, p)
            rows.append((first.name, second.name, float(p[0])))
    table = pd.DataFrame(rows, columns=PAIR_COLUMNS[:3]).sort_values("statistic", kind="stable", ignore_index=True)
    table["p"] = np.nan
    if len(table) and len(responses) > 1:
        extreme = int((smallest[1:] <= smallest[0] * (1 + 1e-9)).sum())
        table.loc[0, "p"] = (1 + extreme) / len(responses)
    return table


def _added_columns(model: np.ndarray, first: Setting, second: Setting) -> tuple[np.ndarray, np.ndarray]:
    """(n, columns) orthonormal: what two settings add to a model, and what their products add to all of these."""
    # The model holds both settings, or the selection left them out and they are added.
    columns = np.hstack([first.columns, second.columns])
    mains = orthonormal_part(outside(model, columns), (columns**2).sum(axis=0))
    products = _products(first, second)
    left = outside(mains, outside(model, products))
    return mains, orthonormal(left[:, (left**2).sum(axis=0) > TOLERANCE * (products**2).sum(axis=0)])


def _products(first: Setting, second: Setting) -> np.ndarray:
    """(n, df) products of the first columns of numeric settings and of all dummies."""
    a, b = first.first_columns, second.first_columns
    return (a[:, :, None] * b[:, None, :]).reshape(len(a), -1)


def _permuted(residual: np.ndarray, strata: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """(draws, n) the residuals in other orders, within strata."""
    shuffled = np.tile(residual, (draws, 1))
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        shuffled[:, rows] = rng.permuted(shuffled[:, rows], axis=1)
    return shuffled
