"""Worker processes: who dies harms nobody else, crashes are retried so often, and places are kept."""

import multiprocessing
import os
import time
from collections import Counter

import pytest
import torch

from attnae.config import RunConfig
from attnae.study import local as workers
from attnae.study.local import environments, run_locally
from tests.study.small_studies import pretend, small_design


@pytest.fixture
def pretended(monkeypatch, tmp_path):
    """Events of runs, one for each activation, by workers that only pretend."""
    monkeypatch.setattr(workers, "work", pretend)

    def go(*acts, seeds=1, places=({}, {}), retries=2):
        runs = small_design(tmp_path, {"act": acts}, range(seeds)).runs()
        return list(run_locally(runs, places=places, retries=retries, log=tmp_path / "log"))

    return go


def kinds(events, act):
    return [event.kind for event in events if f"act={act}," in event.run]


@pytest.mark.parametrize("retries", [0, 2])
def test_a_killed_worker_costs_only_its_run_which_is_retried(pretended, retries):
    events = pretended("selu", "relu", seeds=3, retries=retries)
    one = [event.kind for event in events if event.run == "act=selu,seed=1"]
    assert one == ["epoch", "retried"] * retries + ["epoch", "failed"]
    assert kinds(events, "relu") == ["epoch", "finished"] * 3
    assert "was killed by SIGKILL" in next(event.message for event in events if event.kind == "failed")


def test_a_run_killed_once_ends_well_the_second_time(pretended):
    assert kinds(pretended("tanh", "relu"), "tanh") == ["epoch", "retried", "epoch", "finished"]


@pytest.mark.parametrize("retries", [0, 1])
def test_a_run_that_raises_is_retried_by_a_fresh_process(pretended, retries):
    events = pretended("elu", "relu", retries=retries)
    crashes = [event for event in events if event.kind in ("retried", "failed")]
    assert [event.kind for event in crashes] == ["retried"] * retries + ["failed"]
    assert len({event.message for event in crashes}) == retries + 1
    assert all(event.message.startswith("ValueError: in process") for event in crashes)
    assert kinds(events, "relu") == ["epoch", "finished"]


def test_workers_live_for_many_runs_each_in_its_place(pretended, tmp_path):
    pretended("mish", seeds=6, places=({"PLACE": "a"}, {"PLACE": "b"}))
    places = Counter(path.read_text() for path in tmp_path.glob("*-environment"))
    assert set(places) == {"a", "b"}
    assert places.total() == 6


def test_closing_stops_the_workers(monkeypatch, tmp_path):
    monkeypatch.setattr(workers, "work", pretend)
    runs = small_design(tmp_path, {"act": ("mish",)}, range(50)).runs()
    before = set(multiprocessing.active_children())
    events = run_locally(runs, places=[{"PLACE": "a"}] * 2, retries=0, log=tmp_path / "log")
    next(events)
    started = set(multiprocessing.active_children()) - before
    assert len(started) == 2
    begin = time.monotonic()
    events.close()
    assert time.monotonic() - begin < 10
    assert not any(process.is_alive() for process in started)


def test_without_a_gpu_workers_share_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert environments(RunConfig(threads=1), None, 1) == [{}] * 8
    assert environments(RunConfig(threads=3), None, 1) == [{}] * 2
    assert environments(RunConfig(threads=16), None, 1) == [{}]
    assert environments(RunConfig(threads=1), 3, 1) == [{}] * 3


@pytest.mark.parametrize(("visible", "names"), [(None, ["0", "1"]), ("4,7", ["4", "7"])])
def test_with_gpus_each_is_shared_by_so_many(monkeypatch, visible, names):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    def seen(workers, runs_per_gpu, accelerator="auto"):
        found = environments(RunConfig(threads=1, accelerator=accelerator), workers, runs_per_gpu)
        return sorted(place.get("CUDA_VISIBLE_DEVICES", "") for place in found)

    assert seen(None, 1) == names
    assert seen(None, 3) == sorted(names * 3)
    assert seen(3, 1) == sorted([*names, names[0]])
    assert set(seen(None, 1, accelerator="cpu")) == {""}
