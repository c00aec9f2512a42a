"""Which combinations are best, and how they compare with a baseline."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from attnae.analysis.design.model import BLOCK, Design
from attnae.analysis.design.rows import equal_rows
from attnae.analysis.estimates.family import Reading
from attnae.analysis.inference.contrasts import contrasts, two_sided_p
from attnae.analysis.inference.distributions import t_ppf, t_sf
from attnae.analysis.inference.families import holm
from attnae.analysis.inference.saturated import cell_means
from attnae.analysis.inference.scope import error_names, scoped_contrasts
from attnae.analysis.inference.verdicts import MIN_VERDICT_DF
from attnae.errors import UserError

# Only this many combinations are listed, best first; the family of Holm's adjustment is always all of them.
MAX_LISTED = 100

PURE_ERROR = "cell means, pure error"
PREDICTED, EXACT = "model M's predictions, HC2", "model M's predictions, no standard errors"
PAIRED = "paired by seed"
CONTRAST = "model M"

# Columns of these tables that hold no setting; a factor of such a name becomes `factor:name`.
COMPUTED = (
    *("n", "mean", "difference", "std_error", "df", "ci_low", "ci_high", "p", "p_holm", "p_hsu", "may_be_best"),
    "method",
)


def cells_table(design: Design, y: np.ndarray, reading: Reading) -> pd.DataFrame:
    """One row for each combination that was run, best first.

    Columns: the factors, n, mean, difference (to the best), std_error, df, p (one-sided), p_hsu, may_be_best, method.
    By multiple comparisons with the best (Hsu 1984, Annals of Statistics 12, 1136-1144), with Bonferroni's bound, a
    cell may be the best unless p is below alpha / (cells - 1); p_hsu = min(1, (cells - 1) p). Replicated studies
    compare cell means at equal weights of the blocks by the residual of cells + blocks, which is the mean square of
    cells x seeds where seeds are shared. Others compare the predictions of model M. may_be_best is None where fewer
    than three degrees of freedom are left. There are no intervals of the means: that of the best cell is optimistic
    because it was selected.
    """
    first = np.unique(design.cells, return_index=True)[1]
    means = cell_means(design, y)
    rows = design.rows[design.row_of[first]]
    if design.has_blocks:
        rows[:, design.terms[BLOCK]] = 0
    mean = (
        means.mean if means is not None else rows @ (design.pseudo_inverse @ design.row_sums(y - y.mean())) + y.mean()
    )
    order = np.argsort(mean if reading.goal == "min" else -mean, kind="stable")[:MAX_LISTED]
    best = int(order[0])
    difference = mean[order] - mean[best]
    if means is not None:
        std_error, df = means.difference_error(order, best), np.full(len(order), float(means.df))
        method = PURE_ERROR
    else:
        fitted = contrasts(design, rows[order] - rows[best])
        found = fitted.fit(y)
        std_error, df = found.std_error, found.df
        method = PREDICTED if design.residual_df else EXACT
    with np.errstate(divide="ignore", invalid="ignore"):
        p = t_sf(np.where(difference == 0, 0.0, np.abs(difference) / std_error), df)
    std_error[0], df[0], p[0] = np.nan, np.nan, np.nan
    others = len(mean) - 1
    left = means.df if means is not None else design.residual_df
    table = _settings(design, list(range(len(design.factors))), design.codes[first[order]])
    table["n"], table["mean"], table["difference"] = np.bincount(design.cells)[order], mean[order], difference
    table["std_error"], table["df"], table["p"], table["p_hsu"] = std_error, df, p, np.minimum(others * p, 1.0)
    table["may_be_best"] = ~(table["p_hsu"] < reading.alpha) if left >= MIN_VERDICT_DF else None
    table["method"] = method
    return table


def baseline_table(design: Design, y: np.ndarray, baseline: Mapping[str, object], reading: Reading) -> pd.DataFrame:
    """Differences to a baseline: the named factors, difference, std_error, df, ci_low, ci_high, p, p_holm, n,
    method.

    One row a combination of the named factors' levels, best first, but the baseline's. Runs are paired with
    those of the baseline that agree in the seed and in the factors not named; the mean differences of the
    seeds give a paired t-test with df = seeds - 1. With fewer than two such seeds: contrasts of model M. n
    counts the pairs.

    Raises:
        UserError: an unknown factor or level, or a baseline without a run.
    """
    chosen = parse_baseline(design, baseline)
    columns = list(chosen)
    first, index = equal_rows(design.codes[:, columns])
    named = design.codes[first][:, columns]
    base = np.flatnonzero((named == list(chosen.values())).all(axis=1))
    if not len(base):
        text = ", ".join(f"{design.factors[k].name}={design.factors[k].labels[i]}" for k, i in chosen.items())
        raise UserError(f"--baseline: no finished run has {text}; choose a combination that was run")
    rows = np.array([_mean_row(design, columns, levels) for levels in named])
    rows -= rows[base[0]]
    predicted = rows @ (design.pseudo_inverse @ design.row_sums(y - y.mean()))
    order = [i for i in np.argsort(predicted if reading.goal == "min" else -predicted) if i != base[0]][:MAX_LISTED]
    fitted = scoped_contrasts(design, rows[order])
    estimates, errors = fitted.fit(y)[0], error_names(fitted)
    records = []
    for position, i in enumerate(order):
        paired = _paired_by_seed(design, y, columns, index == i, index == base[0])
        model = estimates.estimate[position], estimates.std_error[position], estimates.df[position]
        name = f"{CONTRAST}, {errors[position]}".removesuffix(", ")
        records.append((*paired, PAIRED) if paired is not None else (*model, int((index == i).sum()), name))
    difference, std_error, df, n, method = (np.array(values) for values in zip(*records, strict=True))
    half = t_ppf(1 - reading.alpha / 2, df) * std_error
    p = two_sided_p(difference, std_error, df)
    table = _settings(design, columns, named[order])
    table["difference"], table["std_error"], table["df"] = difference, std_error, df
    table["ci_low"], table["ci_high"] = difference - half, difference + half
    table["p"], table["p_holm"], table["n"], table["method"] = p, _holm_among(p, len(named) - 1), n, method
    return table


def parse_baseline(design: Design, baseline: Mapping[str, object]) -> dict[int, int]:
    """Positions of the named factors and of their levels."""
    names = [factor.name for factor in design.factors]
    chosen = {}
    for name, text in baseline.items():
        if name not in names:
            raise UserError(f"--baseline: {name!r} is not a factor of this study; choose from {', '.join(names)}")
        factor = design.factors[names.index(name)]
        if (level := factor.index(text)) < 0:
            raise UserError(f"--baseline: {name} has no level {text!r}; choose from {', '.join(factor.labels)}")
        chosen[names.index(name)] = level
    return chosen


def _settings(design: Design, columns: list[int], codes: np.ndarray) -> pd.DataFrame:
    """One column for each factor, with the labels of its levels; `attrs["factors"]` maps these columns to factors."""
    factors = [design.factors[k] for k in columns]
    names = [f"factor:{factor.name}" if factor.name in COMPUTED else factor.name for factor in factors]
    labels = [np.array(factor.labels)[codes[:, k]] for k, factor in enumerate(factors)]
    table = pd.DataFrame(dict(zip(names, labels, strict=True)))
    table.attrs["factors"] = dict(zip(names, (factor.name for factor in factors), strict=True))
    return table


def _mean_row(design: Design, columns: list[int], levels: np.ndarray) -> np.ndarray:
    return design.mean_contrast({design.factors[k].name: int(i) for k, i in zip(columns, levels, strict=True)})


def _paired_by_seed(
    design: Design, y: np.ndarray, columns: list[int], chosen: np.ndarray, base: np.ndarray
) -> tuple[float, float, float, int] | None:
    """Mean difference, standard error, df and pairs; None with fewer than two seeds that have a pair."""
    if design.blocks is None:
        return None
    rest = np.column_stack([np.delete(design.codes, columns, axis=1), design.blocks])
    partner = equal_rows(rest)[1]
    size = partner.max() + 1
    count = [np.bincount(partner[side], minlength=size) for side in (chosen, base)]
    total = [np.bincount(partner[side], y[side], minlength=size) for side in (chosen, base)]
    both = (count[0] > 0) & (count[1] > 0)
    seed = np.zeros(size, dtype=int)
    seed[partner] = design.blocks
    difference = total[0][both] / count[0][both] - total[1][both] / count[1][both]
    pairs = np.bincount(seed[both])
    by_seed = np.bincount(seed[both], difference)[pairs > 0] / pairs[pairs > 0]
    if len(by_seed) < 2:
        return None
    std_error = by_seed.std(ddof=1) / np.sqrt(len(by_seed))
    return float(by_seed.mean()), float(std_error), len(by_seed) - 1.0, int(both.sum())


def _holm_among(p: np.ndarray, family: int) -> np.ndarray:
    """Holm p of the listed members of a family; those not listed count as larger, which is conservative."""
    unlisted = max(0, family - int(np.isfinite(p).sum()))
    return holm(np.concatenate([p, np.ones(unlisted)]))[: len(p)]
