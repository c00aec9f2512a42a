"""The largest set of factors whose effects can be told apart with the runs there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from attnae.analysis.design.factors import merge_labels, read_factor
from attnae.analysis.design.model import RANK_TOLERANCE, find_blocks
from attnae.analysis.design.rows import equal_rows

# With fewer residual degrees of freedom there is no usable estimate of the noise.
RESIDUAL_DF = 3


def separable_factors(
    table: pd.DataFrame, factors: Sequence[str], seeds: pd.Series | None = None, *, keep_aliased: bool = False
) -> tuple[str, ...]:
    """All factors, if the runs can estimate all their main effects; otherwise the largest set that they can.

    Only the design decides, never the responses. Factors are added one by one as long as the main effects of all of
    them can be estimated and three residual degrees of freedom remain (fewer, if otherwise no factor were left): once
    starting with those of the fewest levels, and once with those of the most. The larger set is taken; of two equally
    large ones, that with more levels, so that a setting is kept rather than one that groups its levels.

    Args:
        table: (runs, ...) the runs that are compared, with a value of each factor.
        seeds: (runs,) those that recur across cells are blocks.
        keep_aliased: keep all factors unless there are fewer runs than parameters; the report then names the aliases.
    """
    read = {name: read_factor(name, merge_labels(table[name].astype(object))) for name in factors}
    read = {name: (factor, codes) for name, (factor, codes) in read.items() if len(factor.levels) > 1}
    if not read:
        return tuple(factors)
    columns = {name: factor.coding[codes] for name, (factor, codes) in read.items()}
    blocks = _blocks(np.column_stack([codes for _, codes in read.values()]), seeds)
    every = _add(blocks, columns, list(columns), 0)
    parameters = len(np.unique(blocks)) + sum(part.shape[1] for part in columns.values())
    if len(every) == len(columns) or (keep_aliased and parameters <= len(table)):
        return tuple(factors)
    place = {name: number for number, name in enumerate(columns)}
    few = sorted(columns, key=lambda name: (columns[name].shape[1], place[name]))
    many = sorted(columns, key=lambda name: (-columns[name].shape[1], place[name]))
    for spare in range(RESIDUAL_DF, -1, -1):
        kept = max(
            (_add(blocks, columns, order, spare) for order in (few, many)),
            key=lambda names: (len(names), sum(columns[name].shape[1] for name in names)),
        )
        if kept:
            return tuple(name for name in factors if name in kept)
    return tuple(factors)  # each is aliased with the blocks: the report names them


def _blocks(codes: np.ndarray, seeds: pd.Series | None) -> np.ndarray:
    """(runs,) the block of each run; all runs are one block if seeds are not shared."""
    if seeds is not None and seeds.notna().all():
        blocks, _ = find_blocks(seeds.astype(str).to_numpy(dtype=object), equal_rows(codes)[1])
        if blocks is not None:
            return blocks
    return np.zeros(len(codes), dtype=np.int64)


def _add(blocks: np.ndarray, columns: dict[str, np.ndarray], order: Sequence[str], spare: int) -> list[str]:
    """The factors, in this order, whose columns are new to the blocks and those before; `spare` dimensions stay free.

    All columns are measured from their means within blocks, which are orthogonal to the columns of the blocks.
    """
    _, place, counts = np.unique(blocks, return_inverse=True, return_counts=True)
    within = np.argsort(place, kind="stable")
    basis, kept = np.empty((len(blocks), 0)), list[str]()
    for name in order:
        part = columns[name]
        if len(counts) + basis.shape[1] + part.shape[1] + spare > len(part):
            continue
        rest = part - (np.add.reduceat(part[within], np.cumsum(counts) - counts) / counts[:, None])[place]
        rest -= basis @ (basis.T @ rest)
        rest -= basis @ (basis.T @ rest)
        left, singular, _ = np.linalg.svd(rest, full_matrices=False)
        if singular[-1] > RANK_TOLERANCE * np.linalg.norm(part):
            basis, kept = np.hstack([basis, left]), [*kept, name]
    return kept
