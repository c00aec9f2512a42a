"""The algebra of cluster-robust variances (CR2) that the design alone fixes.

A cluster is the set of runs of one seed. With residuals e = R errors, R = I - H of model M, the variance of a contrast
w'y is estimated by V = sum_s (w_s' A_s e_s)^2 over the clusters s, where A_s is the symmetric square root of the
pseudo-inverse of R_ss. V is unbiased under equal errors (Bell & McCaffrey 2002, Survey Methodology 28, 169-181;
Pustejovsky & Tipton 2018, Journal of Business & Economic Statistics 36, 672-683).
"""

from __future__ import annotations

import numpy as np

from attnae.analysis.design.model import Design

# Eigenvalues of R_ss below this are directions in which a cluster has no residual.
NO_RESIDUAL = 1e-8
# Bounds the memory of studies with many contrasts and many clusters.
MAX_ELEMENTS = 4_000_000


def cluster_loadings(design: Design, clusters: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(contrasts, runs) A_s w_s, and (contrasts,) whether the residuals of all clusters support the contrast.

    Args:
        clusters: (runs,), numbers from 0.
        weights: (contrasts, runs).
    """
    loadings = weights.copy()
    lost = np.zeros(len(weights))
    for own in members(clusters):
        # R_ss = I - B_s B_s', so that its eigenvalues are 1 - s^2 along U, B_s = U diag(s) V', and 1 elsewhere.
        directions, singular, _ = np.linalg.svd(design.basis[design.row_of[own]], full_matrices=False)
        eigenvalues = 1 - singular**2
        absent = eigenvalues < NO_RESIDUAL
        change = np.where(absent, -1.0, 1 / np.sqrt(np.where(absent, 1.0, eigenvalues)) - 1)
        along = weights[:, own] @ directions
        loadings[:, own] += (along * change) @ directions.T
        lost += (along[:, absent] ** 2).sum(axis=1)
    return loadings, lost <= NO_RESIDUAL * (weights**2).sum(axis=1)


def cluster_scores(loadings: np.ndarray, clusters: np.ndarray, residuals: np.ndarray) -> np.ndarray:
    """(contrasts, clusters, ...): w_s' A_s e_s of each cluster; residuals are (runs, ...)."""
    return np.stack([loadings[:, own] @ residuals[own] for own in members(clusters)], axis=1)


def cluster_df(design: Design, clusters: np.ndarray, loadings: np.ndarray) -> np.ndarray:
    """(contrasts,) tr(Omega)^2 / tr(Omega^2) with Omega_st = p_s'p_t, p_s = R[:, s] A_s w_s."""
    groups = members(clusters)
    step = max(1, MAX_ELEMENTS // (len(groups) * design.rank))
    parts = [_df_each(design, groups, loadings[start : start + step]) for start in range(0, len(loadings), step)]
    return np.concatenate(parts)


def trace_df(design: Design, clusters: np.ndarray, loadings: np.ndarray) -> float:
    """Satterthwaite degrees of freedom of the sum of the variances of all contrasts."""
    within, fitted = _blocks(design, members(clusters), loadings)
    overlap = fitted @ fitted.transpose(0, 2, 1)
    first = np.trace((within - overlap).sum(axis=0))
    flat = fitted.reshape(-1, design.rank)
    second = np.sum((within - overlap) ** 2) - np.sum(overlap**2) + np.sum((flat.T @ flat) ** 2)
    return float(first**2 / second) if second > 0 else np.nan


def quadratic_traces(design: Design, clusters: np.ndarray, loadings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The moments of sum_kl P_kl V_kl for any symmetric P over K contrasts, V their variance matrix.

    Under unit errors its mean is <P, first> and its variance twice <P x P, second>.

    Returns:
        first (K, K) and second (K, K, K, K): sum_s Omega_ks,ls, and sum_st Omega_ls,mt Omega_ks,nt at [k, l, m, n].
    """
    count = len(loadings)
    within, fitted = _blocks(design, members(clusters), loadings)
    overlap = fitted @ fitted.transpose(0, 2, 1)
    own_part = within - overlap
    flat = fitted.reshape(len(within), -1)
    cross = (flat.T @ flat).reshape(count, design.rank, count, design.rank).transpose(0, 2, 1, 3)
    pairs = cross.reshape(count**2, -1)

    def products(parts: np.ndarray) -> np.ndarray:
        each = parts.reshape(len(parts), -1)
        return (each.T @ each).reshape(count, count, count, count)

    # At [l, m, k, n] and, for the last term, at [l, k, m, n]: both become [k, l, m, n].
    second = (products(own_part) - products(overlap)).transpose(2, 0, 1, 3)
    second = second + (pairs @ pairs.T).reshape(count, count, count, count).transpose(1, 0, 2, 3)
    return own_part.sum(axis=0), second


def _blocks(design: Design, groups: list[np.ndarray], loadings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(clusters, contrasts, contrasts) g_ks'g_ls and (clusters, contrasts, rank) T_ks = B_s'g_ks.

    Omega_ks,lt = [s = t] g_ks'g_ls - T_ks'T_lt: no clusters x clusters matrix is needed.
    """
    within = np.stack([loadings[:, own] @ loadings[:, own].T for own in groups])
    return within, _fitted(design, groups, loadings)


def _fitted(design: Design, groups: list[np.ndarray], loadings: np.ndarray) -> np.ndarray:
    """(clusters, contrasts, rank) T_ks = B_s'g_ks."""
    return np.stack([loadings[:, own] @ design.basis[design.row_of[own]] for own in groups])


def _df_each(design: Design, groups: list[np.ndarray], loadings: np.ndarray) -> np.ndarray:
    within = np.stack([(loadings[:, own] ** 2).sum(axis=1) for own in groups])
    fitted = _fitted(design, groups, loadings)
    overlap = (fitted**2).sum(axis=2)
    cross = np.array([np.sum((fitted[:, k].T @ fitted[:, k]) ** 2) for k in range(len(loadings))])
    first = (within - overlap).sum(axis=0)
    second = ((within - overlap) ** 2 - overlap**2).sum(axis=0) + cross
    with np.errstate(divide="ignore", invalid="ignore"):
        return first**2 / second


def members(clusters: np.ndarray) -> list[np.ndarray]:
    """The runs of each cluster, in the order of the clusters' numbers."""
    order = np.argsort(clusters, kind="stable")
    return np.split(order, np.cumsum(np.bincount(clusters))[:-1])
