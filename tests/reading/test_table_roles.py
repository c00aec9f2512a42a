"""The decision list: what each column of a table is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from attnae.reading.run import DIVERGED, FAILED, FINISHED, PRUNED, UNFINISHED, UNKNOWN
from attnae.reading.table.cells import Column
from attnae.reading.table.layouts import PLAIN, find_layout
from attnae.reading.table.roles import find_roles
from attnae.reading.table.statuses import find_status, read_statuses
from attnae.reading.table.words import SEED, is_hyperparameter_name, is_measured_name, is_result_name, is_secondary

RNG = np.random.default_rng(3)
N = 24
MEASURED = [f"{value:.6f}" for value in RNG.normal(1, 0.1, N)]
LOG_UNIFORM = [f"{value:.6g}" for value in 10 ** RNG.uniform(-4, -1, N)]
WORDS = ["relu", "elu", "gelu"] * 8
BOOLS = ["True", "False"] * 12
GRID = ["0.1", "0.01", "0.001", "0.5"] * 6
SIZES = ["16", "32", "64"] * 8
SEEDS = ["1", "2", "3", "4"] * 6


def roles(**columns: Sequence[str]) -> dict[str, str]:
    table = {name: Column(name, list(texts)) for name, texts in columns.items()}
    return dict(find_roles(table, find_layout(set(table))).of)


def test_a_plain_grid() -> None:
    found = roles(
        run=[f"r{row}" for row in range(N)], status=["finished"] * N, act=WORDS, bn=BOOLS, lr=GRID, seed=SEEDS,
        loss=MEASURED,
    )  # fmt: skip
    assert found == {
        "run": "name", "status": "status", "act": "setting", "bn": "setting", "lr": "either", "seed": "setting",
        "loss": "result",
    }  # fmt: skip


def test_a_random_search_whose_result_stands_first() -> None:
    """Settings drawn from continuous ranges differ in every row, as results do: names and places tell."""
    found = roles(val_loss=MEASURED, lr=LOG_UNIFORM, x=LOG_UNIFORM, act=WORDS)
    assert found == {"val_loss": "result", "lr": "either", "x": "result", "act": "setting"}


def test_numbers_without_a_name_on_both_sides_of_the_result() -> None:
    found = roles(x=LOG_UNIFORM, act=WORDS, loss=MEASURED, y=LOG_UNIFORM, width=LOG_UNIFORM, k=SIZES, z=["7"] * N)
    assert found == {
        "x": "either", "act": "setting", "loss": "result", "y": "result", "width": "either", "k": "either",
        "z": "either",
    }  # fmt: skip


def test_a_table_without_any_other_setting_keeps_the_numbers_right_of_the_result() -> None:
    assert roles(loss=MEASURED, x=LOG_UNIFORM, y=LOG_UNIFORM) == {"loss": "result", "x": "either", "y": "either"}


def test_costs_are_measured_wherever_they_stand() -> None:
    found = roles(act=WORDS, train_time=LOG_UNIFORM, max_memory=MEASURED, loss=MEASURED, time_limit=SIZES)
    assert found == {
        "act": "setting", "train_time": "result", "max_memory": "result", "loss": "result", "time_limit": "either",
    }  # fmt: skip


def test_the_last_number_is_the_result_if_no_name_tells() -> None:
    columns = {"A": SIZES, "y": MEASURED, "runtime": LOG_UNIFORM, "one": ["1"] * N}
    found = find_roles({name: Column(name, texts) for name, texts in columns.items()}, PLAIN)
    assert found.of == {"A": "either", "y": "result", "runtime": "result", "one": "either"}
    assert found.main[0] == "y"


def test_a_column_with_the_prefix_of_a_setting_makes_all_others_none() -> None:
    found = roles(trial=SEEDS, host=WORDS, **{"config/lr": GRID}, epochs=SIZES, seed=SEEDS, loss=MEASURED)
    assert found == {
        "trial": "result", "host": "detail", "config/lr": "setting", "epochs": "result", "seed": "setting",
        "loss": "result",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["param_count", "params_total", "params_M"])
def test_the_size_of_a_model_has_no_prefix(name: str) -> None:
    found = roles(act=WORDS, bn=BOOLS, **{name: SIZES}, loss=MEASURED)
    assert found == {"act": "setting", "bn": "setting", name: "either", "loss": "result"}


def test_dates_and_durations() -> None:
    created = [f"2026-11-25 03:{minute:02}:00" for minute in range(N)]
    versions = ["2026-01-01", "2026-06-01"] * 12
    found = roles(
        created=created, took=[f"0:{row:02}:11" for row in range(N)], data_of=versions, act=WORDS, loss=MEASURED
    )
    assert found == {
        "created": "detail", "took": "detail", "data_of": "setting", "act": "setting", "loss": "result",
    }  # fmt: skip


def test_words_in_a_column_named_like_a_result() -> None:
    found = roles(loss=["mse", "mae"] * 12, val_loss=[*MEASURED[:-2], "OOM", "nan"], act=WORDS)
    assert found == {"loss": "setting", "val_loss": "result", "act": "setting"}


@pytest.mark.parametrize(
    ("results", "main"),
    [
        (["best_val_acc", "val_acc", "val_acc_std"], ["val_acc"]),
        (["best_val_acc", "max_f1"], ["best_val_acc", "max_f1"]),
        (["test_acc", "val_acc"], ["test_acc", "val_acc"]),
    ],
)
def test_results_that_are_companions_of_others(results: list[str], main: list[str]) -> None:
    columns = {"act": WORDS, **dict.fromkeys(results, MEASURED)}
    found = find_roles({name: Column(name, texts) for name, texts in columns.items()}, PLAIN)
    assert list(found.main) == main
    assert found.columns("result") == results


def test_a_setting_and_a_result_of_the_same_name() -> None:
    columns = {"params.lr": GRID, "params.loss": ["mse", "mae"] * 12, "metrics.lr": GRID, "metrics.loss": MEASURED}
    table = {name: Column(name, texts) for name, texts in columns.items()}
    assert find_roles(table, PLAIN).labels == {
        "params.lr": "lr", "params.loss": "loss", "metrics.lr": "metrics.lr", "metrics.loss": "metrics.loss",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "marks"),
    [
        (["COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING"], [FINISHED, PRUNED, FAILED, UNFINISHED, UNFINISHED]),
        (["FINISHED", "KILLED", "SCHEDULED", "", "failed"], [FINISHED, FAILED, UNFINISHED, UNKNOWN, FAILED]),
        (["finished", "crashed", "killed", "preempted", "running"], [FINISHED, FAILED, FAILED, FAILED, UNFINISHED]),
        (["TERMINATED", "ERROR", "PENDING", "PAUSED", "success"], [FINISHED, FAILED, UNFINISHED, UNFINISHED, FINISHED]),
        (
            ["diverged", "unknown", "duplicate", "unreadable", "finished"],
            [DIVERGED, UNKNOWN, UNKNOWN, FAILED, FINISHED],
        ),
        (["TrialState.COMPLETE", "TrialState.FAIL", "done", "OOM", "ok"], [FINISHED, FAILED, FINISHED, FAILED, FAILED]),
    ],
)
def test_statuses(words: list[str], marks: list[str]) -> None:
    column = Column("State", words)
    assert find_status({"State": column}) == "State"
    found, problems = read_statuses(column)
    assert found == marks
    odd = ["State is 'ok' in 1 of 5 rows, no known status: they count as failed"]
    assert problems == (odd if "ok" in words else [])


def test_a_state_that_is_no_status() -> None:
    assert roles(state=["Ohio", "Utah", "Iowa"] * 8, loss=MEASURED)["state"] == "setting"


@pytest.mark.parametrize(
    ("name", "measured"),
    [
        *[(name, True) for name in ("valLoss", "error_rate", "test/f1", "mIoU", "objective", "eval/return", "loss2")],
        *[
            (name, False)
            for name in ("loss_scale", "val_every", "kl_coef", "label_smoothing", "score_fn", "evaluator", "f10")
        ],
    ],
)
def test_names_of_results(name: str, measured: bool) -> None:
    assert is_result_name(name) == measured


def test_other_names() -> None:
    assert all(map(is_hyperparameter_name, ("lr", "learning_rate", "weight_decay", "num_layers", "model/width")))
    assert not any(map(is_hyperparameter_name, ("loss", "acc", "grad_norm", "params")))
    assert all(map(is_measured_name, ("train_time", "Runtime", "gpu_mem", "seconds")))
    assert not any(map(is_measured_name, ("time_limit", "time_steps", "loss")))
    assert all(map(is_secondary, ("best_acc", "loss_min", "std_test_score", "system/cpu")))
    assert not any(map(is_secondary, ("maxpool_acc", "test_acc")))
    assert all(
        map(SEED.fullmatch, ("seed", "params.seed", "random_state", "config/model_seed", "fold", "user_attrs_seed"))
    )
    assert not any(map(SEED.fullmatch, ("seeds_used", "unseeded", "scaffold")))
