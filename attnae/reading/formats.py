"""The formats of logs that can be read. A line in `FORMATS` adds one."""

from __future__ import annotations

from pathlib import Path

from attnae.reading.mlflow.database import MLFLOW_DATABASE
from attnae.reading.mlflow.files import MLFLOW_FILES
from attnae.reading.optuna.database import OPTUNA_DATABASE
from attnae.reading.optuna.journal import OPTUNA_JOURNAL
from attnae.reading.run import Format
from attnae.reading.table import TABLE
from attnae.reading.tensorboard.reader import TENSORBOARD
from attnae.reading.trainers.hugging_face import HUGGING_FACE
from attnae.reading.trainers.keras import KERAS
from attnae.reading.trainers.lightning import LIGHTNING
from attnae.reading.trainers.ray import RAY
from attnae.reading.trainers.ultralytics import ULTRALYTICS
from attnae.reading.wandb.reader import WANDB

# The first format that recognises a path reads it. Place a new format before `TABLE`, which accepts every file.
FORMATS: list[Format] = [
    TENSORBOARD,
    MLFLOW_DATABASE,
    MLFLOW_FILES,
    OPTUNA_DATABASE,
    OPTUNA_JOURNAL,
    WANDB,
    RAY,
    HUGGING_FACE,
    LIGHTNING,
    ULTRALYTICS,
    KERAS,
    TABLE,
]


def find_format(path: Path, *, scanning: bool = False) -> Format | None:
    """The first format that recognises an existing path; with `scanning`, of those that a directory is searched for."""
    for candidate in FORMATS:
        if scanning and not candidate.scanned:
            continue
        try:
            if candidate.recognises(path):
                return candidate
        except OSError:  # a file that cannot be opened: another format may know it by its name
            continue
    return None


def known_formats() -> str:
    """What can be given, for messages; docs/reading.md has the examples."""
    names = dict.fromkeys(known.name for known in FORMATS if known is not TABLE)
    return f"logs of {', '.join(names)}, or {TABLE.example} (docs/reading.md says which files)"
