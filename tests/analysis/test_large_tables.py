"""Tables of many runs: methods that replace others there agree with them, and the resources stay bounded."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from attnae.analysis.design.factors import converted
from attnae.analysis.estimates import improvement
from attnae.analysis.inference import permutation
from attnae.analysis.search import permutation as search_permutation
from attnae.analysis.search.model.regression import orthonormal
from attnae.analysis.search.model.settings import read_setting
from attnae.analysis.search.scores import normal_scores
from attnae.analysis.study import fit_study
from tests.conftest import ROOT


def test_equal_cells_are_converted_once() -> None:
    asked: list[object] = []
    column = pd.Series([1, True, "1", 1.0, None, np.nan, 1, "1", True] * 50, dtype=object)
    found = converted(column, lambda cell: asked.append(cell) or str(cell))
    assert found == [str(cell) for cell in column]
    assert len(asked) == 6


@pytest.mark.parametrize("values", ["numbers", "words"])
def test_rotated_scores_give_the_p_value_of_permuted_ones(values: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the level of the standard errors of 9,999 draws, which are at most 0.005."""
    rng = np.random.default_rng(3)
    n = 400
    x = rng.integers(0, 40, n) if values == "numbers" else np.array(list("abc"))[rng.integers(0, 3, n)]
    setting, _ = read_setting("x", pd.Series(x, dtype=object), None, np.ones(n, dtype=bool))
    assert setting is not None
    nuisance = orthonormal(np.column_stack([np.ones(n), rng.standard_normal((n, 3))]))
    strata = np.zeros(n, dtype=int)
    for effect in (0.0, 0.1):
        z = normal_scores(rng.standard_normal(n) + effect * setting.columns[:, 0] / setting.columns[:, 0].std(), strata)
        found = []
        for most in (n, n - 1):
            monkeypatch.setattr(search_permutation, "MOST_PERMUTED", most)
            monkeypatch.setattr(search_permutation, "CLEARLY_LARGE", 1.0)
            p = search_permutation.permutation_p(setting, z, nuisance, strata, 9999, np.random.default_rng(1))
            found.append(p)
        assert found[0] == pytest.approx(found[1], abs=0.02)


def test_normal_sums_have_the_p_value_of_arrangements(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    strata = np.sort(rng.integers(0, 60, 600))
    space = np.linalg.qr(rng.standard_normal((600, 3)))[0]
    values = rng.exponential(size=600) + strata / 60 + space[:, 0]
    scheme = permutation.Scheme("", values - values.mean(), strata)
    observed = float(((space.T @ scheme.values) ** 2).sum())
    found = []
    for most in (600, 599):
        monkeypatch.setattr(permutation, "MOST_PERMUTED", most)
        found.append(permutation.permutation_p(space, scheme, observed, 9999, np.random.default_rng(0)))
    assert found[0] == pytest.approx(found[1], abs=0.02)
    assert 0.01 < found[0] < 0.99


def test_the_normal_limit_of_the_improvement_is_near_the_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"act": ["relu", "elu"] * 300, "depth": np.repeat([1, 2, 3], 200)})
    table["response"] = (rng.normal(size=600) + 0.4 * (table["act"] == "elu")).round(1)
    found = []
    for most in (600, 599):
        monkeypatch.setattr(improvement, "MOST_RESAMPLED", most)
        found.append(fit_study(table, ["act", "depth"], permutations=0).statistics["improvement"])
    ends = ["ci_low", "ci_high"]
    pd.testing.assert_frame_equal(found[0].drop(columns=ends), found[1].drop(columns=ends))
    np.testing.assert_allclose(found[0][ends], found[1][ends], atol=0.006)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["words", "continuous", "few-rows"])
def test_a_table_of_one_megabyte_takes_bounded_resources(name: str) -> None:
    """Far more than it takes: a limit that only a cost growing with the square of the runs exceeds."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (90, 90))
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))

    command = [sys.executable, "benchmarks/big_tables.py", "--tables", name]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=Path(ROOT), env=one_thread, preexec_fn=limit, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "runs" in done.stdout
