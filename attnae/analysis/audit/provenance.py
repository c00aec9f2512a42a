"""Where the numbers come from: versions, commits and data of the runs, and of the analysis itself."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from attnae.reading.run import Run

PACKAGES = ("attnae", "numpy", "scipy", "pandas", "statsmodels", "tensorboard", "matplotlib")
RECORDED = ("versions", "git_commit", "dataset")


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
    """Of the runs that the analysis uses."""
    recorded = [
        {name: text for key in RECORDED for name, text in _flatten(key, run.provenance.get(key))} for run in runs
    ]
    counts = {
        name: dict(Counter(record.get(name, "not recorded") for record in recorded).most_common())
        for name in dict.fromkeys(name for record in recorded for name in record)
    }
    mixed = tuple(name for name, values in counts.items() if len(values) > 1)
    return Provenance(counts, mixed, {"python": platform.python_version(), **_installed()})


def _flatten(name: str, value: Any) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(f"{name}/{key}", inner)
    elif value is not None:
        yield name, str(value)


def _installed() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
