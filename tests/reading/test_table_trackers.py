"""The tables that experiment trackers write: settings, results, statuses, seeds and times come out exactly."""

from __future__ import annotations

import itertools
import math
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from attnae.reading.read import read_logs
from attnae.reading.run import FAILED, FINISHED, PRUNED, UNFINISHED, UNKNOWN, Run
from attnae.reading.table.layouts import duration_of, time_of

CELLS = [
    {"act": act, "bn": bn, "lr": lr, "seed": seed}
    for act, bn, lr, seed in itertools.product(["relu", "elu"], [True, False], [0.1, 0.01], [1, 2, 3])
]
LOSSES = [round(float(loss), 6) for loss in np.random.default_rng(0).normal(1, 0.1, len(CELLS))]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.csv"


def read(path: Path, text: str) -> list[Run]:
    path.write_text(text)
    return read_logs(path)


def written(path: Path, frame: pd.DataFrame, **options: object) -> list[Run]:
    frame.to_csv(path, index=False, **options)  # type: ignore[call-overload]
    return read_logs(path)


def test_mlflow(path: Path) -> None:
    """The columns of `mlflow.search_runs`, version 3.17: two experiments, a parent of a sweep, `lr` logged twice."""
    text = """\
run_id,experiment_id,status,artifact_uri,start_time,end_time,metrics.val_loss,metrics.best_val_loss,metrics.lr,\
params.lr,params.bn,params.seed,params.note,params.model/units,tags.mlflow.user,tags.mlflow.runName
0a,1,FINISHED,ma,2026-11-25 03:00:00.500+00:00,2026-11-25 03:00:02,1.5,1.25,0.01,0.1,True,1,None,"[8, 4]",me,calm-1
0b,1,FAILED,mb,2026-11-25 03:01:00+00:00,,,,,0.01,False,2,,"[8, 4]",me,red-fox-2
0c,2,RUNNING,mc,2026-11-25 03:02:00+00:00,,inf,,,0.1,False,3,,"[8, 4]",me,red-fox-3
0d,2,KILLED,md,2026-11-25 03:03:00+00:00,,nan,,,0.1,False,3,,"[8, 4]",me,red-fox-4
0e,1,FINISHED,me,2026-11-25 03:04:00+00:00,,,,,,,,,,me,parent
"""
    runs = read(path, text)
    assert [run.name for run in runs] == ["calm-1", "red-fox-2", "red-fox-3", "red-fox-4"]
    assert [run.status for run in runs] == [FINISHED, FAILED, UNFINISHED, FAILED]
    assert [run.group for run in runs] == ["experiment_id 1", "experiment_id 1", "experiment_id 2", "experiment_id 2"]
    assert runs[0].hparams == {"lr": 0.1, "bn": True, "seed": 1, "note": "None", "model/units": "[8, 4]"}
    assert runs[1].hparams == {"lr": 0.01, "bn": False, "seed": 2, "model/units": "[8, 4]"}
    assert runs[0].final == {"val_loss": 1.5, "best_val_loss": 1.25, "metrics.lr": 0.01}
    assert runs[0].metrics == ("val_loss",)
    assert (runs[1].final, runs[2].final) == ({}, {"val_loss": math.inf})
    assert math.isnan(runs[3].final["val_loss"])
    assert runs[0].started == datetime(2026, 11, 25, 3, 0, 0, 500_000, timezone.utc).timestamp()
    assert runs[0].seconds == 1.5
    assert math.isnan(runs[1].seconds)
    assert runs[0].details["tags.mlflow.user"] == "me"
    assert {run.format for run in runs} == {"MLflow CSV"}


def test_mlflow_runs_of_the_same_name_are_called_by_their_id(path: Path) -> None:
    text = "run_id,status,params.seed,metrics.loss,tags.mlflow.runName\n0a,FINISHED,1,2,relu\n0b,FINISHED,2,3,relu\n"
    assert [run.name for run in read(path, text)] == ["0a", "0b"]


