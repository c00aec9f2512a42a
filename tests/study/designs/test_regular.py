"""Regular fractions against the published generators of Box, Hunter & Hunter, and catalogues of least aberration."""

import itertools

import numpy as np
import pytest

from attnae.study.designs.optimal import is_orthogonal
from attnae.study.designs.regular import least_aberration, regular_fraction, word_lengths

# Box, Hunter & Hunter (1978), Statistics for Experimenters, table 12.15; NIST/SEMATECH handbook, table 5.3.3.4.7.
PUBLISHED = {
    (3, 1): (3, "C=AB"),
    (4, 1): (4, "D=ABC"),
    (5, 1): (5, "E=ABCD"),
    (5, 2): (3, "D=AB E=AC"),
    (6, 1): (6, "F=ABCDE"),
    (6, 2): (4, "E=ABC F=BCD"),
    (6, 3): (3, "D=AB E=AC F=BC"),
    (7, 1): (7, "G=ABCDEF"),
    (7, 2): (4, "F=ABCD G=ABDE"),
    (7, 3): (4, "E=ABC F=BCD G=ACD"),
    (7, 4): (3, "D=AB E=AC F=BC G=ABC"),
    (8, 2): (5, "G=ABCD H=ABEF"),
    (8, 3): (4, "F=ABC G=ABD H=BCDE"),
    (8, 4): (4, "E=BCD F=ACD G=ABC H=ABD"),
    (9, 2): (6, "H=ACDFG J=BCEFG"),
    (9, 3): (4, "G=ABCD H=ACEF J=CDEF"),
    (9, 4): (4, "F=BCDE G=ACDE H=ABDE J=ABCE"),
    (9, 5): (3, "E=ABC F=BCD G=ACD H=ABD J=ABCD"),
    (10, 3): (5, "H=ABCG J=BCDE K=ACDF"),
    (10, 4): (4, "G=BCDF H=ACDF J=ABDE K=ABCE"),
    (10, 5): (4, "F=ABCD G=ABCE H=ABDE J=ACDE K=BCDE"),
    (10, 6): (3, "E=ABC F=BCD G=ACD H=ABD J=ABCD K=AB"),
    (11, 5): (4, "G=CDE H=ABCD J=ABF K=BDEF L=ADEF"),
    (11, 6): (4, "F=ABC G=BCD H=CDE J=ACD K=ADE L=BDE"),
    (11, 7): (3, "E=ABC F=BCD G=ACD H=ABD J=ABCD K=AB L=AC"),
    (15, 11): (3, "E=AB F=AC G=AD H=BC J=BD K=CD L=ABC M=ABD N=ACD O=BCD P=ABCD"),
}

# Chen, Sun & Wu (1993), International Statistical Review 61, 131-145: numbers of words of length 3, 4, 5, ... of the
# designs of least aberration.
CATALOGUE = {
    (6, 2): [0, 3],
    (7, 2): [0, 1, 2],
    (7, 3): [0, 7],
    (8, 3): [0, 3, 4],
    (8, 4): [0, 14],
    (9, 4): [0, 6, 8],
    (9, 5): [4, 14, 8],
    (10, 4): [0, 2, 8, 4],
    (10, 5): [0, 10, 16],
    (11, 5): [0, 4, 14, 8],
    (11, 6): [0, 25, 0, 27],
    (12, 8): [16, 39],
    (13, 9): [22, 55],
    (14, 10): [28, 77],
    (15, 11): [35, 105],
}


def published_word_lengths(generators, factors):
    """The number of words of each length, by multiplying out all products of the generators."""
    words = [set(text.replace("=", "")) for text in generators.split()]
    counts = [0] * (factors + 1)
    for size in range(len(words) + 1):
        for some in itertools.combinations(words, size):
            product: set[str] = set()
            for word in some:
                product ^= word
            counts[len(product)] += 1
    return counts


@pytest.mark.parametrize(("factors", "p"), PUBLISHED)
def test_no_published_fraction_has_less_aberration(factors, p):
    resolution, generators = PUBLISHED[factors, p]
    theirs = published_word_lengths(generators, factors)
    columns = least_aberration([1] * factors, factors - p)
    ours = word_lengths(columns, factors - p)
    assert sum(ours) == 2**p
    assert next(length for length in range(1, factors + 1) if ours[length]) == resolution
    assert next(length for length in range(1, factors + 1) if theirs[length]) == resolution
    assert ours <= theirs


@pytest.mark.parametrize(("factors", "p"), CATALOGUE)
def test_fractions_have_the_least_aberration_of_the_catalogue(factors, p):
    ours = word_lengths(least_aberration([1] * factors, factors - p), factors - p)
    assert ours[:3] == [1, 0, 0]
    assert ours[3 : 3 + len(CATALOGUE[factors, p])] == CATALOGUE[factors, p]


@pytest.mark.parametrize(
    ("levels", "count"),
    [
        ([2] * 5, 16),
        ([2] * 7, 16),
        ([2] * 7, 8),
        ([2, 2, 2, 4], 16),
        ([4, 2, 4, 2], 16),
        ([4] * 5, 16),
        ([4, 4, 4, 2], 16),
    ],
)
def test_words_are_what_is_constant_over_the_cells(levels, count):
    """A product of columns is constant over the cells for each word and for nothing else."""
    codes = regular_fraction(levels, count)
    assert codes.shape == (count, len(levels))
    assert len({tuple(row) for row in codes}) == count
    assert not codes[0].any()
    assert is_orthogonal(codes, levels)
    parts = [(np.ones(count),)]
    for factor, number in enumerate(levels):
        low, high = 1 - 2 * (codes[:, factor] & 1), 1 - 2 * (codes[:, factor] >> 1)
        parts.append((np.ones(count), low) if number == 2 else (np.ones(count), low, high, low * high))
    lengths = [0] * (len(levels) + 1)
    for choice in itertools.product(*(range(len(own)) for own in parts)):
        product = np.prod([own[i] for own, i in zip(parts, choice, strict=True)], axis=0)
        if abs(product.mean()) > 1e-12:
            assert abs(product.mean()) == 1
            lengths[sum(i > 0 for i in choice)] += 1
    bits = [number.bit_length() - 1 for number in levels]
    assert lengths == word_lengths(least_aberration(bits, count.bit_length() - 1), count.bit_length() - 1)


def test_a_large_number_of_factors_needs_no_list_of_all_combinations():
    codes = regular_fraction([2] * 20, 64)
    assert is_orthogonal(codes, [2] * 20)
    assert word_lengths(least_aberration([1] * 20, 6), 6)[3] == 0  # 64 cells keep main effects free up to 32 factors


@pytest.mark.parametrize(
    ("levels", "count"),
    [([2, 2, 3], 6), ([2, 2, 2], 3), ([2] * 8, 8), ([4] * 6, 16), ([4, 4], 8), ([8, 2, 2], 16), ([2, 2], 1)],
)
def test_what_has_no_regular_fraction(levels, count):
    assert regular_fraction(levels, count) is None
