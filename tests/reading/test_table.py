"""CSV tables with one row per run."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tensorboard.plugins.hparams.api_pb2 import Experiment, HParamInfo, MetricInfo, SessionGroup
from tensorboard.plugins.hparams.api_pb2 import ListSessionGroupsResponse as Groups
from tensorboard.plugins.hparams.download_data import Handler, OutputFormat

from attnae.analysis.audit.audit import audit_runs
from attnae.errors import UserError
from attnae.reading.read import read_logs
from attnae.reading.table import is_result_name


def audit(path: Path, text: str, **options: Any) -> Any:
    path.write_text(text)
    return audit_runs(read_logs(path), **options)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study.csv"


def test_tensorboards_own_export(path: Path) -> None:
    """Made by the handler behind the HParams page's download link."""
    experiment = Experiment(
        hparam_infos=[HParamInfo(name=name) for name in ("bn", "lr", "act")],
        metric_infos=[MetricInfo(name={"tag": tag}) for tag in ("test/loss", "test/elbo")],
    )
    groups = Groups()
    for number in range(8):
        group = SessionGroup()
        group.hparams["bn"].bool_value = number % 2 == 0
        group.hparams["lr"].number_value = [0.1, 0.01][number // 2 % 2]
        group.hparams["act"].string_value = ["relu", "elu"][number // 4]
        for tag in ("test/loss", "test/elbo"):
            group.metric_values.add(name={"tag": tag}, value=number if tag == "test/loss" else -number)
        groups.session_groups.append(group)
    context = SimpleNamespace()
    body, _ = Handler(context, experiment, groups, OutputFormat.CSV, [True] * 5).run()
    found = audit(path, body)
    assert found.factors == ("bn", "lr", "act")
    assert (found.response, found.goal) == ("test/loss", "min")
    assert found.table["response"].tolist() == list(range(8))
    assert found.table["bn"].tolist() == [True, False] * 4
    assert found.table["lr"].tolist() == [0.1, 0.1, 0.01, 0.01] * 2
    assert audit(path, body, response="test/elbo").goal == "max"


def test_our_own_runs_csv_can_be_read_again(path: Path) -> None:
    text = "run,status,act,bn,seed,response\n"
    text += "".join(
        f"r{act}{bn}{seed},finished,{act},{bn},{seed},{seed + bn}\n"
        for act in ("elu", "relu")
        for bn in (True, False)
        for seed in (1, 2)
    )
    text += "bad,diverged,elu,True,3,nan\n"
    first = audit(path, text)
    assert first.factors == ("act", "bn")
    assert first.table["status"].tolist() == ["finished"] * 8 + ["diverged"]
    first.table.to_csv(path, index=False)
    again = audit_runs(read_logs(path))
    pd.testing.assert_frame_equal(again.table.iloc[:8], first.table.iloc[:8])
    assert first.table["seed"].tolist() == [1, 2] * 4 + [3]


def test_if_no_column_is_named_like_a_result_the_last_number_is_the_response(path: Path) -> None:
    found = audit(path, "A,B,y\n-1,-1,28\n1,-1,36\n-1,1,18\n1,1,31\n")
    assert (found.factors, found.response) == (("A", "B"), "y")
    assert found.table["response"].tolist() == [28, 36, 18, 31]


def test_any_number_can_be_the_response(path: Path) -> None:
    text = "a,speed,heat\n1,10,5.5\n1,10.5,6\n2,12,7\n2,11,8\n"
    assert audit(path, text).response == "heat"
    assert audit(path, text, response="speed", factors=["a"]).table["response"].tolist() == [10, 10.5, 12, 11]


def test_empty_cells_and_nan(path: Path) -> None:
    found = audit(path, "a,loss\n1,1.5\n1,\n2,nan\n2,inf\n2,3\n")
    assert found.table["status"].tolist() == ["unknown", "unfinished", "diverged", "diverged", "unknown"]
    np.testing.assert_array_equal(found.table["response"], [1.5, math.nan, math.nan, math.inf, 3])


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_quotes_and_byte_order_mark(path: Path, separator: str) -> None:
    rows = [["\ufeffact", '"test loss"'], ['"re""lu"', "1.5"], ["elu", " 2.5 "], ["elu", "2"], []]
    found = audit(path, "\r\n".join(map(separator.join, rows)))
    assert found.table["act"].tolist() == ['re"lu', "elu", "elu"]
    assert found.table["response"].tolist() == [1.5, 2.5, 2.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ("a,loss\n", "has no rows"),
        ("a,loss\n1,2\n1\n", "line 3: 1 cells where the header has 2"),
        ("a,act\nx,relu\ny,elu\n", "the runs have no scalar values"),
    ],
)
def test_files_that_are_not_tables(path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        audit(path, text)


def test_a_binary_file_is_not_a_table(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UserError, match="is not a CSV table"):
        read_logs(path)


@pytest.mark.parametrize(
    ("name", "measured"),
    [
        *[(name, True) for name in ("test/loss", "val_acc", "PSNR", "f1", "hparam/x")],
        *[(name, False) for name in ("loss_weight", "kl_weight", "val_size", "lr", "latest")],
    ],
)
def test_names_of_results(name: str, measured: bool) -> None:
    assert is_result_name(name) == measured


def test_a_name_given_twice_is_numbered_and_an_empty_one_replaced(path: Path) -> None:
    path.write_text("a,a,,loss,loss\n1,2,x,3,4\n2,2,y,5,6\n")
    first, second = read_logs(path)
    assert first.hparams == {"a": 1, "a.1": 2, "column 3": "x"}
    assert second.final == {"a": 2, "a.1": 2, "loss": 5, "loss.1": 6}
    assert first.problems == (
        "the column name 'a' is given twice: the second column is called 'a.1'",
        "column 3 has no name: it is called 'column 3'",
        "the column name 'loss' is given twice: the second column is called 'loss.1'",
    )
    assert second.problems == ()


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_the_index_of_a_data_frame_is_no_setting(path: Path, name: str) -> None:
    path.write_text(f"{name},act,loss\n0,relu,1\n1,elu,2\n")
    assert [run.hparams for run in read_logs(path)] == [{"act": "relu"}, {"act": "elu"}]


def test_empty_cells_and_whole_numbers(path: Path) -> None:
    """Empty is what pandas, R and W&B write for it; a column of 1.0 and 2.0 is one of whole numbers."""
    path.write_text("units,note,bn,loss\n1.0,-,True,1\n2.0,NA,False,NA\nNaN,null,,nan\n,x,true,-inf\n")
    runs = read_logs(path)
    assert [run.hparams for run in runs] == [
        {"units": 1, "bn": True},
        {"units": 2, "bn": False},
        {},
        {"note": "x", "bn": True},
    ]
    assert type(runs[0].hparams["units"]) is int
    losses = [run.final.get("loss") for run in runs]
    np.testing.assert_array_equal(np.array(losses, dtype=float), [1, math.nan, math.nan, -math.inf])
    assert [loss is None for loss in losses] == [False, True, False, False]


def test_decimal_commas(path: Path) -> None:
    frame = pd.DataFrame({"lr": [0.1, 0.01], "act": ["a,b", "c"], "loss": [1.5, 2.25]})
    frame.to_csv(path, sep=";", decimal=",", index=False)
    runs = read_logs(path)
    assert [run.hparams for run in runs] == [{"lr": 0.1, "act": "a,b"}, {"lr": 0.01, "act": "c"}]
    assert [run.final["loss"] for run in runs] == [1.5, 2.25]


def test_two_header_rows_of_pandas(path: Path) -> None:
    frame = pd.DataFrame({"act": ["relu", "relu", "elu", "elu"], "loss": [1.0, 2.0, 3.0, 4.0]})
    frame.groupby("act").agg(["mean", "std"]).to_csv(path)
    runs = read_logs(path)
    assert [run.hparams for run in runs] == [{"act": "elu"}, {"act": "relu"}]
    assert [run.final["loss/mean"] for run in runs] == [3.5, 1.5]
    assert runs[0].metrics == ("loss/mean",)
    assert runs[0].problems == ("the file has two header rows: their names are joined by a slash",)


def test_a_separator_at_the_end_of_each_row(path: Path) -> None:
    path.write_text("act,loss\nrelu,1,\nelu,2,\n")
    assert [run.final for run in read_logs(path)] == [{"loss": 1}, {"loss": 2}]


def test_lines_are_counted_as_an_editor_does(path: Path) -> None:
    path.write_text('act,loss\n"re\nlu",1\n\nelu\n')
    with pytest.raises(UserError, match="line 5: 1 cells where the header has 2"):
        read_logs(path)


def test_words_among_results(path: Path) -> None:
    path.write_text("act,loss\nrelu,1\nelu,OOM\nelu,2\n")
    runs = read_logs(path)
    assert [run.final for run in runs] == [{"loss": 1}, {}, {"loss": 2}]
    assert runs[0].problems == ("loss has words in 1 of 3 rows, which are read as no value",)
