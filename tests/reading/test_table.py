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
        ("a,a,loss\n1,2,3\n", "'a' is empty or given twice"),
        ("a,,loss\n1,2,3\n", "'' is empty or given twice"),
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
