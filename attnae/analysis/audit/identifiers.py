"""Hyper-parameters that are nobody's choice: names of runs, numbers of repetitions, books that programs keep."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from attnae.analysis.audit.derived import last_part_matches
from attnae.analysis.design.factors import MAX_NUMERIC_LEVELS
from attnae.reading.run import HParam

SEED = re.compile(r"(.*_)?seed(_.*)?|random_state", re.IGNORECASE)
# Names that tell repetitions of one setting apart.
REPLICATE = re.compile(
    r"(rep|replicas?|replicates?|replications?|repeat|repetition|trial|obs|observation|fold)"
    r"([_-]?(id|no|nr|num|number|index))?",
    re.IGNORECASE,
)
# Names that nobody would give to a factor.
SURE = re.compile(rf"rep.*|{SEED.pattern}|log_dir|picture_every", re.IGNORECASE)
# Names that number the runs.
NUMBER = re.compile(
    r"run|experiment|((run|exp|experiment|job|wandb|slurm)[_-]?)?(id|uid|uuid|no|nr|num|number|index|order)",
    re.IGNORECASE,
)
# Names under which programs keep books: what they hold changes no result, or is no choice of anyone's.
BOOKKEEPING = re.compile(
    r"((run|exp|experiment|trial|job|project|wandb|slurm)[_-]?)?(name|notes?|tags|dir|path)"
    r"|.*_(dir|path|file)|host|hostname|timestamp|pid|port|resume|threads|num_threads|(num_)?workers"
    r"|accelerator|devices?|num_nodes|gpus?|compile|picture_every",
    re.IGNORECASE,
)
# Names of the clock's books, or of a factor of a few levels.
CLOCK = re.compile("time|date", re.IGNORECASE)
KEEPS_BOOKS, COUNTS_RUNS = "keeps books", "every run has its own"
NUMBERS_RUNS, REPEATS, OTHER_SEED = "numbers the runs", "numbers repetitions", "another seed"


def find_identifiers(columns: Mapping[str, list[HParam]], levels: Mapping[str, int]) -> dict[str, str]:
    """Those that keep books, are words of which every run has its own, or number the runs or repetitions."""
    reasons = {KEEPS_BOOKS: BOOKKEEPING, NUMBERS_RUNS: NUMBER, REPEATS: REPLICATE, OTHER_SEED: SEED}
    found = {name: reason for reason, names in reasons.items() for name in columns if last_part_matches(name, names)}
    for name, column in columns.items():
        if last_part_matches(name, CLOCK) and levels[name] > min(MAX_NUMERIC_LEVELS, len(column) // 2):
            found[name] = KEEPS_BOOKS
    repeats = any(levels[name] < len(column) for name, column in columns.items() if name not in found)
    for name, column in columns.items():
        if name in found or levels[name] < len(column):
            continue
        numbers = sorted(value for value in column if isinstance(value, (int, float)) and math.isfinite(value))
        runs = len(column)
        counts = len(numbers) == runs and numbers == list(range(int(numbers[0]), int(numbers[0]) + runs))
        if len(numbers) < runs or (counts and repeats):
            found[name] = COUNTS_RUNS
    return {name: found[name] for name in columns if name in found}


def is_doubtful(name: str, column: list[HParam], levels: int, reason: str) -> bool:
    """Whether an identifier has few values under a name that may mean anything, or is a row of numbers."""
    if reason == COUNTS_RUNS:
        return any(isinstance(value, (int, float)) for value in column)
    return 2 * levels <= len(column) and not last_part_matches(name, SURE)


def tells_repetitions(name: str, reason: str | None, levels: int, runs: int) -> bool:
    """Whether two runs of one cell and seed that differ in it are no duplicates.

    The names, numbers and places of runs differ in duplicates too; a number that several runs share does not name one.
    """
    return reason not in (KEEPS_BOOKS, COUNTS_RUNS, NUMBERS_RUNS) or (reason == NUMBERS_RUNS and levels < runs)
