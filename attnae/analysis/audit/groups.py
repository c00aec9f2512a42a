"""Which runs can be compared at all: those of one study, of one data set or task, and of one scale of the response."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from attnae.analysis.audit.names import (
    BOOKKEEPING,
    CLOCK,
    NUMBER,
    REPLICATE,
    SEED,
    last_part_matches,
    names_data,
)
from attnae.analysis.design.dependence import is_size
from attnae.analysis.design.kind import DesignChoice, choose_kind
from attnae.errors import UserError
from attnae.reading.run import FINISHED, UNKNOWN, Run
from attnae.text import clean, counted, listed

# Responses of two groups are on different scales if their ranges are disjoint and their medians this far apart.
SCALE_RATIO = 10
NO_GROUP, UNRECORDED = "none", "not recorded"
# Where runs record their data set beside the settings, and what it is called among them.
RECORDED, DATA_SET = ("dataset/name", "dataset"), "dataset"


@dataclass(frozen=True)
class Comparable:
    """The group of runs that is analysed.

    Attributes:
        runs: its runs.
        others: the groups that are left out, with their number of runs, the largest first.
        warning: which group this is and why; None if all runs are comparable.
    """

    runs: list[Run]
    others: dict[str, int]
    warning: str | None


def with_data_sets(runs: Sequence[Run]) -> list[Run]:
    """The runs with the data set that they record as a setting, if they differ in it and no setting names one."""
    if any(names_data(name) for run in runs for name in run.hparams):
        return list(runs)
    for name in RECORDED:
        column = [run.provenance.get(name) for run in runs]
        if _several(column):
            return [
                run if value is None or not run.hparams else replace(run, hparams={**run.hparams, DATA_SET: str(value)})
                for run, value in zip(runs, column, strict=True)
            ]
    return list(runs)


def comparable_runs(
    runs: Sequence[Run], group: str | None, keep: Sequence[str] = (), design: DesignChoice = "auto"
) -> Comparable:
    """The runs of the given group, or else of the group with most finished runs.

    Studies and experiments (`Run.group`) are never pooled. Runs of several data sets or tasks are pooled if they are a
    search, which compares runs within each data set only, or if they are crossed with the other settings: if at least
    half of the combinations of the other settings occur with more than one data set, the data set is what was varied.

    Args:
        runs: what `with_data_sets` gives.
        group: the name of a study, or `dataset=digits`; None to take the largest.
        keep: settings that the user compares, which therefore never split the runs.
        design: whether the runs are to be read as a search.

    Raises:
        UserError: there is no such group.
    """
    labels = _labels(runs, keep, design if group is None else "factorial")
    if labels is None:
        if group is not None:
            raise UserError(f"--group {group}: all runs belong together, so there is no group to choose")
        return Comparable(list(runs), {}, None)
    kind, names = labels
    sizes = dict(Counter(names).most_common())
    finished = dict.fromkeys(names, 0)
    for run, name in zip(runs, names, strict=True):
        finished[name] += bool(run.scalars) and run.status in (FINISHED, UNKNOWN)
    if group is not None and group not in sizes:
        raise UserError(f"--group {group}: there is no such group; choose from {listed(map(clean, sizes), 8)}")
    chosen = group if group is not None else max(finished, key=lambda name: finished[name])
    kept = [run for run, name in zip(runs, names, strict=True) if name == chosen]
    others = {name: size for name, size in sizes.items() if name != chosen}
    if group is None:
        inner = comparable_runs(kept, None, keep, design)  # a study may hold several data sets
        if inner.warning is not None:
            kept, others = inner.runs, others | inner.others
    rest = listed((f"{clean(name, 40)} ({counted(size, 'run')})" for name, size in others.items()), 6)
    example = next(iter(others))
    warning = (
        f"the runs belong to several {kind}, which are not compared with one another: {clean(chosen, 40)} "
        f"({counted(len(kept), 'run')}) is analysed, not {rest}; --group {clean(example, 40)!r} analyses that one"
    )
    return Comparable(kept, others, warning)


def different_scales(runs: Sequence[Run], values: Sequence[float | None]) -> str | None:
    """A warning if the responses of some directories lie on another scale, although no setting explains it."""
    prefixes = [run.name.rpartition("/")[0].split("/")[0] for run in runs]
    groups: dict[str, list[float]] = {}
    for prefix, value in zip(prefixes, values, strict=True):
        if value is not None and np.isfinite(value):
            groups.setdefault(prefix, []).append(value)
    groups = {name: found for name, found in groups.items() if len(found) > 1}
    if len(groups) < 2 or _explained(runs, prefixes):
        return None
    ordered = sorted(groups, key=lambda name: float(np.median(groups[name])))
    for low, high in pairwise(ordered):
        apart = max(groups[low]) < min(groups[high])
        if apart and np.median(groups[high]) > SCALE_RATIO * abs(float(np.median(groups[low]))):
            return (
                f"the response of the runs in {clean(high, 40)} is more than {SCALE_RATIO} times that of the runs in "
                f"{clean(low, 40)}, which no setting explains: give only one of these directories if they are "
                "different tasks"
            )
    return None


def _labels(runs: Sequence[Run], keep: Sequence[str], design: DesignChoice) -> tuple[str, list[str]] | None:
    """What the groups are, and the group of each run; None if there is only one."""
    studies = [run.group or NO_GROUP for run in runs]
    if len(set(studies)) > 1:
        return "studies", studies
    for name, column in _data_columns(runs, keep).items():
        others = _others(runs, column)
        is_search = design != "factorial" and choose_kind(design, others, others.columns.tolist()).is_search
        if not is_search and not _crossed(others, column):
            return "data sets or tasks", [f"{name}={value}" for value in column]
    return None


def _data_columns(runs: Sequence[Run], keep: Sequence[str]) -> dict[str, list[object]]:
    """By name, the data set or task of each run, where there are several and not every run has its own."""
    names = dict.fromkeys(name for run in runs for name in run.hparams if names_data(name) and name not in keep)
    found: dict[str, list[object]] = {name: [run.hparams.get(name) for run in runs] for name in names}
    return {
        name: [UNRECORDED if value is None else value for value in column]
        for name, column in found.items()
        if _several(column)
    }


def _several(column: Sequence[object]) -> bool:
    """Whether there are several data sets, and not every run has its own."""
    return 1 < len({value for value in column if value is not None}) < len(column)


def _others(runs: Sequence[Run], data: Sequence[object]) -> pd.DataFrame:
    """The other settings, without those that follow from the data set, such as a number of classes, or only describe
    runs."""
    names = dict.fromkeys(name for run in runs for name in run.hparams if not names_data(name) and not is_size(name))
    columns = {name: [run.hparams.get(name) for run in runs] for name in names}
    told = {
        name: pd.Series(column, dtype=object)
        for name, column in columns.items()
        if not any(last_part_matches(name, pattern) for pattern in (SEED, REPLICATE, NUMBER, BOOKKEEPING, CLOCK))
        and len(set(zip(data, column, strict=True))) > len(set(data))
    }
    return pd.DataFrame(told, index=range(len(runs)))


def _crossed(others: pd.DataFrame, data: Sequence[object]) -> bool:
    """Whether most combinations of the other settings occur with more than one data set."""
    cells: dict[tuple[object, ...], set[object]] = {}
    for row, value in zip(others.to_numpy().tolist(), data, strict=True):
        cells.setdefault(tuple(row), set()).add(value)
    return 2 * sum(len(values) > 1 for values in cells.values()) >= len(cells)


def _explained(runs: Sequence[Run], prefixes: Sequence[str]) -> bool:
    """Whether some setting has values of its own in every directory."""
    names = dict.fromkeys(name for run in runs for name in run.hparams)
    for name in names:
        owners: dict[object, set[str]] = {}
        for run, prefix in zip(runs, prefixes, strict=True):
            owners.setdefault(run.hparams.get(name), set()).add(prefix)
        if len(owners) > 1 and all(len(found) == 1 for found in owners.values()):
            return True
    return False
