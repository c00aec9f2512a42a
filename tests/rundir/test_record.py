"""metrics.json records where the numbers of a run come from, and the report passes it on."""

import json
import platform
import subprocess
from importlib import metadata

import pytest
import torch

from attnae.cli import analyze_command
from attnae.rundir import record
from attnae.rundir.directory import read_metrics
from attnae.training.run import train

pytestmark = pytest.mark.usefixtures("blank_pictures", "blank_figures")


def test_origin_is_recorded_and_reported_and_mixed_versions_give_a_warning(tiny, capsys):
    runs = [
        train(tiny(name=f"{act}{seed}", act=act, seed=seed, epochs=1)) for act in ("elu", "relu") for seed in (1, 2)
    ]
    found = [read_metrics(run.directory) for run in runs]
    for content, seed in zip(found, (1, 2, 1, 2), strict=True):
        assert content["versions"]["torch"] == metadata.version("torch")
        assert content["versions"]["python"] == platform.python_version()
        assert content["seed"] == seed
        assert content["git_commit"] == record.git_commit()
        assert content["host"] == record.host(torch.device("cpu"))
        assert content["status"] == "finished"
        assert content["wall_time_s"] > 0
    sums = [content["dataset"]["sha256"] for content in found]
    assert sums[0] == sums[2]
    assert sums[0] != sums[1]  # another seed has another validation split

    found[0]["versions"]["torch"] = "1.0"
    (runs[0].directory / "metrics.json").write_text(json.dumps(found[0]))
    log_dir = runs[0].directory.parent
    assert analyze_command([str(log_dir), "--permutations", "99"]) == 0
    assert "runs have different values of versions/torch" in " ".join(capsys.readouterr().out.split())
    report = json.loads((log_dir / "analysis" / "report.json").read_text())
    assert report["provenance"]["runs"]["versions/torch"] == {metadata.version("torch"): 3, "1.0": 1}
    assert report["provenance"]["runs"]["dataset/name"] == {"digits": 4}
    assert "versions/torch" in (log_dir / "analysis" / "report.html").read_text()


def test_commit_is_marked_if_files_differ_from_it(tmp_path, monkeypatch):
    package = tmp_path / "attnae" / "rundir" / "record.py"
    package.parent.mkdir(parents=True)
    package.touch()
    monkeypatch.setattr(record, "__file__", str(package))
    assert record.git_commit() is None

    def git(*args):
        who = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", "-C", str(tmp_path), *who, *args], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    assert record.git_commit() == git("rev-parse", "HEAD")
    package.write_text("changed")
    assert record.git_commit() == git("rev-parse", "HEAD") + "+changes"
