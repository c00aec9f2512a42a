"""The stores of MLflow and Optuna: what was written is read, and nothing that a stranger put there is executed."""

import json
import math
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime, timezone

import numpy as np
import pytest

from attnae.errors import UserError
from attnae.reading import sqlite
from attnae.reading.mlflow.content import setting
from attnae.reading.optuna.content import decode
from attnae.reading.read import read_logs
from attnae.reading.run import DIVERGED, FAILED, FINISHED, PRUNED, UNFINISHED
from tests.reading.checks import check_effects, check_runs, identity
from tests.reading.damage import cut, flipped, runs_or_mistake
from tests.reading.experiment import LOSS, experiment
from tests.reading.stores import (
    STARTED_MS,
    write_mlflow_database,
    write_mlflow_files,
    write_optuna_database,
    write_optuna_journal,
)

MLFLOW_STATUSES = {"finished": FINISHED, "failed": FAILED, "pruned": FAILED}
OPTUNA_STATUSES = {"finished": FINISHED, "failed": FAILED, "pruned": PRUNED, "NaN": DIVERGED}
STORES = {
    "mlflow.db": (write_mlflow_database, MLFLOW_STATUSES),
    "mlruns": (write_mlflow_files, MLFLOW_STATUSES),
    "optuna.db": (write_optuna_database, OPTUNA_STATUSES),
    "optuna.log": (write_optuna_journal, OPTUNA_STATUSES),
}
FILES = [name for name in STORES if name != "mlruns"]


def written(name, folder):
    return STORES[name][0](folder / name)


@pytest.mark.parametrize("inside", [False, True], ids=["the store itself", "a directory that holds it"])
@pytest.mark.parametrize("name", STORES)
def test_settings_series_statuses_and_seeds_are_those_written(tmp_path, name, inside):
    path = written(name, tmp_path)
    runs = read_logs(path.parent if inside else path)
    check_runs(runs, statuses=STORES[name][1])
    assert {run.group for run in runs} == {"small"}
    assert {run.format for run in runs} == {"MLflow" if name.startswith("ml") else "Optuna"}
    assert len({run.name for run in runs}) == len(runs)
    assert all(run.seconds == pytest.approx(5.5 if name.startswith("ml") else 60.5) for run in runs)


@pytest.mark.parametrize("name", STORES)
def test_the_effects_are_those_from_event_files(tmp_path, name):
    check_effects(written(name, tmp_path), tmp_path)


def test_mlflow_names_and_times(tmp_path):
    for name in ("mlflow.db", "mlruns"):
        runs = {run.name: run for run in read_logs(written(name, tmp_path))}
        assert set(runs) == {f"run-{number}" for number in range(len(experiment()))}
        assert runs["run-7"].started == STARTED_MS / 1000 + 7


def test_mlflow_runs_of_one_name_keep_their_ids(tmp_path):
    path = written("mlflow.db", tmp_path)
    with closing(sqlite3.connect(path)) as store:
        store.execute("UPDATE runs SET name = 'same'")
        store.commit()
    names = [run.name for run in read_logs(path)]
    assert len(set(names)) == len(names) == len(experiment())
    assert all(name.startswith("same (") for name in names)


def test_mlflow_files_of_other_versions(tmp_path):
    """Old lines have no step, new ones a data set; names may hold a slash; the last value written for a step counts."""
    directory = next(path for path in sorted((written("mlruns", tmp_path) / "1").iterdir()) if path.is_dir())
    (directory / "metrics" / "old").write_text("1 0.5\n2 0.25\n")
    (directory / "metrics" / "deep").mkdir()
    (directory / "metrics" / "deep" / "new").write_text("1 0.5 0 data 1a\n3 0.125 1 data 1a\n2 0.25 1 data 1a\nhalf")
    [run] = read_logs(directory)
    assert run.final["old"] == 0.25
    assert run.scalars["deep/new"].values.tolist() == [0.5, 0.125]
    assert any("metrics/deep/new: 1 line(s) are damaged" in problem for problem in run.problems)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.001", 0.001), ("True", True), ("None", "None"), ("64", 64), ("nan", "nan"), ("a b", "a b"), ("1e-4", 1e-4)],
)
def test_mlflow_settings_are_text(text, value):
    assert setting(text) == value
    assert type(setting(text)) is type(value)


