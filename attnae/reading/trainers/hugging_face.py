"""Hugging Face Trainer: `trainer_state.json` in the output directory and in each of its checkpoints.

The arguments of the training are in a pickle, which is not read. Settings are those of a hyper-parameter search
(`trial_params`), else the batch size and the number of epochs that the state itself holds.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attnae.reading.curves import Curves, as_float, as_step
from attnae.reading.json_files import read_json
from attnae.reading.run import FINISHED, UNFINISHED, UNKNOWN, Format, HParam, Request, Run
from attnae.reading.settings import flatten, read_yaml, setting_of

STATE = "trainer_state.json"
CHECKPOINT = re.compile(r"checkpoint-(\d{1,15})")
MAX_CHECKPOINTS = 5  # that are tried, from the latest, until one can be read
IN_STATE = ("train_batch_size", "num_train_epochs")
# What the trainer logs about its own speed.
BOOKKEEPING = ("step", "epoch", "total_flos", "train_runtime", "train_samples_per_second", "train_steps_per_second")
SPEED = re.compile(r"_(runtime|samples_per_second|steps_per_second|model_preparation_time)$")


def recognises(path: Path) -> bool:
    return path.name == STATE and path.is_file()


def read(path: Path, request: Request) -> list[Run]:
    """The run of one file."""
    return read_all(path.parent, [path], request)


def read_all(root: Path, files: Sequence[Path], request: Request) -> list[Run]:
    """A run for each output directory: the log of a checkpoint repeats the earlier ones, so the longest one counts."""
    by_output: dict[Path, list[Path]] = defaultdict(list)
    for file in files:
        by_output[file.parent.parent if CHECKPOINT.fullmatch(file.parent.name) else file.parent].append(file)
    runs = []
    for directory, states in by_output.items():
        name = directory.relative_to(root).as_posix() if root in directory.parents else directory.resolve().name
        runs.append(_read_output(name, directory, states))
    return runs


def _read_output(name: str, directory: Path, files: list[Path]) -> Run:
    problems: list[str] = []
    state: dict[str, Any] = {}
    # The one in the output directory, which is the last to be written, and the latest checkpoint that can be read.
    own = [file for file in files if file.parent == directory]
    checkpoints = sorted((file for file in files if file.parent != directory), key=_number, reverse=True)
    for group in (own, checkpoints[:MAX_CHECKPOINTS]):
        for file in group:
            try:
                content = read_json(file)
            except ValueError as error:
                problems.append(f"{file.relative_to(directory).as_posix()} cannot be read: {error}")
                continue
            if isinstance(content, dict) and isinstance(content.get("log_history"), list):
                if not state or _steps(content) > _steps(state):
                    state = content
                break
            problems.append(f"{file.relative_to(directory).as_posix()} has no log_history")
    return _run(name, directory, state, problems)


def _run(name: str, directory: Path, state: dict[str, Any], problems: list[str]) -> Run:
    curves = Curves(problems)
    seconds = math.nan
    for entry in state.get("log_history", []):
        if not isinstance(entry, dict) or (step := as_step(entry.get("step"))) is None:
            continue
        seconds = as_float(entry.get("train_runtime")) or seconds
        results = {tag: value for tag, value in entry.items() if tag not in BOOKKEEPING and not SPEED.search(tag)}
        curves.add_tree(results, step)
    return Run(
        name=name,
        directory=directory,
        hparams=_settings(directory, state, problems),
        scalars=curves.series(),
        status=_status(state, seconds, problems),
        problems=tuple(problems),
        seconds=seconds,
    )


def _settings(directory: Path, state: dict[str, Any], problems: list[str]) -> dict[str, HParam]:
    for source in (state.get("trial_params"), {key: state[key] for key in IN_STATE if key in state}):
        if isinstance(source, dict) and source:
            try:
                return {**read_yaml(directory, problems), **{key: setting_of(value) for key, value in flatten(source)}}
            except (ValueError, OverflowError) as error:
                problems.append(f"trial_params cannot be read: {error}")
    return read_yaml(directory, problems)


def _status(state: dict[str, Any], seconds: float, problems: list[str]) -> str:
    """FINISHED if all steps were made or the trainer logged its total time, as it does after early stopping, too."""
    limit = as_step(state.get("max_steps"))
    if not math.isnan(seconds) or (limit is not None and 0 < limit <= _steps(state)):
        return FINISHED
    if limit is None:
        return UNKNOWN
    problems.append(f"the last state is of step {_steps(state)} of {limit}: interrupted, or stopped early")
    return UNFINISHED


def _steps(state: dict[str, Any]) -> int:
    return as_step(state.get("global_step")) or 0


def _number(path: Path) -> int:
    found = CHECKPOINT.fullmatch(path.parent.name)
    return int(found.group(1)) if found else -1


HUGGING_FACE = Format(
    "Hugging Face Trainer",
    "a directory with trainer_state.json",
    recognises,
    read,
    belongs=("runs",),  # event files with the same log
    read_all=read_all,
)
