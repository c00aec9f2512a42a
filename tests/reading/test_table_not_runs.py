"""Files whose rows are no runs, damaged files, and files made to use up memory or time."""

from __future__ import annotations

import itertools
import random
import resource
import time
from pathlib import Path

import numpy as np
import pytest

from attnae.errors import UserError
from attnae.reading.read import read_logs
from attnae.reading.run import Request, Run
from attnae.reading.table import TABLE

RNG = np.random.default_rng(0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.csv"


def rows_of(header: str, *columns: list[object]) -> str:
    return "\n".join([header, *(",".join(map(str, row)) for row in zip(*columns, strict=True))])


def outcome(path: Path) -> tuple[list[Run], str]:
    """The runs, or else the message to the user."""
    try:
        return read_logs(path), ""
    except UserError as error:
        return [], str(error)


def noise(count: int) -> list[object]:
    return [round(float(value), 6) for value in RNG.normal(1, 0.1, count)]


CURVES = {
    "a chart of W&B": (
        rows_of(
            '"Step","sun-1 - loss","sun-1 - loss__MIN","sun-1 - loss__MAX"',
            [*range(50)],
            noise(50),
            noise(50),
            noise(50),
        ),
        "is a chart exported from W&B: its rows are steps, not runs. Export the table of the project's runs",
    ),
    "a chart of W&B, without minimum and maximum": (
        rows_of('"Step","sun-1 - loss","sun-2 - loss"', [*range(50)], noise(50), noise(50)),
        "is the curve of one run: Step counts",
    ),
    "a curve of TensorBoard": (
        rows_of("Wall time,Step,Value", noise(9), [*range(9)], noise(9)),
        "is a curve exported from TensorBoard",
    ),
    "a history of MLflow": (
        rows_of("run_id,key,value,step,timestamp", ["a"] * 9, ["loss"] * 9, noise(9), [*range(9)], [*range(9)]),
        "holds the history of metrics",
    ),
    "Keras": (
        rows_of("epoch,accuracy,loss,val_accuracy,val_loss", [*range(9)], noise(9), noise(9), noise(9), noise(9)),
        "is the curve of one run: epoch counts from row to row, and no setting varies",
    ),
    "the history of a run of W&B": (
        rows_of("_step,_runtime,_timestamp,lr,loss", [*range(0, 450, 50)], noise(9), noise(9), noise(9), noise(9)),
        "is the curve of one run: _step counts",
    ),
    "histories one after the other": (
        rows_of("act,epoch,loss", ["relu"] * 9 + ["elu"] * 5, [*range(9), *range(5)], noise(14)),
        "has several rows per run: epoch counts up 2 times. Keep the last row of each run",
    ),
}


@pytest.mark.parametrize("name", CURVES)
def test_files_whose_rows_are_no_runs(path: Path, name: str) -> None:
    text, message = CURVES[name]
    path.write_text(text)
    with pytest.raises(UserError) as error:
        TABLE.read(path, Request())
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("header", "steps"),
    [
        ("act,epoch,loss", [37, 12, 50, 9, 41, 22, 8, 30]),  # the epoch at which each run ended
        ("act,epoch,loss", [50] * 8),
        ("act,_step,loss", [50, 50, 100, 100, 50, 50, 100, 100]),
        ("act,epochs,loss", [10, 20, 30, 40, 10, 20, 30, 40]),  # a setting
        ("act,step,loss", [0, 1, 2, 3, 4, 5, 6, 7]),  # numbers the runs: another setting varies
    ],
)
def test_tables_of_runs_with_a_column_of_steps(path: Path, header: str, steps: list[object]) -> None:
    path.write_text(rows_of(header, ["relu", "elu"] * 4, steps, noise(8)))
    assert len(read_logs(path)) == 8


SAMPLES = [
    "run_id,status,start_time,metrics.loss,params.lr,params.seed,tags.mlflow.runName\n"
    + "\n".join(f'{row:x},FINISHED,2026-11-25,{row}.5,0.{row % 2 + 1},{row},"run {row}"' for row in range(8)),
    "number,value,datetime_start,duration,params_lr,params_opt,state\n"
    + "\n".join(f"{row},{row}.5,2026-11-25,0 days 00:00:01,0.{row + 1},sgd,COMPLETE" for row in range(8)),
    "name,config,summary\n"
    + "\n".join(f"""r{row},"{{'lr': 0.{row + 1}, 'n': [1]}}","{{'loss': {row}.5, 'x': nan}}\"""" for row in range(8)),
    "Name,State,Created,act,seed,acc,loss\n"
    + "\n".join(f"s-{row},finished,2026-11-25T03:00:00.000Z,relu,{row},0.{row + 1},{row}.5" for row in range(8)),
    ",loss,loss\n,mean,std\nact,,\n" + "\n".join(f"a{row},{row}.5,0.{row + 1}" for row in range(8)),
]


