"""Why a contrast has no estimate: combinations of levels without a run, and aliased terms, by name."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np

from attnae.analysis.design.model import INTERCEPT, RANK_TOLERANCE, Design, build, interactions_are_too_many

CONSTANT = "constant over the runs"
MAX_NAMED = 3
# Correlations of contrasts below this are rounding errors of 0, and above 1 less this of 1.
UNCORRELATED = 1e-8
_ADVICE = "; it can be estimated if interactions are assumed to be absent (--interactions none)"


def why_not_estimable(design: Design, term: str, contrast: np.ndarray) -> str:
    """The reason that a contrast over the design's columns has no estimate, in plain words."""
    return f"not estimable: {_reason(design, term, contrast)}{_ADVICE * _estimable_alone(design, contrast)}"


def assumptions(design: Design, terms: Sequence[str], contrasts: np.ndarray) -> list[str]:
    """For each main-effect contrast of a model without interactions what its estimate takes for granted; "" if the same
    runs can estimate it with all two-way interactions in the model."""
    if design.has_interactions or len(design.factors) < 2:
        return [""] * len(terms)
    if interactions_are_too_many(design.factors, design.n):
        return ["assumes that there are no interactions: they are too many to be estimated here"] * len(terms)
    full = build(design.factors, design.codes, design.blocks, interactions=True)
    wide = np.pad(contrasts, ((0, 0), (0, full.rows.shape[1] - contrasts.shape[1])))
    outside = wide - (wide @ full.row_space.T) @ full.row_space
    known = np.linalg.norm(outside, axis=1) <= 1e-8 * np.linalg.norm(wide, axis=1)
    return [
        "" if fine else f"assumes that there are no interactions: {_reason(full, term, row)}"
        for fine, term, row in zip(known, terms, wide, strict=True)
    ]


def _reason(design: Design, term: str, contrast: np.ndarray) -> str:
    empty = empty_combinations(design, term)
    if empty:
        return f"no run has {_some(empty, ' or ')}"
    outside = contrast - design.row_space.T @ (design.row_space @ contrast)
    aliases = [
        other
        for other, columns in design.terms.items()
        if other not in (term, INTERCEPT) and np.abs(outside[columns]).max() > 1e-8
    ]
    return f"aliased with {_some(aliases, ', ')}" if aliases else CONSTANT


def _some(names: Sequence[str], joint: str) -> str:
    return f"{joint.join(names[:MAX_NAMED])}{' or others' * (len(names) > MAX_NAMED)}"


def _estimable_alone(design: Design, contrast: np.ndarray) -> bool:
    """Whether a contrast of main effects has an estimate if interactions are assumed to be absent."""
    mains = build(design.factors, design.codes, design.blocks, interactions=False)
    size = mains.rows.shape[1]
    if not design.has_interactions or np.any(contrast[size:]):
        return False
    outside = contrast[:size] - mains.row_space.T @ (mains.row_space @ contrast[:size])
    return bool(np.linalg.norm(outside) <= 1e-8 * np.linalg.norm(contrast))


def empty_combinations(design: Design, term: str) -> list[str]:
    """Pairs of levels without a run, among the interactions of model M that the term is part of."""
    found = []
    for (i, a), (j, b) in combinations(enumerate(design.factors), 2):
        pair = f"{a.name}:{b.name}"
        if pair not in design.terms or not design.members[term] <= design.members[pair]:
            continue
        if "continuous" in (a.kind, b.kind):
            continue
        present = set(zip(design.codes[:, i].tolist(), design.codes[:, j].tolist(), strict=True))
        for x, y in product(range(len(a.levels)), range(len(b.levels))):
            if (x, y) not in present:
                found.append(f"{a.name}={a.labels[x]} with {b.name}={b.labels[y]}")
    return found


def aliased_with(design: Design, term: str, others: list[str]) -> list[str]:
    """A shortest list of other terms whose columns span the columns of the term.

    One term if one is enough; otherwise all others, less those that are not needed, dropped from the last to the
    first. Empty if the others do not span the term, or if the intercept alone does.
    """
    columns = design.coordinates([term])
    if not _spans(design, others, columns) or _spans(design, [INTERCEPT], columns):
        return []
    single = [other for other in others if other != INTERCEPT and _spans(design, [INTERCEPT, other], columns)]
    if single:
        return single
    needed = list(others)
    for other in reversed(others):
        fewer = [name for name in needed if name != other]
        if other != INTERCEPT and _spans(design, fewer, columns):
            needed = fewer
    return [name for name in needed if name != INTERCEPT]


def term_correlations(design: Design) -> dict[tuple[str, str], float]:
    """The largest correlation over the runs between a contrast of one term and a contrast of another.

    Of all pairs of main effects and two-way interactions, whether or not model M has these; 1 where two contrasts are
    aliased. Pairs without correlation are left out. The first of a pair comes first in the model.
    """
    full = build(design.factors, design.codes, None, interactions=True)
    bases = {}
    for term in full.terms:
        if term != INTERCEPT:
            columns = full.columns([term])
            left, singular, _ = np.linalg.svd(columns - columns.mean(axis=0), full_matrices=False)
            bases[term] = left[:, singular > RANK_TOLERANCE * np.sqrt(columns.size)]
    products = np.hstack(list(bases.values()))
    products = np.abs(products.T @ products)
    ends = np.cumsum([basis.shape[1] for basis in bases.values()])
    places = [slice(end - basis.shape[1], end) for end, basis in zip(ends, bases.values(), strict=True)]
    found = {}
    for (a, first), (b, second) in combinations(zip(bases, places, strict=True), 2):
        block = products[first, second]
        if block.size and block.max() > UNCORRELATED:
            largest = np.linalg.norm(bases[a].T @ bases[b], 2) if block.size > 1 else block.max()
            found[a, b] = float(min(largest, 1.0))
    return found


def exact_aliases(design: Design) -> dict[str, list[str]]:
    """The terms that share a contrast with each main effect or two-way interaction; terms that share none are left out.

    Main effects come first.
    """
    aliases: dict[str, list[str]] = {}
    for (a, b), correlation in term_correlations(design).items():
        if correlation > 1 - UNCORRELATED:
            aliases.setdefault(a, []).append(b)
            aliases.setdefault(b, []).append(a)
    mains = {factor.name for factor in design.factors}
    return dict(sorted(aliases.items(), key=lambda item: item[0] not in mains))


def _spans(design: Design, terms: list[str], columns: np.ndarray) -> bool:
    # All terms lie in the model's space: compare coordinates, rank instead of runs many.
    matrix = design.coordinates(terms)
    solution = np.linalg.lstsq(matrix, columns, rcond=1e-9)[0]
    return bool(np.linalg.norm(columns - matrix @ solution) <= 1e-7 * np.linalg.norm(columns))
