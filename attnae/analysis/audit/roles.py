"""Which part each setting plays: factor, seed, constant, identifier, or derived from others."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attnae.analysis.design.factors import MAX_NUMERIC_LEVELS, read_factor, scaled
from attnae.errors import UserError
from attnae.reading.run import HParam

UNSET = "none"  # the level of runs that do not record a setting that others do
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
# Names of what programs record about a run: it does not change results, or nobody chose it.
BOOKKEEPING = re.compile(
    r"((run|exp|experiment|trial|job|project|wandb|slurm)[_-]?)?(name|notes?|tags|dir|path)"
    r"|.*_(dir|path|file)|host|hostname|timestamp|pid|port|resume|threads|num_threads|(num_)?workers"
    r"|accelerator|devices?|num_nodes|gpus?|compile|picture_every",
    re.IGNORECASE,
)
# Names of times that were measured, unless there are only a few of them: then they may be a factor.
CLOCK = re.compile("time|date", re.IGNORECASE)
BOOKKEEPING_REASON, UNIQUE = "only describes the run", "every run has its own"
NUMBERS_RUNS, NUMBERS_REPETITIONS, OTHER_SEED = "numbers the runs", "numbers repetitions", "another seed"
# Names of the size of a model.
SIZE = re.compile(r"(.*_)?(params|parameters|flops|macs)", re.IGNORECASE)

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Roles:
    """The role of each setting.

    Attributes:
        factors: what is compared, in the order of the logs.
        seed: the name of the seed, whether or not it varies; None if there is none.
        constants: the one value of those that do not vary.
        identifiers: those that name or number runs or repetitions, or describe how a run was made, with the reason.
        doubtful: the identifiers that may be factors after all.
        apart: all others in which two runs of one cell and seed differ if they are not duplicates.
        derived: those that follow from others, with the names of the others.
        confounded: groups of factors that split the runs in the same way, so that their effects cannot be separated.
        ignored: those that vary but are not among the factors that the user chose.
        incomplete: those that some runs do not record; these runs get the level "none".
    """

    factors: tuple[str, ...]
    seed: str | None
    constants: dict[str, HParam]
    identifiers: dict[str, str]
    doubtful: tuple[str, ...]
    apart: tuple[str, ...]
    derived: dict[str, tuple[str, ...]]
    confounded: tuple[tuple[str, ...], ...]
    ignored: tuple[str, ...]
    incomplete: tuple[str, ...]


def find_roles(settings: Sequence[Mapping[str, HParam]], factors: Sequence[str] | None = None) -> Roles:
    """The role of every setting; `factors` are the user's choice, None to let the data decide.

    Raises:
        UserError: there is nothing to compare, or no run records a chosen factor.
    """
    names = list(dict.fromkeys(name for setting in settings for name in setting))
    columns = {name: [setting.get(name, UNSET) for setting in settings] for name in names}
    codes = {name: _codes(column) for name, column in columns.items()}
    levels = {name: int(code.max()) + 1 for name, code in codes.items()}
    constants = {name: columns[name][0] for name in names if levels[name] == 1}
    varying = [name for name in names if levels[name] > 1]
    chosen = None if factors is None else [_resolve(factor, names) for factor in factors]
    seed = _find_seed(columns, varying, chosen or [])
    open_names = [name for name in varying if name != seed]
    identifiers = find_identifiers({name: columns[name] for name in open_names}, levels)
    if chosen is None:
        candidates = {name: codes[name] for name in open_names if name not in identifiers}
        copies = _copies({name: columns[name] for name in candidates})
        derived = copies | find_derived({name: candidates[name] for name in candidates if name not in copies})
        kept, ignored = [name for name in candidates if name not in derived], []
    else:
        derived = {}
        kept = [name for name in dict.fromkeys(chosen) if name in varying]
        identifiers = {name: reason for name, reason in identifiers.items() if name not in kept}
        ignored = [name for name in open_names if name not in kept and name not in identifiers]
    roles = Roles(
        factors=tuple(kept),
        seed=seed,
        constants={name: value for name, value in constants.items() if name != seed},
        identifiers=identifiers,
        doubtful=tuple(
            name
            for name, reason in identifiers.items()
            if chosen is None and is_doubtful(name, columns[name], levels[name], reason)
        ),
        apart=tuple(
            name
            for name in open_names
            if name not in kept and tells_repetitions(name, identifiers.get(name), levels[name], len(settings))
        ),
        derived=derived,
        confounded=_equal_groups({name: columns[name] for name in kept}, codes),
        ignored=tuple(ignored),
        incomplete=tuple(name for name in kept if any(name not in setting for setting in settings)),
    )
    if not kept:
        raise UserError(_nothing_to_compare(roles, settings))
    return roles


def _copies(columns: Mapping[str, list[HParam]]) -> dict[str, tuple[str, ...]]:
    """Columns that equal an earlier one, such as `model/act` after `act`."""
    first: dict[tuple[HParam, ...], str] = {}
    owners = {name: first.setdefault(tuple(column), name) for name, column in columns.items()}
    return {name: (owner,) for name, owner in owners.items() if owner != name}


def _find_seed(columns: Mapping[str, list[HParam]], varying: list[str], chosen: list[str]) -> str | None:
    if "seed" in chosen:  # then the column of that name is a factor
        return None
    seeds = [
        name
        for name, column in columns.items()
        if last_part_matches(name, SEED) and name not in chosen and not isinstance(column[0], bool)
    ]
    return min(seeds, key=lambda name: (name not in varying, name.lower() != "seed", name), default=None)


def _resolve(factor: str, names: Sequence[str]) -> str:
    """The setting that the user means, by its full name, or by its last part if only one setting has it."""
    ends = [name for name in names if name.rsplit("/", 1)[-1] == factor]
    if factor in names or len(ends) == 1:
        return factor if factor in names else ends[0]
    close = difflib.get_close_matches(factor, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(names[:12])}"
    raise UserError(f"--factors {factor}: no run records this setting; {hint}")


def _nothing_to_compare(roles: Roles, settings: Sequence[Mapping[str, HParam]]) -> str:
    if not any(settings):
        return (
            "no run records hyper-parameters: log them with add_hparams or log_hyperparams, put a config.yaml into "
            "each run directory, or describe how the runs' names spell them, such as --name-pattern '{act}-{bn}'"
        )
    own = [name for name, reason in roles.identifiers.items() if reason == UNIQUE]
    if own:
        return (
            f"every run has its own value of {', '.join(own)}, so there are no groups to compare: "
            "run each setting with several seeds, or name the factors with --factors"
        )
    if roles.identifiers:
        named = ", ".join(f"{name} ({reason})" for name, reason in roles.identifiers.items())
        return f"the {len(settings)} runs differ only in {named}, and no factor varies: name the factors with --factors"
    return (
        f"the {len(settings)} runs do not differ in any hyper-parameter: give runs in which at least one varies, "
        "or name the factors with --factors"
    )


def _codes(column: Sequence[HParam]) -> Codes:
    """Level indices in order of appearance; True and 1 are one level, since not all formats distinguish them."""
    seen: dict[HParam, int] = {}
    return np.array([seen.setdefault(value, len(seen)) for value in column], dtype=np.int64)


def _equal_groups(columns: Mapping[str, list[HParam]], codes: Mapping[str, Codes]) -> tuple[tuple[str, ...], ...]:
    """Factors that split the runs alike; continuous ones only if one is a linear function of the other on its scale."""
    groups: dict[bytes, list[str]] = {}
    for name in columns:
        groups.setdefault(codes[name].tobytes(), []).append(name)
    found: list[list[str]] = []
    for group in groups.values():
        curves: dict[bytes, list[str]] = {}
        for name in group:
            factor, _ = read_factor(name, pd.Series(columns[name], dtype=object))
            if factor.kind == "continuous":
                place = scaled([float(value) for value in columns[name]], factor.scale)
                place *= np.sign(place[np.flatnonzero(place)[0]])
                curves.setdefault((np.round(place, 9) + 0.0).tobytes(), []).append(name)  # no -0.0
        found += curves.values() if sum(map(len, curves.values())) == len(group) else [group]
    return tuple(tuple(group) for group in found if len(group) > 1)


def find_identifiers(columns: Mapping[str, list[HParam]], levels: Mapping[str, int]) -> dict[str, str]:
    """Settings that are not factors because they name, number or describe the runs; with the reason."""
    reasons = {BOOKKEEPING_REASON: BOOKKEEPING, NUMBERS_RUNS: NUMBER, NUMBERS_REPETITIONS: REPLICATE, OTHER_SEED: SEED}
    found = {name: reason for reason, names in reasons.items() for name in columns if last_part_matches(name, names)}
    for name, column in columns.items():
        if last_part_matches(name, CLOCK) and levels[name] > min(MAX_NUMERIC_LEVELS, len(column) // 2):
            found[name] = BOOKKEEPING_REASON
    repeats = any(levels[name] < len(column) for name, column in columns.items() if name not in found)
    for name, column in columns.items():
        if name in found or levels[name] < len(column):
            continue
        numbers = sorted(value for value in column if isinstance(value, (int, float)) and math.isfinite(value))
        runs = len(column)
        counts = len(numbers) == runs and numbers == list(range(int(numbers[0]), int(numbers[0]) + runs))
        if len(numbers) < runs or (counts and repeats):
            found[name] = UNIQUE
    return {name: found[name] for name in columns if name in found}


def is_doubtful(name: str, column: list[HParam], levels: int, reason: str) -> bool:
    """Whether an identifier may be a factor after all: it has few levels and an ambiguous name, or counts 0, 1, 2..."""
    if reason == UNIQUE:
        return any(isinstance(value, (int, float)) for value in column)
    return 2 * levels <= len(column) and not last_part_matches(name, SURE)


def tells_repetitions(name: str, reason: str | None, levels: int, runs: int) -> bool:
    """Whether two runs of one cell and seed that differ in this setting are repetitions and not duplicates.

    Duplicates have different names, numbers and directories too, so these do not count. A number that several runs
    share is not the number of a run, so it does.
    """
    return reason not in (BOOKKEEPING_REASON, UNIQUE, NUMBERS_RUNS) or (reason == NUMBERS_RUNS and levels < runs)


def last_part_matches(name: str, pattern: re.Pattern[str]) -> bool:
    """Whether the pattern matches the last part of a nested name."""
    return pattern.fullmatch(name.rsplit("/", 1)[-1]) is not None


def find_derived(codes: Mapping[str, Codes]) -> dict[str, tuple[str, ...]]:
    """Columns that are determined by others, each with a smallest set of those. Columns are level indices, (runs,).

    A column is derived if it merges levels of one other column, if it is another name for the combinations of several
    others (parameter counts, labels of cells), or if it is determined by others and is called like the size of a model.
    A factor of a regular fraction is determined by several others too, but in none of these ways, so it stays. If two
    columns determine each other, the one with more levels is derived.
    """
    left = dict(codes)
    derived: dict[str, tuple[str, ...]] = {}
    while True:
        found = {name: sources for name in left if (sources := _sources(name, left))}
        if not found:
            return derived
        finest = max(found, key=lambda name: (last_part_matches(name, SIZE), left[name].max()))
        derived[finest] = found[finest]
        del left[finest]


def _sources(name: str, codes: Mapping[str, Codes]) -> tuple[str, ...]:
    """A smallest set of other columns that determine the column, if it is derived; else empty."""
    column = codes[name]
    sized = last_part_matches(name, SIZE)
    others = {other: code for other, code in codes.items() if other != name}
    if not sized:
        others = {other: code for other, code in others.items() if not np.array_equal(code, column)}
    if not others or not _determines(list(others.values()), column):
        return ()
    for other in sorted(others, key=lambda other: -others[other].max()):
        rest = [code for name_, code in others.items() if name_ != other]
        if rest and _determines(rest, column):
            del others[other]
    cells = int(_joint(list(codes.values())).max()) + 1
    one_coarser = len(others) == 1 and 2 * (int(next(iter(others.values())).max()) + 1) <= cells
    same_cells = len(others) > 1 and all(_determines([column], code) for code in others.values())
    return tuple(others) if sized or one_coarser or same_cells else ()


def _joint(codes: Sequence[Codes]) -> Codes:
    """(runs,) the index of each run's combination of the columns' levels."""
    index = codes[0]
    for code in codes[1:]:
        index = np.unique(index * (code.max() + 1) + code, return_inverse=True)[1]
    return index


def _determines(sources: Sequence[Codes], column: Codes) -> bool:
    """Whether runs that agree in the sources agree in the column."""
    index = _joint(sources)
    return bool(_joint([index, column]).max() == index.max())
