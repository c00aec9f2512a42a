"""What the user names counts as that: a result as a setting (`--factors`), and a setting as the result (`--response`).

Tables do not say what was set and what was measured, and trackers log some settings as results and the reverse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from attnae.analysis.audit.names import resolve
from attnae.reading.run import HParam, Run, Series
from attnae.reading.settings import plain_number


def as_named(runs: Sequence[Run], factors: Sequence[str] | None, response: str | None) -> list[Run]:
    """The runs, with what the user names in the place where it is looked for.

    A factor that is no setting of any run may be one of the details of runs, or a result with one value per run. A
    response that is no result may be a setting with numbers.
    """
    found = list(runs)
    if not factors and response is None:
        return found
    settings, results, details = (_names(runs, kind) for kind in (_settings, _results, _details))
    for given in factors or ():
        for part in [given] if resolve(given, settings) else filter(None, map(str.strip, given.split(","))):
            if resolve(part, settings) is not None:
                continue
            if (name := resolve(part, details)) is not None:
                found = [_with_setting(run, name, run.details.get(name)) for run in found]
            elif (name := resolve(part, results)) is not None and name != response:
                found = [_with_setting(run, name, _value(run, name)) for run in found]
    if response is not None and resolve(response, results) is None:
        name = resolve(response, settings)
        if name is not None and not any(isinstance(run.hparams.get(name), (bool, str)) for run in runs):
            found = [_with_result(run, name) for run in found]
    return found


def _settings(run: Run) -> Sequence[str]:
    return list(run.hparams)


def _results(run: Run) -> Sequence[str]:
    return [tag for tag, series in run.scalars.items() if len(series.values) == 1]


def _details(run: Run) -> Sequence[str]:
    return list(run.details)


def _names(runs: Sequence[Run], kind: Callable[[Run], Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in kind(run)))


def _value(run: Run, tag: str) -> HParam | None:
    return plain_number(run.final[tag]) if tag in run.scalars else None


def _with_setting(run: Run, name: str, value: HParam | None) -> Run:
    return run if value is None else replace(run, hparams={**run.hparams, name: value})


def _with_result(run: Run, name: str) -> Run:
    value = run.hparams.get(name)
    if value is None:
        return run
    point = Series(np.zeros(1, dtype=np.int64), np.array([value], dtype=np.float64))
    return replace(run, scalars={**run.scalars, name: point})
