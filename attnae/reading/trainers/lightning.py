"""Lightning's CSVLogger: `metrics.csv` beside `hparams.yaml`.

Training and validation are written in different rows of the same step, so that a series is the non-empty cells of a
column. The end of a run is not recorded.
"""

from __future__ import annotations

from pathlib import Path

from attnae.reading.curves import csv_header, read_curves
from attnae.reading.run import Format, Request, Run
from attnae.reading.settings import read_yaml

METRICS, HPARAMS = "metrics.csv", "hparams.yaml"


def recognises(path: Path) -> bool:
    """`metrics.csv` with the column `step`, and either the column `epoch` or the file `hparams.yaml` beside it."""
    if path.name != METRICS or not path.is_file():
        return False
    header, _ = csv_header(path)
    return "step" in header and ("epoch" in header or (path.parent / HPARAMS).is_file())


def read(path: Path, request: Request) -> list[Run]:
    """The run of the directory. The epoch is no result: it counts the steps."""
    problems: list[str] = []
    hparams = read_yaml(path.parent, problems)
    curves = read_curves(path, ["step"], problems, leave_out=["epoch"])
    return [Run(path.resolve().parent.name, path.parent, hparams, curves.series(), problems=tuple(problems))]


LIGHTNING = Format("Lightning CSVLogger", "a directory with Lightning's metrics.csv", recognises, read)
