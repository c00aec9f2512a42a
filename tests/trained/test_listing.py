"""The table of runs, from their config.yaml and metrics.json."""

import json
import subprocess
import sys

import pytest

from attnae.cli import main
from attnae.config import RunConfig, write_config
from attnae.errors import UserError
from attnae.trained.listing import read_runs
from tests.conftest import ROOT


@pytest.fixture
def logs(tmp_path):
    folder = tmp_path / "logs"
    for place, (name, options) in enumerate(
        {
            "a": {"act": "elu", "lr": 0.0012345678},
            "b": {"act": "relu", "units": (9, 8, 7), "threads": 1},
            "deep/c": {"act": "relu", "dropout": False, "lr": 0.0012345679},
        }.items()
    ):
        (folder / name).mkdir(parents=True)
        write_config(folder / name / "config.yaml", RunConfig(name=name[-1], log_dir=folder, **options))
        status = ["finished", "diverged", None][place]
        metrics = {"train/loss": 1.0, "test/loss": 0.123456789, "test/elbo": "NaN" if place else -5}
        if status:
            (folder / name / "metrics.json").write_text(json.dumps({"status": status, "metrics": metrics}))
    for name, text in (("broken", "[1, 2"), ("foreign", "trainer: {max_epochs: 3}")):
        (folder / name).mkdir()
        (folder / name / "config.yaml").write_text(text)
    return folder


def test_a_row_a_run_and_the_options_that_differ(logs, capsys):
    assert main(["list", str(logs)]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip(" ─")]
    assert rows == [
        ["run", "status", "dropout", "act", "units", "lr", "test/loss", "test/elbo"],
        ["a", "finished", "on", "elu", "35", "25", "15", "5", "0.0012345678", "0.12346", "-5"],
        ["b", "diverged", "on", "relu", "9", "8", "7", "0.005", "0.12346", "NaN"],
        ["broken", "unreadable"],
        ["deep/c", "unfinished", "off", "relu", "35", "25", "15", "5", "0.0012345679"],
        ["foreign", "unreadable"],
    ]


def test_one_run_and_none(run_dir, tmp_path):
    (only,) = read_runs(run_dir)
    assert (only.name, only.status) == ("mine", "finished")
    assert only.metrics["test/loss"] == json.loads((run_dir / "metrics.json").read_text())["metrics"]["test/loss"]
    with pytest.raises(UserError, match="holds no runs"):
        read_runs(tmp_path)
    with pytest.raises(UserError, match="is not a directory"):
        read_runs(tmp_path / "nowhere")


def test_names_and_values_are_shown_as_they_are(logs, capsys):
    """Neither brackets nor the escapes of a terminal do anything."""
    (logs / "a").rename(logs / "[red]a\x1b[31m")
    (logs / "b" / "metrics.json").write_text('{"status": "[b]", "metrics": [1]}')
    assert main(["list", str(logs)]) == 0
    shown = capsys.readouterr().out
    assert "[red]a [31m" in shown
    assert " [b] " in shown


def test_it_needs_no_torch(logs):
    code = (
        "import sys; from attnae.cli import main; code = main(['list', sys.argv[1]])\n"
        "print(code, [name for name in ('torch', 'pandas', 'matplotlib', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(logs)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
