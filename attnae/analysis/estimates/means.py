"""Marginal means, pairwise contrasts of levels, and simple effects where an interaction matters."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from attnae.analysis.design.model import Design
from attnae.analysis.estimates.effects import contrast_frame
from attnae.analysis.estimates.family import Judged, MainEffects, pair_rows
from attnae.analysis.estimates.noise import estimates_by_seed, t_over_seeds
from attnae.analysis.inference.contrasts import contrasts
from attnae.analysis.inference.distributions import t_ppf
from attnae.analysis.inference.scope import error_names, scoped_contrasts

BY_SEED = "SD of per-seed means / sqrt(seeds)"


def marginal_means_table(design: Design, y: np.ndarray, *, alpha: float) -> pd.DataFrame:
    """`marginal_means.csv`: factor, level, mean, std_error, ci_low, ci_high, n; then df and method.

    Means are equal-weight marginal means of model M (Searle, Speed & Milliken 1980). Where seeds are blocks,
    intervals come from the means of each seed alone, with df = seeds - 1: a new seed moves all runs together, and
    pooled errors would treat runs that share a seed as independent. Otherwise, or if fewer than two seeds have enough
    runs for a mean of their own, intervals come from model M. Continuous factors have no levels and no rows.
    """
    levels = [(f, i) for f in design.factors if f.kind != "continuous" for i in range(len(f.levels))]
    table = pd.DataFrame(
        {"factor": [factor.name for factor, _ in levels], "level": [factor.labels[i] for factor, i in levels]}
    )
    if not levels:
        return table.reindex(columns=["factor", "level", "mean", "std_error", "ci_low", "ci_high", "n", "df", "method"])
    rows = np.array([design.mean_contrast({factor.name: i}) for factor, i in levels])
    # A mean depends on the seeds themselves, which model M fits exactly: only effects have an interval for new seeds.
    fitted = contrasts(design, rows)
    estimates = fitted.fit(y)
    std_error, df = estimates.std_error, estimates.df
    method = np.where(np.isfinite(df), np.where(fitted.pooled, "model M, pooled", "model M, HC2"), "model M")
    if design.has_blocks:
        over_seeds = t_over_seeds(estimates_by_seed(design, rows, y), alpha)
        known = over_seeds["df"].notna()
        std_error, df = np.where(known, over_seeds["std_error"], std_error), np.where(known, over_seeds["df"], df)
        method = np.where(known, BY_SEED, method)
    half = t_ppf(1 - alpha / 2, df) * std_error
    position = {factor.name: column for column, factor in enumerate(design.factors)}
    table["mean"], table["std_error"] = estimates.estimate, std_error
    table["ci_low"], table["ci_high"] = estimates.estimate - half, estimates.estimate + half
    table["n"] = [int((design.codes[:, position[factor.name]] == i).sum()) for factor, i in levels]
    table["df"], table["method"] = df, method
    return table


def pairwise_table(family: MainEffects, judged: Judged, y: np.ndarray, *, alpha: float) -> pd.DataFrame | None:
    """All pairs of levels of many-level factors: factor, level, versus, estimate (level minus versus), std_error, df,
    ci_low, ci_high, p, p_ryan (Ryan's closure within the factor), p_holm (over the whole study), error. None without
    such factors."""
    design = family.design
    tables = []
    for factor in design.factors:
        if factor.name not in family.levels:
            continue
        pairs = family.levels[factor.name][0].pairs
        fitted = scoped_contrasts(design, pair_rows(design, factor, pairs))
        labels = factor.labels
        keys = [(factor.name, labels[i]) for i, _ in pairs]
        p_ryan, p_holm = judged.adjusted.pairs[factor.name]
        table = contrast_frame(keys, fitted, fitted.fit(y)[0], alpha, p_holm)
        table.insert(2, "versus", [labels[j] for _, j in pairs])
        table.insert(list(table).index("p_holm"), "p_ryan", p_ryan)
        tables.append(table.assign(error=error_names(fitted)))
    return pd.concat(tables, ignore_index=True) if tables else None


def simple_effects_table(
    design: Design, anova: pd.DataFrame, interactions: pd.DataFrame | None, y: np.ndarray, *, alpha: float
) -> pd.DataFrame | None:
    """Effects of one factor at each level of another, for pairs whose interaction is significant, by its F or
    by one of its rows (Holm p below alpha): factor, level, within, at, estimate, ..., p, p_holm (over the
    table).

    None where no interaction is significant.
    """
    if interactions is None:
        return None
    significant = {*interactions.factor[interactions.p_holm < alpha], *anova.term[anova.p_holm < alpha]}
    keys, within, rows = [], [], []
    for pair in combinations(design.factors, 2):
        if f"{pair[0].name}:{pair[1].name}" not in significant:
            continue
        for factor, other in (pair, pair[::-1]):
            if "continuous" in (factor.kind, other.kind):
                continue
            for j, at in enumerate(other.labels):
                cells = [design.mean_contrast({factor.name: i, other.name: j}) for i in range(len(factor.levels))]
                for label, row in _differences(factor.labels, np.array(cells)):
                    keys.append((factor.name, label))
                    within.append((other.name, at))
                    rows.append(row)
    if not keys:
        return None
    fitted = scoped_contrasts(design, np.array(rows))
    table = contrast_frame(keys, fitted, fitted.fit(y)[0], alpha)
    table.insert(2, "within", [name for name, _ in within])
    table.insert(3, "at", [label for _, label in within])
    return table.assign(error=error_names(fitted))


def _differences(labels: tuple[str, ...], cells: np.ndarray) -> list[tuple[str, np.ndarray]]:
    if len(cells) == 2:
        return [(labels[1], cells[1] - cells[0])]
    return list(zip(labels, cells - cells.mean(axis=0), strict=True))
