"""The audit of whole studies, written to event files and read back."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu

from attnae.analysis.audit.audit import Audit, audit_runs
from attnae.analysis.audit.cells import find_cells, superseded
from attnae.analysis.audit.outcomes import divergence_tests
from attnae.analysis.audit.provenance import mixed_versions, provenance
from attnae.errors import UserError
from attnae.reading.read import Run, Series, read_logs
from attnae.reading.settings import flatten
from tests.reading.event_logs import EventFile, write_study

FACTORS = ["act", "bn", "attention"]


def study(seeds: int = 2) -> pd.DataFrame:
    cells = itertools.product(["elu", "relu", "selu"], [False, True], [False, True], range(seeds))
    table = pd.DataFrame(cells, columns=[*FACTORS, "seed"])
    return table.assign(response=np.arange(len(table)) / 8.0)


def audit(directory: Path, table: pd.DataFrame, status: str | None = None, **options: Any) -> Audit:
    write_study(directory, table, FACTORS, status=status)
    return audit_runs(read_logs(directory), **options)


def test_a_complete_study(tmp_path: Path) -> None:
    table = study()
    found = audit(tmp_path, table)
    names = [f"run_{number:04d}" for number in range(24)]
    expected = table.assign(run=names, status="finished")[
        ["run", "status", "act", "attention", "bn", "seed", "response"]
    ]
    pd.testing.assert_frame_equal(found.table.drop(columns=["source", "format"]), expected)
    pd.testing.assert_frame_equal(found.used, found.table)
    assert (found.response, str(found.rule), found.goal) == ("test/loss", "last", "min")
    assert (found.expected, len(found.missing), found.seeds_per_cell) == (24, 0, {2: 12})
    assert (found.seed, found.headline, found.warnings, found.dropped) == ("seed", None, (), {})
    assert len(found.divergence_tests) == len(found.excluded) == len(found.duplicates) == 0
    plain = json.loads(json.dumps(found.to_dict()))
    assert (plain["runs"], plain["used"], plain["rule"], plain["factors"]) == (
        24,
        24,
        "last",
        sorted(FACTORS),
    )


def test_runs_that_are_not_used_have_a_reason(tmp_path: Path) -> None:
    table = study().assign(status="finished")
    table.loc[1, "response"] = math.nan
    table.loc[2, "status"] = "diverged"
    table.loc[3, "status"] = "none"
    write_study(tmp_path, table, FACTORS, status="status")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "events.out.tfevents.1").touch()
    EventFile().scalar("test/loss", 1.0).text("run/status", "finished").write(tmp_path / "bare")
    no_result = EventFile().hparams({"act": "elu", "bn": True, "attention": True, "seed": 5})
    no_result.scalar("val/loss", 1.0).text("run/status", "finished").write(tmp_path / "early")
    cut = tmp_path / "run_0005"
    path = next(cut.iterdir())
    path.write_bytes(path.read_bytes() + b"more")
    found = audit_runs(read_logs(tmp_path))
    assert {row.run: (row.status, row.reason) for row in found.excluded.itertuples()} == {
        "run_0001": ("diverged", "test/loss is nan"),
        "run_0002": ("diverged", "its completion mark says that it diverged"),
        "run_0003": ("unfinished", "no completion mark: still running, or stopped"),
        "empty": ("unreadable", "events.out.tfevents.1 is empty"),
        "bare": ("unreadable", "no hyper-parameters"),
        "early": ("unfinished", "no value of test/loss"),
    }
    assert found.diverged == ("run_0001", "run_0002")
    assert found.unfinished == ("early", "run_0003")
    assert found.unreadable == ("bare", "empty")
    assert len(found.used) == 21
    assert sorted({*found.ended["run"]} - {*found.used["run"]}) == ["run_0001", "run_0002"]
    assert np.isfinite(found.used["response"]).all()
    assert list(found.dropped) == ["run_0005"]
    assert "ends in the middle of a record" in found.dropped["run_0005"][0]
    assert len(found.table) == 27
    assert set(found.factors) == set(FACTORS)


def test_runs_without_marks_are_used(tmp_path: Path) -> None:
    found = audit(tmp_path, study().assign(status=""), "status")
    assert (found.table["status"] == "unknown").all()
    assert len(found.used) == 24


def test_missing_runs(tmp_path: Path) -> None:
    found = audit(tmp_path, study().drop(index=[4, 5, 23]))
    assert found.expected == 24
    assert found.missing.to_dict("records") == [
        {"act": "elu", "attention": False, "bn": True, "seed": 0},
        {"act": "elu", "attention": False, "bn": True, "seed": 1},
        {"act": "selu", "attention": True, "bn": True, "seed": 1},
    ]
    assert found.seeds_per_cell == {1: 1, 2: 10}
    assert found.warnings == ("3 of 24 runs are missing; the first is act=elu, attention=False, bn=True, seed=0",)


def test_fractions_and_continuous_factors_have_no_missing_cells() -> None:
    full = pd.DataFrame(itertools.product([0, 1], repeat=4), columns=list("abcd"))
    half = full[(full.sum(axis=1) % 2) == 0]
    assert find_cells(half, list("abcd"), None).expected is None
    assert find_cells(full[:-1], list("abcd"), None).missing.to_dict("records") == [dict.fromkeys("abcd", 1)]
    curve = pd.DataFrame(itertools.product(range(7), "xy"), columns=["lr", "act"])[1:]
    assert find_cells(curve, ["lr", "act"], None).expected is None
    words = curve.assign(lr=curve["lr"].map(str))
    assert find_cells(words, ["lr", "act"], None).expected == 14


def test_cells_with_seeds_of_their_own() -> None:
    """Seeds that never recur name no missing runs; only empty cells do."""
    runs = pd.DataFrame(itertools.product("ab", "xyz", [1, 2]), columns=["f", "g", "n"])
    runs = runs.assign(seed=range(len(runs)))[2:]
    cells = find_cells(runs, ["f", "g"], "seed")
    assert (cells.expected, cells.missing.to_dict("records")) == (12, [{"f": "a", "g": "x"}])
    assert cells.seeds_per_cell == {2: 5}


def test_the_later_of_two_runs_of_one_cell_and_seed_is_used(tmp_path: Path) -> None:
    table = study()
    write_study(tmp_path, table, FACTORS)
    again = EventFile(wall_time=1_800_000_000.0).hparams({"act": "elu", "bn": False, "attention": False, "seed": 0})
    again.scalar("test/loss", 7.0).text("run/status", "finished").write(tmp_path / "again")
    found = audit_runs(read_logs(tmp_path))
    assert found.duplicates == (("run_0000", "again"),)
    assert found.table.set_index("run").loc["run_0000", "status"] == "duplicate"
    assert found.used["response"].tolist() == [7.0, *table["response"][1:]]
    assert found.excluded["reason"].tolist() == ["it has the settings and seed of again, which is later"]
    assert (found.expected, found.seeds_per_cell) == (24, {2: 12})


def test_repeats_under_one_seed_are_replicates_unless_equal() -> None:
    runs = pd.DataFrame({"a": [0, 0, 0, 1, 1], "seed": 768, "response": [1.0, 2.0, 1.0, 3.0, 4.0]})
    started = pd.Series([3.0, 2.0, 1.0, math.nan, math.nan])
    alike = pd.Series([()] * 5)
    assert superseded(runs, ["a"], "seed", alike, started) == {}
    decided = runs.assign(response=[1.0, 1.0, 1.0, 3.0, 3.0])
    assert superseded(decided, ["a"], "seed", alike, started) == {1: 0, 2: 0, 3: 4}
    # One of many repetitions that differs does not make replicates of the others.
    copies = pd.DataFrame({"a": [0, 1] * 5, "seed": 768, "response": [1.0, 2.0] * 4 + [1.0, 2.1]})
    assert superseded(copies, ["a"], "seed", pd.Series([()] * 10), pd.Series(range(10))) == {
        0: 8, 2: 8, 4: 8, 6: 8, 1: 7, 3: 7, 5: 7,
    }  # fmt: skip
    assert superseded(decided, ["a"], None, alike, started) == {}
    varied = runs.assign(seed=[1, 1, 2, 1, 1])
    assert superseded(varied, ["a"], "seed", alike, started) == {1: 0, 3: 4}
    assert superseded(varied, ["a"], "seed", pd.Series([(0,), (1,), (0,), (0,), (0,)]), started) == {3: 4}
    unknown = runs.assign(seed=[None, None, 2, 1, 1])
    assert superseded(unknown, ["a"], "seed", alike, started) == {3: 4}


def fisher(inside: tuple[int, int], outside: tuple[int, int]) -> float:
    """Two-sided p from the hypergeometric distribution: all tables that are no likelier than the one seen."""
    (hits, size), (others, rest) = inside, outside
    total = hits + others
    chances = {
        k: math.comb(size, k) * math.comb(rest, total - k) / math.comb(size + rest, total)
        for k in range(max(0, total - rest), min(size, total) + 1)
    }
    return sum(chance for chance in chances.values() if chance <= chances[hits] * (1 + 1e-9))


def test_divergence_by_level() -> None:
    runs = study(seeds=3)
    runs["status"] = np.where((runs["act"] == "selu") & (runs.index % 4 != 0), "diverged", "finished")
    runs["lr"] = np.arange(len(runs)) / 100
    tests = divergence_tests(runs, [*FACTORS, "lr"]).set_index(["factor", "level"])
    diverged = runs["status"] == "diverged"
    assert len(tests) == 3 + 1 + 1 + 1
    for (factor, level), row in tests.iterrows():
        member = runs["lr"] > 0.175 if factor == "lr" else runs[factor].astype(str) == level
        inside = int(diverged[member].sum()), int(member.sum())
        outside = int(diverged[~member].sum()), int((~member).sum())
        assert (
            row["diverged"],
            row["runs"],
            row["diverged_elsewhere"],
            row["runs_elsewhere"],
        ) == inside + outside
        if factor == "lr":
            expected = mannwhitneyu(runs["lr"][diverged], runs["lr"][~diverged]).pvalue
        else:
            expected = fisher(inside, outside)
        assert row["p"] == pytest.approx(expected, rel=1e-9)
    ordered = tests.sort_values("p")
    holm = np.minimum(1, np.maximum.accumulate(ordered["p"] * np.arange(6, 0, -1)))
    np.testing.assert_allclose(ordered["p_holm"], holm)
    assert ("lr", "> 0.175") in tests.index
    assert divergence_tests(runs.assign(status="finished"), FACTORS).empty


def test_significant_divergence_is_the_headline(tmp_path: Path) -> None:
    table = study(seeds=3)
    table["status"] = np.where((table["act"] == "selu") & (table.index % 4 != 0), "diverged", "finished")
    found = audit(tmp_path, table, "status")
    p = divergence_tests(found.table, found.factors)["p_holm"].min()
    assert found.headline == (
        f"act=selu diverged in 9 of 12 runs, the others in 0 of 24 (p = {p:.2g} after Holm): "
        "effects are among finished runs, which makes it look better than it is"
    )
    assert found.warnings[0] == found.headline


def test_one_diverged_run_is_not_a_headline(tmp_path: Path) -> None:
    found = audit(tmp_path, study().assign(status=["diverged", *["finished"] * 23]), "status")
    assert (found.headline, len(found.divergence_tests)) == (None, 5)


def test_epoch_rules_and_their_alternatives(tmp_path: Path) -> None:
    for number, (act, seed) in enumerate(itertools.product(["elu", "relu"], [1, 2, 3])):
        file = EventFile().hparams({"act": act, "seed": seed})
        for step, value in enumerate([4.0, 1.0, 3.0, 2.0], start=1):
            file.scalar("val/loss", value + number, step).scalar("val/acc", -value, step)
        file.scalar("test/loss", 10.0 + number, 4).write(tmp_path / f"run{number}")
    runs = read_logs(tmp_path)
    base = np.arange(6.0)

    found = audit_runs(runs)
    np.testing.assert_array_equal(found.table["response"], 10 + base)
    assert {label: (values - base).tolist() for label, values in found.alternatives.items()} == {
        "val/loss, last": [2.0] * 6,
        "val/loss, best, chosen on itself": [1.0] * 6,
        "val/loss, tail:5": [2.5] * 6,
    }
    tail = audit_runs(runs, response="val/loss", at="tail:2")
    np.testing.assert_array_equal(tail.table["response"], 2.5 + base)
    best = audit_runs(runs, response="val/loss", at="best")
    np.testing.assert_array_equal(best.table["response"], 1 + base)
    assert best.warnings[0].startswith("the best epoch is chosen on val/loss itself")
    best_acc = audit_runs(runs, response="val/acc", at="best")
    assert (best_acc.goal, best_acc.table["response"].tolist()) == ("max", [-1.0] * 6)
    assert audit_runs(runs, response="val/acc", at="best", goal="min").table["response"].tolist() == [-4.0] * 6
    with pytest.raises(UserError, match="test/loss has only one value per run"):
        audit_runs(runs, at="best")


def test_warnings_about_runs_that_end_early_or_are_too_short(tmp_path: Path) -> None:
    for number, act in enumerate(["elu", "relu"] * 2):
        file = EventFile().hparams({"act": act})
        for step in range(1, 4 if number else 3):
            file.scalar("loss", step, step)
        file.write(tmp_path / f"run{number}")
    assert audit_runs(read_logs(tmp_path), at="tail:3").warnings == (
        "1 of 4 runs end before step 3, where loss ends in the others, and may be unfinished; "
        "the first is run0 (step 2)",
        "1 of 4 runs have fewer than 3 values of loss: their means are over those",
    )


def test_versions_commits_and_data_that_differ() -> None:
    def run(n: int, **provenance: Any) -> Run:
        return Run(str(n), None, {}, {}, provenance=dict(flatten(provenance)))

    runs = [
        run(
            n,
            status="finished",
            metrics={"test/loss": n},
            versions={"torch": "2.6" if n else "2.7", "numpy": "2.0"},
            git_commit="0123456789abcdef" + "+changes" * (n % 2),
            dataset={"name": "mnist" if n < 3 else "digits", "checksum": n // 3},
        )
        for n in range(6)
    ]
    cells = pd.DataFrame({"dataset": ["mnist"] * 3 + ["digits"] * 3})
    assert mixed_versions(runs, cells) == [
        "the runs have different values of versions/torch: 2.6 (5 runs), 2.7 (1 run)",
        "the runs have different values of git_commit: 0123456789ab (3 runs), 0123456789ab+changes (3 runs)",
    ]
    assert len(mixed_versions(runs, cells[[]])) == 4
    assert provenance(runs).mixed == ("versions/torch", "git_commit", "dataset/name", "dataset/checksum")
    assert provenance(runs).runs["versions/numpy"] == {"2.0": 6}
    mixed = mixed_versions([*runs[1:3], replace(runs[1], provenance={})], cells[:3])
    assert "the runs have different values of versions/torch: 2.6 (2 runs), not recorded (1 run)" in mixed


def test_checksums_that_follow_from_the_seed_are_not_mixed() -> None:
    """The seed draws the validation split. Other images with the same seed, and other data sets, are reported."""

    def found(images: str, names: str = "aaaa") -> list[str]:
        records = [{"dataset": {"name": name, "sha256": sha}} for name, sha in zip(names, images, strict=True)]
        runs = [Run(str(n), None, {}, {}, provenance=dict(flatten(record))) for n, record in enumerate(records)]
        return mixed_versions(runs, pd.DataFrame({"bn": [0, 0, 1, 1]}), pd.Series([1, 2, 1, 2]))

    assert found("xyxy") == []
    assert found("xyxz") == ["the runs have different values of dataset/sha256: x (2 runs), y (1 run), z (1 run)"]
    assert found("xyxy", "abab") == ["the runs have different values of dataset/name: a (2 runs), b (2 runs)"]


def test_warnings_about_factors(tmp_path: Path) -> None:
    table = study().assign(lr=lambda t: np.where(t["bn"], 0.1, 0.2), size=lambda t: 10 * t["bn"] + t["attention"])
    write_study(tmp_path, table, [*FACTORS, "lr", "size"])
    runs = read_logs(tmp_path)
    found = audit_runs(runs)
    assert found.aliases == {"lr": "bn"}
    assert found.warnings[0] == (
        "lr cannot be distinguished from bn: they split the runs alike, so an effect of one may be that of the other"
    )
    chosen = audit_runs(runs, factors=["act", "bn"])
    assert list(chosen.table) == ["run", "status", "act", "bn", "seed", "response", "source", "format"]
    assert "attention, lr and size also vary, which counts as noise: they are not in --factors" in chosen.warnings


def series_run(name: str, value: float, status: str = "finished", steps: int = 1, **fields: Any) -> Run:
    points = Series(np.arange(1, steps + 1), value + np.arange(steps)[::-1] * 1.0)
    hparams = fields.pop("hparams")
    return Run(name, None, hparams, {"loss": points}, status, **fields)


def test_not_recorded_is_no_level() -> None:
    """Of 12 runs, 8 record `limit` with two values: the others are not compared. Of 4, the setting is set aside."""
    for recording in (8, 4):
        runs = [
            series_run(str(n), n, hparams={"bn": bool(n % 2), **({"limit": n // 2 % 2} if n < recording else {})})
            for n in range(12)
        ]
        found = audit_runs(runs)
        assert found.table["limit"].isna().sum() == 12 - recording
        if recording == 8:
            assert (found.factors, found.unrecorded) == (("bn", "limit"), {"limit": 4})
            assert any("limit is not recorded by 4 runs of 12, which are not compared" in w for w in found.warnings)
        else:
            assert (found.factors, found.set_aside) == (("bn",), {"limit": "8 runs of 12 do not record it"})
        assert audit_runs(runs, factors=["bn"]).factors == ("bn",)


def test_failed_and_pruned_runs_are_not_used() -> None:
    runs = [series_run(str(n), n, hparams={"a": n % 2}) for n in range(8)]
    runs += [series_run("f", 0.1, "failed", hparams={"a": 0}), series_run("p", 0.1, "pruned", hparams={"a": 1})]
    found = audit_runs(runs)
    assert dict(zip(found.excluded["run"], found.excluded["status"], strict=True)) == {"f": "failed", "p": "pruned"}
    assert len(found.used) == 8
    assert any("1 of 10 runs was pruned" in warning for warning in found.warnings)


def test_studies_and_data_sets_are_not_pooled() -> None:
    runs = [
        series_run(f"{g}{n}", n, hparams={"a": n % 2}, group=g) for g, size in (("s", 8), ("t", 4)) for n in range(size)
    ]
    found = audit_runs(runs)
    assert (len(found.table), found.others) == (8, {"t": 4})
    assert "the runs belong to several studies" in found.warnings[0]
    assert len(audit_runs(runs, group="t").table) == 4
    with pytest.raises(UserError, match="--group x: there is no such group; choose from s and t"):
        audit_runs(runs, group="x")
    crossed = [series_run(f"{n}", n, hparams={"a": n % 2, "dataset": "ab"[n // 2 % 2]}) for n in range(8)]
    assert (audit_runs(crossed).factors, audit_runs(crossed).strata) == (("a", "dataset"), "dataset")
    mixed = [series_run(f"{n}", n, hparams={"a": n % 2 + 2 * (n > 7), "dataset": "ab"[n > 7]}) for n in range(12)]
    assert audit_runs(mixed).others == {"dataset=b": 4}
    assert "dataset" in audit_runs(mixed, factors=["a", "dataset"]).factors


@pytest.mark.parametrize("recorded", ["setting", "provenance"])
def test_a_search_on_several_data_sets_compares_runs_within_each(recorded: str) -> None:
    """In a random search no combination of settings occurs twice, so data sets are never crossed with them."""
    rng = np.random.default_rng(3)

    def run(n: int) -> Run:
        hparams, data = {"lr": float(rng.random()), "aug": bool(rng.random() < 0.5)}, "ab"[n % 3 > 1]
        if recorded == "setting":
            return series_run(str(n), n, hparams={**hparams, "dataset": data})
        return series_run(str(n), n, hparams=hparams, provenance={"dataset/name": data})

    runs = [run(n) for n in range(24)]
    found = audit_runs(runs)
    assert found.design.is_search
    assert (len(found.table), found.others, found.strata) == (24, {}, "dataset")
    assert found.search is not None
    assert (found.search.strata, found.search.settings) == ("dataset", ("lr", "aug"))
    assert found.search.table["dataset"].value_counts().to_dict() == {"a": 16, "b": 8}
    assert audit_runs(runs, group="dataset=b").others == {"dataset=a": 16}
    assert audit_runs(runs, design="factorial").others == {"dataset=b": 8}


def test_recorded_data_sets_that_are_crossed_with_the_settings_are_part_of_the_model() -> None:
    """They are no seeds, and a later run on another data set replaces none."""
    runs = [
        series_run(str(n), n, hparams={"a": n % 2, "seed": n // 4}, provenance={"dataset": "ab"[n // 2 % 2]})
        for n in range(8)
    ]
    found = audit_runs(runs)
    assert (found.factors, found.strata, found.duplicates) == (("a", "dataset"), "dataset", ())
    single = [replace(run, provenance={"dataset": "a"}) for run in runs]
    assert "dataset" not in audit_runs(single).table


def test_more_settings_than_runs_is_no_refusal() -> None:
    rng = np.random.default_rng(0)
    runs = [
        series_run(str(n), float(rng.random()), hparams={f"f{k}": str(rng.integers(3)) for k in range(20)})
        for n in range(24)
    ]
    as_search = audit_runs(runs)
    assert (as_search.design.kind, len(as_search.factors), as_search.set_aside) == ("search", 20, {})
    assert audit_runs(runs, factors=["f3", "f5"]).factors == ("f3", "f5")
    found = audit_runs(runs, design="factorial")
    assert 8 <= len(found.factors) < 20
    assert len(found.factors) + len(found.set_aside) == 20
    others = [
        replace(run, scalars={"loss": Series(np.array([1]), np.array([n * 7.0 % 5]))}) for n, run in enumerate(runs)
    ]
    assert audit_runs(others, design="factorial").factors == found.factors


def test_finished_runs_of_unequal_length_are_compared_at_the_last_common_step() -> None:
    runs = [series_run(str(n), n, steps=4 + n % 3, hparams={"a": n // 3 % 2}) for n in range(12)]
    found = audit_runs(runs)
    assert str(found.rule) == "last up to step 4"
    assert found.table["response"].tolist() == [n + n % 3 for n in range(12)]
    assert any("loss is compared at step 4" in warning for warning in found.warnings)
    epochs = [replace(run, hparams={**run.hparams, "epochs": 4 + n % 3}) for n, run in enumerate(runs)]
    assert str(audit_runs(epochs).rule) == "last"
    assert str(audit_runs([replace(run, status="unknown") for run in runs]).rule) == "last"
    assert str(audit_runs(runs, at="tail:1").rule) == "tail:1"


def test_single_values_of_runs_of_unequal_length_are_compared_by_their_validation_twin() -> None:
    """test/loss has one value a run, val/loss a series."""
    end = Series(np.array([9]), np.array([0.5]))
    runs = [series_run(str(n), n, steps=4 + n % 3, hparams={"a": n // 3 % 2}) for n in range(12)]
    runs = [replace(run, scalars={"test/loss": end, "val/loss": run.scalars["loss"]}) for run in runs]
    found = audit_runs(runs)
    assert (found.response, str(found.rule)) == ("test/loss", "last")
    assert [line for line in found.warnings if "different lengths" in line and "val/loss at step 4" in line]
    twin = found.alternatives["val/loss, last up to step 4"]
    assert twin.tolist() == [n + n % 3 for n in range(12)]
    equal = [replace(run, scalars={**run.scalars, "val/loss": runs[0].scalars["val/loss"]}) for run in runs]
    assert not [line for line in audit_runs(equal).warnings if "different lengths" in line]


def test_the_declared_goal_and_what_was_assumed() -> None:
    runs = [
        replace(series_run(str(n), n, hparams={"a": n % 2, "b": n // 2 % 2}), metrics=("loss",), goal="max")
        for n in range(8)
    ]
    assert audit_runs(runs).goal == "max"
    assert audit_runs(runs, goal="min").goal == "min"
    assert not any(warning.startswith("assumed") for warning in audit_runs(runs).warnings)
    both = [replace(run, scalars={**run.scalars, "b": run.scalars["loss"]}) for run in runs]
    assert (
        "assumed: settings a and b; response loss. Overrule with --factors a,b and --response NAME"
        in audit_runs(both).warnings
    )
    logged = [replace(run, directory=Path(run.name)) for run in both]
    assert not any(warning.startswith("assumed") for warning in audit_runs(logged).warnings)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"act": "a", "seed": 1, "response": 1.0}], "only one run"),
        ([{"act": "a", "seed": n, "response": 1.0} for n in range(3)], "the 3 runs do not differ"),
        (
            [{"act": "ab"[n % 2], "seed": n, "response": math.nan} for n in range(4)],
            "no run finished with a value",
        ),
    ],
)
def test_studies_that_cannot_be_analysed(tmp_path: Path, rows: list[dict[str, Any]], message: str) -> None:
    write_study(tmp_path, pd.DataFrame(rows), ["act"])
    with pytest.raises(UserError, match=message):
        audit_runs(read_logs(tmp_path))


def test_five_thousand_runs(tmp_path: Path) -> None:
    levels = [["elu", "relu"], [False, True], [0.1, 0.2, 0.3, 0.4, 0.5], range(250)]
    table = pd.DataFrame(itertools.product(*levels), columns=["act", "bn", "lr", "seed"])
    table["response"] = np.random.default_rng(0).normal(size=len(table)).astype(np.float32).astype(float)
    write_study(tmp_path, table, ["act", "bn", "lr"])
    found = audit_runs(read_logs(tmp_path))
    np.testing.assert_array_equal(found.table["response"], table["response"])
    assert (found.expected, found.seeds_per_cell) == (5000, {250: 20})
