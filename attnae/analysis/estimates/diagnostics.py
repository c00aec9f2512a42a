"""Whether model M fits: residuals, spread per level, Box-Cox profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from attnae.analysis.design.model import Design
from attnae.analysis.inference.contrasts import FULL_LEVERAGE
from attnae.analysis.inference.distributions import chi2_ppf, f_sf, normal_ppf, t_sf
from attnae.analysis.inference.families import holm
from attnae.analysis.inference.saturated import is_replicated

LAMBDAS = np.round(np.linspace(-2, 2, 81), 2)


@dataclass(frozen=True)
class BoxCox:
    """Profile likelihood of the power transform (Box & Cox 1964).

    Attributes:
        profile: columns lambda, log_likelihood.
        best: the lambda of the highest likelihood.
        low, high: ends of the likelihood interval at the study's confidence, within [-2, 2].
    """

    profile: pd.DataFrame
    best: float
    low: float
    high: float


@dataclass(frozen=True)
class Diagnostics:
    """Residuals of model M and what they say.

    Attributes:
        residuals: run, fitted, residual, leverage, studentized (by the error without the run), quantile
            (normal).
        spread: factor, level, n, sd of the residuals, one row for each level of categorical factors.
        brown_forsythe: factor, statistic, p, p_holm: equal spread of the levels; None unless cells are
            replicated.
        box_cox: None unless all responses are positive and residuals exist; of the untransformed response.
        largest: run, studentized, p (Bonferroni over the runs) of the largest studentized residual, or None.
    """

    residuals: pd.DataFrame
    spread: pd.DataFrame
    brown_forsythe: pd.DataFrame | None
    box_cox: BoxCox | None
    largest: dict[str, float | str] | None


def diagnose(design: Design, y: np.ndarray, raw: np.ndarray, runs: Sequence[str], *, alpha: float) -> Diagnostics:
    """Diagnostics of responses y (transformed) and raw (not transformed), both (runs,)."""
    residual = design.residuals(y - y.mean())
    studentized = _studentized(design, residual)
    rank = pd.Series(residual).rank(method="first").to_numpy()
    residuals = pd.DataFrame(
        {
            "run": list(runs),
            "fitted": y - residual,
            "residual": residual,
            "leverage": design.leverage[design.row_of],
            "studentized": studentized,
            "quantile": normal_ppf((rank - 0.375) / (design.n + 0.25)),
        }
    )
    groups = [
        (factor, level, residual[design.codes[:, column] == i])
        for column, factor in enumerate(design.factors)
        if factor.kind != "continuous"
        for i, level in enumerate(factor.labels)
    ]
    spread = pd.DataFrame(
        [
            {"factor": f.name, "level": level, "n": len(r), "sd": r.std(ddof=1) if len(r) > 1 else np.nan}
            for f, level, r in groups
        ],
        columns=["factor", "level", "n", "sd"],
    )
    test = _brown_forsythe(design, residual) if is_replicated(design) and design.residual_df else None
    positive = design.residual_df > 0 and (raw > 0).all()
    box_cox = box_cox_profile(design, raw, alpha=alpha) if positive else None
    return Diagnostics(residuals, spread, test, box_cox, _largest(design, studentized, runs))


def box_cox_profile(design: Design, raw: np.ndarray, *, alpha: float) -> BoxCox:
    """log L(lambda) = -n/2 log(RSS of (y^lambda - 1) / lambda / n) + (lambda - 1) sum log y."""
    logs = np.log(raw)
    scaled = logs - logs.mean()
    # y is divided by its geometric mean: the Jacobian term vanishes, and powers stay of one size.
    transformed = np.array([scaled if abs(p) < 1e-12 else np.expm1(p * scaled) / p for p in LAMBDAS]).T
    rss = (design.residuals(transformed) ** 2).sum(axis=0)
    log_likelihood = -design.n / 2 * np.log(np.maximum(rss, np.finfo(float).tiny) / design.n)
    inside = LAMBDAS[log_likelihood >= log_likelihood.max() - chi2_ppf(1 - alpha, 1) / 2]
    profile = pd.DataFrame({"lambda": LAMBDAS, "log_likelihood": log_likelihood})
    best = float(LAMBDAS[log_likelihood.argmax()])
    return BoxCox(profile, best, float(inside.min()), float(inside.max()))


def _studentized(design: Design, residual: np.ndarray) -> np.ndarray:
    """(runs,) externally studentized residuals (Beckman & Trussell 1974), NaN for runs of leverage 1."""
    df = design.residual_df
    if df < 2:
        return np.full(design.n, np.nan)
    leverage = design.leverage[design.row_of]
    # The closed form of what statsmodels' OLSInfluence computes by refitting the model without each run, which takes
    # 12 s for 1,000 runs.
    with np.errstate(divide="ignore", invalid="ignore"):
        internal = residual / np.sqrt(residual @ residual / df * (1 - leverage))
        external = internal * np.sqrt((df - 1) / np.maximum(df - internal**2, 0))
    return np.where(leverage > FULL_LEVERAGE, np.nan, external)


def _largest(design: Design, studentized: np.ndarray, runs: Sequence[str]) -> dict[str, float | str] | None:
    """The outlier test of Cook & Weisberg (1982): t with one degree of freedom less, Bonferroni over the runs."""
    if not np.isfinite(studentized).any():
        return None
    i = int(np.nanargmax(np.abs(studentized)))
    p = 2 * t_sf(abs(studentized[i]), design.residual_df - 1) * design.n
    return {"run": runs[i], "studentized": float(studentized[i]), "p": float(min(1.0, p))}


def _brown_forsythe(design: Design, residual: np.ndarray) -> pd.DataFrame:
    """Brown & Forsythe (1974): analysis of variance of absolute deviations from the level's median.

    Levels need three runs: two are always equally far from their median.
    """
    rows = []
    for column, factor in enumerate(design.factors):
        groups = [residual[design.codes[:, column] == i] for i in range(len(factor.levels))]
        if factor.kind == "continuous" or min(map(len, groups)) < 3:
            continue
        deviations = [np.abs(group - np.median(group)) for group in groups]
        means = np.array([own.mean() for own in deviations])
        within = sum(float(np.sum((own - mean) ** 2)) for own, mean in zip(deviations, means, strict=True))
        between = np.array([len(own) for own in deviations]) @ (means - np.concatenate(deviations).mean()) ** 2
        df = len(groups) - 1, len(residual) - len(groups)
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = np.divide(between / df[0], within / df[1])
        rows.append({"factor": factor.name, "statistic": float(statistic), "p": float(f_sf(statistic, *df))})
    table = pd.DataFrame(rows, columns=["factor", "statistic", "p"])
    table["p_holm"] = holm(table["p"].to_numpy())
    return table
