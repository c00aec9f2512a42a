"""Model M: the one linear model of a study, fixed by its design and never by its responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Literal

import numpy as np

from attnae.analysis.design.factors import Factor, sum_coding
from attnae.analysis.design.rows import equal_rows
from attnae.errors import UserError

Interactions = Literal["auto", "none", "two-way"]

# Two-way interactions enter model M only if they leave this many residual degrees of freedom.
MIN_RESIDUAL_DF = 5
# Nor do they enter if the standard error of a main effect, by the design alone, grows by more than this factor.
MAX_ERROR_RATIO = 1.25
# Nor if their columns would hold more numbers than this (80 MB), which takes minutes to decompose.
MAX_INTERACTION_CELLS = 10_000_000
# The columns of the blocks hold no more numbers than this. Thousands of shared seeds would take hours to decompose.
MAX_BLOCK_CELLS = 1_000_000
# Relative singular value below which a direction of the model matrix counts as absent.
RANK_TOLERANCE = 1e-9

# Terms that are no factor. `prepare` refuses factors called as the first and the last; a factor `seed` makes no blocks.
INTERCEPT, BLOCK, RESIDUAL = "(intercept)", "seed", "residual"


@dataclass(frozen=True)
class Design:
    """A model matrix and the algebra of it that no response enters.

    Runs with the same levels and block have the same row in the matrix: all is computed from the distinct rows.

    Attributes:
        factors: the factors of the study.
        codes: (runs, factors), each run's level of each factor.
        blocks: (runs,), each run's block, or None where seeds do not recur across cells.
        terms: the columns of each term: the intercept, `seed` if there are blocks, `a`, `a:b`.
        rows: (rows, columns), the distinct rows of the model matrix.
        row_of: (runs,), the row of each run.
        seeds: (runs,), the number of each run's seed; None where not all runs record one.
    """

    factors: tuple[Factor, ...]
    codes: np.ndarray
    blocks: np.ndarray | None
    terms: dict[str, slice]
    rows: np.ndarray
    row_of: np.ndarray
    seeds: np.ndarray | None = None

    @property
    def n(self) -> int:
        return len(self.row_of)

    @property
    def matrix(self) -> np.ndarray:
        """(runs, columns), the model matrix."""
        return self.rows[self.row_of]

    @cached_property
    def counts(self) -> np.ndarray:
        """(rows,), how many runs have each row."""
        return np.bincount(self.row_of)

    @cached_property
    def _svd(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        # That of the matrix of all runs: each row counts in the length of all its runs.
        length = np.sqrt(self.counts)[:, None]
        left, singular, right = np.linalg.svd(length * self.rows, full_matrices=False)
        keep = singular > RANK_TOLERANCE * singular[0]
        return left[:, keep] / length, singular[keep], right[keep]

    @property
    def basis(self) -> np.ndarray:
        """(rows, rank), columns that span the model matrix and, over the runs, are orthonormal."""
        return self._svd[0]

    @property
    def row_space(self) -> np.ndarray:
        """(rank, columns), orthonormal rows: a contrast is estimable if and only if it lies in their span."""
        return self._svd[2]

    @cached_property
    def pseudo_inverse(self) -> np.ndarray:
        """(columns, rows): `pseudo_inverse @ row_sums(y)` are the coefficients."""
        left, singular, right = self._svd
        return (right.T / singular) @ left.T

    @property
    def rank(self) -> int:
        return self.basis.shape[1]

    @property
    def residual_df(self) -> int:
        return self.n - self.rank

    @cached_property
    def leverage(self) -> np.ndarray:
        """(rows,), the diagonal of the hat matrix."""
        return np.einsum("ij,ij->i", self.basis, self.basis)

    @cached_property
    def squared_hat(self) -> np.ndarray:
        """(rows, rows), the squared entries of the hat matrix."""
        squared: np.ndarray = (self.basis @ self.basis.T) ** 2
        return squared

    @property
    def condition_number(self) -> float:
        """Largest over smallest non-zero singular value of the model matrix."""
        singular = self._svd[1]
        return float(singular[0] / singular[-1])

    @property
    def has_interactions(self) -> bool:
        return any(len(factors) == 2 for factors in self.members.values())

    @property
    def has_blocks(self) -> bool:
        return self.blocks is not None and BLOCK in self.terms

    @cached_property
    def members(self) -> dict[str, frozenset[str]]:
        """The factors of each term; empty for the intercept and the blocks."""
        names = [factor.name for factor in self.factors]
        members = {name: frozenset([name]) for name in names}
        members |= {f"{a}:{b}": frozenset([a, b]) for a, b in combinations(names, 2)}
        return {term: members.get(term, frozenset()) for term in self.terms}

    @cached_property
    def cells(self) -> np.ndarray:
        """(runs,), the index of each run's combination of levels, in the order of the levels."""
        return equal_rows(self.codes)[1]

    @cached_property
    def _in_order(self) -> np.ndarray:
        """(runs,), the runs in the order of their rows."""
        return np.argsort(self.row_of, kind="stable")

    def row_sums(self, values: np.ndarray) -> np.ndarray:
        """(rows, ...), sums of (runs, ...) over the runs of each row."""
        return np.add.reduceat(values[self._in_order], np.cumsum(self.counts) - self.counts)

    def residuals(self, y: np.ndarray) -> np.ndarray:
        """What the model leaves of y, shape (runs,) or (runs, studies)."""
        return y - (self.basis @ (self.basis.T @ self.row_sums(y)))[self.row_of]

    def columns(self, terms: Sequence[str]) -> np.ndarray:
        """(runs, columns) of some of the terms."""
        return np.hstack([self.rows[:, self.terms[term]] for term in terms])[self.row_of]

    def coordinates(self, terms: Sequence[str]) -> np.ndarray:
        """(rank, columns) of some of the terms in the model's basis: `basis @ coordinates` are their columns."""
        _, singular, right = self._svd
        return np.hstack([singular[:, None] * right[:, self.terms[term]] for term in terms])

    def place(self, term: str, weights: np.ndarray) -> np.ndarray:
        """(columns,), a contrast that has these weights on the term's columns and zero elsewhere."""
        contrast = np.zeros(self.rows.shape[1])
        contrast[self.terms[term]] = weights
        return contrast

    def mean_contrast(self, levels: dict[str, int]) -> np.ndarray:
        """(columns,), the mean response at the given levels, all other factors and blocks at equal weights."""
        contrast = self.place(INTERCEPT, np.ones(1))
        given = [(factor, levels[factor.name]) for factor in self.factors if factor.name in levels]
        for factor, i in given:
            contrast += self.place(factor.name, factor.coding[i])
        for (a, i), (b, j) in combinations(given, 2):
            if f"{a.name}:{b.name}" in self.terms:
                weights = np.kron(a.interaction_coding()[i], b.interaction_coding()[j])
                contrast += self.place(f"{a.name}:{b.name}", weights)
        return contrast

    def subset(self, rows: np.ndarray, *, keep_blocks: bool = True) -> Design:
        """The same model on some of the runs."""
        blocks = self.blocks[rows] if keep_blocks and self.blocks is not None else None
        return build(self.factors, self.codes[rows], blocks, interactions=self.has_interactions)


