"""From a table of runs to the responses and the design that the statistics see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from attnae.analysis.design.centre import centre_runs
from attnae.analysis.design.factors import level_label, merge_labels, read_factor
from attnae.analysis.design.model import (
    BLOCK,
    INTERCEPT,
    RESIDUAL,
    Design,
    Interactions,
    choose_model,
    find_blocks,
    within_block_limit,
)
from attnae.analysis.design.rows import equal_rows
from attnae.errors import UserError
from attnae.tags import DIVERGED

# Begins the label of a run without a recorded seed, which shares it with no other run.
UNKNOWN_SEED = "?"
LEFT_OUT = (DIVERGED, "unfinished", "failed", "pruned", "unreadable", "duplicate")


@dataclass(frozen=True)
class Columns:
    """Names of a table's columns; `seed`, `status` and `run` may be missing from it.

    Attributes:
        response_name: what messages and the report call the response; None: as its column.
    """

    response: str = "response"
    seed: str | None = "seed"
    status: str = "status"
    run: str = "run"
    response_name: str | None = None

    @property
    def shown_response(self) -> str:
        return self.response_name or self.response


@dataclass(frozen=True)
class Centre:
    """The centre points of a study, which are not part of its design; see `centre_runs`.

    Attributes:
        factors: in whose middle they lie.
        y: (runs,) responses; seeds: their labels, "" where not recorded.
    """

    factors: tuple[str, ...]
    y: np.ndarray
    seeds: tuple[str, ...]


@dataclass(frozen=True)
class Prepared:
    """The finished runs of a study.

    Attributes:
        design: model M.
        y: (runs,) responses, not transformed.
        runs: their names.
        seeds: labels of the blocks, or of all seeds where they are not blocks.
        dropped_factors: factors of one level, with the level.
        notes: what was left out, in plain words.
        centre: the centre points, if there are any.
    """

    design: Design
    y: np.ndarray
    runs: tuple[str, ...]
    seeds: tuple[str, ...]
    dropped_factors: dict[str, str]
    notes: tuple[str, ...]
    centre: Centre | None = None


def prepare(
    table: pd.DataFrame,
    factors: Sequence[str],
    responses: pd.Series,
    columns: Columns,
    interactions: Interactions,
    *,
    among: pd.Series | None = None,
) -> Prepared:
    """Drop the runs that cannot be analysed, list them in the notes, and choose model M for the others.

    Args:
        responses: one value a row of the table.
        among: the rows to use; by default those of `finished`.

    Raises:
        UserError: nothing can be estimated from what is left.
    """
    _check_names(table, factors, columns)
    notes: list[str] = []
    keep = finished(table, columns) if among is None else among
    if among is None and not keep.all():
        counts = table.loc[~keep, columns.status].value_counts(sort=False)
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        notes.append(f"runs left out: {kinds}; the effects describe finished runs only")
    values = pd.to_numeric(responses, errors="coerce").astype(float)
    finite = pd.Series(np.isfinite(values.to_numpy()), index=table.index)
    if lost := int((keep & ~finite).sum()):
        notes.append(f"runs left out: {lost} finished without a finite response")
    known = table[list(factors)].notna().all(axis=1)
    if lost := int((keep & finite & ~known).sum()):
        notes.append(f"runs left out: {lost} without a value of one of {', '.join(factors)}")
    keep = keep & finite & known
    rows, y = table[keep], values[keep].to_numpy()
    rows = rows.copy()
    for name in factors:
        rows[name] = merge_labels(rows[name].astype(object))
    middle, centred = centre_runs(rows, factors)
    centre = Centre(centred, y[middle], _labels(rows[middle], columns)) if centred else None
    rows, y = rows[~middle], y[~middle]
    _check_responses(y, columns.shown_response)

    read = {name: read_factor(name, rows[name]) for name in factors if rows[name].nunique() > 1}
    dropped = {name: level_label(rows[name].iloc[0]) for name in factors if name not in read}
    if not read:
        raise UserError("no factor varies among the finished runs: train runs with at least two values of one")
    codes = np.column_stack([codes for _, codes in read.values()])
    seed = None if BLOCK in factors or columns.seed in factors else columns.seed
    blocks, seeds = _seeds(rows, seed, equal_rows(codes)[1])
    if blocks is not None and not (first := within_block_limit(blocks)).all():
        notes.append(
            f"the cells share {len(seeds):,} seeds, more than can be analysed together: only the first "
            f"{len(np.unique(blocks[first])):,} seeds are used, with {first.sum():,} of {len(first):,} runs"
        )
        some = pd.Series(table.index.isin(rows.index[first]), index=table.index)
        fewer = prepare(table, factors, responses, columns, interactions, among=some)
        return replace(fewer, notes=(*notes, *fewer.notes))
    notes += [f"{name} is {level} in all finished runs: the factor is dropped" for name, level in dropped.items()]
    design = choose_model([factor for factor, _ in read.values()], codes, blocks, interactions)
    if seed is not None and seed in rows and rows[seed].notna().all():
        labels = [level_label(value) for value in rows[seed]]
        design = replace(design, seeds=np.unique(labels, return_inverse=True)[1].ravel())
    runs = rows.get(columns.run, rows.index)
    return Prepared(design, y, tuple(map(str, runs)), seeds, dropped, tuple(notes), centre)


def _labels(rows: pd.DataFrame, columns: Columns) -> tuple[str, ...]:
    seeds = rows[columns.seed] if columns.seed is not None and columns.seed in rows else [None] * len(rows)
    return tuple("" if pd.isna(seed) else level_label(seed) for seed in seeds)


def finished(table: pd.DataFrame, columns: Columns) -> pd.Series:
    """Rows that neither diverged nor are unfinished, unreadable or duplicates; all, where there is no status."""
    if columns.status not in table:
        return pd.Series(True, index=table.index)
    return ~table[columns.status].isin(LEFT_OUT)


def _seeds(rows: pd.DataFrame, seed: str | None, cells: np.ndarray) -> tuple[np.ndarray | None, tuple[str, ...]]:
    if seed is None or seed not in rows:
        return None, ()
    values = rows[seed].tolist()
    # A run without a seed shares it with no other.
    text = np.array([f"{UNKNOWN_SEED}{i}" if pd.isna(value) else level_label(value) for i, value in enumerate(values)])
    blocks, labels = find_blocks(text, cells)
    return blocks, labels if blocks is not None else tuple(np.unique(text).tolist())


def _check_names(table: pd.DataFrame, factors: Sequence[str], columns: Columns) -> None:
    if columns.response not in table:
        raise UserError(f"no column {columns.response!r} in the table; it has {', '.join(map(str, table.columns))}")
    if not factors:
        raise UserError("no factors: no hyper-parameter varies between the runs; name some with --factors")
    if unknown := [name for name in factors if name not in table]:
        raise UserError(f"{unknown[0]!r} is not a hyper-parameter of these runs; there are {', '.join(table.columns)}")
    if repeated := [name for name in factors if list(factors).count(name) > 1]:
        raise UserError(f"factor {repeated[0]!r} is named twice")
    terms = Counter([INTERCEPT, RESIDUAL, *factors, *(f"{a}:{b}" for a, b in combinations(factors, 2))])
    if taken := [term for term, count in terms.items() if count > 1]:
        raise UserError(f"two terms of the model would be called {taken[0]!r}: rename the factors {', '.join(factors)}")


def _check_responses(y: np.ndarray, response: str) -> None:
    if len(y) == 0:
        raise UserError(f"no finished run has a finite {response}: nothing to analyse; choose another (--response)")
    if len(y) == 1:
        raise UserError("only one finished run: there is nothing to compare it with; train at least one more")
    if np.ptp(y) == 0:
        raise UserError(
            f"{response} is {y[0]:g} in all {len(y)} finished runs: nothing to explain; choose another (--response)"
        )
