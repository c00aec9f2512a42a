"""What the names of settings say: seeds, repetitions, numbers of runs, bookkeeping; and names as users type them."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from attnae.analysis.design.factors import MAX_NUMERIC_LEVELS
from attnae.errors import UserError
from attnae.reading.run import HParam

SEED = re.compile(r"(.*_)?seed(_.*)?|random_state", re.IGNORECASE)
# Names that tell repetitions of one setting apart.
REPLICATE = re.compile(
    r"(rep|replicas?|replicates?|replications?|repeat|repetition|trial|obs|observation|fold)"
    r"([_-]?(id|no|nr|num|number|index))?",
    re.IGNORECASE,
)
# Names that no factor has.
SURE = re.compile(rf"rep.*|{SEED.pattern}|log_dir|picture_every", re.IGNORECASE)
# Names that number the runs.
NUMBER = re.compile(
    r"run|experiment|((run|exp|experiment|job|wandb|slurm)[_-]?)?(id|uid|uuid|no|nr|num|number|index|order)",
    re.IGNORECASE,
)
# Names that number the runs if their values count the runs.
COUNTER = re.compile(r"(.*[_-])?(row|line|idx|count|counter|version|job|task|unnamed.*)", re.IGNORECASE)
# Names of what programs record about a run: it does not change results, or nobody chose it.
BOOKKEEPING = re.compile(
    r"((run|exp|experiment|trial|job|project|wandb|slurm)[_-]?)?(name|notes?|tags|dir|path)"
    r"|.*_(dir|path|file)|host|hostname|timestamp|pid|port|resume|threads|num_threads|(num_)?workers"
    r"|accelerator|devices?|num_nodes|gpus?|compile|picture_every",
    re.IGNORECASE,
)
# Names of times that were measured, unless there are only a few of them: then they may be a factor.
CLOCK = re.compile("time|date", re.IGNORECASE)
# Names of the data that a run learns from, or of the task that it learns: results of different ones are not comparable.
DATA = re.compile(r"data|data_?sets?|tasks?|env|environment|domain|benchmark", re.IGNORECASE)
DATA_SUFFIX = re.compile(r"[_-](name|id)$", re.IGNORECASE)
# What trackers put before the names of settings and results when they write tables.
PREFIXES = re.compile(r"(params?|config|hparams|hyperparameters|parameters|metrics?|summary)[._/]", re.IGNORECASE)
# Where a tracker has put a printed object, or a list of columns, this is what it looks like.
MAX_VALUE = 80
OBJECT = re.compile(r"<.* at 0x[0-9a-f]+>|.*\n.*", re.DOTALL)

BOOKKEEPING_REASON, UNIQUE = "only describes the run", "every run has its own"
NUMBERS_RUNS, NUMBERS_REPETITIONS, OTHER_SEED = "numbers the runs", "numbers repetitions", "another seed"
# Words of more different values are names of something, and no choice between alternatives.
MAX_WORDS = 100
MANY = f"has more than {MAX_WORDS} values, among them words"
LONG = f"has values longer than {MAX_VALUE} characters, or objects"

# More settings than that are not compared with one another: nothing could be found among so many.
MAX_SETTINGS = 100
CROWDED = f"not among the first {MAX_SETTINGS} settings that most runs record"


@lru_cache(maxsize=10_000)  # the names of settings are asked for in each run
def last_part_matches(name: str, pattern: re.Pattern[str]) -> bool:
    """Whether the pattern matches the last part of a nested name."""
    return pattern.fullmatch(name.rsplit("/", 1)[-1]) is not None


@lru_cache(maxsize=10_000)
def names_data(name: str) -> bool:
    """Whether a setting is called like a data set or task, such as `dataset`, `data/name` or `env_id`."""
    whole = DATA_SUFFIX.sub("", name)
    head, _, tail = name.rpartition("/")
    return last_part_matches(whole, DATA) or (tail.lower() in ("name", "id") and last_part_matches(head, DATA))


def find_identifiers(columns: Mapping[str, list[HParam | None]], levels: Mapping[str, int]) -> dict[str, str]:
    """Settings that are not factors because they name, number or describe the runs; with the reason.

    Args:
        columns: by name, each run's value; None where it is not recorded.
        levels: how many values are recorded.
    """
    reasons = {BOOKKEEPING_REASON: BOOKKEEPING, NUMBERS_RUNS: NUMBER, NUMBERS_REPETITIONS: REPLICATE, OTHER_SEED: SEED}
    found = {name: reason for reason, names in reasons.items() for name in columns if last_part_matches(name, names)}
    for name, column in columns.items():
        if name in found:
            continue
        if last_part_matches(name, CLOCK) and levels[name] > min(MAX_NUMERIC_LEVELS, len(column) // 2):
            found[name] = BOOKKEEPING_REASON
        elif any(isinstance(value, str) and _is_long(value) for value in column):
            found[name] = LONG
        elif MAX_WORDS < levels[name] < len(column) - column.count(None) and any(
            isinstance(value, str) for value in column
        ):
            found[name] = MANY
    repeats = any(levels[name] < len(column) for name, column in columns.items() if name not in found)
    for name, column in columns.items():
        given = [value for value in column if value is not None]
        if name in found or levels[name] < len(given):
            continue
        numbers = sorted(value for value in given if isinstance(value, (int, float)) and math.isfinite(value))
        size = len(given)
        counts = len(numbers) == size and numbers == list(range(int(numbers[0]), int(numbers[0]) + size))
        if len(numbers) < size or (counts and repeats and last_part_matches(name, COUNTER)):
            found[name] = UNIQUE
    return {name: found[name] for name in columns if name in found}


def is_doubtful(name: str, column: Sequence[HParam | None], levels: int, reason: str) -> bool:
    """Whether an identifier may be a factor after all: it has few levels and an ambiguous name, or counts 0, 1, 2..."""
    if reason in (LONG, MANY):
        return True
    if reason == UNIQUE:
        return any(isinstance(value, (int, float)) for value in column)
    return 2 * levels <= len(column) and not last_part_matches(name, SURE)


def tells_repetitions(name: str, reason: str | None, levels: int, runs: int) -> bool:
    """Whether two runs of one cell and seed that differ in this setting are repetitions and not duplicates.

    Duplicates have different names, numbers and directories too, so these do not count. A number that several runs
    share is not the number of a run, so it does.
    """
    return reason not in (BOOKKEEPING_REASON, UNIQUE, NUMBERS_RUNS) or (reason == NUMBERS_RUNS and levels < runs)


def resolve(given: str, names: Sequence[str]) -> str | None:
    """The name that a user means: the whole name, or the only one that has it as its last part or behind a prefix."""
    if given in names:
        return given
    plain = PREFIXES.sub("", given, count=1)
    for alike in (
        [name for name in names if PREFIXES.sub("", name, count=1) == plain],
        [name for name in names if name.rsplit("/", 1)[-1] == given],
    ):
        if len(alike) == 1:
            return alike[0]
    return None


def unknown_name(option: str, given: str, names: Sequence[str], what: str) -> UserError:
    """The error for a name that no run has: `--factors lrr: no run records this setting; did you mean lr?`."""
    close = difflib.get_close_matches(given, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(names[:12])}"
    return UserError(f"{option} {given}: {what}; {hint}")


def _is_long(text: str) -> bool:
    return len(text) > MAX_VALUE or OBJECT.fullmatch(text) is not None
