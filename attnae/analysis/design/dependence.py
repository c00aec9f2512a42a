"""Settings that follow from others, that cannot be distinguished from another one, or that only apply sometimes.

All functions take a table of settings: one row per run (or per configuration), and None where a setting is not
recorded. They look at settings only, never at results. What they claim needs evidence: combinations of values that
occur more than once and always agree. Independent draws in which nothing repeats are therefore never called dependent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, islice

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Sources = tuple[str, ...]

# Names of the size of a model, which always follows from its other settings.
SIZE = re.compile(r"(.*[_/.])?(params|parameters|flops|macs)", re.IGNORECASE)
# Texts that mean "does not apply" in a column whose other values are numbers.
ABSENT = ("", "none", "null", "nan", "n/a", "na")
# How probable the agreement may be by chance, after correction for everything that is tried.
DERIVED_ALPHA, PARENT_ALPHA = 0.001, 0.01
MAX_SOURCES = 3
# Sets of sources are tried as long as there are at most this many of one size, and at most this many times the rows.
MAX_SETS, MAX_SETS_TIMES_ROWS = 20_000, 5_000_000
# Chi-square per degree of freedom up to which two columns are balanced, as the factors of a fraction are.
BALANCED = 0.3
LINEAR_TOLERANCE, SPARE_RUNS, MIN_RANKS = 1e-7, 5, 8


def find_derived(table: pd.DataFrame) -> dict[str, Sources]:
    """Settings that follow from others, with the names of those.

    A setting is derived if it equals an earlier one; if runs that agree in one to three others always agree in it, and
    that would be surprising by chance; if it ranks the runs as another numeric setting with many values does, or in the
    opposite order; if it, or its logarithm, is an exact linear function of two or three others, or of their logarithms;
    or if it is called like the size of a model and others determine it. A factor of a fractional design stays, although
    others determine it, because it is balanced against each of them. So do settings that split the runs alike
    (`find_aliases`).

    The evidence for a set of sources S is the probability that a column with the frequencies f_v of its values would
    be constant in every group of runs that agree in S, if it were drawn independently: the product over these groups,
    of n_g runs each, of sum_v f_v^n_g. It is multiplied by the number of targets and of sets of the same size, and has
    to be below 0.001.

    Args:
        table: (runs, settings). Runs with equal settings count once.
    """
    columns = _Columns.of(table)
    if len(columns.names) < 2:
        return {}
    copies = _copies(table, columns.names)
    aliases = {name: kept for name, kept in _aliases(columns).items() if name not in copies}
    sized = {name: (kept,) for name, kept in aliases.items() if is_size(name)}
    left = columns.without({*copies, *aliases})
    found = {name: list(sets) for name, sets in _agreeing(left, len(columns.names)).items()}
    for rule in (_equal_ranks, _linear, _sizes):
        for name, sources in rule(left):
            found.setdefault(name, []).append(sources)
    return copies | sized | _resolve(found, left)


def find_aliases(table: pd.DataFrame) -> dict[str, str]:
    """Settings that split the runs exactly as an earlier one does, with the name of that one.

    Which of the two was chosen and which one changed with it cannot be said. Only settings with at most half as many
    values as there are configurations count, since in others nothing repeats; copies (`find_derived`) do not.
    """
    columns = _Columns.of(table)
    copies = _copies(table, columns.names)
    return {name: kept for name, kept in _aliases(columns).items() if name not in copies and not is_size(name)}


def find_parents(table: pd.DataFrame) -> dict[str, tuple[str, NDArray[np.bool_]]]:
    """Settings that only apply at some values of another: the name of that one, and (runs,) where they are recorded.

    Whether the setting is recorded has to be a function of the parent, which has at most six values (or a quarter of
    the number of configurations), and the evidence of `find_derived` times the number of candidates has to be below
    0.01. Of several parents the one with the strongest evidence is given, then the one with the fewest values.
    """
    active = {name: recorded(table[name]) for name in table}
    columns = _Columns.of(pd.DataFrame({name: table[name].where(active[name], None) for name in table}))
    few = max(6, columns.rows / 4)
    found = {}
    for name in columns.names:
        pattern = active[name][columns.first].astype(np.int64)
        if pattern.min() == pattern.max():
            continue
        candidates = [other for other in columns.names if other != name and 2 <= columns.levels(other) <= few]
        scores = []
        for other in candidates:
            group = columns.grouping([other])
            if _constant_in(group, pattern):
                scores.append((_log_chance(group, pattern), columns.levels(other), other))
        if scores and (best := min(scores))[0] + math.log(len(candidates)) < math.log(PARENT_ALPHA):
            found[name] = (best[2], active[name])
    return found


def recorded(column: pd.Series) -> NDArray[np.bool_]:
    """(runs,) where a setting has a value. Beside numbers, texts such as "none" mean that it has none."""
    present = column.notna().to_numpy()
    if not any(issubclass(kind, str) for kind in set(map(type, column))):
        return present
    texts = [isinstance(value, str) for value in column]
    absent = np.array([text and value.strip().lower() in ABSENT for text, value in zip(texts, column, strict=True)])
    others = [value for value, text, here in zip(column, texts, present, strict=True) if here and not text]
    numeric = sum(texts) == absent.sum() and others and not any(isinstance(value, bool) for value in others)
    return present & ~absent if numeric else present


def is_size(name: str) -> bool:
    """Whether a setting is called like the size of a model, such as `n_params` or `model/flops`."""
    return SIZE.fullmatch(name.rsplit("/", 1)[-1]) is not None


@dataclass(frozen=True)
class _Columns:
    """The settings of the distinct configurations.

    Attributes:
        codes: by name, (rows,) the index of each row's value, -1 where it is not recorded.
        numbers: by name, (rows,) the values of numeric settings, NaN where they are not recorded.
        first: (rows,) the place of each row in the table it comes from.
    """

    codes: dict[str, Codes]
    numbers: dict[str, NDArray[np.float64]]
    first: NDArray[np.int64]

    @classmethod
    def of(cls, table: pd.DataFrame) -> _Columns:
        codes = {str(name): pd.factorize(table[name].astype(object))[0].astype(np.int64) for name in table}
        if not codes:
            return cls({}, {}, np.arange(len(table)))
        first = np.flatnonzero(~pd.DataFrame(codes).duplicated())
        numbers = {}
        for name in codes:
            values = table[name].iloc[first]
            known = values[values.notna()].tolist()
            if known and all(map(_is_number, set(map(type, known)))):
                numbers[name] = values.astype(float).to_numpy()
        return cls({name: column[first] for name, column in codes.items()}, numbers, first)

    @property
    def names(self) -> list[str]:
        return list(self.codes)

    @property
    def rows(self) -> int:
        return len(self.first)

    @cached_property
    def _levels(self) -> dict[str, int]:
        return {name: len(np.unique(column[column >= 0])) for name, column in self.codes.items()}

    def levels(self, name: str) -> int:
        """The number of values that are recorded."""
        return self._levels[name]

    def without(self, names: set[str]) -> _Columns:
        codes = {name: column for name, column in self.codes.items() if name not in names}
        return _Columns(codes, {name: self.numbers[name] for name in codes if name in self.numbers}, self.first)

    def grouping(self, names: Sequence[str]) -> Codes:
        """(rows,) the index of each row's combination of values. A row without one of them is a group of its own."""
        index = np.zeros(self.rows, dtype=np.int64)
        for name in names:
            column = self.codes[name]
            own = column.max() + 1 + np.arange(self.rows)
            column = np.where(column < 0, own, column)
            index = np.unique(index * (column.max() + 1) + column, return_inverse=True)[1].ravel()
        return index