@pytest.mark.parametrize("sample", range(len(SAMPLES)))
def test_damage_is_an_error_of_the_user_or_a_table(path: Path, sample: int) -> None:
    """Cut after every character, with changed bytes, and with every line missing."""
    whole = SAMPLES[sample].encode()
    path.write_bytes(whole)
    assert len(read_logs(path)) == 8
    rng = random.Random(sample)
    lines = whole.splitlines(keepends=True)
    damaged = [whole[:end] for end in range(0, len(whole), 7)]
    damaged += [b"".join(lines[:row] + lines[row + 1 :]) for row in range(len(lines))]
    for _ in range(200):
        changed = bytearray(whole)
        for _ in range(rng.choice([1, 5])):
            changed[rng.randrange(len(whole))] = rng.choice([*b"\x00\xff,;\t\n\"'{}-.e9", rng.randrange(256)])
        damaged.append(bytes(changed))
    for content in damaged:
        path.write_bytes(content)
        runs, message = outcome(path)
        assert bool(runs) != bool(message)
        assert "\n" not in message
        assert all(isinstance(value, (bool, int, float, str)) for run in runs for value in run.hparams.values())


MB = 1 << 20


def names_of_row(row: int) -> str:
    names = ", ".join(f"'{row * 100 + number}': 1" for number in range(100))
    return f"r{row},\"{{{names}}}\",{{'loss': 1}}\n"


HOSTILE = {
    "a cell of a megabyte": "a,loss\n" + "x" * MB + ",1\n",
    "a name of a megabyte": "a" * MB + ",loss\n1,2\n",
    "a name of 2,000 characters": "a" * 2000 + ",loss\n1,2\n",
    "100,000 columns": ",".join(f"c{n}" for n in range(100_000)) + "\n" + ",".join("1" * 100_000) + "\n",
    "500,000 rows": "a,b\n" + "1\n" * 5 + "1,\n" * (MB // 3),
    "350,000 rows": "a,b\n" + ",1\n" * (MB // 3),
    "many names in dictionaries": "name,config,summary\n" + "".join(map(names_of_row, range(900))),
    "an open quote": 'a,loss\n1,"' + "2,3\n" * (MB // 4),
    "nothing but separators": "a,b\n" + "," * MB,
    "deep brackets": "name,config,summary\n" + "x," + "[" * 90_000 + ",{}\n",
    "a long sum": "name,config,summary\n" + "x,{1: " + "+1" * 40_000 + "},{'loss': 1}\ny,{},{'loss': 2}\n",
    "many signs": "name,config,summary\n" + "x,{1: " + "-" * 90_000 + "1},{'loss': 1}\ny,{},{'loss': 2}\n",
    "a large power": "name,config,summary\nx,{1: 9**9**9**9},{'loss': 1}\ny,{},{'loss': 2}\n",
    "long numbers": "a,loss\n" + "9" * 100_000 + ",1\n1," + "9" * 100_000 + "\n",
    "quotes that do not end": "name,config,summary\nx," + "{'\\" * 30_000 + ",{'loss': 1}\ny,{},{'loss': 2}\n",
    "equal names": ",".join(["a"] * 1999) + "\n" + ",".join("1" * 1999) + "\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_take_neither_memory_nor_time(path: Path, name: str) -> None:
    path.write_text(HOSTILE[name])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    used = time.process_time()
    _, message = outcome(path)
    assert len(message) < 400 + len(str(path))
    assert time.process_time() - used < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MB  # kilobytes: 1 GB


def test_a_large_file_is_not_read(path: Path) -> None:
    with open(path, "w") as file:
        file.write("a,loss\n1,2\n")
        file.truncate((256 << 20) + 1)
    with pytest.raises(UserError, match="larger than 256 MiB"):
        read_logs(path)


def test_sizes_that_are_allowed(path: Path) -> None:
    """A table of 2,000 columns and one of 5,000 runs."""
    names = [f"params.p{number}" for number in range(1990)]
    path.write_text(",".join(["metrics.loss", *names]) + "\n" + ("1," + ",".join("2" * 1990) + "\n") * 20)
    assert len(read_logs(path)[0].hparams) == 1990
    grid = itertools.islice(itertools.cycle(["relu,0.1", "elu,0.01"]), 5000)
    path.write_text("act,lr,loss\n" + "".join(f"{cell},{row}.5\n" for row, cell in enumerate(grid)))
    assert len(read_logs(path)) == 5000