def build(factors: Sequence[Factor], codes: np.ndarray, blocks: np.ndarray | None, *, interactions: bool) -> Design:
    """The model matrix: blocks, main effects and, if asked for, all two-way interactions."""
    first, row_of = equal_rows(codes if blocks is None else np.column_stack([codes, blocks]))
    levels = codes[first]
    parts = [(INTERCEPT, np.ones((len(first), 1)))]
    if blocks is not None and len(labels := np.unique(blocks)) > 1:
        parts.append((BLOCK, sum_coding(len(labels))[np.searchsorted(labels, blocks[first])]))
    parts += [(factor.name, factor.coding[levels[:, i]]) for i, factor in enumerate(factors)]
    if interactions:
        for (i, a), (j, b) in combinations(enumerate(factors), 2):
            left, right = a.interaction_coding()[levels[:, i]], b.interaction_coding()[levels[:, j]]
            product = (left[:, :, None] * right[:, None, :]).reshape(len(first), -1)
            parts.append((f"{a.name}:{b.name}", product))
    ends = np.cumsum([block.shape[1] for _, block in parts])
    terms = {name: slice(int(end - block.shape[1]), int(end)) for (name, block), end in zip(parts, ends, strict=True)}
    return Design(tuple(factors), codes, blocks, terms, np.hstack([block for _, block in parts]), row_of)


