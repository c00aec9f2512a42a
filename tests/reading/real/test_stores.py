"""MLflow and Optuna as these libraries write their stores."""

import pytest

from attnae.reading.read import read_logs
from attnae.reading.run import DIVERGED, FAILED, FINISHED, PRUNED
from tests.reading.checks import check_effects, check_runs

pytestmark = pytest.mark.slow

OPTUNA_STATUSES = {"finished": FINISHED, "failed": FAILED, "pruned": PRUNED, "NaN": DIVERGED}

MLFLOW = """
import json, os, sys
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"  # from version 3.17 on it is asked for
import mlflow
runs = json.load(sys.stdin)
for store in ("sqlite:///mlflow.db", "mlruns"):
    mlflow.set_tracking_uri(store)
    mlflow.set_experiment("small")
    for run in runs:
        mlflow.start_run()
        mlflow.log_params(run["settings"])
        for step, loss in enumerate(run["losses"]):
            mlflow.log_metric("val_loss", loss, step=step)
        mlflow.end_run({"finished": "FINISHED", "failed": "FAILED", "pruned": "KILLED"}[run["end"]])
"""

OPTUNA = """
import json, sys, optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
runs = json.load(sys.stdin)
optuna.logging.set_verbosity(optuna.logging.ERROR)
for storage in ("sqlite:///optuna.db", JournalStorage(JournalFileBackend("optuna.log"))):
    study = optuna.create_study(storage=storage, study_name="small", direction="minimize")
    study.set_metric_names(["val_loss"])
    for run in runs:
        study.enqueue_trial(run["settings"])

    def objective(trial):
        run = runs[trial.number]
        trial.suggest_float("lr", 0.001, 1, log=True)
        trial.suggest_categorical("act", ["relu", "tanh"])
        trial.suggest_categorical("wide", [False, True])
        trial.suggest_int("seed", 0, 9)
        for step, loss in enumerate(run["losses"]):
            trial.report(loss, step)
        if run["end"] == "failed":
            raise ZeroDivisionError
        if run["end"] == "pruned":
            raise optuna.TrialPruned
        return run["losses"][-1]

    study.optimize(objective, n_trials=len(runs), catch=(ZeroDivisionError,))
"""


@pytest.mark.parametrize("store", ["mlflow.db", "mlruns"])
def test_mlflow(write_with, tmp_path, store):
    path = write_with(MLFLOW) / store
    check_runs(read_logs(path), statuses={"finished": FINISHED, "failed": FAILED, "pruned": FAILED})
    check_effects(path, tmp_path)


@pytest.mark.parametrize("store", ["optuna.db", "optuna.log"])
def test_optuna(write_with, tmp_path, store):
    """An objective that returns NaN is a failed trial for Optuna; its reports say that it diverged."""
    path = write_with(OPTUNA) / store
    check_runs(read_logs(path), statuses=OPTUNA_STATUSES)
    check_effects(path, tmp_path)
