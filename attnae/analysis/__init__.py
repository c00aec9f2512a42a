"""From runs to what a designed experiment says about them; torch is never imported.

    from attnae import fit_study, read_runs

    runs = read_runs("logs")                                           # a table with a row a run
    result = fit_study(runs, ["batch_norm", "act"], response="test/loss")
    print(result.effects)

One-way: runs -> table (`audit`) -> model M (`design`) -> tests and intervals (`inference`) -> the tables of the report
(`estimates`) -> `study.fit_study`, which collects them in a `result.StudyResult` -> `report`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnae.analysis.result import StudyResult
    from attnae.analysis.study import fit_study

__all__ = ["StudyResult", "fit_study"]

_HOMES = {"StudyResult": "result", "fit_study": "study"}


def __getattr__(name: str) -> Any:
    """Import on first use: `analyze.py --help` needs none of pandas, scipy and statsmodels."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
