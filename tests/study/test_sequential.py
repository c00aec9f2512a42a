"""`--until decided`: planned looks, by whoever finishes a replicate, with the same decision however often it stops."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from attnae.analysis.inference.looks import planned_look
from attnae.errors import UserError
from attnae.rundir.directory import write_metrics
from attnae.study import worker
from attnae.study.design import Until
from attnae.study.file import read_design, until_decided
from attnae.study.sequential import (
    advance,
    least_negligible,
    open_runs,
    opening,
    read_looks,
    summary,
)
from attnae.study.state import STUDY, check_record, lock_study, prepare_runs, read_state
from attnae.study.worker import Crash, WorkOptions, work
from attnae.tags import LOOKS
from tests.study.small_studies import run_quietly, small_design

SWITCHES = {"spatial_attention": (False, True), "dropout": (False, True)}
ACTS = {"act": ("elu", "relu", "selu"), "dropout": (False, True)}

# A worker whose runs end at once with the loss that `pretend` gives them.
PRETEND = """
import sys, time
from attnae.study import worker
from tests.study.test_sequential import pretend

worker._train = lambda run, attempt: time.sleep(0.02) or pretend(run)
sys.exit(worker.main())
"""


def loss(run, attention=-1.0, relu=0.0):
    """A loss that depends on the cell and, as noise of SD 0.3, on the seed."""
    noise = np.random.default_rng(run.config.seed).standard_normal()
    effects = attention * run.config.spatial_attention + relu * (run.config.act == "relu")
    return 5.0 + effects + 0.3 * noise


def pretend(run, attempt=None, **effects):
    write_metrics(run.directory, {"status": "finished", "metrics": {"test/loss": loss(run, **effects)}})
    return "finished"


@pytest.fixture
def trainer(monkeypatch):
    """Training is only pretended; the effects can be set."""

    def set_to(**effects):
        monkeypatch.setattr(worker, "_train", lambda run, attempt: pretend(run, **effects))

    set_to()
    return set_to


def sequential(folder, factors=SWITCHES, *, most=10, of_interest=None, negligible=0.5):
    until = until_decided(factors, of_interest=of_interest, negligible=negligible, replicates=most)
    design = replace(small_design(folder / "logs", factors, (), replicates=most, seed=1), until=until)
    with lock_study(design):
        prepare_runs(open_runs(design))
    return design


def ended(design):
    return [run for run in design.runs() if read_state(run).status in ("finished", "diverged")]


def written(design):
    return json.loads((design.directory / LOOKS).read_text())


def test_training_stops_at_the_first_look_at_which_all_factors_are_decided(tmp_path, trainer):
    design = sequential(tmp_path)
    lines = []
    work(WorkOptions(design.directory), lines.append)
    found = written(design)
    last = found["looks"][-1]
    assert [look["replicates"] for look in found["looks"]] == list(range(3, last["replicates"] + 1))
    assert last["replicates"] < 10
    assert found["stop"] == "every factor of interest is decided"
    verdicts = [{name: values["verdict"] for name, values in look["factors"].items()} for look in found["looks"]]
    assert verdicts[-1] == {"spatial_attention": "helps", "dropout": "negligible"}
    assert all("undetermined" in earlier.values() for earlier in verdicts[:-1])
    assert len(ended(design)) == 4 * last["replicates"]
    assert {run.repeat for run in ended(design)} == set(range(1, last["replicates"] + 1))
    assert lines[-1] == "stop: every factor of interest is decided"
    assert f"look after {last['replicates']} replicates: spatial_attention helps, dropout negligible" in lines
    assert work(WorkOptions(design.directory)) == 0  # nothing is left


def test_looks_are_the_planned_looks_at_the_effects_of_each_replicate(tmp_path, trainer):
    design = sequential(tmp_path)
    work(WorkOptions(design.directory))
    last = written(design)["looks"][-1]
    y = np.array([loss(run) for run in ended(design)], dtype=np.float32).astype(float).reshape(-1, 2, 2)
    attention, dropout = (y[:, 1] - y[:, 0]).mean(axis=1), (y[:, :, 1] - y[:, :, 0]).mean(axis=1)
    look = planned_look(np.stack([attention, dropout], axis=1), planned=10, negligible=0.5)
    for place, row in enumerate(last["effects"]):
        assert row["factor"] == ["spatial_attention", "dropout"][place]
        assert row["estimate"] == pytest.approx(look.estimate[place])
        assert row["p_planned"] == pytest.approx(look.p[place])
        ends = row["ci_low_planned"], row["ci_high_planned"]
        assert ends == pytest.approx((look.ci_low[place], look.ci_high[place]))
        assert row["p_negligible"] == pytest.approx(look.p_negligible[place])
    holm = [row["p_holm"] for row in last["effects"]]
    assert holm[0] == pytest.approx(min(1, 2 * look.p[0]))
    assert holm[1] == pytest.approx(max(holm[0], look.p[1]))
    assert written(design) | {"looks": []} == {
        "schema": "attnae-looks",
        "planned": 10,
        "cells": 4,
        "alpha": 0.05,
        "response": "test/loss",
        "factors_of_interest": ["spatial_attention", "dropout"],
        "negligible": 0.5,
        "looks": [],
        "problem": "",
        "stop": "every factor of interest is decided",
    }


def test_factors_of_interest_alone_decide(tmp_path, trainer):
    """Without --negligible dropout, which has no effect, is never decided."""
    one = sequential(tmp_path / "one", of_interest=["spatial_attention"], negligible=None)
    work(WorkOptions(one.directory))
    assert written(one)["stop"] == "every factor of interest is decided"
    both = sequential(tmp_path / "both", most=6, negligible=None)
    work(WorkOptions(both.directory))
    assert written(both)["stop"] == "the largest number of replicates is reached"
    assert len(ended(both)) == 24
    assert written(both)["looks"][-1]["factors"]["dropout"]["verdict"] == "undetermined"


def test_many_levels_are_decided_when_they_differ(tmp_path, trainer):
    trainer(relu=8.0)
    design = sequential(tmp_path, ACTS)
    work(WorkOptions(design.directory))
    last = written(design)["looks"][-1]
    assert last["factors"]["act"]["verdict"] == "matters"
    words = {row["level"]: row["verdict"] for row in last["effects"] if row["factor"] == "act"}
    assert words["relu"] == "worse"
    assert any("act" in line and "decided when they differ" in line for line in opening(design))


@pytest.mark.parametrize("share", [1, 5])
def test_interrupted_after_any_run_it_decides_the_same(tmp_path, trainer, share):
    whole = sequential(tmp_path / "whole")
    work(WorkOptions(whole.directory))
    parts = sequential(tmp_path / "parts")
    while work(WorkOptions(parts.directory, max_runs=share)):
        pass
    assert written(parts) == written(whole)
    assert [run.name for run in ended(parts)] == [run.name for run in ended(whole)]


def test_a_worker_that_dies_before_its_look_leaves_it_to_the_next(tmp_path, trainer, monkeypatch):
    whole = sequential(tmp_path / "whole")
    work(WorkOptions(whole.directory))
    design = sequential(tmp_path / "parts")
    with monkeypatch.context() as patch:
        patch.setattr(worker.Queue, "advance", lambda self, tell: False)
        work(WorkOptions(design.directory))
    assert len(ended(design)) == 12
    assert not (design.directory / LOOKS).exists()
    assert next(line.partition(":")[0] for line in advance(design)) == "look after 3 replicates"
    work(WorkOptions(design.directory))
    assert written(design) == written(whole)


def test_looks_that_were_deleted_are_taken_again(tmp_path, trainer):
    design = sequential(tmp_path)
    work(WorkOptions(design.directory))
    before = written(design)
    (design.directory / LOOKS).write_text("{")
    with pytest.raises(UserError, match=r"looks\.json is damaged: delete it"):
        read_looks(design.directory)
    (design.directory / LOOKS).unlink()
    assert advance(design)
    assert written(design) == before


@pytest.mark.slow
def test_two_workers_take_each_look_once(tmp_path, trainer):
    alone = sequential(tmp_path / "alone")
    work(WorkOptions(alone.directory))
    design = sequential(tmp_path / "both")
    options = WorkOptions(design.directory).to_json()
    both = [
        subprocess.Popen([sys.executable, "-c", PRETEND, options], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    lines = [line for process in both for line in process.communicate()[0].splitlines()]
    assert [process.returncode for process in both] == [0, 0]
    assert written(design) == written(alone)
    looks = [line for line in lines if line.startswith("look after")]
    assert len(looks) == len(set(looks)) == len(written(design)["looks"])
    taken = [line for line in lines if line.startswith("training")]
    assert len(taken) == len(set(taken)) == len(ended(design))


def test_a_replicate_with_a_diverged_run_ends_the_looks(tmp_path, trainer, monkeypatch):
    design = sequential(tmp_path, negligible=0.01, most=5)
    [lost] = [run.name for run in design.runs() if run.repeat == 4 and run.cell == design.cells()[1]]

    def diverge(run, attempt):
        if run.name != lost:
            return pretend(run)
        write_metrics(run.directory, {"status": "diverged", "reason": "NaN"})
        return "diverged"

    monkeypatch.setattr(worker, "_train", diverge)
    lines = []
    work(WorkOptions(design.directory), lines.append)
    found = written(design)
    assert [look["replicates"] for look in found["looks"]] == [3]
    assert (found["problem"], found["stop"]) == (f"{lost} has no result", "")
    assert f"no early stop: {lost} has no result" in lines
    assert len(ended(design)) == 20
    [line] = summary(design)
    assert line.startswith(f"No early stop: {lost} has no result")


def test_a_replicate_with_a_failed_run_is_looked_at_once_it_has_ended(tmp_path, trainer, monkeypatch):
    design = sequential(tmp_path)
    with monkeypatch.context() as patch:

        def fail(run, attempt):
            if run.repeat == 2 and run.cell == design.cells()[0]:
                raise ZeroDivisionError("once")
            return pretend(run)

        patch.setattr(worker, "_train", fail)
        with pytest.raises(Crash):
            work(WorkOptions(design.directory, retries=0))
        work(WorkOptions(design.directory, retries=0))
    assert len(ended(design)) == 11
    assert not (design.directory / LOOKS).exists()
    work(WorkOptions(design.directory, retries=2))
    assert written(design)["stop"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"replicates": 12}, "max_replicates was 10 and is 12"),
        ({"until": Until(("dropout",), 0.5)}, "factors_of_interest were spatial_attention, dropout and are dropout"),
        ({"until": Until(("spatial_attention", "dropout"), 0.4)}, "negligible was 0.5 and is 0.4"),
        ({"until": Until(("spatial_attention", "dropout"))}, "negligible was 0.5 and is None"),
        ({"until": None}, "has to be planned before the first run, and the study was planned with it"),
        ({"until": None, "replicates": 0, "seeds": (1, 2, 3)}, "the study was planned with it"),
    ],
)
def test_the_plan_never_changes(tmp_path, change, message):
    design = sequential(tmp_path)
    check_record(design)
    assert read_design(design.directory / STUDY).until == design.until
    with pytest.raises(UserError) as error:
        check_record(replace(design, **change))
    assert message in str(error.value)
    assert "continue it with --study" in str(error.value)


def test_a_plan_cannot_be_made_afterwards_and_its_cells_are_fixed(tmp_path):
    plain = small_design(tmp_path / "logs", SWITCHES, (), replicates=10)
    with lock_study(plain):
        pass
    planned = replace(plain, until=Until(("dropout",)))
    with pytest.raises(UserError, match="before the first run, and the study was planned without it"):
        check_record(planned)
    design = sequential(tmp_path / "other", ACTS)
    wider = replace(design, factors={**ACTS, "act": ("elu", "relu", "selu", "tanh")})
    with pytest.raises(UserError, match="its cells were fixed before the first run, and there are new ones"):
        check_record(wider)


@pytest.mark.parametrize(
    ("factors", "options", "message"),
    [
        (SWITCHES, {"of_interest": ["act"]}, "--factors-of-interest act: choose from spatial_attention, dropout"),
        (SWITCHES, {"negligible": 0.0}, "--negligible 0.0: choose a positive number"),
        (SWITCHES, {"replicates": 2}, "--max-replicates 2: must be at least 3"),
        ({"act": ("elu",)}, {}, "no factor has two levels"),
    ],
)
def test_a_plan_that_cannot_work_is_refused(factors, options, message):
    with pytest.raises(UserError) as error:
        until_decided(factors, **{"of_interest": None, "negligible": None, "replicates": 10, **options})
    assert message in str(error.value)


def test_what_can_be_negligible_depends_on_the_number_of_replicates():
    """With an estimate of 0 after 20 replicates, the bound is t[1 - 0.0225, 19] standard errors away."""
    assert least_negligible(20) == pytest.approx(2.15 / np.sqrt(20), abs=0.02)
    assert least_negligible(10) > least_negligible(20)


@pytest.mark.slow
def test_train_py_shows_the_looks_and_says_why_it_stopped(tmp_path, trainer, monkeypatch):
    from attnae.study import local

    def process(options):
        command, environment = worker.worker_process(options)
        return [sys.executable, "-c", PRETEND, command[-1]], environment

    monkeypatch.setattr(local, "worker_process", process)
    alone = sequential(tmp_path / "alone")
    work(WorkOptions(alone.directory))
    looks = written(alone)["looks"]
    runs = 4 * looks[-1]["replicates"]
    design = replace(alone, base=alone.base.replace(log_dir=tmp_path / "logs", dataset="digits"))
    code, output = run_quietly(design, workers=2)
    assert code == 0
    assert written(design)["looks"] == looks
    assert "4 cells x 3 to 10 replicates = 12 to 40 runs, 0 ended before" in output
    assert "training stops when spatial_attention, dropout are decided" in output
    for look in looks:
        assert output.count(f"look after {look['replicates']} replicates: ") == 1
    assert f"{runs} runs: {runs} finished, 0 failed, 0 diverged" in output
    assert f"Training stopped after {looks[-1]['replicates']} replicates: every factor of interest is dec" in output
    assert "spatial_attention = True: test/loss -" in output
    assert "estimates of effects that were found tend to be too large" in output
    code, again = run_quietly(design, workers=2)
    assert code == 0
    assert f"{runs} ended before" in again
    assert summary(design)[-1] in again
