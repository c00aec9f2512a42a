"""The response that the tests see: normal scores, with diverged runs as the worst."""

from __future__ import annotations

import numpy as np
import pandas as pd

from attnae.analysis.inference.distributions import normal_ppf

WINSORISED_AT = 3.0


def normal_scores(cost: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """(runs,) Blom's scores, Phi^-1((rank - 3/8) / (n + 1/4)), within strata; ties share their mean rank.

    Blom (1958), Statistical Estimates and Transformed Beta-Variables.

    Args:
        cost: (runs,), lower is better; infinite for diverged runs.
        strata: (runs,), index of the group within which runs are compared.
    """
    z = np.empty(len(cost))
    for stratum in np.unique(strata):
        rows = strata == stratum
        z[rows] = normal_ppf((pd.Series(cost[rows]).rank().to_numpy() - 0.375) / (rows.sum() + 0.25))
    return z


def winsorised(cost: np.ndarray, strata: np.ndarray) -> np.ndarray | None:
    """(runs,) costs limited to the median +- 3 MAD, in units of the MAD; diverged runs are at the upper limit.

    The MAD is that of the finite costs, divided by 0.6745, both within strata. None if one is zero.
    """
    y = np.empty(len(cost))
    for stratum in np.unique(strata):
        rows = strata == stratum
        finite = cost[rows][np.isfinite(cost[rows])]
        if len(finite) == 0:
            return None
        middle = np.median(finite)
        mad = np.median(np.abs(finite - middle)) / normal_ppf(0.75)
        if not mad > 0:
            return None
        y[rows] = np.clip((cost[rows] - middle) / mad, -WINSORISED_AT, WINSORISED_AT)
    return y
