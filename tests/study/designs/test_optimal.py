"""Generalized subset designs against the published example, and D-optimal choices against all choices."""

import itertools

import numpy as np
import pytest

from attnae.study.designs.optimal import (
    d_optimal,
    full_factorial,
    is_orthogonal,
    log_determinant,
    model_matrix,
    subset_design,
)


def test_the_published_subset_design():
    """Surowiec et al. (2017), the example of the authors' program: three, four and six levels in a fourth."""
    published = "000 004 011 015 022 033 101 105 112 123 130 134 202 213 220 224 231 235"
    assert ["".join(map(str, row)) for row in subset_design(full_factorial([3, 4, 6]), 4)] == published.split()


def test_a_latin_square_is_a_subset_design():
    chosen = subset_design(full_factorial([3, 3, 3]), 3)
    assert len(chosen) == 9
    assert is_orthogonal(chosen, [3, 3, 3])
    assert not is_orthogonal(subset_design(full_factorial([3, 4]), 2), [3, 4])


@pytest.mark.parametrize("levels", [[2, 2, 2], [3, 2], [4, 2, 3], [2, 1, 3]])
def test_columns_are_orthonormal_over_the_factorial(levels):
    matrix, interactions = model_matrix(full_factorial(levels), levels)
    assert np.allclose(matrix.T @ matrix / len(matrix), np.eye(matrix.shape[1]))
    assert (~interactions).sum() == 1 + sum(number - 1 for number in levels)
    pairs = itertools.combinations(levels, 2)
    assert interactions.sum() == sum((a - 1) * (b - 1) for a, b in pairs)


def best_of_all(matrix, interactions, count, kept=()):
    rest = [number for number in range(len(matrix)) if number not in kept]
    return max(
        log_determinant(matrix[[*kept, *some]], interactions)
        for some in itertools.combinations(rest, count - len(kept))
    )


@pytest.mark.parametrize(
    ("levels", "count"),
    [
        ([2, 2, 2], 4),
        ([2, 2, 2], 5),
        ([2, 2, 2], 6),
        ([2, 3], 4),
        ([3, 3], 5),
        ([3, 3], 6),
        ([2, 2, 3], 5),
        ([2, 2, 3], 7),
        ([2, 2, 2, 2], 5),
        ([2, 2, 2, 2], 6),
        ([2, 5], 7),
    ],
)
def test_no_other_choice_is_better(levels, count):
    matrix, interactions = model_matrix(full_factorial(levels), levels)
    chosen = d_optimal(matrix, interactions, count)
    assert len(set(chosen.tolist())) == count
    assert np.array_equal(chosen, d_optimal(matrix, interactions, count))
    found = log_determinant(matrix[chosen], interactions)
    assert found == pytest.approx(best_of_all(matrix, interactions, count), abs=1e-8)


@pytest.mark.parametrize("kept", [[0, 1], [3, 8, 10], [0, 1, 2, 3]])
def test_kept_cells_stay_and_the_rest_is_the_best_for_them(kept):
    matrix, interactions = model_matrix(full_factorial([2, 2, 3]), [2, 2, 3])
    chosen = d_optimal(matrix, interactions, 7, kept)
    assert {*kept} <= {*chosen.tolist()}
    best = best_of_all(matrix, interactions, 7, kept)
    assert log_determinant(matrix[chosen], interactions) == pytest.approx(best, abs=1e-8)


@pytest.mark.parametrize(("levels", "count"), [([3, 3, 3, 3], 9), ([2] * 7, 8), ([2, 2, 2, 4], 8)])
def test_orthogonal_arrays_are_found(levels, count):
    """L9, the saturated 2^(7-4), and eight runs for three switches and four activations have D-efficiency 1."""
    codes = full_factorial(levels)
    matrix, interactions = model_matrix(codes, levels)
    assert is_orthogonal(codes[d_optimal(matrix, interactions, count)], levels)


def test_interactions_have_the_weight_of_the_source():
    """det(X'X + K) of a design of one factor at a time, by hand."""
    matrix, interactions = model_matrix(full_factorial([2, 2]), [2, 2])
    assert interactions.tolist() == [False, False, False, True]
    chosen = [0, 1, 2]
    by_hand = np.linalg.det(matrix[chosen].T @ matrix[chosen] + np.diag([0.0, 0.0, 0.0, 1.0]))
    assert log_determinant(matrix[chosen], interactions) == pytest.approx(np.log(by_hand))
    assert log_determinant(matrix[[0, 1]], interactions) == -np.inf
