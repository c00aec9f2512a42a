"""A half fraction is trained, analysed with its aliases named, and completed to the study of all combinations."""

import os

import pytest
import yaml

from attnae.cli import analyze_command
from attnae.config import RunConfig
from attnae.study.file import read_design, read_study_file
from attnae.study.state import STUDY
from tests.conftest import ROOT, TINY
from tests.study.small_studies import run_quietly, table


def planned(folder, name, content):
    """A study of runs of about a second."""
    path = folder / "study_of_mine.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    options = {option: value for option, value in TINY.items() if option not in content["factors"]}
    return read_study_file(path).design(RunConfig(**{**options, "epochs": 1, "log_dir": folder, "name": name}))


def trained(design):
    code, output = run_quietly(design)
    assert code == 0, output
    return output


@pytest.mark.slow
def test_a_half_of_the_factorial_is_analysed_with_its_aliases(tmp_path, capsys):
    content = yaml.safe_load((ROOT / "configs" / "half.yaml").read_text())
    half = planned(tmp_path, "half", content)
    assert "16 runs: 16 finished" in trained(half)
    assert analyze_command([str(half.directory), "--out", str(tmp_path / "report"), "--full"]) == 0
    report = " ".join(capsys.readouterr().out.split())
    for names in (
        ("batch_norm", "dropout", "spatial_attention", "act"),
        ("batch_norm", "spatial_attention", "dropout", "act"),
        ("batch_norm", "act", "dropout", "spatial_attention"),
    ):
        first, second = sorted(names[:2]), sorted(names[2:])
        assert f"{':'.join(first)} is aliased with {':'.join(second)}" in report or (
            f"{':'.join(second)} is aliased with {':'.join(first)}" in report
        )


@pytest.mark.slow
def test_a_half_is_completed_by_the_other_half(tmp_path):
    """Only the missing runs are trained, and the study equals one that was complete from the start."""
    factors = {"batch_norm": [False, True], "spatial_attention": [False, True], "act": ["elu", "relu"]}
    half = planned(tmp_path, "grown", {"factors": factors, "fraction": "1/2"})
    trained(half)
    before = table(half.directory)
    times = {path: os.stat(path).st_mtime_ns for path in half.directory.glob("*/metrics.json")}
    assert len(before) == len(times) == 4

    whole = planned(tmp_path, "grown", {"factors": factors})
    assert "4 ended before" in trained(whole)
    grown = table(whole.directory)
    assert len(grown) == 8
    assert {name: grown[name] for name in before} == before
    assert {path: os.stat(path).st_mtime_ns for path in times} == times
    recorded = read_design(whole.directory / STUDY)
    assert [run.name for run in recorded.runs()] == [run.name for run in whole.runs()]

    at_once = planned(tmp_path, "at_once", {"factors": factors})
    trained(at_once)
    assert table(at_once.directory) == grown
