"""What varies over the runs and what it means: factors, the seed, constants, identifiers, derived values."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from attnae.analysis.audit.derived import Codes, find_derived, last_part_matches
from attnae.analysis.audit.identifiers import COUNTS_RUNS, SEED, find_identifiers, is_doubtful, tells_repetitions
from attnae.analysis.design.factors import read_factor, scaled
from attnae.errors import UserError
from attnae.reading.run import HParam

UNSET = "none"  # the level of runs that do not record a hyper-parameter that others do


@dataclass(frozen=True)
class Structure:
    """The part each hyper-parameter plays.

    Attributes:
        factors: what is compared, in the order of the logs.
        seed: the name of the seed, whether it varies or not; None if there is none.
        constants: the one value of those that do not vary.
        identifiers: those that name runs, number repetitions or keep books, with the reason.
        doubtful: the identifiers that may be factors after all.
        apart: all others by which two runs of one cell and seed are no duplicates.
        derived: those that follow from others, with the names of the others.
        confounded: groups of factors that split the runs alike, so that no data can tell them apart.
        ignored: those that vary and were left out by the user's choice of factors.
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


def find_structure(settings: Sequence[Mapping[str, HParam]], factors: Sequence[str] | None = None) -> Structure:
    """Sort the hyper-parameters of the runs, or check the user's choice of factors.

    Raises:
        UserError: nothing to compare, or a factor that no run records.
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
    structure = Structure(
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
        raise UserError(_nothing_to_compare(structure, settings))
    return structure


def _copies(columns: Mapping[str, list[HParam]]) -> dict[str, tuple[str, ...]]:
    """Columns that say the same as an earlier one, value by value: `model/act` after `act`."""
    first: dict[tuple[HParam, ...], str] = {}
    owners = {name: first.setdefault(tuple(column), name) for name, column in columns.items()}
    return {name: (owner,) for name, owner in owners.items() if owner != name}


def _find_seed(columns: Mapping[str, list[HParam]], varying: list[str], chosen: list[str]) -> str | None:
    if "seed" in chosen:  # the column of that name is a factor's then
        return None
    seeds = [
        name
        for name, column in columns.items()
        if last_part_matches(name, SEED) and name not in chosen and not isinstance(column[0], bool)
    ]
    return min(seeds, key=lambda name: (name not in varying, name.lower() != "seed", name), default=None)


def _resolve(factor: str, names: Sequence[str]) -> str:
    """The hyper-parameter meant: its full name, or its last part where only one has it."""
    ends = [name for name in names if name.rsplit("/", 1)[-1] == factor]
    if factor in names or len(ends) == 1:
        return factor if factor in names else ends[0]
    close = difflib.get_close_matches(factor, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names[:12])}"
    raise UserError(f"--factors {factor}: no run records it; {hint}")


def _nothing_to_compare(structure: Structure, settings: Sequence[Mapping[str, HParam]]) -> str:
    if not any(settings):
        return (
            "no run records hyper-parameters: log them with add_hparams or log_hyperparams, put a "
            "config.yaml into each run directory, or say how names spell them, such as --name-pattern '{act}-{bn}'"
        )
    own = [name for name, reason in structure.identifiers.items() if reason == COUNTS_RUNS]
    if own:
        return (
            f"every run has its own {', '.join(own)}, and nothing repeats, so nothing compares: "
            "run each setting with several seeds, or name the factors with --factors"
        )
    if structure.identifiers:
        named = ", ".join(f"{name} ({reason})" for name, reason in structure.identifiers.items())
        return f"the {len(settings)} runs differ in no factor, only in {named}: name the factors with --factors"
    return (
        f"the {len(settings)} runs do not differ in any hyper-parameter: give a study in which one varies, "
        "or name the factors with --factors"
    )


def _codes(column: Sequence[HParam]) -> Codes:
    """Level indices in order of appearance; True and 1 are one level, as they are to every log format."""
    seen: dict[HParam, int] = {}
    return np.array([seen.setdefault(value, len(seen)) for value in column], dtype=np.int64)


def _equal_groups(columns: Mapping[str, list[HParam]], codes: Mapping[str, Codes]) -> tuple[tuple[str, ...], ...]:
    """Factors that split the runs alike; curves only if one is the other, moved or stretched on its scale."""
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
