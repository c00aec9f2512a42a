"""analyze.py from the command line: every option has an effect, and every mistake gives a one-line message."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tyro
from rich.console import Console

from attnae.analysis.command import AnalyzeCommand, baseline_levels, permutation_draws
from attnae.analysis.command import analyze as make_report
from attnae.analysis.report.json_report import json_text
from attnae.cli import analyze_command
from tests.analysis.reports import analyze, read_back
from tests.analysis.studies import ARTICLE_FACTORS, article_study, factorial
from tests.reading.event_logs import EventFile, write_study

pytestmark = pytest.mark.usefixtures("blank_figures")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def logs(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("study") / "logs"
    write_study(directory, article_study(), ARTICLE_FACTORS)
    return directory


def values(logs: Path, *flags: str) -> dict:
    """report.json of a command line; no file is written."""
    draws = () if "--permutations" in flags else ("--permutations", "9")
    command = tyro.cli(AnalyzeCommand, args=[str(logs), *flags, *draws])
    return json.loads(json_text(make_report(command, baseline_levels(command.baseline), Console(quiet=True))))


def rows(report: dict, name: str = "effects") -> dict:
    return {(row["factor"], row["level"]): row for row in report["tables"][name]}


def test_no_flag_is_needed(logs, capsys) -> None:
    before = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in logs.rglob("*tfevents*")}
    assert analyze_command([str(logs)]) == 0
    out = capsys.readouterr().out
    assert "Batch norm lowers test/loss by " in out
    assert "1. Audit" not in out
    assert (logs / "analysis" / "report.html").exists()
    after = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in logs.rglob("*tfevents*")}
    assert after == before
    assert {path.name for path in logs.iterdir() if not path.name.startswith("run_")} == {"analysis"}


def test_full(logs, capsys) -> None:
    """One screen by default; all sections with --full, and the same files."""
    printed = {}
    for flags in ((), ("--full",)):
        assert analyze(logs, *flags) == 0
        printed[flags] = capsys.readouterr().out
    short, whole = printed.values()
    assert len(short.splitlines()) <= 30 < 100 < len(whole.splitlines())
    for part in ("Which choices matter for test/loss? 96 runs of 32 combinations, 3 seeds", "Next: ", "report.html"):
        assert part in " ".join(short.split())
    titles = re.findall(r"^(\d+)\. (.+)$", whole, re.MULTILINE)
    assert [int(number) for number, _ in titles] == list(range(1, 15))
    assert whole.index("Batch norm lowers test/loss by ") < whole.index("1. Audit")


def test_a_second_analysis_does_not_read_the_first(logs) -> None:
    first = values(logs)
    assert analyze(logs) == 0
    second = values(logs)
    assert first["audit"]["runs"] == second["audit"]["runs"] == 96
    assert first["tables"] == second["tables"]


def test_out(logs, tmp_path, capsys) -> None:
    assert analyze(logs, "--out", str(tmp_path / "here")) == 0
    written = (tmp_path / "here" / "report.json").read_text()
    capsys.readouterr()
    assert analyze(logs, "--json") == 0
    printed = capsys.readouterr().out
    assert printed == (logs / "analysis" / "report.json").read_text()
    here, there = json.loads(written), json.loads(printed)
    # statsmodels writes the time of day into its summary.
    assert here.pop("article_summary")[:70] == there.pop("article_summary")[:70]
    assert here == there


def test_response_and_goal(tmp_path) -> None:
    for i, a in enumerate([0, 1] * 4):
        file = EventFile().hparams({"a": a, "seed": i // 2})
        file.scalar("test/loss", 1.0 + 0.3 * a + 0.01 * i, 1).scalar("test/acc", 0.9 - 0.2 * a + 0.01 * i, 1)
        file.write(tmp_path / f"run{i}")
    loss = values(tmp_path)
    assert (loss["response"]["tag"], loss["response"]["goal"]) == ("test/loss", "min")
    acc = values(tmp_path, "--response", "test/acc")
    assert (acc["response"]["tag"], acc["response"]["goal"]) == ("test/acc", "max")
    assert rows(loss)["a", "1"]["estimate"] == pytest.approx(0.3 + 0.01, rel=1e-5)
    assert rows(acc)["a", "1"]["estimate"] == pytest.approx(-0.2 + 0.01, rel=1e-5)
    assert acc["verdicts"]["a"] == {"1": "hurts"}
    assert values(tmp_path, "--response", "test/acc", "--goal", "min")["verdicts"]["a"] == {"1": "helps"}


def test_at(tmp_path) -> None:
    for i, a in enumerate([0, 1] * 3):
        file = EventFile().hparams({"a": a, "seed": i // 2})
        for step in range(1, 8):
            file.scalar("val/loss", (step - 3) ** 2 + 1 + i / 10, step)
            file.scalar("test/loss", step + 10 * a + i / 10, step)
        file.write(tmp_path / f"run{i}")
    means = {}
    for at in ("last", "best", "tail:5"):
        report = values(tmp_path, "--at", at)
        assert report["response"]["rule"] == at
        means[at] = np.mean([row["response"] for row in report["tables"]["runs"]])
    assert means == pytest.approx({"last": 12.25, "best": 8.25, "tail:5": 10.25}, rel=1e-6)


def test_factors(logs) -> None:
    report = values(logs, "--factors", "act", "dropout")
    assert [factor["name"] for factor in report["factors"]] == ["act", "dropout"]
    assert report["audit"]["ignored"] == ["batch_norm", "spatial_attention"]
    assert {factor["name"] for factor in values(logs)["factors"]} == set(ARTICLE_FACTORS)


def test_log_response(logs) -> None:
    raw, log = values(logs), values(logs, "--log-response")
    assert (raw["response"]["transform"], log["response"]["transform"]) == ("none", "log")
    row = rows(log)["dropout", "True"]
    assert row["percent_change"] == pytest.approx(100 * np.expm1(row["estimate"]))
    assert rows(raw)["dropout", "True"]["estimate"] != row["estimate"]


def test_alpha(logs) -> None:
    wide, narrow = (rows(values(logs, "--alpha", alpha))["dropout", "True"] for alpha in ("0.01", "0.2"))
    assert wide["ci_high"] - wide["ci_low"] > 1.5 * (narrow["ci_high"] - narrow["ci_low"])


def test_baseline(logs) -> None:
    assert values(logs)["tables"]["baseline"] is None
    table = values(logs, "--baseline", "act=relu", "batch_norm=True")["tables"]["baseline"]
    assert len(table) == 7
    assert all((row["act"], row["batch_norm"]) != ("relu", "True") for row in table)


def test_interactions(logs) -> None:
    assert values(logs, "--interactions", "none")["tables"]["interactions"] is None
    for choice in ("auto", "two-way"):
        assert len(values(logs, "--interactions", choice)["tables"]["interactions"]) == 15


def test_negligible_and_target(logs) -> None:
    assert values(logs)["verdicts"]["spatial_attention"] == {"True": "undetermined"}
    report = values(logs, "--negligible", "0.02", "--target", "0.003")
    assert report["verdicts"]["spatial_attention"] == {"True": "negligible"}
    assert {row["effect"] for row in report["tables"]["next_steps"]} == {0.003}


def test_permutations(logs) -> None:
    assert values(logs, "--permutations", "0")["tables"]["permutation"] is None
    table = values(logs, "--permutations", "49")["tables"]["permutation"]
    assert {row["draws"] for row in table} == {49}


def test_large_studies_get_fewer_permutations_and_a_remark() -> None:
    assert permutation_draws(None, 1000) == (9999, ())
    draws, remarks = permutation_draws(None, 1001)
    assert draws == 999
    assert remarks[0].startswith("the permutation tests use 999 draws because there are more than 1,000 runs")
    assert permutation_draws(5, 5000) == (5, ())


def test_name_pattern(tmp_path) -> None:
    for act in ("relu", "elu"):
        for seed in range(3):
            file = EventFile().scalar(
                "test/loss", 1 + (act == "elu") + seed / 100 + (seed == 2) / 50 * (act == "elu"), 1
            )
            file.write(tmp_path / f"{act}-{seed}")
    assert analyze(tmp_path) == 2
    report = values(tmp_path, "--name-pattern", "{act}-{seed}")
    assert [factor["name"] for factor in report["factors"]] == ["act"]


def test_several_directories_and_a_csv(logs, tmp_path, capsys) -> None:
    write_study(tmp_path / "more", article_study(rng_seed=2).assign(seed=lambda t: t.seed + 3), ARTICLE_FACTORS)
    capsys.readouterr()
    assert analyze_command([str(logs), str(tmp_path / "more"), "--json", "--permutations", "0"]) == 0
    assert json.loads(capsys.readouterr().out)["model"]["runs"] == 192
    read_back(logs / "analysis" / "runs.csv").to_csv(tmp_path / "table.csv", index=False)
    assert analyze(tmp_path / "table.csv") == 0
    assert json.loads((tmp_path / "analysis" / "report.json").read_text())["model"]["runs"] == 192
    assert (tmp_path / "analysis" / "effects.csv").exists()


def test_diverged_runs_at_one_level_are_the_headline(tmp_path, capsys) -> None:
    table = article_study(1)
    table["status"] = np.where((table.act == "sigmoid") & (np.arange(32) % 4 != 0), "diverged", "finished")
    write_study(tmp_path, table, ARTICLE_FACTORS, status="status")
    assert analyze(tmp_path) == 0
    out = " ".join(capsys.readouterr().out.split())
    # In full, and before the sentences that it limits.
    assert out.index("! act=sigmoid diverged in ") < out.index("Batch norm")
    assert "which makes it look better than it is" in out.partition("Batch norm")[0]


def test_nan_responses_are_reported(tmp_path, capsys) -> None:
    table = article_study(3)
    table.loc[:1, "response"] = np.nan
    write_study(tmp_path, table, ARTICLE_FACTORS)
    assert analyze(tmp_path, "--full") == 0
    out = capsys.readouterr().out
    assert "96 runs found, 96 expected for the complete design, 94 used" in " ".join(out.split())
    assert "test/loss is nan" in out


@pytest.mark.parametrize(
    ("table", "line"),
    [
        (factorial(a=[0, 1], b=[0, 1]), "in all 4 finished runs"),
        (factorial(a=[0]), "only one run"),
    ],
)
def test_studies_that_cannot_be_analysed_give_one_line(table, line, tmp_path, capsys) -> None:
    write_study(tmp_path, table, [name for name in "abc" if name in table])
    assert analyze(tmp_path) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("error: ")
    assert line in captured.err
    assert not (tmp_path / "analysis").exists()


def test_too_few_runs_for_all_settings_say_what_they_can(tmp_path, capsys) -> None:
    table = factorial(a=[0, 1], b=[0, 1], c=[0, 1]).iloc[[0, 3, 5]].assign(response=[1.0, 2, 4])
    write_study(tmp_path, table, ["a", "b", "c"])
    assert analyze(tmp_path, "--design", "factorial", "--full") == 0
    printed = " ".join(capsys.readouterr().out.split())
    line = (
        "b and c are not treated as factors, each because its effect cannot be told apart from those of a with 3 runs"
    )
    assert line in printed
    assert "no verdict, because model M leaves 1 residual degree of freedom" in printed


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--baseline", "act"], "--baseline act: type factor=level"),
        (["--baseline", "act=tanh"], "choose from elu, relu, selu, sigmoid"),
        (["--response", "test/los"], "did you mean test/loss?"),
        (["--factors", "actt"], "did you mean act?"),
        (["--at", "first"], "last, best, or tail:5"),
        (["--alpha", "2"], "between 0 and 1"),
        (["--name-pattern", "act-bn"], "must name settings in braces"),
        (["--negligible", "-1"], "positive number"),
        (["--permutations", "-1"], "0 (none) or more"),
    ],
)
def test_mistakes_give_one_line(logs, flags, line, capsys) -> None:
    capsys.readouterr()
    assert analyze(logs, *flags) == 2
    err = capsys.readouterr().err
    assert line in err
    assert "Traceback" not in err


def test_no_logs_and_empty_directories(tmp_path, capsys) -> None:
    assert analyze_command([]) == 2
    assert "no logs are given" in capsys.readouterr().err
    assert analyze_command([str(tmp_path)]) == 2
    assert "no runs found" in capsys.readouterr().err
    assert analyze_command([str(tmp_path / "nowhere")]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_help_needs_no_heavy_package() -> None:
    code = (
        "import sys\nfrom attnae.cli import analyze_command\n"
        "try:\n    analyze_command(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'pandas', 'scipy', 'statsmodels', 'matplotlib', 'tensorboard', 'torch', 'jinja2'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("HEAVY []")
    for flag in ("--response", "--factors", "--at", "--log-response", "--goal", "--alpha", "--baseline", "--out"):
        assert flag in done.stdout


def test_no_torch_is_imported_by_an_analysis(logs, tmp_path) -> None:
    code = (
        "import sys\nfrom attnae.cli import analyze_command\n"
        f"analyze_command([{str(logs)!r}, '--out', {str(tmp_path)!r}, '--permutations', '0'])\n"
        "print('TORCH', 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("TORCH False")


def test_a_data_set_is_no_choice_that_helps_or_hurts(tmp_path, capsys) -> None:
    rng = np.random.default_rng(0)
    rows = [
        f"{data},{lr},{seed},{0.5 * (data == 'cifar100') + 0.1 * (lr == 0.2) + 0.01 * rng.normal():.5f}"
        for seed, (data, lr) in enumerate(list(itertools.product(("cifar10", "cifar100"), (0.1, 0.2))) * 6)
    ]
    table = tmp_path / "runs.csv"
    table.write_text("\n".join(["dataset,lr,seed,val_loss", *rows]))
    assert analyze_command([str(table), "--permutations", "0"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "no verdict: it names the data or the task, and is no choice that helps or hurts" in out
    effects = read_back(tmp_path / "analysis" / "effects.csv").set_index("factor")
    assert effects.verdict.isna()["dataset"]
    assert effects.estimate["dataset"] == pytest.approx(0.5, abs=0.02)
    assert effects.verdict["lr"] == "hurts"
    assert analyze_command([str(table), "--permutations", "0", "--factors", "dataset", "lr"]) == 0
    assert read_back(tmp_path / "analysis" / "effects.csv").set_index("factor").verdict["dataset"] == "hurts"
