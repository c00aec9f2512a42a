"""Which part each setting plays: setting to compare, seed, constant, identifier, or derived from others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from attnae.analysis.audit.names import (
    CROWDED,
    MAX_SETTINGS,
    SEED,
    UNIQUE,
    find_identifiers,
    is_doubtful,
    last_part_matches,
    resolve,
    tells_repetitions,
    unknown_name,
)
from attnae.analysis.design.dependence import find_aliases, find_derived, find_parents
from attnae.errors import UserError
from attnae.reading.run import HParam
from attnae.text import clean


@dataclass(frozen=True)
class Roles:
    """The role of each setting. A setting that a run does not record has no value there: it is no level.

    Attributes:
        settings: what varies and can be compared, in the order of the logs.
        chosen: whether the user named them.
        seed: the name of the seed, whether or not it varies; None if there is none.
        constants: the one value of those that do not vary, and are recorded by all runs.
        partial: those that only some runs record, always with the same value.
        identifiers: those that name or number runs or repetitions, or describe how a run was made, with the reason.
        doubtful: the identifiers that may be factors after all.
        apart: all others in which two runs of one cell and seed differ if they are not duplicates.
        derived: those that follow from others, with the names of the others.
        aliases: those that cannot be distinguished from another setting, with the name of that one.
        conditional: among `settings`, those that only apply at some values of another one, with its name.
        ignored: those that vary but are not among the factors that the user chose.
    """

    settings: tuple[str, ...]
    chosen: bool
    seed: str | None
    constants: dict[str, HParam]
    partial: tuple[str, ...]
    identifiers: dict[str, str]
    doubtful: tuple[str, ...]
    apart: tuple[str, ...]
    derived: dict[str, tuple[str, ...]]
    aliases: dict[str, str]
    conditional: dict[str, str]
    ignored: tuple[str, ...]


def find_roles(
    settings: Sequence[Mapping[str, HParam]], factors: Sequence[str] | None = None, *, example: str = ""
) -> Roles:
    """The role of every setting.

    Args:
        settings: by name, those of each run.
        factors: the user's choice; None to let the data decide.
        example: the name of a run, for the message if no run records any setting.

    Raises:
        UserError: there is nothing to compare, or no run records a chosen factor.
    """
    names = list(dict.fromkeys(name for setting in settings for name in setting))
    columns: dict[str, list[HParam | None]] = {name: [setting.get(name) for setting in settings] for name in names}
    levels = {name: len({value for value in column if value is not None}) for name, column in columns.items()}
    varying = [name for name in names if levels[name] > 1]
    chosen = None if factors is None else chosen_names(factors, names)
    seed = _find_seed(columns, varying, chosen or [])
    open_names = [name for name in varying if name != seed]
    identifiers = find_identifiers({name: columns[name] for name in open_names}, levels)
    derived: dict[str, tuple[str, ...]] = {}
    if chosen is None:
        candidates = [name for name in open_names if name not in identifiers]
        usual = sorted(candidates, key=lambda name: columns[name].count(None))[:MAX_SETTINGS]
        identifiers |= {name: CROWDED for name in candidates if name not in {*usual}}
        candidates = [name for name in candidates if name not in identifiers]
        table = _table(columns, candidates)
        derived = find_derived(table)
        aliases = find_aliases(table.drop(columns=list(derived)))
        kept = [name for name in candidates if name not in derived and name not in aliases]
        ignored = []
    else:
        kept = [name for name in dict.fromkeys(chosen) if name in varying]
        identifiers = {name: reason for name, reason in identifiers.items() if name not in kept}
        ignored = [name for name in open_names if name not in kept and name not in identifiers]
        # What is not chosen varies, too: two factors that agree in many runs have repeats by which to tell.
        others = [name for name in varying if name not in kept]
        aliases = {name: first for name, first in find_aliases(_table(columns, kept + others)).items() if name in kept}
    alike = [name for name in names if levels[name] == 1 and name != seed]
    partial = [name for name in alike if None in columns[name]]
    roles = Roles(
        settings=tuple(kept),
        chosen=chosen is not None,
        seed=seed,
        constants={name: value for name in alike if name not in partial and (value := columns[name][0]) is not None},
        partial=tuple(partial),
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
        aliases=aliases,
        conditional={name: parent for name, (parent, _) in find_parents(_table(columns, kept)).items()},
        ignored=tuple(ignored),
    )
    if not kept:
        raise UserError(_nothing_to_compare(roles, settings, example))
    return roles


def chosen_names(factors: Sequence[str], names: Sequence[str]) -> list[str]:
    """The settings that the user names with --factors, also separated by commas, and with or without a prefix.

    Raises:
        UserError: no run records one of them.
    """
    found = []
    for given in factors:
        whole = resolve(given, names)
        for part in [given] if whole is not None else filter(None, map(str.strip, given.split(","))):
            name = resolve(part, names)
            if name is None:
                raise unknown_name("--factors", part, names, "no run records this setting")
            found.append(name)
    return found


def _table(columns: Mapping[str, Sequence[HParam | None]], names: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(list(columns[name]), dtype=object) for name in names})


def _find_seed(columns: Mapping[str, list[HParam | None]], varying: list[str], chosen: list[str]) -> str | None:
    if "seed" in chosen:  # then the column of that name is a factor
        return None
    seeds = [
        name
        for name, column in columns.items()
        if last_part_matches(name, SEED) and name not in chosen and not any(isinstance(value, bool) for value in column)
    ]
    return min(seeds, key=lambda name: (name not in varying, name.lower() != "seed", name), default=None)


def _nothing_to_compare(roles: Roles, settings: Sequence[Mapping[str, HParam]], example: str) -> str:
    if not any(settings):
        called = f" (a run is called {clean(example, 120)!r})" if example else ""
        return (
            "no run records hyper-parameters: log them with add_hparams or log_hyperparams, put a config.yaml into "
            "each run directory, or describe how the runs' names spell them, such as --name-pattern '{act}-{bn}'"
            f"{called}"
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