@pytest.mark.parametrize(
    ("value", "distribution", "expected"),
    [
        (1.0, {"name": "CategoricalDistribution", "attributes": {"choices": ["a", None, True]}}, "none"),
        (2.0, {"name": "CategoricalDistribution", "attributes": {"choices": ["a", None, True]}}, True),
        (3.0, {"name": "IntDistribution", "attributes": {}}, 3),
        (3.0, {"name": "IntLogUniformDistribution", "attributes": {}}, 3),
        (0.5, {"name": "LogUniformDistribution", "attributes": {}}, 0.5),
        (0.001, {"name": "FloatDistribution", "attributes": {}}, 0.001),
    ],
)
def test_optuna_parameters_are_decoded(value, distribution, expected):
    for given in (distribution, json.dumps(distribution)):
        found = decode(value, given)
        assert found == expected
        assert type(found) is type(expected)


@pytest.mark.parametrize("value", [-1.0, 7.0, None, math.nan])
def test_an_optuna_category_that_is_none_of_the_choices(value):
    with pytest.raises(ValueError):  # noqa: PT011
        decode(value, {"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b"]}})


@pytest.mark.parametrize("name", ["optuna.db", "optuna.log"])
@pytest.mark.parametrize("direction", ["min", "max"])
@pytest.mark.parametrize("names", [(LOSS,), ()])
def test_optuna_studies_tell_their_response_and_goal(tmp_path, name, direction, names):
    runs = read_logs(STORES[name][0](tmp_path / name, names=names, direction=direction))
    assert {run.metrics for run in runs} == {(LOSS,) if names else ("value",)}
    assert {run.goal for run in runs} == {direction}


def test_optuna_times_are_local_in_the_database_and_utc_in_the_journal(tmp_path):
    [first, *_] = read_logs(written("optuna.log", tmp_path))
    assert first.started == datetime(2026, 1, 1, 10, tzinfo=timezone.utc).timestamp()
    [first, *_] = read_logs(written("optuna.db", tmp_path))
    assert first.started == datetime(2026, 1, 1, 10).timestamp()


def test_two_studies_of_one_storage_are_two_groups(tmp_path):
    path = written("optuna.db", tmp_path)
    with closing(sqlite3.connect(path)) as store:
        store.execute("INSERT INTO studies VALUES (2, 'other')")
        store.execute("INSERT INTO study_directions VALUES (2, 'MAXIMIZE', 2, 0), (3, 'MINIMIZE', 2, 1)")
        store.execute("INSERT INTO trials VALUES (500, 0, 2, 'COMPLETE', NULL, NULL)")
        store.execute("INSERT INTO trial_values VALUES (NULL, 500, 0, 0.75, 'FINITE'), (NULL, 500, 1, 3, 'FINITE')")
        store.commit()
    runs = read_logs(path)
    [other] = [run for run in runs if run.group == "other"]
    assert other.name == "other/trial 0"
    assert other.final == {"values_0": 0.75, "values_1": 3.0}
    assert other.goal == "max"
    assert math.isnan(other.started)
    assert all(run.name.startswith("small/") for run in runs if run.group == "small")


def test_optuna_journals_of_enqueued_copied_and_deleted_trials(tmp_path):
    path = tmp_path / "journal.log"
    float_, choice = ({"name": "FloatDistribution", "attributes": {}}, {"name": "CategoricalDistribution"})
    choice = json.dumps({**choice, "attributes": {"choices": ["a", "b"]}})
    lines = [
        {"op_code": 0, "worker_id": "w", "study_name": "gone", "directions": [1]},
        {"op_code": 4, "worker_id": "w", "study_id": 0, "datetime_start": "2026-01-01T00:00:00"},
        {"op_code": 0, "worker_id": "w", "study_name": "kept", "directions": [2, 1]},
        {"op_code": 1, "worker_id": "w", "study_id": 0},
        {
            "op_code": 4, "worker_id": "w", "study_id": 1, "state": 1, "values": [0.5, 7], "value": None,
            "params": {"x": 0.25, "c": 1.0}, "distributions": {"x": json.dumps(float_), "c": choice},
            "intermediate_values": {}, "datetime_complete": "2026-01-01T00:01:00",
        },
        {"op_code": 4, "worker_id": "w", "study_id": 1, "state": 4, "value": None, "values": None},
        {"op_code": 4, "worker_id": "w", "study_id": 1, "datetime_start": "2026-01-01T00:00:00"},
        {"op_code": 6, "worker_id": "w", "trial_id": 77, "state": 1, "values": [1.0]},
    ]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, lines)) + '\n{"op_code": 5, "work')
    complete, running = read_logs(path)
    assert (complete.group, complete.status, complete.goal) == ("kept", FINISHED, "max")
    assert complete.hparams == {"x": 0.25, "c": "b"}
    assert complete.final == {"values_0": 0.5, "values_1": 7.0}
    assert running.status == UNFINISHED
    assert len(complete.problems) == 2  # the half line, and the trial that nobody created


