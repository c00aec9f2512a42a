"""Where the numbers come from: versions, commits and data of the runs, and of the analysis itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from attnae.reading.run import Run
from attnae.text import clean, counted, listed
from attnae.versions import installed_versions

PACKAGES = ("attnae", "numpy", "scipy", "pandas", "statsmodels", "tensorboard", "matplotlib")
RECORDED = ("versions", "git_commit", "dataset")
NOT_RECORDED = "not recorded"
# Recorded values that can change results although they are not settings.
RELEVANT = re.compile(
    r".*(version|commit|git|dirty|checksum|sha|hash|dataset|data_set|device|tf32|matmul_precision|threads|compile).*",
    re.I,
)
# The checksum of the images of each split. The seed draws the validation split, so each seed has its own checksum.
IMAGES = "dataset/sha256"
CHANGE = re.compile(r"(changes/\d+)/name")
LONG_HASH = re.compile(r"([0-9a-f]{12})[0-9a-f]+")


@dataclass(frozen=True)
class Provenance:
    """What the used runs record about themselves, and with what they were analysed.

    Attributes:
        runs: name -> value -> number of runs, such as `versions/torch`, `git_commit`, `dataset/sha256`; "not recorded"
            where only some runs have a value.
        mixed: the names with more than one value.
        analysis: package -> version.
    """

    runs: dict[str, dict[str, int]]
    mixed: tuple[str, ...]
    analysis: dict[str, str]


def provenance(runs: Sequence[Run]) -> Provenance:
    """The provenance of the runs that the analysis uses."""
    values = _values(runs)
    names = [name for key in RECORDED for name in values if name == key or name.startswith(f"{key}/")]
    counts = {name: dict(Counter(values[name]).most_common()) for name in names}
    mixed = _mixed(values)
    return Provenance(counts, tuple(name for name in names if name in mixed), installed_versions(PACKAGES))


def mixed_versions(runs: Sequence[Run], cells: pd.DataFrame, seeds: pd.Series | None = None) -> list[str]:
    """One sentence for every version, commit or checksum that differs among the runs, unless the design explains it.

    Args:
        cells: (runs, factors), the settings of the same runs. What follows from a factor whose levels repeat, as the
            checksum of a data set follows from the factor data set, is explained.
        seeds: (runs,) of the same runs; the checksum of the images may follow from them.
    """
    found = []
    for name, values in _mixed(_values(runs)).items():
        causes = [cells[factor] for factor in cells]
        if seeds is not None and name == IMAGES:
            causes.append(seeds)
            if len(set(zip(seeds, values, strict=True))) == len(set(seeds)) == len(set(values)):
                continue  # each seed chooses its own validation images
        if not RELEVANT.fullmatch(name) or any(_follows(values, cause) for cause in causes):
            continue
        counts = Counter(values)
        parts = [f"{_short(value)} ({count} run{'s' * (count > 1)})" for value, count in counts.most_common(3)]
        more = f" and {len(counts) - 3} more" if len(counts) > 3 else ""
        found.append(f"the runs have different values of {name}: {', '.join(parts)}{more}")
    return found


def changed_runs(runs: Sequence[Run]) -> list[str]:
    """One sentence about the runs that were resumed with other settings, versions or machines; none if there are none.

    train.py records each change in `metrics.json`: its name, both values, and the number of epochs before it.
    """
    changes = {run.name: found for run in runs if (found := _changes(run.provenance))}
    if not changes:
        return []
    name, first = next(iter(changes.items()))
    were = "was" if len(changes) == 1 else "were"
    return [
        f"{counted(len(changes), 'run')} {were} resumed with other settings, on which the last digits or more depend; "
        f"of {clean(name, 80)}: {listed(first, 4)}"
    ]


def _changes(record: Mapping[str, object]) -> list[str]:
    """The changes that a run records, such as `threads 1 -> 2 after epoch 3`."""
    found = []
    for name in record:
        if match := CHANGE.fullmatch(name):
            epoch, before, now = (record.get(f"{match[1]}/{part}") for part in ("after_epoch", "before", "now"))
            found.append(f"{record[name]} {_short(str(before))} -> {_short(str(now))} after epoch {epoch}")
    return found


def _values(runs: Sequence[Run]) -> dict[str, list[str]]:
    """By name, what each run records."""
    records = [{name: str(value) for name, value in run.provenance.items() if value is not None} for run in runs]
    names = dict.fromkeys(name for record in records for name in record)
    return {name: [record.get(name, NOT_RECORDED) for record in records] for name in names}


def _mixed(values: dict[str, list[str]]) -> dict[str, list[str]]:
    """Those that are not the same for all runs."""
    return {name: column for name, column in values.items() if len(set(column)) > 1}


def _follows(values: list[str], column: pd.Series) -> bool:
    """Whether each level of the column has one value, and the levels repeat."""
    levels = len(set(column))
    return 2 * levels <= len(values) and len(set(zip(column, values, strict=True))) == levels


def _short(value: str) -> str:
    return LONG_HASH.sub(r"\1", value)
