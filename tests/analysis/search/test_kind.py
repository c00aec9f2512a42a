"""The kind of a table of runs, on designs that were generated as one."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from attnae.analysis.design.kind import design_kind

RNG = np.random.default_rng(0)


def _frame(rows, names="abcdefgh"):
    rows = list(rows)
    return pd.DataFrame(rows, columns=list(names[: len(rows[0])]))


def _kind(table):
    return design_kind(table, list(table.columns)).kind


def _random(n, rng, *, continuous=True, levels=4):
    columns = {
        "act": rng.choice(list("abcd")[:levels], n),
        "aug": rng.random(n) < 0.5,
        "bs": rng.choice([16, 32, 64], n),
    }
    columns |= {"depth": rng.integers(1, 6, n), "opt": rng.choice(["adam", "sgd", "rms"], n)}
    if continuous:
        columns |= {"lr": 10 ** rng.uniform(-5, -1, n)}
    return pd.DataFrame(columns)


def test_a_full_factorial_with_seeds():
    assert _kind(_frame([*product([0, 1], "abcd", [1, 2, 3])] * 3)) == "factorial"


def test_a_factorial_with_a_third_of_its_cells_missing():
    cells = list(product([0, 1], "abcd", [1, 2, 3], [True, False]))
    kept = RNG.permutation(len(cells))[: int(0.7 * len(cells))]
    assert _kind(_frame(cells[i] for i in kept)) == "factorial"


def test_a_grid_over_many_learning_rates_is_a_factorial():
    assert _kind(_frame(product([10**-i for i in range(8)], ["adam", "sgd"]))) == "factorial"


def test_a_regular_fraction():
    """2^(7-4): eight runs, seven settings."""
    base = np.array(list(product([-1, 1], repeat=3)))
    a, b, c = base.T
    assert _kind(pd.DataFrame(np.column_stack([a, b, c, a * b, a * c, b * c, a * b * c]))) == "fraction"


def test_one_setting_at_a_time():
    start = {"act": "relu", "bn": True, "units": 64, "dropout": 0.1, "depth": 3}
    changes = {"act": ["tanh", "elu"], "bn": [False], "units": [32, 128], "dropout": [0.0, 0.5], "depth": [2, 4]}
    rows = [start, *({**start, name: value} for name, values in changes.items() for value in values)]
    assert _kind(pd.DataFrame(rows)) == "one-at-a-time"


@pytest.mark.parametrize("n", [12, 20, 40, 100])
def test_random_draws_with_a_continuous_setting_are_a_search(n):
    rng = np.random.default_rng(n)
    assert all(_kind(_random(n, rng)) == "search" for _ in range(20))


@pytest.mark.parametrize("n", [20, 40])
def test_random_draws_of_levels_are_a_search(n):
    rng = np.random.default_rng(n)
    found = [_kind(_random(n, rng, continuous=False)) for _ in range(20)]
    assert found.count("search") >= 19


def test_a_search_with_repeated_seeds_counts_configurations():
    table = _random(15, np.random.default_rng(1))
    found = design_kind(pd.concat([table] * 3, ignore_index=True), list(table))
    assert found.kind == "search"
    assert found.reason == "lr has 15 different values in 15 configurations"


def test_a_grid_and_random_runs_are_a_search():
    grid = pd.DataFrame(product([1e-4, 1e-3], ["adam", "sgd"]), columns=["lr", "opt"])
    drawn = pd.DataFrame({"lr": 10 ** RNG.uniform(-5, -1, 20), "opt": RNG.choice(["adam", "sgd"], 20)})
    assert _kind(pd.concat([grid, drawn], ignore_index=True)) == "search"


@pytest.mark.parametrize("n", [8, 20, 100])
def test_a_random_learning_rate_with_two_optimizers_is_a_search(n):
    """The draws are half of all combinations of n learning rates and two optimizers, but no grid."""
    rng = np.random.default_rng(n)
    assert _kind(pd.DataFrame({"lr": 10 ** rng.uniform(-5, -1, n), "opt": rng.choice(["adam", "sgd"], n)})) == "search"


@pytest.mark.parametrize("kept", [16, 14, 11])
def test_a_grid_of_learning_rates_stays_a_factorial_with_cells_missing(kept):
    cells = list(product([10.0**-i for i in range(8)], ["adam", "sgd"]))
    found = [cells[i] for i in np.random.default_rng(0).permutation(16)[:kept]]
    assert _kind(_frame(found)) == "factorial"


@pytest.mark.parametrize(("values", "kind"), [(range(7), "search"), (range(6), "factorial"), ("abcdefgh", "factorial")])
def test_a_single_setting(values, kind):
    assert _kind(pd.DataFrame({"x": list(values)})) == kind


def test_not_recorded_is_a_level():
    table = pd.DataFrame({"a": [0, 0, 1, 1], "b": [None, 1.0, None, 1.0]})
    assert design_kind(table, ["a", "b"]).reason == (
        '4 of the 4 combinations of the settings were run; "not recorded" counts as a value'
    )


def test_numbers_logged_as_text_are_numbers():
    table = _random(30, np.random.default_rng(2))
    assert _kind(table.assign(lr=table["lr"].map(str))[["lr", "act"]]) == "search"


def test_nothing_varies():
    assert design_kind(pd.DataFrame({"a": [1, 1], "b": ["x", "x"]}), ["a", "b"]).reason == "no setting varies"
