"""Whether a run is told that the machine is busy, by CPU times that the tests write: none is measured."""

import io
import os
import re
import time

import pytest
from rich.console import Console

from attnae.training import load
from attnae.training.load import OtherLoad
from attnae.training.run import train

pytestmark = pytest.mark.usefixtures("blank_pictures")

# A run of one step: several threads are slow on a busy machine, such as the one that runs the tests.
FEW = {"epochs": 1, "limit_train": 4, "limit_test": 2}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Four cores; the function lets so many seconds pass, in which cores are busy, some of them by this process."""
    now = {"seconds": 100.0, "own": 5.0, "busy": 40.0}
    monkeypatch.setattr(load, "CPU_TIMES", tmp_path / "stat")
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(time, "monotonic", lambda: now["seconds"])
    monkeypatch.setattr(time, "process_time", lambda: now["own"])

    def write():
        ticks = round(now["busy"] * os.sysconf("SC_CLK_TCK"))
        # user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice: idle and waiting cores are free.
        (tmp_path / "stat").write_text(f"cpu  {ticks - 60} 10 20 99999 777 5 5 20 0 0\ncpu0 1 2 3 4\n")

    def go_on(seconds, *, busy, own=0.0):
        now["seconds"] += seconds
        now["own"] += own * seconds
        now["busy"] += busy * seconds
        write()

    write()
    return go_on


@pytest.mark.parametrize(("busy", "own", "others"), [(0, 0, 0), (1, 1, 0), (3.0, 1.0, 2.0), (4, 0, 4)])
def test_cores_that_others_keep_busy(machine, busy, own, others):
    other_load = OtherLoad()
    machine(2.0, busy=busy, own=own)
    assert other_load.cores() == pytest.approx(others, abs=0.02)


@pytest.mark.parametrize(
    ("busy", "threads", "advice"),
    [
        (0.3, 4, None),
        (1.0, 4, "about 1.0 of the 4 cores busy. .* --threads 3"),
        (1.0, 3, None),
        (2.2, 4, "--threads 2"),
        (4.0, 2, "--threads 1"),
        (4.0, 1, None),  # one thread waits for no other
    ],
)
def test_a_run_with_more_threads_than_there_are_free_cores_is_warned(machine, busy, threads, advice):
    other_load = OtherLoad()
    machine(1.0, busy=busy)
    warning = other_load.warning(threads)
    assert warning is None if advice is None else re.search(advice, warning)


def test_nothing_is_said_if_too_little_was_measured_or_the_system_does_not_tell(machine, tmp_path):
    other_load = OtherLoad()
    machine(0.1, busy=4)
    assert other_load.cores() is None
    (tmp_path / "stat").unlink()  # as on macOS and Windows
    machine_without = OtherLoad()
    assert machine_without.cores() is None
    assert machine_without.warning(8) is None


def test_a_run_shows_the_warning_and_does_not_record_it(tiny, monkeypatch):
    monkeypatch.setattr(OtherLoad, "cores", lambda self: 1000.0)
    screen = io.StringIO()
    result = train(tiny(threads=2, **FEW), console=Console(file=screen, width=200))
    assert "use --threads 1." in screen.getvalue()
    assert "use --threads" not in (result.directory / "metrics.json").read_text()
