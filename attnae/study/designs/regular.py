"""Regular fractions of factorials whose factors have two or four levels, of least aberration.

A fraction of 2**m cells gives each two-level factor a column: a number from 1 to 2**m - 1, whose binary digits say
which of the m basic factors it is the product of (Box, Hunter & Hunter 2005, chapter 6). A four-level factor has two
columns, and a third, their product, is part of its main effect (Wu 1989). A word is a set of columns, at most one of
each factor, whose product is constant; the shortest words say how badly effects are aliased.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MOST_POWER = 16
# The number of partial designs that are extended: 30 find least aberration wherever tables of it were compared.
WIDTH = 30
# Larger fractions are searched more narrowly: the work grows with the number of columns.
_WORK = 1 << 13
# Pairs for a four-level factor are made of so many columns.
_MOST_PAIRED = 128

Columns = tuple[tuple[int, ...], ...]


def regular_fraction(levels: Sequence[int], count: int) -> np.ndarray | None:
    """(count, factors) level numbers of a regular fraction that holds the first level of all factors.

    Its cells are in the order of the full factorial. None if there is none: a factor has neither two nor four levels,
    `count` is no power of two, or the main effects do not fit.

    Args:
        levels: the number of levels of each factor.
    """
    power = count.bit_length() - 1
    if count != 1 << power or power > MOST_POWER or any(number not in (2, 4) for number in levels):
        return None
    bits = [number.bit_length() - 1 for number in levels]
    columns = least_aberration(bits, power)
    if columns is None:
        return None
    runs = np.arange(count)
    codes = np.stack([sum(_parity(runs, column) << i for i, column in enumerate(own)) for own in columns], axis=1)
    return codes[np.lexsort(codes.T[::-1])]


def least_aberration(bits: Sequence[int], power: int) -> Columns | None:
    """The columns of each factor, from a search that minimizes the numbers of words of length 3, 4, ... in turn.

    Args:
        bits: 1 for each factor of two levels, 2 for each of four.
        power: the logarithm of the number of cells to the base 2.
    """
    size = 1 << power
    width = max(1, min(WIDTH, _WORK // size))
    # words[j, x]: the number of ways to choose columns of j different factors whose product is the column x.
    words = np.zeros((len(bits) + 1, size), dtype=np.int64)
    words[0, 0] = 1
    states: list[tuple[Columns, np.ndarray]] = [((), words)]
    order = sorted(range(len(bits)), key=lambda factor: -bits[factor])
    basic = 0
    for factor in order:
        new = tuple(1 << i for i in range(basic, min(basic + bits[factor], power)))
        basic += len(new)
        extended: dict[bytes, tuple[Columns, np.ndarray]] = {}
        for columns, words in states:
            for own in _choices(words, new, bits[factor], width):
                more = _extend(words, own)
                # Designs that differ only in the names of columns have equal counts: one of them is enough.
                extended.setdefault(more[:, np.lexsort(more)].tobytes(), ((*columns, own), more))
        states = sorted(extended.values(), key=lambda state: state[1][:, 0].tolist())[:width]
        if not states:
            return None
    columns = states[0][0]
    return tuple(own for _, own in sorted(zip(order, columns, strict=True)))


def _choices(words: np.ndarray, new: tuple[int, ...], bits: int, width: int) -> list[tuple[int, ...]]:
    """The best columns for a factor: the new basic ones, and as many more as it needs; none if they do not fit."""
    if len(new) == bits:
        return [new]
    free = np.flatnonzero(words[1, 1:] == 0) + 1
    free = free[np.lexsort(words[:1:-1, free])]
    if bits == 1:
        return [(int(column),) for column in free[:width]]
    free = free[:_MOST_PAIRED]
    first, second = (part.ravel() for part in np.meshgrid(new or free, free))
    product = first ^ second
    apart = (words[1, product] == 0) & (product > 0) & ((first < second) | bool(new))
    first, second, product = first[apart], second[apart], product[apart]
    best = np.lexsort((words[:, first] + words[:, second] + words[:, product])[:1:-1])[:width]
    return [(int(first[i]), int(second[i])) for i in best]


def word_lengths(columns: Columns, power: int) -> list[int]:
    """The number of words of length 0, 1, ...: the word length pattern of Fries & Hunter (1980)."""
    words = np.zeros((len(columns) + 1, 1 << power), dtype=np.int64)
    words[0, 0] = 1
    for own in columns:
        words = _extend(words, own)
    return [int(number) for number in words[:, 0]]


def _extend(words: np.ndarray, own: tuple[int, ...]) -> np.ndarray:
    """The counts of words once a factor with these columns is added."""
    index = np.arange(words.shape[1])
    more = words.copy()
    for column in own if len(own) == 1 else (*own, own[0] ^ own[1]):
        more[1:] += words[:-1, index ^ column]
    return more


def _parity(runs: np.ndarray, column: int) -> np.ndarray:
    """(runs,) the product of basic factors in each run, as 0 or 1."""
    bits = runs & column
    for shift in (8, 4, 2, 1):
        bits = bits ^ (bits >> shift)
    return bits & 1
