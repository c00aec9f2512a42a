"""Logs of any format -> runs. Neither torch nor any experiment tracker is imported.

    from attnae import read_runs

    runs = read_runs("logs")  # a table with one row per run

`run` defines what every format gives, `formats` lists the formats, `read` asks them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnae.reading.read import read_logs, read_runs
    from attnae.reading.run import Run, Series

__all__ = ["Run", "Series", "read_logs", "read_runs"]

_HOMES = {"Run": "run", "Series": "run", "read_logs": "read", "read_runs": "read"}


def __getattr__(name: str) -> Any:
    """Import on first use: reading needs pandas, `--help` does not."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
