"""Standard output that fails: training goes on, an analysis says so in a line or not at all."""

import json

import pytest

from attnae.rundir.directory import read_metrics
from tests.conftest import tiny_flags
from tests.faults.conftest import flags
from tests.faults.processes import closed_output, full_output, latin_output, run
from tests.faults.test_disk import write_study

NO_SPACE = "standard output cannot be written to: No space left on device\n"


@pytest.mark.parametrize(
    ("broken", "said"), [(full_output, NO_SPACE), pytest.param(closed_output, "", marks=pytest.mark.slow)]
)
def test_training_goes_on(undisturbed, tmp_path, broken, said):
    code, screen = run(flags(tmp_path), tmp_path / "screen", before=broken)
    assert (code, screen) == (0, said)
    assert read_metrics(tmp_path / "run")["metrics"] == undisturbed[1].metrics


def test_a_terminal_without_the_characters(tmp_path):
    args = [*tiny_flags(epochs=1), f"--log-dir={tmp_path}", "--name=naïve 🧠"]
    code, screen = run(args, tmp_path / "screen", before=latin_output)
    assert code == 0, screen
    assert "Traceback" not in screen
    assert "\\U0001f9e0" in screen
    assert (tmp_path / "naïve 🧠" / "metrics.json").is_file()


@pytest.mark.parametrize("json_only", [False, True])
def test_an_analysis_that_nobody_reads(tmp_path, json_only):
    write_study(tmp_path / "logs")
    args = [tmp_path / "logs", "--permutations", 99, *(["--json"] if json_only else [])]
    code, screen = run(args, tmp_path / "screen", script="analyze", before=closed_output)
    assert (code, screen) == (141, "")
    assert run(["analyze", *args], tmp_path / "screen", script="attnae", before=closed_output) == (141, "")
    code, screen = run(args, tmp_path / "screen", script="analyze", before=full_output)
    assert code == 2
    assert screen == f"error: {NO_SPACE}"
    assert json.loads((tmp_path / "logs" / "analysis" / "report.json").read_text())


@pytest.mark.parametrize("script", ["train", "analyze"])
def test_help_that_nobody_reads(tmp_path, script):
    code, screen = run(["--help"], tmp_path / "screen", script=script, before=closed_output)
    assert (code, screen) == (0, "")
