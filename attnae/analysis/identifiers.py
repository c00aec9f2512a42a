"""Hyper-parameters that are nobody's choice: names of runs, numbers of repetitions, books that programs keep."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

from attnae.analysis.derived import Codes, determines, joint, last_part_matches
from attnae.analysis.runs import HParam

SEED = re.compile(r"(.*_)?seed(_.*)?|random_state", re.IGNORECASE)
# Names that tell repetitions of one setting apart.
REPLICATE = re.compile(
    r"(rep|replicas?|replicates?|replications?|repeat|repetition|trial|obs|observation|fold)"
    r"([_-]?(id|no|nr|num|number|index))?",
    re.IGNORECASE,
)
# Names that number the runs.
NUMBER = re.compile(
    r"run|experiment|((run|exp|experiment|job|wandb|slurm)[_-]?)?(id|uid|uuid|no|nr|num|number|index|order)",
    re.IGNORECASE,
)
# Names under which programs keep books: what they hold changes no result, or is no choice of anyone's, unless it was
# varied as a factor is, with every level in every combination of the others.
BOOKKEEPING = re.compile(
    r"((run|exp|experiment|trial|job|project|wandb|slurm)[_-]?)?(name|notes?|tags|dir|path)"
    r"|.*_(dir|path|file)|host|hostname|time|timestamp|date|pid|port|resume|threads|num_threads|(num_)?workers"
    r"|accelerator|devices?|num_nodes|gpus?|compile|picture_every",
    re.IGNORECASE,
)
KEEPS_BOOKS, COUNTS_RUNS = "keeps books", "every run has its own"
NUMBERS_RUNS, REPEATS = "numbers the runs", "numbers repetitions"


def find_identifiers(
    columns: Mapping[str, list[HParam]], codes: Mapping[str, Codes], seed: Codes | None
) -> dict[str, str]:
    """Those that keep books, are words of which every run has its own, or number the runs or repetitions."""
    reasons = {KEEPS_BOOKS: BOOKKEEPING, NUMBERS_RUNS: NUMBER, REPEATS: REPLICATE}
    found = {name: reason for reason, names in reasons.items() for name in columns if last_part_matches(name, names)}
    found |= {name: "another seed" for name in columns if last_part_matches(name, SEED)}
    own = {name for name in columns if codes[name].max() + 1 == len(codes[name])}
    repeats = any(name not in own for name in columns if name not in found)
    for name in own - found.keys():
        numbers = sorted(value for value in columns[name] if isinstance(value, (int, float)) and math.isfinite(value))
        runs = len(columns[name])
        counts = len(numbers) == runs and numbers == list(range(int(numbers[0]), int(numbers[0]) + runs))
        if len(numbers) < runs or (counts and repeats):
            found[name] = COUNTS_RUNS
    crossed = [codes[name] for name in columns if name not in found]
    for name in [name for name, reason in found.items() if reason == KEEPS_BOOKS and name not in own]:
        if _is_crossed(codes[name], crossed, seed):
            crossed.append(codes[name])
            del found[name]
    return {name: found[name] for name in columns if name in found}


def _is_crossed(column: Codes, others: Sequence[Codes], seed: Codes | None) -> bool:
    """Whether every level was run equally often with every combination of the other factors, and not once a seed."""
    if seed is not None and seed.max() + 1 < len(seed) and determines([seed], column):
        return False
    if not others:
        return True
    cells = joint(others)
    counts = np.bincount(cells * (column.max() + 1) + column, minlength=(cells.max() + 1) * (column.max() + 1))
    return bool(np.ptp(counts) == 0)


def is_doubtful(column: list[HParam], levels: int, reason: str) -> bool:
    """Whether an identifier has few values under a name that may mean anything, or is a row of numbers."""
    numbers = all(isinstance(value, (int, float)) for value in column)
    return (reason == KEEPS_BOOKS and 2 * levels <= len(column)) or (reason == COUNTS_RUNS and numbers)
