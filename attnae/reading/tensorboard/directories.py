"""Which directories hold event files, and which of them belong to one run."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from attnae.reading.hydra import is_job, upwards
from attnae.reading.run import HParam, Matcher
from attnae.reading.settings import read_yaml
from attnae.reading.tensorboard.events import Log

EVENT_FILE = "tfevents"  # what TensorBoard looks for in a file's name
NUMBERED = re.compile(r"\d$")
TIME_NAME = re.compile(r"\d{9,}\.\d+")  # the directory that SummaryWriter.add_hparams makes for itself


def run_name(root: Path, directory: Path) -> str:
    """The path of a run relative to the log directory; for the log directory itself, its own name."""
    return root.resolve().name if directory == root else directory.relative_to(root).as_posix()


def gather(root: Path, logs: dict[Path, Log], match: Matcher | None) -> dict[Path, Log]:
    """Join the directories that belong to one run, and find hyper-parameters for those whose events have none.

    A run is a directory with hyper-parameters, in its events or else in a YAML file beside them; a name that fits the
    pattern adds to them. A directory without any (`run/train` and `run/validation` of Keras) belongs to the nearest
    directory above it that has some, and its tags are prefixed by the path from there. If there is none, the directory
    is a run of its own; several of them in one job of Hydra are one run.
    """
    logs = _join_sessions(logs)
    for directory, log in logs.items():
        _find_hparams(root, directory, log, match)
    runs = {directory: log for directory, log in logs.items() if log.hparams}
    without: set[Path] = set()
    above_others: set[Path] = set()
    for directory in logs:
        for parent in directory.parents:
            if parent in above_others:
                break
            above_others.add(parent)

    jobs = Counter(_hydra_job(root, directory) for directory in logs.keys() - runs.keys())

    def home(directory: Path) -> Path | None:
        for above in upwards(directory, root)[1:]:
            # A YAML file in the log directory itself describes the study, not a run.
            if above not in runs and above not in without and above != root:
                log = logs.get(above, Log())
                _find_hparams(root, above, log, match)
                if log.hparams:
                    runs[above] = log
                without.add(above)
            if above not in runs and jobs[above] > 1:
                runs[above] = logs.get(above, Log())
            if above in runs:
                return above
        return None

    for directory in sorted(logs.keys() - runs.keys()):
        log = logs[directory]
        if (above := home(directory)) is not None:
            runs[above].absorb(log, prefix=f"{directory.relative_to(above).as_posix()}/")
        elif log.points or log.problems or directory not in above_others:
            runs[directory] = log
    return runs


def _hydra_job(root: Path, directory: Path) -> Path | None:
    """The nearest directory, at or above `directory` but not above `root`, in which Hydra started a job."""
    return next(filter(is_job, upwards(directory, root)), None)


def _find_hparams(root: Path, directory: Path, log: Log, match: Matcher | None) -> None:
    log.hparams = log.hparams or read_yaml(directory, log.problems)
    if match is not None:
        log.hparams = {**log.hparams, **match(run_name(root, directory))}


def _join_sessions(logs: dict[Path, Log]) -> dict[Path, Log]:
    """Move hyper-parameters that `SummaryWriter.add_hparams` wrote into a child directory back to their run.

    Children whose hyper-parameters contradict each other or those of the parent are runs of their own. So are children
    that log the same tag and have numbered names (`rep1`, `rep2`).
    """
    sessions = defaultdict(list)
    for directory, log in logs.items():
        parent = logs.get(directory.parent)
        named_by_time = TIME_NAME.fullmatch(directory.name) is not None
        if parent is not None and log.hparams and (named_by_time or not parent.hparams):
            sessions[directory.parent].append(directory)
    joined = dict(logs)
    for run, children in sessions.items():
        everyone = [logs[run].hparams, *(logs[child].hparams for child in children)]
        known: dict[str, HParam] = {}
        agree = all(known.setdefault(name, value) == value for one in everyone for name, value in one.items())
        results: dict[str, list[float]] = defaultdict(list)
        for child in children:
            for tag, points in logs[child].points.items():
                results[tag] += points.values[-1:]
        repeated = {tag: values for tag, values in sorted(results.items()) if len(values) > 1}
        numbered = all(NUMBERED.search(child.name) and not TIME_NAME.fullmatch(child.name) for child in children)
        if agree and not (repeated and numbered) and (logs[run].points or len(children) == 1):
            for tag, values in repeated.items():
                if len(set(values)) > 1:
                    logs[run].problems.append(
                        f"{tag} has values of {len(values)} sessions of one run, read as one curve"
                    )
            for child in sorted(children, key=lambda child: np.nan_to_num(logs[child].started, nan=-np.inf)):
                logs[run].absorb(joined.pop(child))
    return joined
