"""One run that was written in several formats is one run: two loggers, or a tracker and event files, side by side."""

from __future__ import annotations

import heapq
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from attnae.reading.run import UNKNOWN, Run, Series
from attnae.reading.settings import missing_settings

MIN_EQUAL_VALUES = 3
MAX_COMPARED = 20  # runs that are compared value by value with one run
LAST_RESORT = "TensorBoard"  # the format that is joined to others: it holds the least about how a run ended
SEPARATORS = re.compile(r"[/._\s-]+")
Key = tuple[str, float]


def unite(runs: list[Run]) -> list[Run]:
    """The runs, in their order, those that are the same run joined.

    Runs to which a tracker gave the same identifier are the same run. So are runs of different formats that have the
    same directory, or that recorded the same results: at least MIN_EQUAL_VALUES different values of equally named
    series are equal, and no result and no setting differs.
    """
    identifiers = Counter(run.uid for run in runs if run.uid)
    if len({run.format for run in runs}) < 2 and max(identifiers.values(), default=0) < 2:
        return runs
    united: dict[int, Run] = {}
    at: dict[Path, int] = {}
    known: dict[str, int] = {}
    having: dict[Key, list[int]] = defaultdict(list)
    for place in sorted(range(len(runs)), key=lambda place: runs[place].format == LAST_RESORT):
        run = runs[place]
        host = known.get(run.uid) if run.uid else None
        if host is None and run.directory is not None:
            host = at.get(run.directory)
            host = None if host is not None and _shares_format(united[host], run) else host
        if host is None:
            host = _twin(run, united, having)
        united[place if host is None else host] = run if host is None else join(united[host], run)
        if host is None:
            if run.uid:
                known[run.uid] = place
            if run.directory is not None:
                at.setdefault(run.directory, place)
            for key in set(_keys(run)):
                having[key].append(place)
    return [united[place] for place in sorted(united)]


def join(first: Run, second: Run) -> Run:
    """One run with the settings and series of both; where both have one, that of `first`, or the longer series."""
    scalars = dict(first.scalars)
    names = {_plain(tag): tag for tag in scalars}
    for tag, series in second.scalars.items():
        known = next((names[name] for name in _shorter(_plain(tag)) if name in names), None)
        if known is None or (known != tag and not _equal(scalars[known], series)):
            scalars[tag] = series
        elif len(series.steps) > len(scalars[known].steps):
            scalars[known] = series
    return replace(
        first,
        hparams={**first.hparams, **missing_settings(first.hparams, second.hparams)},
        scalars=scalars,
        status=first.status if first.status != UNKNOWN else second.status,
        provenance={**second.provenance, **first.provenance},
        problems=(*first.problems, *second.problems),
        notes=(*first.notes, *second.notes),
        metrics=tuple(dict.fromkeys((*first.metrics, *second.metrics))),
        started=float(np.fmin(first.started, second.started)),
        seconds=second.seconds if math.isnan(first.seconds) else first.seconds,
        group=first.group or second.group,
        goal=first.goal or second.goal,
        format=first.format if first.format == second.format else f"{first.format} + {second.format}",
    )


def _shares_format(first: Run, second: Run) -> bool:
    return not {*first.format.split(" + ")}.isdisjoint(second.format.split(" + "))


def _twin(run: Run, united: dict[int, Run], having: dict[Key, list[int]]) -> int | None:
    """The run of another format with the same results; the first of those with the most in common."""
    common = Counter(place for key in set(_keys(run)) for place in having.get(key, ()))
    possible = [
        (-count, place)
        for place, count in common.items()
        if not _shares_format(united[place], run) and _same_settings(united[place], run)
    ]
    nearest = (place for _, place in heapq.nsmallest(MAX_COMPARED, possible))
    return next((place for place in nearest if _same_results(united[place], run)), None)


def _keys(run: Run) -> Iterator[Key]:
    """Last values by the last word of their tag. Whole numbers, such as an accuracy of 1, say nothing."""
    for tag, value in run.final.items():
        if math.isfinite(value) and value != round(value):
            yield _plain(tag).rsplit("_", 1)[-1], float(np.float32(value))


def _same_settings(first: Run, second: Run) -> bool:
    return all(second.hparams.get(name, value) == value for name, value in first.hparams.items())


def _same_results(first: Run, second: Run) -> bool:
    names = {_plain(tag): series for tag, series in first.scalars.items()}
    longer = {name: series for tag, series in names.items() for name in _shorter(tag)}
    equal: set[float] = set()
    for tag, series in second.scalars.items():
        plain = _plain(tag)
        twin = names.get(plain)
        if twin is not None and not _equal_values(twin.values[-1:], series.values[-1:]):
            return False
        others = [twin, longer.get(plain), *(names.get(name) for name in _shorter(plain))]
        if any(other is not None and _equal(other, series) for other in others):
            equal.update(np.float32(series.values[np.isfinite(series.values)]).tolist())
    return len(equal) >= MIN_EQUAL_VALUES


def _plain(tag: str) -> str:
    return SEPARATORS.sub("_", tag).lower()


def _shorter(plain: str) -> Iterator[str]:
    """The name, and the name without its first words: event files call `loss` also `ray/tune/loss` or `train/loss`."""
    yield plain
    while "_" in plain:
        plain = plain.partition("_")[2]
        yield plain


def _equal(first: Series, second: Series) -> bool:
    return len(first.values) == len(second.values) and _equal_values(first.values, second.values)


def _equal_values(first: np.ndarray, second: np.ndarray) -> bool:
    """Equal in the single precision of event files."""
    with np.errstate(over="ignore"):
        return np.array_equal(np.float32(first), np.float32(second), equal_nan=True)
