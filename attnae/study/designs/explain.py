"""What a design can tell, before anything is trained: which effects are aliased, and the smallest ones it detects."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from rich.table import Column, Table

from attnae.analysis.design.aliases import UNCORRELATED, term_correlations
from attnae.analysis.design.model import Design
from attnae.analysis.design.prepare import Columns, prepare
from attnae.analysis.estimates.family import main_rows
from attnae.analysis.inference.power import detectable
from attnae.analysis.inference.scope import NEW_SEEDS, scoped_contrasts, study_scope
from attnae.analysis.search.estimates.share import noncentrality
from attnae.analysis.search.model.basis import spline_df
from attnae.errors import UserError
from attnae.study.designs.cells import Cell, level_text

ALPHA = 0.05
# Larger designs are not explained: the algebra of their models would take minutes.
MOST_RUNS = 5000
# More aliases of a term, and more aliased interactions, are counted.
_MOST_NAMES, _MOST_ROWS = 4, 30
_POWER = f"with a power of 80%, at {ALPHA:.0%} after Holm's correction over the factors"


def explain(
    cells: Sequence[Cell], seeds: Sequence[int], *, sampled: bool, noise: float | None = None
) -> Iterator[Table | str]:
    """Tables and sentences about what a study can tell.

    Args:
        cells: the cell of each run.
        seeds: the seed of each run.
        sampled: whether the cells were drawn, so that `analyze.py` takes the study as a random search.
        noise: the standard deviation of the response between runs that differ only in their seeds, in its own unit.
    """
    if len(cells) > MOST_RUNS:
        yield f"more than {MOST_RUNS:,} runs: aliases and detectable effects are not computed"
    elif sampled:
        yield from _explain_sample(cells)
    else:
        yield from _explain_factorial(cells, seeds, noise)


def _explain_factorial(cells: Sequence[Cell], seeds: Sequence[int], noise: float | None) -> Iterator[Table | str]:
    names = [name for name in cells[0] if len({cell[name] for cell in cells}) > 1]
    table = pd.DataFrame([{name: level_text(cell[name]) for name in names} for cell in cells])
    table = table.assign(seed=list(seeds), response=np.arange(len(cells), dtype=float))
    try:
        design = prepare(table, names, table["response"], Columns(), "auto").design
    except UserError as error:
        yield f"effects cannot be estimated: {error}"
        return
    smallest, aliases = detectable_effects(design), aliases_in_words(design)
    shown = _table("effect", "aliased with", "detectable")
    for name in names:
        shown.add_row(name, aliases.pop(name, "-"), _effect_text(smallest[name], noise))
    for term, text in list(aliases.items())[:_MOST_ROWS]:
        shown.add_row(term, text, "")
    yield shown
    if len(aliases) > _MOST_ROWS:
        yield f"and {len(aliases) - _MOST_ROWS} more interactions that are aliased"
    yield (
        f"detectable: an effect of this size or larger is found {_POWER}; an effect is the difference of two levels, "
        "or of one of more levels and their mean; noise SD is the standard deviation between runs that differ only in "
        "their seeds"
    )
    if len(names) > 1:
        yield _interactions_text(design)
    if study_scope(design) != NEW_SEEDS:
        yield "with so few seeds, the results will hold for these seeds only"


def detectable_effects(design: Design) -> dict[str, float]:
    """The smallest detectable effect of each factor in standard deviations of the noise; NaN without an error estimate.

    That of the least precise of its rows, with the standard errors and degrees of freedom of `analyze.py` under noise
    of the same variance in all runs.
    """
    fitted = scoped_contrasts(design, main_rows(design))
    errors = np.linalg.norm(fitted.here.weights, axis=1)
    shifts = detectable(errors, fitted.df, family=len(design.factors), alpha=ALPHA)
    owners = np.array([factor.name for factor in design.factors for _ in factor.effect_rows()])
    return {factor.name: float(np.max(shifts[owners == factor.name])) for factor in design.factors}


def aliases_in_words(design: Design) -> dict[str, str]:
    """What each main effect is aliased or correlated with, and each interaction that is aliased with anything."""
    mains = [factor.name for factor in design.factors]
    exact: dict[str, list[str]] = {}
    partial: dict[str, dict[str, float]] = {}
    for (a, b), correlation in term_correlations(design).items():
        for term, other in ((a, b), (b, a)):
            if correlation > 1 - UNCORRELATED:
                exact.setdefault(term, []).append(other)
            elif term in mains:
                partial.setdefault(term, {})[other] = correlation
    texts = {}
    for term in [*mains, *(f"{a}:{b}" for a, b in combinations(mains, 2))]:
        parts = [_some(exact[term])] if term in exact else []
        if term in partial:
            others = sorted(partial[term], key=lambda other: (-round(partial[term][other], 6), other))
            parts.append(f"in part with {_some(others)} (correlation up to {max(partial[term].values()):.2f})")
        if parts:
            texts[term] = ", ".join(parts)
    return texts


def _interactions_text(design: Design) -> str:
    if design.has_interactions:
        return "two-way interactions are part of the model that analyze.py fits"
    return (
        "the model that analyze.py fits has no two-way interactions: one that exists nevertheless changes the effects "
        "that it is aliased with"
    )


def _explain_sample(cells: Sequence[Cell]) -> Iterator[Table | str]:
    shown = _table("setting", "detectable")
    values = {name: list(dict.fromkeys(cell[name] for cell in cells)) for name in cells[0]}
    varying = {name: own for name, own in values.items() if len(own) > 1}
    n = len({tuple(cell.values()) for cell in cells})
    for name, own in varying.items():
        number = not any(isinstance(value, (bool, str, tuple)) for value in own)
        df = spline_df(n, len(own)) if number else len(own) - 1
        shift = noncentrality(df, ALPHA / len(varying))
        shown.add_row(name, f"{shift / (n + shift):.0%}")
    yield shown
    yield (
        f"detectable: a setting that explains this share or more of the variation between the {n} cells is found "
        f"{_POWER}, if the other settings explain nothing"
    )


def _effect_text(effect: float, noise: float | None) -> str:
    if math.isnan(effect):
        return "unknown: no runs are left to estimate the noise"
    return f"{effect:.2f} noise SD" + ("" if noise is None else f" = {effect * noise:.3g}")


def _table(*headers: str) -> Table:
    return Table(*(Column(header, overflow="fold") for header in headers))


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
