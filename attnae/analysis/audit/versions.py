"""Do the runs come from one version of the code, of the libraries and of the data?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from attnae.reading.run import Run

# What of metrics.json can change results without being a hyper-parameter.
TELLING = re.compile(r".*(version|commit|git|dirty|checksum|sha|hash|dataset|data_set|device|threads|compile).*", re.I)
# Of the images of each split, and the seed draws the validation split: one seed, one checksum.
IMAGES = "dataset/sha256"
LONG_HASH = re.compile(r"([0-9a-f]{12})[0-9a-f]+")


def mixed_versions(runs: Sequence[Run], cells: pd.DataFrame, seeds: pd.Series | None = None) -> list[str]:
    """One sentence for every version, commit or checksum that differs among runs, but not by design.

    Args:
        cells: (runs, factors), the settings of the same runs; what follows from a factor whose levels repeat
            (the checksum of a data set that is a factor) is no mixing.
        seeds: of the same runs; the checksum of the images may follow from them.
    """
    recorded = [dict(_flatten(run.provenance)) for run in runs]
    found = []
    for name in dict.fromkeys(name for record in recorded for name in record):
        values = [record.get(name, "not recorded") for record in recorded]
        counts = Counter(values)
        causes = [cells[factor] for factor in cells]
        if seeds is not None and name == IMAGES:
            causes.append(seeds)
        if len(counts) < 2 or any(_follows(values, cause) for cause in causes):
            continue
        parts = [f"{_short(value)} ({count} run{'s' * (count > 1)})" for value, count in counts.most_common(3)]
        more = f" and {len(counts) - 3} more" if len(counts) > 3 else ""
        found.append(f"runs mix different values of {name}: {', '.join(parts)}{more}")
    return found


def _short(value: str) -> str:
    return LONG_HASH.sub(r"\1", value)


def _follows(values: list[str], column: pd.Series) -> bool:
    levels = len(set(column))
    return 2 * levels <= len(values) and len(set(zip(column, values, strict=True))) == levels


def _flatten(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}/")
        elif TELLING.fullmatch(prefix + name) and not isinstance(value, list):
            yield prefix + name, str(value)
