"""Small stores in the layouts that MLflow and Optuna document, with the experiment of `tests.reading.experiment`."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing

from tests.reading.experiment import LOSS, experiment

STARTED_MS = 1_700_000_000_000
LARGEST = 1.7976931348623157e308
DIRECTION = {"min": "MINIMIZE", "max": "MAXIMIZE"}


def write_mlflow_database(path):
    states = {"finished": "FINISHED", "failed": "FAILED", "pruned": "KILLED"}
    with closing(sqlite3.connect(path)) as store:
        store.executescript(
            """
            CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name TEXT, artifact_location TEXT,
                lifecycle_stage TEXT);
            CREATE TABLE runs (run_uuid TEXT PRIMARY KEY, name TEXT, status TEXT, start_time BIGINT, end_time BIGINT,
                lifecycle_stage TEXT, artifact_uri TEXT, experiment_id INTEGER);
            CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
            CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
            CREATE TABLE metrics (key TEXT, value DOUBLE, timestamp BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN);
            CREATE TABLE latest_metrics (key TEXT, value DOUBLE, timestamp BIGINT, run_uuid TEXT, step BIGINT,
                is_nan BOOLEAN);
            INSERT INTO experiments VALUES (0, 'Default', '', 'active'), (1, 'small', '', 'active');
            """
        )
        for number, run in enumerate(experiment()):
            key = f"{number:032x}"
            times = (STARTED_MS + 1000 * number, STARTED_MS + 1000 * number + 5500)
            row = (key, f"run-{number}", states[run["end"]], *times, "active", "/elsewhere", 1)
            store.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            for name, value in run["settings"].items():
                store.execute("INSERT INTO params VALUES (?, ?, ?)", (name, str(value), key))
            for step, value in enumerate(run["losses"]):
                known = 0.0 if math.isnan(value) else max(-LARGEST, min(LARGEST, value))
                metric = (LOSS, known, STARTED_MS + step, key, step, math.isnan(value))
                store.execute("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", metric)
        parent = ("f" * 32, "sweep", "FINISHED", STARTED_MS, STARTED_MS, "active", "", 1)
        deleted = ("e" * 32, "old", "FINISHED", STARTED_MS, STARTED_MS, "deleted", "", 1)
        for row in (parent, deleted):
            store.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        store.execute("INSERT INTO params VALUES ('lr', '5', ?)", ("e" * 32,))
        store.commit()
    return path


def write_mlflow_files(root):
    numbers = {"finished": 3, "failed": 4, "pruned": 5}
    place = root / "1"
    place.mkdir(parents=True)
    (place / "meta.yaml").write_text("experiment_id: '1'\nlifecycle_stage: active\nname: small\n")
    for number, run in enumerate(experiment()):
        key = f"{number:032x}"
        directory = place / key
        for folder in ("params", "metrics", "tags", "artifacts"):
            (directory / folder).mkdir(parents=True)
        started = STARTED_MS + 1000 * number
        (directory / "meta.yaml").write_text(
            f"artifact_uri: /elsewhere\nend_time: {started + 5500}\nentry_point_name: ''\nexperiment_id: '1'\n"
            f"lifecycle_stage: active\nrun_id: '{key}'\nrun_name: run-{number}\nrun_uuid: '{key}'\nsource_type: 4\n"
            f"start_time: {started}\nstatus: {numbers[run['end']]}\ntags: []\nuser_id: somebody\n"
        )
        for name, value in run["settings"].items():
            (directory / "params" / name).write_text(str(value))
        if run["losses"]:
            lines = [f"{STARTED_MS + step} {value} {step}" for step, value in enumerate(run["losses"])]
            (directory / "metrics" / LOSS).write_text("\n".join(lines) + "\n")
    return root


ACTS = ["relu", "tanh"]
DISTRIBUTIONS = {
    "lr": {"name": "FloatDistribution", "attributes": {"step": None, "low": 0.001, "high": 1.0, "log": True}},
    "act": {"name": "CategoricalDistribution", "attributes": {"choices": ACTS}},
    "wide": {"name": "CategoricalDistribution", "attributes": {"choices": [False, True]}},
    "seed": {"name": "IntDistribution", "attributes": {"log": False, "step": 1, "low": 0, "high": 9}},
}


def internal(name, value):
    """The number by which Optuna stores a parameter."""
    choices = DISTRIBUTIONS[name]["attributes"].get("choices")
    return float(value) if choices is None else float(choices.index(value))


def write_optuna_database(path, *, names=(LOSS,), direction="min"):
    states = {"finished": "COMPLETE", "failed": "FAIL", "pruned": "PRUNED"}
    with closing(sqlite3.connect(path)) as store:
        store.executescript(
            """
            CREATE TABLE studies (study_id INTEGER PRIMARY KEY, study_name TEXT);
            CREATE TABLE study_directions (study_direction_id INTEGER PRIMARY KEY, direction TEXT, study_id INTEGER,
                objective INTEGER);
            CREATE TABLE study_system_attributes (study_system_attribute_id INTEGER PRIMARY KEY, study_id INTEGER,
                key TEXT, value_json TEXT);
            CREATE TABLE trials (trial_id INTEGER PRIMARY KEY, number INTEGER, study_id INTEGER, state TEXT,
                datetime_start DATETIME, datetime_complete DATETIME);
            CREATE TABLE trial_params (param_id INTEGER PRIMARY KEY, trial_id INTEGER, param_name TEXT,
                param_value FLOAT, distribution_json TEXT);
            CREATE TABLE trial_values (trial_value_id INTEGER PRIMARY KEY, trial_id INTEGER, objective INTEGER,
                value FLOAT, value_type TEXT);
            CREATE TABLE trial_intermediate_values (trial_intermediate_value_id INTEGER PRIMARY KEY, trial_id INTEGER,
                step INTEGER, intermediate_value FLOAT, intermediate_value_type TEXT);
            INSERT INTO studies VALUES (1, 'small');
            """
        )
        store.execute("INSERT INTO study_directions VALUES (1, ?, 1, 0)", (DIRECTION[direction],))
        if names:
            attribute = (1, 1, "study:metric_names", json.dumps(names))
            store.execute("INSERT INTO study_system_attributes VALUES (?, ?, ?, ?)", attribute)
        for number, run in enumerate(experiment()):
            key, state = number + 1, states[run["end"]]
            if any(map(math.isnan, run["losses"])):
                state = "FAIL"
            times = (f"2026-01-01 10:00:{number:02}.000000", f"2026-01-01 10:01:{number:02}.500000")
            store.execute("INSERT INTO trials VALUES (?, ?, 1, ?, ?, ?)", (key, number, state, *times))
            for name, value in run["settings"].items():
                param = (key, name, internal(name, value), json.dumps(DISTRIBUTIONS[name]))
                store.execute("INSERT INTO trial_params VALUES (NULL, ?, ?, ?, ?)", param)
            for step, value in enumerate(run["losses"]):
                row = (key, step, *stored(value))
                store.execute("INSERT INTO trial_intermediate_values VALUES (NULL, ?, ?, ?, ?)", row)
            if run["losses"] and not math.isnan(run["losses"][-1]):
                store.execute("INSERT INTO trial_values VALUES (NULL, ?, 0, ?, ?)", (key, *stored(run["losses"][-1])))
        waiting = (99, 99, 1, "WAITING", None, None)
        store.execute("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?)", waiting)
        store.commit()
    return path


def stored(value):
    """The value and the kind of value in Optuna's tables."""
    if math.isnan(value):
        return None, "NAN"
    if math.isinf(value):
        return None, "INF_POS" if value > 0 else "INF_NEG"
    return value, "FINITE"


