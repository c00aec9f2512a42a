"""Keras' CSVLogger: a CSV file with the columns `epoch`, metrics, and their twins `val_...` of the validation data.

The settings are not in it: they come from the name of the run, or from YAML files at or above it.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from attnae.reading.curves import as_step, csv_header, csv_rows, read_curves
from attnae.reading.run import Format, Request, Run
from attnae.reading.settings import number_of, read_yaml

SUFFIXES = (".csv", ".log", ".tsv", ".txt")
CHECKED_ROWS = 3


def recognises(path: Path) -> bool:
    """A CSV file that begins with `epoch` 0, 1, 2 and has a metric and its `val_` twin."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return False
    header, _ = csv_header(path)
    if not header or header[0] != "epoch":
        return False
    plain = {name.removeprefix("train_") for name in header if not name.startswith("val_")}
    if not any(name.removeprefix("val_") in plain for name in header if name.startswith("val_")):
        return False
    epochs = [as_step(number_of(cells["epoch"])) for _, cells in islice(csv_rows(path, []), CHECKED_ROWS)]
    return bool(epochs) and epochs[0] in (0, 1) and epochs == [epochs[0] + count for count in range(len(epochs))]


def read(path: Path, request: Request) -> list[Run]:
    """The run of the file. Where a directory holds several such files, each has its own name and no directory."""
    problems: list[str] = []
    alone = not any(other != path and recognises(other) for other in path.parent.glob("*.*"))
    hparams = read_yaml(path.parent, problems) if alone else {}
    curves = read_curves(path, ["epoch"], problems)
    name = path.resolve().parent.name if alone else path.stem
    directory = path.parent if alone else None
    return [Run(name, directory, hparams, curves.series(), problems=tuple(problems))]


KERAS = Format("Keras CSVLogger", "a CSV file of Keras' CSVLogger", recognises, read)
