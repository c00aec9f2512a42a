"""Estimates of one setting's coefficients, adjusted for nuisance columns: least squares, and Huber's M-estimates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attnae.analysis.inference.distributions import normal_ppf, t_ppf
from attnae.analysis.search.model.regression import TOLERANCE, outside

HUBER_K = 1.345  # 95% efficiency with normal errors
MAD_OF_NORMAL = normal_ppf(0.75)
MOST_ITERATIONS, CONVERGED = 100, 1e-8


@dataclass(frozen=True)
class Fit:
    """Coefficients of the columns of one setting.

    Attributes:
        coefficients: (df,).
        spread: the standard error of a combination of coefficients is `spread` times the norm of its weights on y.
        df: residual degrees of freedom.
        residuals: (runs,).
        partial: the columns.
    """

    coefficients: np.ndarray
    spread: float
    df: int
    residuals: np.ndarray
    partial: Partial

    def contrast(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Estimates and standard errors, both (contrasts,), of weights (contrasts, df) of the coefficients.

        NaN where the columns are collinear with others in such a way that the contrast cannot be estimated.
        """
        known = self.partial.estimable(weights)
        errors = self.spread * np.linalg.norm(weights @ self.partial.weights, axis=1)
        return np.where(known, weights @ self.coefficients, np.nan), np.where(known, errors, np.nan)

    def quantile(self, probability: float) -> float:
        return float(t_ppf(probability, self.df))


class Partial:
    """The columns of one setting beside nuisance columns.

    Attributes:
        space: (runs, rank), orthonormal basis of all columns.
        weights: (df, runs), what the coefficients are of a y in that space: the generalized inverse of the columns
            after projection off the nuisance.
        df: residual degrees of freedom.
    """

    def __init__(self, nuisance: np.ndarray, columns: np.ndarray) -> None:
        """Args: an orthonormal basis, (runs, rank), and the setting's columns, (runs, df)."""
        projected = outside(nuisance, columns)
        small = (projected**2).sum(axis=0) <= TOLERANCE * (columns**2).sum(axis=0)
        projected = np.where(small, 0, projected)
        norms = np.linalg.norm(projected, axis=0)
        self._norms = np.where(norms > 0, norms, 1)
        left, singular, right = np.linalg.svd(projected / self._norms, full_matrices=False)
        kept = singular > np.sqrt(TOLERANCE)
        self._rows = right[kept]
        self.weights = (self._rows / self._norms).T @ (left[:, kept] / singular[kept]).T
        self.space = np.column_stack([nuisance, left[:, kept]])
        self.rank = int(kept.sum())
        self.df = len(columns) - self.space.shape[1]

    def estimable(self, weights: np.ndarray) -> np.ndarray:
        """(contrasts,) whether weights, (contrasts, df), lie in the row space of the columns."""
        scaled = weights / self._norms
        off = np.linalg.norm(scaled - scaled @ self._rows.T @ self._rows, axis=1)
        return off <= 1e-6 * np.maximum(np.linalg.norm(scaled, axis=1), 1e-300)

    def least_squares(self, y: np.ndarray) -> Fit | None:
        """None without residual degrees of freedom."""
        if self.df < 1:
            return None
        fitted = self.space @ (self.space.T @ y)
        residuals = y - fitted
        spread = float(np.sqrt(residuals @ residuals / self.df))
        return Fit(self.weights @ fitted, spread, self.df, residuals, self)

    def huber(self, y: np.ndarray) -> Fit | None:
        """Huber's M-estimate (k = 1.345) by least squares of modified residuals; None where it is not defined.

        The scale is the median absolute residual / 0.6745 * sqrt(runs / df), the covariance Huber's with his factor K
        (Huber 1981, Robust Statistics, 7.6 and 7.8; `cov="H1"` of statsmodels' RLM). It is not defined without residual
        degrees of freedom, or if more than half of the residuals are zero.
        """
        if self.df < 1:
            return None
        n = len(y)
        inflation = np.sqrt(n / self.df) / MAD_OF_NORMAL
        fitted = self.space @ (self.space.T @ y)
        size = max(float(np.abs(y - np.median(y)).max()), 1e-300)
        for _ in range(MOST_ITERATIONS):
            scale = inflation * float(np.median(np.abs(y - fitted)))
            if scale <= 1e-10 * size:
                return None
            change = self.space @ (self.space.T @ np.clip(y - fitted, -HUBER_K * scale, HUBER_K * scale))
            fitted = fitted + change
            if np.abs(change).max() <= CONVERGED * scale:
                break
        residuals = y - fitted
        standard = residuals / scale
        psi, slope = np.clip(standard, -HUBER_K, HUBER_K), np.abs(standard) <= HUBER_K
        if not slope.any():
            return None
        mean = slope.mean()
        factor = 1 + self.space.shape[1] / n * slope.var() / mean**2
        spread = factor * scale * np.sqrt(float(psi @ psi) / self.df) / mean
        return Fit(self.weights @ fitted, float(spread), self.df, residuals, self)
