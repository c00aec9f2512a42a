"""The name, the lock and the metrics.json of a run."""

import json
import math
import os
import stat

import pytest
from filelock import FileLock, Timeout

from attnae.config import RunConfig
from attnae.errors import UserError
from attnae.files import write_atomically, write_text
from attnae.rundir.directory import (
    LOCK,
    check_place,
    locked,
    make_run_directory,
    read_metrics,
    read_unfinished,
    write_metrics,
)


def test_default_name_is_made_of_what_differs(tmp_path):
    config = RunConfig(log_dir=tmp_path, spatial_attention=True, batch_norm=False, act="elu", units=(8, 4, 2), seed=3)
    assert make_run_directory(config).name == "spatial_attention,no_batch_norm,act=elu,units=8-4-2,seed=3"
    assert make_run_directory(RunConfig(log_dir=tmp_path)).name == "seed=768"


def test_default_names_are_unique(tmp_path):
    config = RunConfig(log_dir=tmp_path)
    assert [make_run_directory(config).name for _ in range(3)] == ["seed=768", "seed=768-2", "seed=768-3"]


def test_long_name_is_shortened_and_keeps_its_seed(tmp_path):
    config = RunConfig(log_dir=tmp_path, units=tuple(range(100, 1, -1)))
    name = make_run_directory(config).name
    assert len(name) <= 160
    assert name.endswith("seed=768")
    other = make_run_directory(config.replace(units=tuple(range(101, 1, -1)))).name
    assert other != name


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("finished", "already holds a run that finished"),
        ("diverged", "already holds a run that diverged"),
        ("unfinished", "--resume"),
    ],
)
def test_taken_name_is_refused(tmp_path, status, message):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "config.yaml").touch()
    write_metrics(tmp_path / "a", {"status": status})
    with pytest.raises(UserError, match=message):
        make_run_directory(RunConfig(log_dir=tmp_path, name="a"))


def test_other_directory_is_refused_and_empty_one_is_used(tmp_path):
    (tmp_path / "a").mkdir()
    assert make_run_directory(RunConfig(log_dir=tmp_path, name="a")) == tmp_path / "a"
    (tmp_path / "a" / ".lock").touch()
    assert make_run_directory(RunConfig(log_dir=tmp_path, name="a")) == tmp_path / "a"
    (tmp_path / "a" / "notes.txt").touch()
    with pytest.raises(UserError, match="holds no run"):
        make_run_directory(RunConfig(log_dir=tmp_path, name="a"))


def test_log_dir_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written to"):
        make_run_directory(RunConfig(log_dir=tmp_path / "file" / "logs"))
    with pytest.raises(UserError, match="cannot be written to"):
        make_run_directory(RunConfig(log_dir=tmp_path / ("x" * 300)))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_checking_the_place_of_a_run_writes_nothing(tmp_path):
    (tmp_path / "old" / "run").mkdir(parents=True)
    for log_dir, name in (("new/deep", None), ("new/deep", "mine"), ("old", None), ("old", "run")):
        check_place(RunConfig(log_dir=tmp_path / log_dir, name=name))
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == ["old", "old/run"]
    (tmp_path / "old" / "run" / "notes.txt").touch()
    with pytest.raises(UserError, match="holds no run"):
        check_place(RunConfig(log_dir=tmp_path / "old", name="run"))


def test_read_only_log_dir_is_found_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(UserError, match=f"{tmp_path} is read-only"):
        check_place(RunConfig(log_dir=tmp_path / "logs"))


def test_lock_is_exclusive_and_released(tmp_path):
    other = FileLock(tmp_path / LOCK)  # as another process has it: that of `locked` is one for the whole process
    with other, pytest.raises(UserError, match="another process"), locked(tmp_path):
        pass
    with locked(tmp_path), pytest.raises(Timeout):
        other.acquire(timeout=0)
    with other.acquire(timeout=0):
        pass


def test_only_unfinished_runs_are_resumed(tmp_path):
    with pytest.raises(UserError, match=r"no config\.yaml"):
        read_unfinished(tmp_path)
    (tmp_path / "config.yaml").write_text("act: elu\n")
    assert read_unfinished(tmp_path).act == "elu"
    for status in ("finished", "diverged"):
        write_metrics(tmp_path, {"status": status})
        with pytest.raises(UserError, match=status):
            read_unfinished(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"null", b"[" * 100_000])
def test_damaged_metrics_are_ignored(tmp_path, content):
    (tmp_path / "metrics.json").write_bytes(content)
    assert read_metrics(tmp_path) == {}


def test_metrics_json_is_json_also_with_nan(tmp_path):
    write_metrics(tmp_path, {"metrics": {"a": math.nan, "b": -math.inf, "c": 1.5}})

    def no_constants(name):
        raise AssertionError(name)

    content = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=no_constants)
    assert content == {"metrics": {"a": "nan", "b": "-inf", "c": 1.5}}


def test_atomic_writing_keeps_the_old_file_where_it_fails(tmp_path):
    path = tmp_path / "file"
    write_text(path, "old")

    def fail_half_way():
        with write_atomically(path) as file:
            file.write(b"half")
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        fail_half_way()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    write_text(path, "new")
    assert path.read_text() == "new"


def test_atomic_writing_follows_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "file", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
