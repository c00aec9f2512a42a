"""Ray Tune: a directory for each trial with `params.json` and `result.json` or `progress.csv`, and, in the directory
of the experiment above them, `experiment_state-*.json`.

Pickles beside them, and in hexadecimal digits within the JSON, are not read. The last line of `result.json` does not
say how a trial ended (`done` is false there, too); the state of the experiment does.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from attnae.reading.curves import Curves, as_float, as_step, read_curves
from attnae.reading.json_files import json_lines, parse_json, read_json
from attnae.reading.run import FAILED, FINISHED, PRUNED, UNFINISHED, UNKNOWN, Format, HParam, Request, Run
from attnae.reading.settings import MAX_VALUES, flatten, setting_of

PARAMS, RESULT, PROGRESS, ERROR = "params.json", "result.json", "progress.csv", "error.txt"
STATES = "experiment_state*.json"
STATUSES = {"TERMINATED": FINISHED, "ERROR": FAILED}  # PAUSED, PENDING and RUNNING: unfinished
OBJECT = re.compile(r"<(function|class|built-in|[^>]* object at 0x)")
STEP, SECONDS = "training_iteration", "time_total_s"
BOOKKEEPING = {
    *("config", "trial_id", "experiment_id", "experiment_tag", "trainable_name", "date", "timestamp", "pid", "done"),
    *("hostname", "node_ip", "should_checkpoint", "checkpoint_dir_name", "warmup_time", "time_this_iter_s", STEP),
    *("time_since_restore", "timesteps_total", "timesteps_since_restore", "iterations_since_restore", SECONDS),
    "episodes_total",
}


@dataclass(frozen=True)
class Trial:
    """What the state of the experiment says about a trial."""

    status: str
    started: float


def recognises(path: Path) -> bool:
    """`params.json` of a trial that has results, or an error, or an experiment above it."""
    if path.name != PARAMS or not path.is_file():
        return False
    beside = any((path.parent / name).is_file() for name in (RESULT, PROGRESS, ERROR))
    return beside or any(path.parent.parent.glob(STATES))


def read(path: Path, request: Request) -> list[Run]:
    """The run of one trial."""
    return read_all(path.parent, [path], request)


def read_all(root: Path, files: Sequence[Path], request: Request) -> list[Run]:
    """A run for each trial. Trials of different experiments have different groups."""
    experiments: dict[Path, list[Path]] = defaultdict(list)
    for file in files:
        experiments[file.parent.resolve().parent].append(file.parent)
    runs = []
    for experiment, directories in experiments.items():
        problems: list[str] = []
        states = _read_states(experiment, problems)
        trials = [_read_trial(root, directory, experiment, states) for directory in directories]
        trials[0] = replace(trials[0], problems=(*problems, *trials[0].problems))
        runs += _tell_pruned(trials)
    return runs


def _read_trial(root: Path, directory: Path, experiment: Path, states: dict[str, Trial]) -> Run:
    problems: list[str] = []
    curves, trial_id = Curves(problems), ""
    first_time = math.nan
    if (directory / RESULT).is_file():
        for line in json_lines(directory / RESULT, problems):
            trial_id = trial_id or str(line.get("trial_id", ""))
            step, elapsed = as_step(line.get(STEP)), as_float(line.get(SECONDS))
            if math.isnan(first_time):
                first_time = (as_float(line.get("timestamp")) or math.nan) - (elapsed or math.nan)
            if step is not None:
                curves.add_tree(line, step, leave_out=BOOKKEEPING - {SECONDS})
    elif (directory / PROGRESS).is_file():
        curves = read_curves(directory / PROGRESS, [STEP], problems, leave_out=BOOKKEEPING - {SECONDS})
    state = states.get(trial_id) or next((found for key, found in states.items() if f"_{key}_" in directory.name), None)
    status = FAILED if (directory / ERROR).is_file() else state.status if state else UNKNOWN
    series = {tag: points for tag, points in curves.series().items() if not tag.startswith("config/")}
    times = series.pop(SECONDS, None)
    return Run(
        name=directory.relative_to(root).as_posix() if directory != root else directory.resolve().name,
        directory=directory,
        hparams=_read_params(directory / PARAMS, problems),
        scalars=series,
        status=status,
        problems=tuple(problems),
        started=state.started if state and not math.isnan(state.started) else first_time,
        seconds=math.nan if times is None else float(times.values[-1]),
        group=experiment.name if states else "",
    )


def _read_params(path: Path, problems: list[str]) -> dict[str, HParam]:
    """The configuration, without objects that only a pickle can hold and without functions."""
    hparams: dict[str, HParam] = {}
    try:
        content = read_json(path)
        for name, value in flatten(_without_pickles(content)) if isinstance(content, dict) else ():
            if not OBJECT.match(str(value)):
                hparams[name] = setting_of(value)
            if len(hparams) > MAX_VALUES:
                raise ValueError(f"it has more than {MAX_VALUES} values")
    except (ValueError, OverflowError) as error:
        problems.append(f"{PARAMS} cannot be read: {error}")
    return hparams


def _without_pickles(value: Any) -> Any:
    """Nested dictionaries without those that hold a pickle: `{"_type": "CLOUDPICKLE_FALLBACK", "value": "8004..."}`."""
    if not isinstance(value, dict):
        return value
    return {
        name: _without_pickles(child)
        for name, child in value.items()
        if not (isinstance(child, dict) and child.get("_type") == "CLOUDPICKLE_FALLBACK")
    }


def _read_states(experiment: Path, problems: list[str]) -> dict[str, Trial]:
    """Trial id -> its state, from the latest state of the experiment: pairs of JSON texts, state and run metadata."""
    latest = max(experiment.glob(STATES), key=lambda path: path.name, default=None)
    if latest is None or not latest.is_file():
        return {}
    states = {}
    try:
        content = read_json(latest)
        pairs = content.get("trial_data") if isinstance(content, dict) else None
        for pair in pairs if isinstance(pairs, list) else []:
            state, metadata = (*map(_object, pair[:2] if isinstance(pair, list) else ()), {}, {})[:2]
            status = STATUSES.get(str(state.get("status")), UNFINISHED)
            started = as_float(metadata.get("start_time"))
            states[str(state.get("trial_id"))] = Trial(status, math.nan if started is None else started)
    except (ValueError, RecursionError) as error:
        problems.append(f"{latest.name} cannot be read: {error}")
    return states


def _object(text: Any) -> dict[str, Any]:
    content = parse_json(text) if isinstance(text, str) else text
    return content if isinstance(content, dict) else {}


def _tell_pruned(trials: list[Run]) -> list[Run]:
    """Trials that ended before others did are PRUNED if the lengths repeat, as the rungs of a scheduler do.

    Where nearly every trial has a length of its own, each ended for a reason of its own, such as early stopping.
    """
    lengths = [_length(trial) for trial in trials if trial.status == FINISHED]
    if not lengths or 2 * len(set(lengths)) > len(lengths):
        return trials
    return [
        replace(trial, status=PRUNED) if trial.status == FINISHED and _length(trial) < max(lengths) else trial
        for trial in trials
    ]


def _length(trial: Run) -> int:
    return max((int(series.steps[-1]) for series in trial.scalars.values()), default=0)


RAY = Format("Ray Tune", "a directory of Ray Tune", recognises, read, read_all=read_all)
