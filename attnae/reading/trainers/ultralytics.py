"""Ultralytics (YOLO): `args.yaml` beside `results.csv`. Neither records how the run ended."""

from __future__ import annotations

import math
from pathlib import Path

from attnae.reading.curves import read_curves
from attnae.reading.run import Format, Request, Run
from attnae.reading.settings import read_yaml_file

RESULTS, ARGUMENTS = "results.csv", "args.yaml"
BOOKKEEPING = ("save_dir", "name", "project", "exist_ok")


def recognises(path: Path) -> bool:
    return path.name == RESULTS and path.is_file() and (path.parent / ARGUMENTS).is_file()


def read(path: Path, request: Request) -> list[Run]:
    """The run of the directory; `time`, the seconds since its start, is its duration and not a result."""
    problems: list[str] = []
    arguments = read_yaml_file(path.parent / ARGUMENTS, ARGUMENTS, problems)
    curves = read_curves(path, ["epoch"], problems)
    series = curves.series()
    times = series.pop("time", None)
    run = Run(
        name=path.resolve().parent.name,
        directory=path.parent,
        hparams={name: value for name, value in arguments.items() if name not in BOOKKEEPING},
        scalars=series,
        problems=tuple(problems),
        seconds=math.nan if times is None else float(times.values[-1]),
    )
    return [run]


ULTRALYTICS = Format("Ultralytics", "a directory with args.yaml and results.csv of Ultralytics", recognises, read)