def write_optuna_journal(path, *, names=(LOSS,), direction="min"):
    states = {"finished": 1, "failed": 3, "pruned": 2}
    worker = {"worker_id": "w-1"}
    lines = [{"op_code": 0, **worker, "study_name": "small", "directions": [1 if direction == "min" else 2]}]
    if names:
        lines.append({"op_code": 3, **worker, "study_id": 0, "system_attr": {"study:metric_names": list(names)}})
    for number, run in enumerate(experiment()):
        lines.append({"op_code": 4, **worker, "study_id": 0, "datetime_start": f"2026-01-01T10:00:{number:02}.000000"})
        for name, value in run["settings"].items():
            lines.append(
                {
                    "op_code": 5, **worker, "trial_id": number, "param_name": name,
                    "param_value_internal": internal(name, value), "distribution": json.dumps(DISTRIBUTIONS[name]),
                }
            )  # fmt: skip
        for step, value in enumerate(run["losses"]):
            lines.append({"op_code": 7, **worker, "trial_id": number, "step": step, "intermediate_value": value})
        known = run["losses"][-1:] if run["losses"] and not math.isnan(run["losses"][-1]) else None
        ended = f"2026-01-01T10:01:{number:02}.500000"
        state = 3 if any(map(math.isnan, run["losses"])) else states[run["end"]]
        lines.append(
            {"op_code": 6, **worker, "trial_id": number, "state": state, "values": known, "datetime_complete": ended}
        )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