def test_newer_rows_in_a_write_ahead_log_are_read(tmp_path):
    path = written("mlflow.db", tmp_path)
    store = sqlite3.connect(path)
    store.execute("PRAGMA journal_mode = WAL")
    store.execute("UPDATE params SET value = '0.7' WHERE key = 'lr'")
    store.commit()
    before = path.read_bytes()
    assert {run.hparams["lr"] for run in read_logs(path)} == {0.7}
    assert path.read_bytes() == before
    store.close()


def test_views_triggers_and_virtual_tables_are_not_used(tmp_path):
    path = written("mlflow.db", tmp_path)
    with closing(sqlite3.connect(path)) as store:
        store.execute("ALTER TABLE params RENAME TO hidden")
        store.execute("CREATE VIEW params AS SELECT * FROM hidden")
        store.commit()
    with pytest.raises(UserError, match=r"mlflow\.db"):
        read_logs(path)


def test_a_query_that_never_ends_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "MAX_SECONDS", 0.0)
    monkeypatch.setattr(sqlite, "MAX_STEPS", 10)
    path = tmp_path / "big.db"
    with closing(sqlite3.connect(path)) as store:
        store.execute("CREATE TABLE t (a)")
        store.executemany("INSERT INTO t VALUES (?)", [(number,) for number in range(5000)])
        store.commit()
    with pytest.raises(sqlite.DatabaseDamaged, match="takes too long"), sqlite.open_database(path) as database:
        list(database.read("t", ["a"], ["a"]))


def test_rows_and_texts_are_limited(tmp_path, monkeypatch):
    path = written("mlflow.db", tmp_path)
    monkeypatch.setattr(sqlite, "MAX_ROWS", 50)
    with pytest.raises(UserError, match="more than 50 rows"):
        read_logs(path)
    monkeypatch.undo()
    with closing(sqlite3.connect(path)) as store:
        store.execute("UPDATE params SET value = ? WHERE key = 'act'", ("x" * (sqlite.MAX_TEXT + 1),))
        store.commit()
    assert runs_or_mistake(read_logs, path) is None


@pytest.mark.parametrize("name", FILES)
def test_damage_is_named_or_refused(tmp_path, name):
    """Whatever is damaged, there are runs or one line that says what is wrong; no more runs than were written."""
    path = written(name, tmp_path)
    damaged = [*flipped(path, tmp_path / "copies"), *cut(path, tmp_path / "copies", most=40)]
    found = [runs_or_mistake(read_logs, copy) for copy in damaged]
    assert all(runs is None or len(runs) <= len(experiment()) + 1 for runs in found)
    assert any(runs for runs in found)


def test_damaged_mlflow_files(tmp_path):
    root = written("mlruns", tmp_path)
    directory = next(path for path in sorted((root / "1").iterdir()) if path.is_dir())
    for file in (directory / "meta.yaml", directory / "metrics" / LOSS, directory / "params" / "lr"):
        content = file.read_bytes()
        for copy in [*flipped(file, tmp_path / "copies", 20), *cut(file, tmp_path / "copies")]:
            shutil.copyfile(copy, file)
            runs = runs_or_mistake(read_logs, root)
            assert len(experiment()) - 1 <= len(runs) <= len(experiment())
        file.write_bytes(content)


def test_a_link_out_of_an_mlflow_store_is_not_followed(tmp_path):
    root = written("mlruns", tmp_path)
    secret = tmp_path / "secret"
    secret.write_text("0.5")
    directory = next(path for path in sorted((root / "1").iterdir()) if path.is_dir())
    (directory / "params" / "stolen").symlink_to(secret)
    assert not any("stolen" in run.hparams for run in read_logs(root))


def test_a_database_of_something_else_is_no_store(tmp_path):
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as store:
        store.execute("CREATE TABLE runs (a)")
    with pytest.raises(UserError, match=r"other\.db"):
        read_logs(path)


def test_both_stores_of_one_run_are_one_run(tmp_path):
    """`mlflow migrate` leaves mlruns/ beside the database that it has filled."""
    written("mlflow.db", tmp_path)
    written("mlruns", tmp_path)
    runs = read_logs(tmp_path)
    assert len(runs) == len(experiment())
    alone = {identity(run.hparams): run.final for run in read_logs(tmp_path / "mlflow.db")}
    for run in runs:
        np.testing.assert_equal(run.final, alone[identity(run.hparams)])