def test_optuna(path: Path) -> None:
    """The columns of `study.trials_dataframe()`, version 5.0. A pruned trial has a value, a conditional setting not."""
    text = """\
number,value,datetime_start,datetime_complete,duration,params_lr,params_momentum,params_opt,params_units,\
user_attrs_time,state
0,0.5,2026-11-25 03:31:37.5,2026-11-25 03:31:39.5,0 days 00:00:02.000000,0.001,0.9,sgd,16.0,0.1,COMPLETE
1,0.25,2026-11-25 03:31:40,2026-11-25 03:31:41,0 days 00:00:01,0.01,,adam,31.0,0.2,PRUNED
2,,2026-11-25 03:31:42,2026-11-25 03:31:43,1 days 00:00:01,0.02,,adam,32.0,0.3,FAIL
3,,2026-11-25 03:31:44,,,0.02,,adam,32.0,,RUNNING
"""
    runs = read(path, text)
    assert [run.name for run in runs] == ["trial 0", "trial 1", "trial 2", "trial 3"]
    assert [run.status for run in runs] == [FINISHED, PRUNED, FAILED, UNFINISHED]
    assert runs[0].hparams == {"lr": 0.001, "momentum": 0.9, "opt": "sgd", "units": 16}
    assert runs[1].hparams == {"lr": 0.01, "opt": "adam", "units": 31}
    assert [run.final for run in runs] == [{"value": 0.5}, {"value": 0.25}, {}, {}]
    assert [run.seconds for run in runs[:3]] == [2, 1, 86401]
    assert runs[1].started - runs[0].started == 2.5
    assert (runs[0].metrics, runs[0].details["user_attrs_time"]) == (("value",), 0.1)
    assert runs[0].problems == ()


@pytest.mark.parametrize(
    ("header", "results"),
    [
        ("value_val_loss", ("val_loss",)),
        ("values_0,values_1", ("values_0", "values_1")),
        ("values_b,values_a", ("b", "a")),
    ],
)
def test_objectives_of_optuna(path: Path, header: str, results: tuple[str, ...]) -> None:
    values = ",".join("12"[: len(results)])
    runs = read(
        path, f"number,{header},params_k,params_total,state\n0,{values},1,2,COMPLETE\n1,{values},2,3,COMPLETE\n"
    )
    assert runs[0].metrics == results
    assert tuple(runs[0].final) == results
    assert runs[0].hparams == {"k": 1, "total": 2}
    several = (f"the study has 2 objectives: --response chooses one of {', '.join(results)}",)
    assert runs[0].problems == (several if len(results) > 1 else ())


def test_optuna_with_two_header_rows(path: Path) -> None:
    """`trials_dataframe(multi_index=True)`."""
    text = "number,values,values,params,params,state\n,loss,acc,k,x,\n0,1,2,3,4.5,COMPLETE\n1,2,3,4,5.5,FAIL\n"
    runs = read(path, text)
    assert runs[1].hparams == {"k": 4, "x": 5.5}
    assert runs[1].final == {"loss": 2, "acc": 3}
    assert [run.status for run in runs] == [FINISHED, FAILED]


def page(**columns: list[object]) -> pd.DataFrame:
    """The export of W&B's page of runs: its own columns, then the settings, then the results."""
    books: dict[str, list[object]] = {
        "Name": [f"crisp-sun-{number}" for number in range(24)],
        "State": ["finished"] * 21 + ["crashed", "failed", "running"],
        "Notes": ["-"] * 24,
        "User": ["me"] * 24,
        "Tags": [""] * 24,
        "Created": [f"2026-11-25T03:00:{second:02}.000Z" for second in range(24)],
        "Runtime": [60.5 + second for second in range(24)],
        "Sweep": ["abc"] * 24,
    }
    return pd.DataFrame(books | columns)


def test_wandb_page(path: Path) -> None:
    """Order tells settings from results, whatever their names: here a measured `active` and a setting `val_check`."""
    settings = {name: [cell[name] for cell in CELLS] for name in ("act", "bn", "lr", "seed")}
    results = {
        "_runtime": [60] * 24,
        "_step": [9] * 24,
        "active": [round(0.1 * number, 2) for number in range(24)],
        "epoch": [9] * 24,
        "val_loss": LOSSES,
    }
    runs = written(path, page(**settings, val_check=[0.5, 1.0] * 12, **results))
    assert [run.hparams for run in runs] == [
        {**cell, "val_check": [0.5, 1][number % 2]} for number, cell in enumerate(CELLS)
    ]
    assert [run.final["val_loss"] for run in runs] == LOSSES
    assert [run.status for run in runs[20:]] == [FINISHED, FAILED, FAILED, UNFINISHED]
    assert runs[3].name == "crisp-sun-3"
    assert tuple(runs[3].final) == ("active", "epoch", "val_loss")
    assert (runs[3].metrics, runs[3].seconds) == (("val_loss",), 63.5)
    assert runs[3].started == datetime(2026, 11, 25, 3, 0, 3, tzinfo=timezone.utc).timestamp()
    assert runs[0].details["Sweep"] == "abc"
    assert "Notes" not in runs[0].details
    assert {run.format for run in runs} == {"W&B page CSV"}