def _is_number(kind: type) -> bool:
    return issubclass(kind, (int, float, np.number)) and not issubclass(kind, bool)


def _copies(table: pd.DataFrame, names: Sequence[str]) -> dict[str, Sources]:
    """Columns that equal an earlier one, such as `model/act` after `act`."""
    first: dict[tuple[object, ...], str] = {}
    copies: dict[str, Sources] = {}
    for name in names:
        column = table[name].astype(object)
        values = tuple(column.where(column.notna(), None))
        if (owner := first.setdefault(values, name)) != name:
            copies[name] = (owner,)
    return copies


def _aliases(columns: _Columns) -> dict[str, str]:
    """Columns that group the rows as another does: the first one, or the first that is no size of a model."""
    groups: dict[bytes, list[str]] = {}
    for name, codes in columns.codes.items():
        if 2 <= columns.levels(name) <= columns.rows / 2 and codes.min() >= 0:
            groups.setdefault(pd.factorize(codes)[0].tobytes(), []).append(name)
    found: dict[str, str] = {}
    for group in groups.values():
        kept = min(group, key=is_size)
        found |= {name: kept for name in group if name != kept}
    return found


def _agreeing(columns: _Columns, tried: int) -> dict[str, list[Sources]]:
    """By column, the smallest sets of others that determine it with enough evidence; `tried`: number of columns."""
    found: dict[str, list[Sources]] = {}
    balanced: dict[str, list[Sources]] = {}
    targets = [name for name in columns.names if columns.levels(name) > 1]
    matrix = np.array([columns.codes[name] for name in targets], dtype=np.int64).reshape(len(targets), columns.rows).T
    able = [name for name in targets if columns.levels(name) < columns.rows]  # in others nothing repeats
    for size in range(1, MAX_SOURCES + 1):
        sets = math.comb(len(able), size)
        if sets > MAX_SETS or sets * columns.rows > MAX_SETS_TIMES_ROWS:
            break
        limit = math.log(DERIVED_ALPHA) - math.log(tried) - math.log(max(1, math.comb(tried - 1, size)))
        for sources in combinations(able, size):
            group = columns.grouping(sources)
            for place in _constant_columns(group, matrix):
                name = targets[place]
                known = found.get(name, []) + balanced.get(name, [])
                if name in sources or any(set(smaller) <= set(sources) for smaller in known):
                    continue
                if _log_chance(group, matrix[:, place]) >= limit:
                    continue
                kept = balanced if _is_balanced(columns, sources, matrix[:, place]) else found
                kept.setdefault(name, []).append(sources)
    return found


