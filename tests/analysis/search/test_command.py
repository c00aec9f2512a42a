"""analyze.py on the logs of searches with known truth: verdicts, files, sentences and exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from attnae.analysis.search.result import CURVE_COLUMNS, LEVEL_COLUMNS, PAIR_COLUMNS, SETTING_COLUMNS
from attnae.study.file import read_study_file
from tests.analysis.reports import analyze, read_back
from tests.analysis.search.searches import SETTINGS, draw_settings, search
from tests.analysis.studies import factorial
from tests.reading.event_logs import EventFile, write_study

pytestmark = pytest.mark.usefixtures("blank_figures")

STUDY_FILES = ("effects.csv", "anova.csv", "factors.csv", "marginal_means.csv", "figures/forest.svg")
SEARCH_FILES = ("settings.csv", "setting_levels.csv", "setting_curves.csv", "pairs.csv", "figures/setting_1.svg")


def write_table(path: Path, table: pd.DataFrame, response: str = "loss") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.rename(columns={"response": response}).drop(columns="run", errors="ignore").to_csv(path, index=False)
    return path


def report_of(path: Path, *flags: str) -> dict:
    """report.json of a table or a directory of logs."""
    assert analyze(path, *flags, "--permutations", "499") == 0
    directory = path if path.is_dir() else path.parent
    return json.loads((directory / "analysis" / "report.json").read_text())


def rows(report: dict) -> dict[str, dict]:
    return {row["factor"]: row for row in report["tables"]["settings"]}


@pytest.fixture(scope="module")
def logs(tmp_path_factory) -> Path:
    """60 runs with event files whose truth is that of `search`; the settings keep their types."""
    directory = tmp_path_factory.mktemp("search") / "logs"
    for number, row in enumerate(search(60).to_dict("records")):
        hparams = {name: row[name] for name in SETTINGS if row[name] == row[name]}
        hparams["aug"] = bool(hparams["aug"])
        file = EventFile().hparams({**hparams, "seed": 7}).scalar("test/loss", row["response"], 1)
        file.write(directory / f"run-{number:02d}")
    return directory


@pytest.fixture(scope="module")
def report(logs) -> dict:
    return report_of(logs)


def test_the_truth_is_found(report):
    assert report["verdicts"] | {"units": "", "optimizer": "", "momentum": ""} == {
        "lr": "optimum", "dropout": "hurts", "act": "matters", "aug": "helps",
        "units": "", "optimizer": "", "momentum": "",
    }  # fmt: skip
    found = rows(report)
    assert set(found) == set(SETTINGS)
    assert found["lr"]["best_low"] < 1e-3 < found["lr"]["best_high"]
    assert (found["act"]["worse"], found["momentum"]["parent"]) == ("tanh", "optimizer")
    assert 20 < found["momentum"]["n"] < 40


def test_the_choice_is_printed_with_its_reason(report, logs, capsys):
    assert (report["schema"], report["schema_version"]) == ("attnae-report", 2)
    assert report["design"]["kind"] == "search"
    assert report["design"]["reason"].endswith("different values in 60 configurations")
    assert (report["design"]["adaptive"], report["design"]["adaptive_reason"]) == (False, "")
    capsys.readouterr()
    assert analyze(logs, "--permutations", "499", "--full") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Taken as: random search, 60 runs, 7 settings: " in out
    assert out.index("optimum") < out.index("Taken as")


def test_sentences_say_what_the_specification_says(report):
    said = {item["factor"]: item["text"] for item in report["summary"]["sentences"]}
    found = rows(report)
    shares = [found[item["factor"]]["share"] for item in report["summary"]["sentences"]]
    assert shares == sorted(shares, reverse=True)
    for start, end in (
        ("test/loss is lowest near lr = ", " after Holm): optimum"),
        ("Raising dropout from ", " after Holm): hurts"),
        ("aug = True instead of False lowers test/loss by ", " after Holm): helps"),
        ("act = ", " after Holm): matters"),
    ):
        text = next(text for text in said.values() if text.startswith(start))
        assert end in text
    assert "(95% interval " in said["dropout"]
    assert "; tried 1.3e-5 to 0.084); at the low end it is 0." in said["lr"]
    assert "tanh is 0." in said["act"]
    assert said["momentum"].startswith(f"Among the {found['momentum']['n']} runs with optimizer = sgd, ")
    assert "(80% power)" in said["units"] or found["units"]["verdict"] != "undetermined"


def test_files(report, logs):
    out = logs / "analysis"
    for name, columns in (
        ("settings", SETTING_COLUMNS), ("setting_levels", LEVEL_COLUMNS),
        ("setting_curves", CURVE_COLUMNS), ("pairs", PAIR_COLUMNS),
    ):  # fmt: skip
        table = read_back(out / f"{name}.csv")
        assert tuple(table) == columns
        assert len(table) == len(report["tables"][name])
    assert len(read_back(out / "runs.csv")) == 60
    assert not any((out / name).exists() for name in STUDY_FILES)
    assert len(list((out / "figures").glob("setting_*.svg"))) == 7
    assert not (out / "next.yaml").exists()  # the settings are those of another program


def test_files_of_the_other_design_are_removed(tmp_path):
    study = factorial(a=[0, 1], b=[0, 1], seeds=4)
    study["response"] = np.random.default_rng(0).normal(size=len(study)) + study["a"]
    out = tmp_path / "out"
    write_study(tmp_path / "study", study, ["a", "b"])
    first, second = tmp_path / "study", write_table(tmp_path / "search.csv", search(24))
    assert analyze(first, "--out", str(out)) == 0
    assert all((out / name).exists() for name in STUDY_FILES)
    assert analyze(second, "--out", str(out)) == 0
    assert not any((out / name).exists() for name in STUDY_FILES)
    assert all((out / name).exists() for name in SEARCH_FILES)
    assert analyze(first, "--out", str(out)) == 0
    assert not any((out / name).exists() for name in SEARCH_FILES)


def test_design_overrules_both_ways(tmp_path):
    study = factorial(a=[0, 1], b=[0, 1, 2], seeds=4)
    study["response"] = np.random.default_rng(0).normal(size=len(study)) + 3 * study["a"]
    write_study(tmp_path / "study", study, ["a", "b"])
    assert report_of(tmp_path / "study")["design"]["kind"] == "factorial"
    asked = report_of(tmp_path / "study", "--design", "search")
    assert asked["design"]["kind"] == "search"
    assert asked["design"]["reason"].startswith("asked for with --design search, although 6 of the 6 combinations")
    assert asked["search"]["runs"] == 24
    assert asked["search"]["configurations"] == 6
    table = write_table(tmp_path / "t.csv", search(40)[["lr", "aug", "response"]])
    chosen = report_of(table, "--design", "factorial")
    assert chosen["design"]["reason"].startswith("asked for with --design factorial, although lr has 40 different")
    assert [factor["name"] for factor in chosen["factors"]] == ["lr", "aug"]


def test_factors_restrict_a_search(logs):
    report = report_of(logs, "--factors", "lr", "dropout")
    assert set(rows(report)) == {"lr", "dropout"}
    assert {"act", "aug", "units"} <= set(report["audit"]["ignored"])


@pytest.mark.parametrize(
    "flags",
    [["--baseline", "act=relu"], ["--interactions", "none"], ["--negligible", "0.1"], ["--target", "0.1"]],
)
def test_options_of_designed_studies_are_refused(logs, flags, capsys):
    capsys.readouterr()
    assert analyze(logs, *flags) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert f"{flags[0]} applies to designed studies" in err
    assert "--design factorial" in err


def test_log_response_goal_and_alpha(tmp_path, capsys):
    table = search(40).assign(response=lambda t: np.exp(t["response"]))
    path = write_table(tmp_path / "t.csv", table)
    raw, log = report_of(path), report_of(path, "--log-response")
    assert (raw["response"]["transform"], log["response"]["transform"]) == ("none", "log")
    assert rows(raw)["lr"]["p"] == rows(log)["lr"]["p"]
    assert rows(log)["dropout"]["effect"] == pytest.approx(
        rows(report_of(write_table(tmp_path / "logged" / "t.csv", search(40))))["dropout"]["effect"]
    )
    turned = rows(report_of(path, "--goal", "max"))
    assert (rows(raw)["dropout"]["verdict"], turned["dropout"]["verdict"]) == ("hurts", "helps")
    strict = rows(report_of(path, "--alpha", "0.001"))
    assert strict["dropout"]["effect_high"] > rows(raw)["dropout"]["effect_high"]
    write_table(tmp_path / "n.csv", search(40).assign(response=lambda t: t["response"] - 9))
    capsys.readouterr()
    assert analyze(tmp_path / "n.csv", "--log-response") == 2
    assert "has no logarithm in run" in capsys.readouterr().err


def test_diverged_runs_are_the_worst_and_are_no_headline(tmp_path, capsys):
    """Above lr = 0.01 every run diverges: that lr matters shows in them alone."""
    table = draw_settings(60, 11)
    loss = 1 + 0.01 * np.random.default_rng(1).standard_normal(60)
    lost = table["lr"] > 0.01
    table = table.assign(response=np.where(lost, np.nan, loss), status=np.where(lost, "diverged", "finished"))
    report = report_of(write_table(tmp_path / "t.csv", table), "--full")
    assert report["search"]["diverged"] == lost.sum() > 5
    assert rows(report)["lr"]["verdict"] in ("hurts", "optimum")
    assert report["audit"]["headline"] is None
    assert report["audit"]["excluded"] == []
    assert "They count as the worst" in capsys.readouterr().out


def test_seeds_are_averaged(tmp_path, capsys):
    table = search(24, noise=0.3)
    rng = np.random.default_rng(0)
    runs = pd.concat([table.assign(seed=s, response=table["response"] + rng.normal(0, 0.1, 24)) for s in range(3)])
    report = report_of(write_table(tmp_path / "t.csv", runs), "--full")
    assert (report["search"]["runs"], report["search"]["configurations"]) == (72, 24)
    assert "seed" not in rows(report)
    assert all(row["runs"] == 3 for row in report["tables"]["configurations"])
    said = {item["factor"]: item["text"] for item in report["summary"]["sentences"]}
    momentum = rows(report)["momentum"]["n"]
    assert momentum < 24
    assert said["momentum"].startswith(f"Among the {momentum} configurations with optimizer = sgd, ")
    assert "these 24 runs" not in "".join(said.values())
    printed = capsys.readouterr().out
    assert re.search(r"^factor +kind +tried +configurations", printed, re.MULTILINE)


def test_adaptive_searches_are_seen_by_order_and_by_name(tmp_path, capsys):
    rng = np.random.default_rng(2)
    table = draw_settings(60, 2)
    late = np.arange(60) >= 30
    table["lr"] = np.where(late, 10 ** rng.normal(-2.5, 0.1, 60), table["lr"])
    table = table.assign(response=0.3 * (np.log10(table["lr"]) + 2.5) ** 2 + 0.1 * rng.standard_normal(60))
    table["response"] += table["dropout"]
    by_order = report_of(write_table(tmp_path / "a" / "t.csv", table.assign(number=range(60))), "--full")
    out = " ".join(capsys.readouterr().out.split())
    assert by_order["design"]["adaptive"]
    assert by_order["design"]["adaptive_reason"].startswith("lr was chosen differently")
    assert out.startswith("! The later runs were chosen from the results of the earlier ones. Where they crowd is the ")
    assert "optimistic 95% interval" in out
    assert "Taken as: adaptive search" in out
    assert (tmp_path / "a" / "analysis" / "figures" / "trials.svg").exists()
    assert {row["action"] for row in by_order["tables"]["next"]} == {"keep"}
    shuffled = table.sample(frac=1, random_state=0).assign(number=range(60))
    assert not report_of(write_table(tmp_path / "b" / "t.csv", shuffled))["design"]["adaptive"]
    assert not (tmp_path / "b" / "analysis" / "figures" / "trials.svg").exists()
    named = report_of(write_table(tmp_path / "c" / "t.csv", search(40).assign(sampler="TPESampler")))
    assert named["design"]["adaptive_reason"] == "the logs name TPESampler"
    other = report_of(write_table(tmp_path / "d" / "t.csv", search(40).assign(sampler="RandomSampler")))
    assert not other["design"]["adaptive"]


def test_runs_of_unequal_length_are_compared_where_both_were(tmp_path, capsys):
    """Losses fall with the step, and half of the runs were stopped at random: they take part."""
    rng = np.random.default_rng(3)
    table = search(40, seed=5)
    for number, row in enumerate(table.to_dict("records")):
        hparams = {name: row[name] for name in ("lr", "dropout", "act")}
        stopped = bool(number % 2)
        file = EventFile().hparams(hparams)
        for step in range(1, int(rng.integers(5, 15)) if stopped else 21):
            file.scalar("loss", row["response"] + 5 / step, step)
        if not stopped:
            file.text("status", "finished", 20)
        file.write(tmp_path / f"run{number:02d}")
    report = report_of(tmp_path)
    assert report["search"]["runs"] == 40
    assert report["verdicts"]["lr"] == "optimum"
    assert any("compared at the last step that both of two runs reached" in note for note in report["notes"])
    assert str(report["response"]["rule"]) == "last"


def test_settings_act_together(tmp_path, capsys):
    table = search(60, seed=4)
    table["response"] += 4 * (table["dropout"] - 0.25) * (np.log10(table["lr"]) + 3)
    report = report_of(write_table(tmp_path / "t.csv", table))
    line = report["summary"]["headlines"][0]
    assert line.startswith("The settings do not act one at a time: lr and dropout act together (p = 0.002)")
    assert line.endswith("read each effect as an average over the other.")
    keep = {row["factor"]: row["action"] for row in report["tables"]["next"]}
    assert (keep["lr"], keep["dropout"]) == ("keep", "keep")


def test_nothing_is_found(tmp_path):
    noise = np.random.default_rng(4).standard_normal(20)
    report = report_of(write_table(tmp_path / "t.csv", draw_settings(20, 4).assign(response=noise)))
    line = report["summary"]["headlines"][-1]
    assert line.startswith("No setting is shown to matter: ")
    assert "(80% power); for one that explains a tenth, run about " in line
    more = max(row["runs_for_10pct"] for row in report["tables"]["settings"]) - 20
    assert int(line.split("run about ")[1].split(" more")[0].replace(",", "")) >= more


def test_below_40_runs_no_range_is_called_a_95_percent_interval(tmp_path):
    report = report_of(write_table(tmp_path / "t.csv", search(36, noise=0.05)))
    text = next(item["text"] for item in report["summary"]["sentences"] if item["factor"] == "lr")
    assert report["verdicts"]["lr"] == "optimum"
    assert "(roughly " in text
    assert "95% interval" not in text
    reasons = {row["factor"]: row["reason"] for row in report["tables"]["next"]}
    assert reasons["lr"] == "the rough interval of the best value"


def test_too_few_runs_rank_without_a_verdict(tmp_path, capsys):
    report = report_of(write_table(tmp_path / "t.csv", search(5)), "--design", "search")
    assert set(report["verdicts"].values()) == {""}
    assert "no verdict" in capsys.readouterr().out
    assert report["summary"]["headlines"] == []


def test_the_next_search_is_a_study_file_of_our_options(tmp_path):
    rng = np.random.default_rng(6)
    n = 48
    table = pd.DataFrame(
        {
            "lr": 10 ** rng.uniform(-4, -1, n),
            "dropout_rate": rng.uniform(0, 0.6, n),
            "act": rng.choice(["relu", "elu", "tanh"], n),
            "units": rng.choice(["35 25 15 5", "20 15 10 5"], n),
            "spatial_attention": rng.random(n) < 0.5,
            "latent_dim": rng.integers(2, 33, n),
        }
    )
    loss = 0.4 * (np.log10(table["lr"]) + 2.5) ** 2 + table["dropout_rate"] + 0.5 * (table["act"] == "tanh")
    table = table.assign(response=loss + 0.05 * rng.standard_normal(n), epochs=3, min_lr=1e-5, dataset="digits")
    report = report_of(write_table(tmp_path / "t.csv", table))
    import yaml

    study = yaml.safe_load((tmp_path / "analysis" / "next.yaml").read_text())
    assert study["sample"] == report["search"]["next_runs"] in (32, 64, 128)
    assert study["options"] == {"epochs": 3, "min_lr": 1e-5, "dataset": "digits"} | {
        name: value for name, value in study["options"].items() if name in table
    }
    low, high = study["factors"]["lr"]["loguniform"]
    assert 1e-4 <= low < 10**-2.5 < high < 0.1
    assert set(study["factors"]["act"]) == {"relu", "elu"}
    assert study["factors"]["dropout_rate"]["uniform"][1] < 0.4
    # What does not matter stands among the options, and what is open among the factors.
    dropped = {row["factor"] for row in report["tables"]["next"] if row["action"] == "drop"}
    assert dropped == set(study["options"]) & set(table) - {"epochs", "min_lr", "dataset"} != set()
    assert read_study_file(tmp_path / "analysis" / "next.yaml").factors  # as --study reads it
    kept = study["factors"] | study["options"]
    assert kept["units"] in ([20, 15, 10, 5], [35, 25, 15, 5], [[20, 15, 10, 5], [35, 25, 15, 5]])