def test_wandb_page_in_which_the_order_does_not_tell(path: Path) -> None:
    """A user may reorder the columns: then their names and values decide."""
    columns = {name: [cell[name] for cell in CELLS] for name in ("lr", "act", "seed", "bn")}
    runs = written(path, page(**columns, val_loss=LOSSES, train_time=[10.5 + loss for loss in LOSSES]))
    assert [run.hparams for run in runs] == CELLS
    assert runs[0].metrics == ("val_loss",)
    assert "train_time" in runs[0].final


def test_wandb_page_in_which_names_repeat(path: Path) -> None:
    frame = page(act=["relu", "elu"] * 12, lr=[0.1] * 24, acc=LOSSES)
    frame["Name"] = ["relu", "elu"] * 12
    runs = written(path, frame)
    assert runs[1].name == "row 2"
    assert runs[1].hparams == {"act": "elu", "lr": 0.1}


def test_wandb_table_of_the_api(path: Path) -> None:
    """As the guide of W&B writes it: dictionaries in two columns, which pandas spells as Python does."""
    rows = [
        {
            "summary": {"loss": loss, "_step": 9, "_wandb": {"runtime": 3}, "_runtime": 3.5, "lr": 0.1},
            "config": {**cell, "units": [8, 4], "opt": {"name": "sgd", "nesterov": None}, "seed": cell["seed"]},
            "name": f"sun-{number}",
        }
        for number, (cell, loss) in enumerate(zip(CELLS, [math.nan, math.inf, *LOSSES[2:]], strict=True))
    ]
    runs = written(path, pd.DataFrame(rows))
    assert [run.name for run in runs] == [row["name"] for row in rows]
    assert runs[0].hparams == {**CELLS[0], "units": "8 4", "opt/name": "sgd", "opt/nesterov": "None"}
    assert math.isnan(runs[0].final["loss"])
    assert [run.final["loss"] for run in runs[1:]] == [math.inf, *LOSSES[2:]]
    assert set(runs[0].final) == {"loss", "summary.lr"}
    assert (runs[0].metrics, runs[0].seconds, runs[0].status) == (("loss",), 3.5, UNKNOWN)


@pytest.mark.parametrize("cell", ['{""lr"": 0.5, ""bn"": true, ""x"": NaN}', "{'lr': 0.5, 'bn': True, 'x': nan}"])
def test_dictionaries_in_python_and_json(path: Path, cell: str) -> None:
    runs = read(path, f"""name,config,summary\na,"{cell}","{{'loss': -inf, 'note': 'nan or inf'}}"\n""")
    assert runs[0].hparams == {"lr": 0.5, "bn": True}
    assert runs[0].final == {"loss": -math.inf}


def test_a_damaged_dictionary_is_a_problem(path: Path) -> None:
    text = """name,config,summary\na,{'lr': 1},{'loss': 1}\nb,{'lr': 2,{'loss': 2}\nc,__import__('os'),{'loss': 3}\n"""
    runs = read(path, text)
    assert [run.hparams for run in runs] == [{"lr": 1}, {}, {}]
    assert runs[0].problems == (
        "config cannot be read in 2 of 3 rows; the first is row 2: it is not a dictionary of plain values",
    )


def test_numbers_of_numpy_in_dictionaries(path: Path) -> None:
    """NumPy 2 spells its numbers with their type."""
    summary = {"loss": np.float64(0.5), "acc": np.float32("nan"), "n": np.int64(-3), "good": np.True_, "x": np.nan}
    runs = written(
        path, pd.DataFrame([{"name": "np.float64(1)", "config": {"note": "np.float64(2)"}, "summary": summary}])
    )
    assert (runs[0].name, runs[0].hparams) == ("np.float64(1)", {"note": "np.float64(2)"})
    assert runs[0].final == pytest.approx({"loss": 0.5, "acc": math.nan, "n": -3, "x": math.nan}, nan_ok=True)
    assert runs[0].details == {"summary.good": True}


