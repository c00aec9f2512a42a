"""From runs to what a designed experiment or a search says about them; torch is never imported.

    from attnae import fit_study, read_runs

    runs = read_runs("logs")                                           # a table with a row a run
    result = fit_study(runs, ["batch_norm", "act"], response="test/loss")
    print(result.effects)

A search, whose settings were drawn at random or by a sampler, has an analysis of its own: `fit_search`.

One-way: runs -> table (`audit`) -> model M (`design`) -> tests and intervals (`inference`) -> the tables of the report
(`estimates`) -> `study.fit_study`, which collects them in a `result.StudyResult` -> `report`. A search goes
from `audit` to `search` instead.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnae.analysis.result import StudyResult
    from attnae.analysis.search import SearchResult, fit_search
    from attnae.analysis.study import fit_study

__all__ = ["SearchResult", "StudyResult", "fit_search", "fit_study"]

_HOMES = {"StudyResult": "result", "SearchResult": "search", "fit_search": "search", "fit_study": "study"}


def __getattr__(name: str) -> Any:
    """Import on first use: `analyze.py --help` needs none of pandas, scipy and statsmodels."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