def choose_model(
    factors: Sequence[Factor],
    codes: np.ndarray,
    blocks: np.ndarray | None,
    interactions: Interactions = "auto",
) -> Design:
    """Model M: blocks + main effects, and all two-way interactions if the design affords them.

    That is, if at least five residual degrees of freedom remain, every main effect that can be estimated without
    interactions can be estimated with them, and its standard error grows by at most a quarter.

    Raises:
        UserError: fewer runs than parameters.
    """
    mains = build(factors, codes, blocks, interactions=False)
    _refuse_too_few(mains)
    if interactions == "none" or len(factors) < 2:
        return mains
    if interactions == "auto" and interactions_are_too_many(factors, len(codes)):
        return mains
    full = build(factors, codes, blocks, interactions=True)
    if interactions == "two-way":
        _refuse_too_few(full)
        return full
    return full if full.residual_df >= MIN_RESIDUAL_DF and keeps_main_effects(mains, full) else mains


def interactions_are_too_many(factors: Sequence[Factor], runs: int) -> bool:
    """Whether the columns of all two-way interactions would take too much memory and time."""
    sizes = [factor.interaction_coding().shape[1] for factor in factors]
    columns = (sum(sizes) ** 2 - sum(size**2 for size in sizes)) // 2
    return runs * columns > MAX_INTERACTION_CELLS


def keeps_main_effects(mains: Design, full: Design) -> bool:
    """Whether the larger model estimates the main effects of the smaller one about as precisely."""
    for factor in mains.factors:
        for _, weights in factor.effect_rows():
            before, after = (_variance(design, design.place(factor.name, weights)) for design in (mains, full))
            if np.isfinite(before) and not after <= (MAX_ERROR_RATIO**2 + 1e-9) * before:
                return False
    return True


def _variance(design: Design, contrast: np.ndarray) -> float:
    """The variance of an estimate in units of the residual variance; infinite where it cannot be estimated."""
    outside = contrast - design.row_space.T @ (design.row_space @ contrast)
    if np.linalg.norm(outside) > 1e-8 * np.linalg.norm(contrast):
        return np.inf
    weights = contrast @ design.pseudo_inverse
    return float(weights**2 @ design.counts)


def _refuse_too_few(design: Design) -> None:
    runs, parameters = design.n, design.rows.shape[1]
    if runs < parameters:
        lack = parameters - runs
        raise UserError(
            f"{runs} finished runs cannot estimate {parameters} parameters ({' + '.join(design.terms)}): "
            f"at least {lack} more {'run is' if lack == 1 else 'runs are'} needed, or fewer factors (--factors)"
        )


def within_block_limit(blocks: np.ndarray) -> np.ndarray:
    """(runs,) whether a run belongs to the first blocks, as many of them as a model matrix can hold."""
    runs = np.cumsum(np.bincount(blocks))
    return blocks < max(2, int((runs * np.arange(1, len(runs) + 1) <= MAX_BLOCK_CELLS).sum()))


def find_blocks(seeds: np.ndarray, cells: np.ndarray) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """(runs,) block of each run and the blocks' names; None where no seed recurs across cells.

    A seed that recurs across cells is a block, whatever its p-value. Seeds of one cell only share one block.
    """
    labels, index = np.unique(seeds, return_inverse=True)
    first = equal_rows(np.column_stack([index, cells]))[0]
    recurs = np.bincount(index[first], minlength=len(labels)) > 1
    if not recurs.any():
        return None, ()
    names = tuple(str(label) for label in labels[recurs])
    number = np.where(recurs, np.cumsum(recurs) - 1, len(names))
    return number[index], names if recurs.all() else (*names, "other seeds")
