"""Published data sets as somebody else may have logged them: through event files and `analyze.py` without flags."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.analysis.published import CHEMICAL, FILTRATION, FILTRATION_EFFECTS, INSECT_SPRAYS, MOORE
from tests.analysis.reports import analyze
from tests.reading.event_logs import write_study

pytestmark = pytest.mark.usefixtures("blank_figures")


def report(directory: Path, table: pd.DataFrame, *flags: str, **columns: object) -> dict:
    """report.json; all columns but the response, which is the last, become hyper-parameters."""
    response = table.columns[-1]
    table = table.assign(**columns)
    names = [name for name in table if name != response]
    write_study(directory / "logs", table, names, response=response, seed=None)
    assert analyze(directory / "logs", "--out", str(directory / "out"), "--permutations", "0", *flags) == 0
    return json.loads((directory / "out" / "report.json").read_text())


def rows(report: dict, name: str, key: str) -> dict:
    return {row[key]: row for row in report["tables"][name]}


@pytest.mark.parametrize(
    "names",
    [
        ("1", "2", "3", "4"),
        ("C", "Q", "I", "T"),
        ("time", "Time of day", "date", "x y"),
        ("status", "response", "residual", "run"),
    ],
)
def test_factors_may_have_any_name(tmp_path, names):
    table = FILTRATION.rename(columns=dict(zip("ABCD", names, strict=True)))
    table.columns = [*names, "rate"]
    flags = ("--factors", *names) if "run" in names else ()
    found = report(tmp_path, table, "--goal", "max", *flags)
    # What the files of the report call things of their own is told apart.
    known = [f"hparams/{name}" if name in ("status", "response", "residual", "run") else name for name in names]
    assert sorted(found["audit"]["factors"]) == sorted(known)
    word = dict(zip("ABCD", known, strict=True))
    printed = {":".join(word[letter] for letter in term.split(":")): v for term, v in FILTRATION_EFFECTS.items()}
    effects = {frozenset(row["contrast"].split(":")): row["effect"] for row in found["tables"]["lenth"]}
    assert effects == pytest.approx({frozenset(term.split(":")): v for term, v in printed.items()}, abs=1e-5)
    anova = rows(found, "anova", "term")
    assert [anova[name]["sum_sq"] for name in known] == pytest.approx([1870.5625, 39.0625, 390.0625, 855.5625])
    means = {(row["factor"], row["level"]): row["mean"] for row in found["tables"]["marginal_means"]}
    assert means[known[0], "1"] - means[known[0], "-1"] == pytest.approx(21.625)
    assert means[known[0], "-1"] == pytest.approx(FILTRATION.response[FILTRATION.A == -1].mean())


def test_a_study_that_was_copied_is_not_twice_the_study(tmp_path):
    """Where it lies is no factor, and runs of one cell and seed are duplicates wherever they lie."""
    table = FILTRATION.rename(columns={"response": "y"})[["A", "C", "y"]].assign(seed=[1, 2, 1, 2] * 4)
    table["seed"] = table.groupby(["A", "C"]).cumcount()
    twice = pd.concat([table.assign(log_dir=name) for name in ("one", "two")], ignore_index=True)
    twice = twice[["A", "C", "seed", "log_dir", "y"]]
    found = report(tmp_path, twice)
    assert (found["audit"]["used"], len(found["audit"]["duplicates"])) == (16, 16)
    assert any("16 runs have the settings and seed of a later run" in line for line in found["audit"]["warnings"])


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"seed": 0},
        {"seed": 0, "rep": [*range(12)] * 6},
        {"observation": range(72)},
        {"obs_id": [f"o{number}" for number in range(72)]},
        {"plot": [10 * number for number in range(72)], "--factors": "spray"},
    ],
)
def test_replicates_are_kept_however_they_are_told_apart(tmp_path, columns):
    """One-way F of 34.70 on 5 and 66 degrees of freedom, as R prints it."""
    flags = [part for name in list(columns) if name.startswith("--") for part in (name, columns.pop(name))]
    table = INSECT_SPRAYS.assign(response=INSECT_SPRAYS.response.astype(float))
    found = report(tmp_path, table, *flags, **columns)
    assert (found["audit"]["used"], found["audit"]["factors"], found["audit"]["duplicates"]) == (72, ["spray"], [])
    anova = rows(found, "anova", "term")
    assert (anova["spray"]["df"], anova["residual"]["df"]) == (5, 66)
    assert anova["spray"]["F"] == pytest.approx(34.70, abs=0.005)
    assert found["noise"]["pure_error_df"] == 66


def test_seeds_are_blocks_and_repetitions_within_them_replicates(tmp_path):
    table = CHEMICAL[["A", "B"]].drop_duplicates()
    table = table.merge(pd.DataFrame({"seed": [1, 2]}), how="cross").merge(
        pd.DataFrame({"rep": [1, 2, 3]}), how="cross"
    )
    table["y"] = table.A + table.B + 5.0 * table.seed + [0.1 * (7 * n % 5) for n in range(len(table))]
    found = report(tmp_path, table)
    assert found["audit"]["used"] == 24
    assert found["noise"]["blocks"]
    assert rows(found, "anova", "term")["seed"]["df"] == 1


def test_chemical_process(tmp_path):
    """Effects, sums of squares and F as Montgomery prints them, with the second factor called `time`."""
    found = report(tmp_path, CHEMICAL.rename(columns={"B": "time"}), "--goal", "max")
    effects = rows(found, "effects", "factor")
    assert [round(effects[name]["estimate"], 2) for name in ("A", "time")] == [8.33, -5.0]
    assert found["tables"]["interactions"][0]["estimate"] == pytest.approx(1.67, abs=0.005)
    anova = rows(found, "anova", "term")
    printed = {"A": (208.33, 53.19), "time": (75.0, 19.15), "A:time": (8.33, 2.13)}
    for term, (sum_sq, f) in printed.items():
        assert anova[term]["sum_sq"] == pytest.approx(sum_sq, abs=0.006)
        # Montgomery divides rounded mean squares.
        assert anova[term]["F"] == pytest.approx(f, abs=0.02)
    assert anova["residual"]["sum_sq"] == pytest.approx(31.34, abs=0.01)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ("low", "high"),
        ("-", "+"),
        ("without", "with"),
        ("absent", "present"),
        ("5", "15"),
        ("-1", "+1"),
        ("off", "on"),
        ("none", "cbam"),
        ("a", "b"),
        (False, True),
        (9, 10),
    ],
)
def test_effects_are_high_minus_low(tmp_path, low, high):
    table = CHEMICAL.assign(A=[low if a == 15 else high for a in CHEMICAL.A])
    found = report(tmp_path, table, "--goal", "max")
    (row,) = [row for row in found["tables"]["effects"] if row["factor"] == "A"]
    assert (row["level"], round(row["estimate"], 2)) == (str(high), 8.33)
    assert f"\nA,{high},8.33" in (tmp_path / "out" / "effects.csv").read_text()


def test_levels_given_as_words_keep_their_order(tmp_path):
    found = report(tmp_path, MOORE, "--goal", "max")
    assert {factor["name"]: factor["levels"] for factor in found["factors"]} == {
        "partner_status": ["low", "high"],
        "fcategory": ["low", "medium", "high"],
    }
    assert rows(found, "anova", "term")["partner_status"]["F"] == pytest.approx(10.1207, abs=5e-5)


def test_ignored_factors_make_no_duplicates(tmp_path):
    table = FILTRATION.assign(seed=1)[["A", "B", "C", "D", "seed", "response"]]
    found = report(tmp_path, table, "--factors", "A", "C")
    assert found["audit"]["used"] == 16
    assert rows(found, "effects", "factor")["A"]["estimate"] == pytest.approx(21.625)
