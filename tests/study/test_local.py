"""Local workers: one that dies harms nobody else, crashes are retried so often, and each worker has its place."""

import os
import subprocess
import sys
from collections import Counter

import pytest
import torch

from attnae.config import RunConfig
from attnae.study import local
from attnae.study.attempt import DIED, read_attempt
from attnae.study.local import LocalWorkers, environments
from attnae.study.state import lock_study, prepare_runs, read_state
from attnae.study.worker import WorkOptions
from tests.study.small_studies import small_design, wait_for

# A worker whose runs do what the activation of their cell says. relu: ends well. elu: raises. selu: is killed. tanh: is
# killed the first time. mish: writes its environment.
PRETEND = """
import os, signal, sys, time
from attnae.rundir.directory import write_metrics
from attnae.study import worker

def train(run, attempt):
    act, marker = run.cell["act"], run.directory / "marker"
    if act == "elu":
        raise ValueError(f"in process {attempt.process}")
    if act == "selu" or (act == "tanh" and not marker.exists()):
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "mish":
        (run.directory / "environment").write_text(os.environ["PLACE"])
        (run.directory.parent / f".at-work-{os.getpid()}").touch()
        while len(list(run.directory.parent.glob(".at-work-*"))) < 2:  # so that one worker does not take all
            time.sleep(0.02)
        time.sleep(0.5)  # so that they do not take all 50 before a test looks
    write_metrics(run.directory, {"status": "finished"})
    return "finished"

worker._train = train
# After a crash, this program takes its own place again.
worker.worker_process = lambda options: ([*sys.orig_argv[:3], options.to_json()], dict(os.environ))
sys.exit(worker.main())
"""


@pytest.fixture
def workers(monkeypatch, tmp_path):
    """Starts workers that only pretend to train, for runs of which each has another activation."""

    def process(options):
        from attnae.study.worker import worker_process

        command, environment = worker_process(options)
        return [sys.executable, "-c", PRETEND, command[-1]], environment

    monkeypatch.setattr(local, "worker_process", process)

    def start(*acts, seeds=1, places=({}, {}), retries=2):
        design = small_design(tmp_path, {"act": acts}, range(seeds))
        with lock_study(design):
            prepare_runs(design.runs())
        return design.runs(), LocalWorkers(design.runs(), places, WorkOptions(design.directory, retries=retries))

    return start


def finish(team):
    wait_for(lambda: not team.at_work())


def statuses(runs):
    return [read_state(run).status for run in runs]


@pytest.mark.parametrize("retries", [0, 1])
def test_a_killed_worker_costs_only_its_run_which_is_retried(workers, retries):
    runs, team = workers("selu", "relu", seeds=2, retries=retries)
    finish(team)
    assert Counter(statuses(runs)) == {"waiting": 2, "finished": 2}
    for run in runs:
        attempt = read_attempt(run.directory)
        if run.cell["act"] == "selu":
            assert attempt.crashes == retries + 1
            # Whoever notices first records it: the parent, or the other worker.
            assert attempt.message in ("its process was killed by SIGKILL", DIED)
        else:
            assert attempt is None


def test_a_run_killed_once_ends_well_the_second_time(workers):
    runs, team = workers("tanh", "relu")
    finish(team)
    assert statuses(runs) == ["finished", "finished"]
    assert [read_attempt(run.directory) for run in runs] == [None, None]


@pytest.mark.parametrize("retries", [0, 1])
def test_a_run_that_raises_is_retried_and_its_traceback_is_kept(workers, retries):
    runs, team = workers("elu", "relu", retries=retries)
    finish(team)
    assert statuses(runs) == ["waiting", "finished"]
    attempt = read_attempt(runs[0].directory)
    assert attempt.crashes == retries + 1
    assert attempt.message.startswith("ValueError: in process")
    log = (runs[0].directory.parent / "workers.log").read_text()
    assert log.count("Traceback (most recent call last)") == retries + 1


def test_workers_train_many_runs_each_in_its_place(workers):
    runs, team = workers("mish", seeds=6, places=({"PLACE": "a"}, {"PLACE": "b"}))
    finish(team)
    places = Counter((run.directory / "environment").read_text() for run in runs)
    assert set(places) == {"a", "b"}
    assert places.total() == 6


def test_stopping_ends_the_workers(workers):
    runs, team = workers("mish", seeds=50, places=[{"PLACE": "a"}] * 2)
    processes = [process for _, process in team.processes]
    wait_for(lambda: "finished" in statuses(runs))
    team.stop()
    assert len(processes) == 2
    assert all(process.poll() is not None for process in processes)
    assert "waiting" in statuses(runs)


def test_workers_that_cannot_start_are_not_started_for_ever(workers, monkeypatch):
    started = []

    def broken(options):
        started.append(options)
        return [sys.executable, "-c", "raise SystemExit(3)"], dict(os.environ)

    monkeypatch.setattr(local, "worker_process", broken)
    runs, team = workers("relu")
    finish(team)
    assert len(started) == 1
    assert statuses(runs) == ["waiting"]


def test_workers_end_with_their_parent(tmp_path):
    """Its death by kill -9 is noticed."""
    design = small_design(tmp_path, {"act": ("relu",)}, epochs=10_000)
    with lock_study(design):
        prepare_runs(design.runs())
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom attnae.study.local import LocalWorkers\n"
        "from attnae.study.worker import WorkOptions, planned_runs\n"
        "directory = Path(sys.argv[1])\n"
        "team = LocalWorkers(planned_runs(directory), [{}], WorkOptions(directory))\n"
        "print(team.processes[0][1].pid, flush=True)\ntime.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, design.directory], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    directory = design.runs()[0].directory
    wait_for(lambda: (attempt := read_attempt(directory)) is not None and attempt.epoch > 0)
    parent.kill()
    parent.communicate()
    wait_for(lambda: not alive(worker))
    assert read_attempt(directory).process == ""  # given back, so it is no crash


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


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