def test_ray(path: Path) -> None:
    """`ResultGrid.get_dataframe()`: `done` is false in all rows, and a trial that the scheduler stopped ends early."""
    frame = pd.DataFrame(
        {
            "loss": LOSSES[:4],
            "timestamp": [1_700_000_100, 1_700_000_200, 1_700_000_300, 1_700_000_400],
            "checkpoint_dir_name": [""] * 4,
            "done": [False] * 4,
            "training_iteration": [10, 10, 3, 10],
            "trial_id": ["a_0", "a_1", "a_2", "a_3"],
            "date": ["2026-11-25_03-31-37"] * 4,
            "time_this_iter_s": [0.1, 0.2, 0.3, 0.4],
            "time_total_s": [1.5, 2.5, 3.5, 4.5],
            "pid": [1, 2, 3, 4],
            "hostname": ["h"] * 4,
            "node_ip": ["10.0.0.1"] * 4,
            "iterations_since_restore": [10, 10, 3, 10],
            "config/lr": [0.1, 0.01, 0.1, 0.01],
            "config/model/act": ["relu", "elu", "elu", "relu"],
            "config/seed": [1, 1, 1, 1],
            "logdir": ["a", "b", "c", "d"],
        }
    )
    runs = written(path, frame)
    assert [run.name for run in runs] == ["a_0", "a_1", "a_2", "a_3"]
    assert runs[0].hparams == {"lr": 0.1, "model/act": "relu", "seed": 1}
    assert [run.final for run in runs] == [{"loss": loss} for loss in LOSSES[:4]]
    assert [run.status for run in runs] == [UNKNOWN, UNKNOWN, PRUNED, UNKNOWN]
    assert (runs[1].seconds, runs[1].started) == (2.5, 1_700_000_197.5)
    assert runs[0].problems == (
        "1 of 4 runs ended before training_iteration 10, where the others did: they count as pruned",
    )


def test_ray_trials_that_each_end_where_they_were_meant_to(path: Path) -> None:
    text = "trial_id,training_iteration,config/lr,loss\na,3,0.1,1\nb,5,0.2,2\nc,9,0.3,3\n"
    runs = read(path, text)
    assert {run.status for run in runs} == {UNKNOWN}
    assert runs[0].problems == ("the runs ended at different values of training_iteration, from 3 on",)


def test_neptune(path: Path) -> None:
    text = """\
sys/id,sys/name,sys/failed,sys/creation_time,sys/running_time,parameters/lr,parameters/act,metrics/val/loss,monitoring/x
N-1,one,False,2026-11-25 03:00:00+00:00,12.5,0.1,relu,1.5,3
N-2,two,True,2026-11-25 03:01:00+00:00,2.5,0.01,elu,,4
"""
    runs = read(path, text)
    assert [run.name for run in runs] == ["one", "two"]
    assert [run.status for run in runs] == [FINISHED, FAILED]
    assert runs[0].hparams == {"lr": 0.1, "act": "relu"}
    assert (runs[0].final, runs[0].seconds) == ({"val/loss": 1.5}, 12.5)


def test_scikit_learn(path: Path) -> None:
    """`pd.DataFrame(search.cv_results_)`: a high score is good, and the mean over the folds is the result."""
    sklearn = pytest.importorskip("sklearn.model_selection")
    from sklearn.svm import SVC

    points = np.random.default_rng(0).normal(size=(40, 2))
    search = sklearn.GridSearchCV(SVC(), {"C": [0.1, 1, 10], "kernel": ["rbf", "linear"]}, cv=3)
    search.fit(points, points[:, 0] > 0)
    runs = written(path, pd.DataFrame(search.cv_results_))
    assert [run.hparams for run in runs] == search.cv_results_["params"]
    assert runs[0].metrics == ("mean_test_score",)
    assert [run.final["mean_test_score"] for run in runs] == pytest.approx(search.cv_results_["mean_test_score"])
    assert runs[0].goal == "max"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0 days 00:01:30.5", 90.5), ("0:01:30", 90), ("2 days 00:00:00", 172_800), ("90.5", 90.5)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration_of(text) == seconds


def test_times() -> None:
    at = datetime(2026, 11, 25, 3, tzinfo=timezone.utc).timestamp()
    spelled = ["2026-11-25 03:00:00", "2026-11-25T03:00:00.000Z", "2026-11-25 04:00:00+01:00", f"{at}", f"{1000 * at}"]
    assert [time_of(text) for text in spelled] == [at] * 5
    assert all(math.isnan(time) for time in (time_of(""), time_of("soon"), duration_of("long")))
