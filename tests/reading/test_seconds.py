"""How long a run of event files took, by the wall times of the events."""

from __future__ import annotations

import json
import math

import pytest

from attnae.reading.read import read_logs
from tests.reading.event_logs import EventFile


def session(begin: float, *steps: tuple[int, float]) -> EventFile:
    """An event file opened at `begin`, with one event for each step and the seconds since then."""
    file = EventFile(wall_time=begin)
    for step, after in steps:
        file.wall_time = begin + after - 1
        file.scalar("loss", 1 / (1 + step), step)
    return file


def seconds_of(directory) -> float:
    (run,) = read_logs(directory)
    return run.seconds


def test_from_the_first_event_to_the_last(tmp_path) -> None:
    session(1e9, (1, 10.0), (2, 30.0), (3, 42.5)).hparams({"lr": 0.1}).write(tmp_path / "run")
    assert seconds_of(tmp_path) == pytest.approx(43.5)


def test_what_lies_between_two_sessions_is_no_training(tmp_path) -> None:
    session(1e9, (1, 10.0), (2, 20.0)).write(tmp_path / "run")
    session(1e9 + 7 * 86400, (3, 15.0), (4, 25.0)).write(tmp_path / "run", number=1)
    assert seconds_of(tmp_path) == pytest.approx(20 + 25)


def test_files_written_side_by_side_count_once(tmp_path) -> None:
    session(1e9, (1, 10.0), (2, 40.0)).hparams({"lr": 0.1}).write(tmp_path / "run")
    session(1e9 + 5, (1, 10.0), (2, 45.0)).write(tmp_path / "run" / "validation")
    assert seconds_of(tmp_path) == pytest.approx(50)


def test_a_result_of_one_step_tells_nothing(tmp_path) -> None:
    session(1e9, (7, 10.0)).scalar("other", 1.0, 7).write(tmp_path / "run")
    assert math.isnan(seconds_of(tmp_path))


@pytest.mark.parametrize("begin", [-5.0, 0.0, math.nan, math.inf])
def test_impossible_wall_times_are_unknown(begin, tmp_path) -> None:
    file = EventFile(wall_time=begin).scalar("loss", 1.0, 1)
    file.wall_time = 1e9
    file.scalar("loss", 2.0, 2).write(tmp_path / "run")
    assert math.isnan(seconds_of(tmp_path))


def test_the_time_that_a_run_recorded_itself_comes_first(tmp_path) -> None:
    session(1e9, (1, 10.0), (2, 20.0)).write(tmp_path / "run")
    (tmp_path / "run" / "metrics.json").write_text(json.dumps({"wall_time_s": 33.25}))
    assert seconds_of(tmp_path) == 33.25
    (tmp_path / "run" / "metrics.json").write_text(json.dumps({"wall_time_s": "long"}))
    assert seconds_of(tmp_path) == pytest.approx(20)


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("events.out.tfevents.1700000000.node-1.cluster.12.0", "node-1.cluster"),
        ("events.out.tfevents.1700000000.node-1", "node-1"),
        ("events.out.tfevents.1700000000.node-1.12.34.v2", "node-1"),
    ],
)
def test_the_machine_is_in_the_name_of_the_file(name, host, tmp_path) -> None:
    path = session(1e9, (1, 1.0), (2, 2.0)).write(tmp_path / "run")
    path.rename(path.with_name(name))
    (run,) = read_logs(tmp_path)
    assert run.details == {"host": host}
