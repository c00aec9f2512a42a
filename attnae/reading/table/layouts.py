"""The tables that experiment trackers write, recognised by their header, and what their columns without a role mean."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

Header = set[str]

SETTING_PREFIXES = (
    "params.",
    "params_",
    "params/",
    "param_",
    "config.",
    "config/",
    "hparams/",
    "hparams.",
    "parameters/",
)
RESULT_PREFIXES = ("metrics.", "metrics/", "summary.")
DETAIL_PREFIXES = (
    "tags.",
    "user_attrs_",
    "user_attrs/",
    "system_attrs_",
    "system_attrs/",
    "sys/",
    "monitoring/",
    "source_code/",
)
# Sizes of a model, which begin like settings in tables without prefixes.
_SIZE = re.compile(r"params?_(count|total|number|num|m|k|mb|millions?|trainable)", re.IGNORECASE)

# Columns of trackers that were neither set nor measured.
# fmt: off
BOOKS = frozenset({
    "_wandb", "_step", "_runtime", "_timestamp", "Runtime", "Created", "Updated", "Notes", "User", "Tags", "Sweep",
    "Group", "Job Type", "JobType", "Agent", "Host", "Hostname", "ID", "Command", "Commit", "Start Time", "End Time",
    "GPU Count", "GPU Type", "CPU Count", "run_id", "experiment_id", "experiment_tag", "artifact_uri", "start_time",
    "end_time", "number", "duration", "trial_id", "logdir", "timestamp", "date", "pid", "hostname", "node_ip", "done",
    "training_iteration", "checkpoint_dir_name", "should_checkpoint", "warmup_time", "lifecycle_stage", "user_id",
    "source", "format",
})
# fmt: on
_BOOKS = re.compile(r"(datetime|time|iterations|timesteps|episodes)_.*")


@dataclass(frozen=True)
class Layout:
    """How a program lays out its table of runs.

    Attributes:
        name: of the format.
        recognises: whether a header is of this layout.
        names: the columns that may name the runs, the best first.
        called: how a run is called after the value of that column.
        results: the names of the results that the program declares, if they have no prefix.
        group: the column of the study or experiment that a run belongs to.
        started: the column of the time at which a run began.
        ended: the column of the time at which it ended.
        seconds: the column of how long it took.
        objectives: what the columns of several objectives begin with, or of one that has a name.
        parents: whether a row without settings and results stands for a group of other rows.
        objects: the columns of dictionaries, with the prefix of the columns that they become.
        ordered: whether columns of settings stand before columns of results, each of them in alphabetical order.
        budget: the column of how far a run was trained.
        goal_is_max: whether more of the result is better by convention.
    """

    name: str
    recognises: Callable[[Header], bool]
    names: tuple[str, ...] = ()
    called: str = "{}"
    results: re.Pattern[str] | None = None
    group: str | None = None
    started: str | None = None
    ended: str | None = None
    seconds: str | None = None
    objectives: tuple[str, ...] = ()
    parents: bool = False
    objects: tuple[tuple[str, str], ...] = ()
    ordered: bool = False
    budget: str | None = None
    goal_is_max: bool = False


def _any(header: Header, *prefixes: str) -> bool:
    return any(name.startswith(prefixes) for name in header)


NAMES = ("run", "name", "run_name", "tags.mlflow.runName", "trial_id", "trial id", "run_id", "run id", "id")

PLAIN = Layout("CSV table", lambda header: True, names=NAMES)
LAYOUTS = (
    Layout(
        "MLflow CSV",
        lambda header: {"run_id", "status"} <= header and _any(header, "params.", "metrics."),
        names=("tags.mlflow.runName", "run_name", "run_id"),
        group="experiment_id",
        started="start_time",
        ended="end_time",
        parents=True,
    ),
    Layout(
        "Optuna CSV",
        lambda header: "number" in header and ("datetime_start" in header or _any(header, "params_", "params/")),
        names=("number",),
        called="trial {}",
        results=re.compile(r"values?([_/].*)?"),
        objectives=("value_", "values_", "values/"),
        started="datetime_start",
        ended="datetime_complete",
        seconds="duration",
    ),
    Layout(
        "W&B table of the API",
        lambda header: {"summary", "config"} <= header,
        names=("name", "Name", "id"),
        objects=(("config", "config."), ("summary", "summary.")),
        started="created_at",
        seconds="summary._runtime",
    ),
    Layout(
        "W&B page CSV",
        lambda header: "Name" in header and bool(header & {"State", "Created"}),
        names=("Name", "ID"),
        started="Created",
        seconds="Runtime",
        ordered=True,
    ),
    Layout(
        "Ray CSV",
        lambda header: (
            {"trial_id", "training_iteration"} <= header or ("trial_id" in header and _any(header, "config/"))
        ),
        names=("trial_id",),
        ended="timestamp",
        seconds="time_total_s",
        budget="training_iteration",
    ),
    Layout(
        "Neptune CSV",
        lambda header: _any(header, "sys/") and _any(header, "parameters/", "metrics/"),
        names=("sys/name", "sys/id"),
        started="sys/creation_time",
        seconds="sys/running_time",
    ),
    Layout(
        "scikit-learn CSV",
        lambda header: "params" in header and _any(header, "param_") and _any(header, "mean_test_", "split0_test_"),
        results=re.compile(r"mean_test_.*"),
        goal_is_max=True,
    ),
)


def find_layout(header: Header) -> Layout:
    """The first layout that recognises the header; `PLAIN` if none does."""
    return next((layout for layout in LAYOUTS if layout.recognises(header)), PLAIN)


def prefix_of(name: str, prefixes: tuple[str, ...]) -> str:
    """The prefix with which the name begins, empty if with none or with nothing after it."""
    return next((prefix for prefix in prefixes if name.startswith(prefix) and len(name) > len(prefix)), "")


def setting_prefix(name: str, layout: Layout) -> str:
    """The prefix of a setting with which the name begins, empty if with none."""
    return "" if layout is PLAIN and _SIZE.fullmatch(name) else prefix_of(name, SETTING_PREFIXES)


def is_book(name: str) -> bool:
    """Whether a tracker writes a column of this name about each run. Under a prefix, the part after it counts."""
    bare = name.removeprefix("summary.")
    return bare in BOOKS or bare.startswith("_") or _BOOKS.fullmatch(bare) is not None


def time_of(text: str) -> float:
    """Seconds since 1970 of a date, or of a number of seconds or milliseconds; NaN for anything else.

    A time without a zone counts as UTC: only the order of the runs matters.
    """
    if not text:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        try:
            when = datetime.fromisoformat(text)
            return (when if when.tzinfo else when.replace(tzinfo=timezone.utc)).timestamp()
        except (ValueError, OverflowError):
            return math.nan
    return number / 1000 if number > 1e11 else number


def duration_of(text: str) -> float:
    """Seconds of a duration such as `0 days 00:01:30.5`, `0:01:30` or `90.5`; NaN for anything else."""
    if not text:
        return math.nan
    found = re.fullmatch(r"(?:(\d{1,6}) days? )?\+?(\d{1,6}):(\d\d):(\d\d(?:\.\d{1,9})?)", text)
    if found is not None:
        days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    try:
        return float(text)
    except ValueError:
        return math.nan