def _constant_columns(group: Codes, matrix: Codes) -> list[int]:
    """The columns that are constant, where they are recorded, within every group of which there are several rows."""
    order = np.argsort(group, kind="stable")
    repeats = np.flatnonzero(np.diff(group[order]) == 0)
    if not len(repeats):
        return []
    few = repeats[:: max(1, len(repeats) // 8)][:8]  # most columns differ within one of a few pairs
    left, right = matrix[order[few]], matrix[order[few + 1]]
    hopeful = np.flatnonzero(((left == right) | (left < 0) | (right < 0)).all(axis=0))
    return [int(place) for place in hopeful if _constant_in(group, matrix[:, place])]


def _constant_in(group: Codes, column: Codes) -> bool:
    """Whether the column is constant, where it is recorded, within every group."""
    known = column >= 0
    group, column = group[known], column[known]
    one = np.zeros(group.max(initial=0) + 1, dtype=np.int64)
    one[group] = column
    return bool((one[group] == column).all())


def _log_chance(group: Codes, column: Codes) -> float:
    """The logarithm of the probability that an independent column is constant within every group."""
    known = column >= 0
    shares = np.bincount(column[known]) / known.sum()
    shares = shares[shares > 0]
    sizes, counts = np.unique(np.bincount(group[known]), return_counts=True)
    repeats = sizes > 1
    powers = np.log((shares[None, :] ** sizes[repeats, None]).sum(axis=1).clip(1e-300))
    return float((counts[repeats] * powers).sum())


def _is_balanced(columns: _Columns, sources: Sources, column: Codes) -> bool:
    """Whether the column is independent of the sources as long as one of them is left out: a factor of a fraction."""
    if len(sources) < 2 or column.min() < 0:
        return False
    for fewer in combinations(sources, len(sources) - 1):
        counts = pd.crosstab(columns.grouping(fewer), column).to_numpy(dtype=float)
        expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
        chi_square = ((counts - expected) ** 2 / expected).sum()
        if chi_square > BALANCED * (counts.shape[0] - 1) * (counts.shape[1] - 1):
            return False
    return True


def _equal_ranks(columns: _Columns) -> list[tuple[str, Sources]]:
    """Numeric columns of many values that put the rows in the same or in the opposite order."""
    needed = max(MIN_RANKS, columns.rows / 2)
    many = [name for name in columns.numbers if columns.levels(name) >= needed]
    complete = {name for name in many if np.isfinite(columns.numbers[name]).all()}
    found: list[tuple[str, Sources]] = []
    orders: dict[bytes, list[str]] = {}
    for name in filter(complete.__contains__, many):
        ranks = pd.Series(columns.numbers[name]).rank().to_numpy()
        forward, backward = ranks.tobytes(), (columns.rows + 1 - ranks).tobytes()
        for other in orders.get(forward, []):
            found += [(name, (other,)), (other, (name,))]
        orders.setdefault(forward, []).append(name)
        orders.setdefault(backward, []).append(name)
    pairs = (pair for pair in combinations(many, 2) if not complete.issuperset(pair))
    for first, second in islice(pairs, MAX_SETS):
        a, b = columns.numbers[first], columns.numbers[second]
        both = np.isfinite(a) & np.isfinite(b)
        ranks, others = (pd.Series(values[both]).rank().to_numpy() for values in (a, b))
        if len(np.unique(ranks)) < needed:
            continue
        if np.array_equal(ranks, others) or np.array_equal(ranks, both.sum() + 1 - others):
            # The source has to be recorded wherever the other is.
            found += [(second, (first,))] * bool((both == np.isfinite(b)).all())
            found += [(first, (second,))] * bool((both == np.isfinite(a)).all())
    return found


def _linear(columns: _Columns) -> list[tuple[str, Sources]]:
    """Numeric columns that are linear in two or three others, or whose logarithm is linear in their logarithms."""
    complete = {name: x for name, x in columns.numbers.items() if np.isfinite(x).all() and columns.levels(name) > 2}
    logs = {name: np.log(x) for name, x in complete.items() if (x > 0).all()}
    found: list[tuple[str, Sources]] = []
    for values in (complete, logs):
        names = list(values)
        scaled = {name: (x - x.mean()) / np.ptp(x) for name, x in values.items() if np.ptp(x) > 0}
        names = [name for name in names if name in scaled]
        matrix = np.column_stack([scaled[name] for name in names]) if names else np.empty((columns.rows, 0))
        for size in (2, 3):
            if columns.rows < size + 1 + SPARE_RUNS or math.comb(len(names), size) > MAX_SETS:
                break
            for places in combinations(range(len(names)), size):
                part = matrix[:, list(places)]
                weights = np.linalg.lstsq(part, matrix, rcond=1e-10)[0]
                left = np.abs(matrix - part @ weights).max(axis=0)
                exact = (left < LINEAR_TOLERANCE) & (np.abs(weights) > 1e3 * LINEAR_TOLERANCE).all(axis=0)
                if np.linalg.matrix_rank(part, tol=1e-6) == size:
                    sources = tuple(names[place] for place in places)
                    found += [(names[i], sources) for i in np.flatnonzero(exact) if i not in places]
    return found


def _sizes(columns: _Columns) -> list[tuple[str, Sources]]:
    """Sizes of the model that others determine, with a smallest set of those, of few values where possible."""
    found = []
    for name in filter(is_size, columns.names):
        others = sorted((other for other in columns.names if not is_size(other)), key=columns.levels, reverse=True)
        column = columns.codes[name]
        if not others or not _constant_in(columns.grouping(others), column):
            continue
        for other in list(others):
            fewer = [kept for kept in others if kept != other]
            if fewer and _constant_in(columns.grouping(fewer), column):
                others = fewer
        found.append((name, tuple(kept for kept in columns.names if kept in others)))
    return found


def _resolve(found: Mapping[str, Sequence[Sources]], columns: _Columns) -> dict[str, Sources]:
    """Which columns go, where some explain each other: sizes first, then those with most values, then the last."""
    place = {name: number for number, name in enumerate(columns.names)}
    derived: dict[str, Sources] = {}
    for name in sorted(found, key=lambda name: (is_size(name), columns.levels(name), place[name]), reverse=True):
        for sources in sorted(found[name], key=len):
            given = _origins(sources, derived)
            if name not in given:
                derived[name] = tuple(sorted(given, key=place.__getitem__))
                break
    return {name: derived[name] for name in columns.names if name in derived}


def _origins(sources: Sources, derived: Mapping[str, Sources]) -> set[str]:
    """The sources, with those that are derived themselves replaced by what they follow from."""
    origins: set[str] = set()
    for source in sources:
        origins |= set(derived.get(source, (source,)))
    return origins
