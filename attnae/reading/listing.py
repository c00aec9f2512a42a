"""Runs of any format as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from attnae.reading.run import Run
from attnae.text import clean

MAX_WIDTH = 40  # of a setting, in characters
MAX_RESULTS = 8


def runs_table(runs: Sequence[Run]) -> Table:
    """A table with one row per run: name, status, the settings in which the runs differ, the last values of results.

    The format is a column where there are several. The results are those that the runs declare, or else those that
    most runs have, at most MAX_RESULTS of them.
    """
    settings = [name for name in _names(run.hparams for run in runs) if _differs(runs, name)]
    results = _results(runs)
    formats = len({run.format for run in runs}) > 1
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("run", "status", *(["format"] if formats else []), *settings, *results):
        table.add_column(Text(clean(heading)), overflow="fold")
    for run in runs:
        values = [clean(run.hparams.get(name, ""), MAX_WIDTH) for name in settings]
        final = run.final
        numbers = [f"{final[tag]:.5g}" if tag in final else "" for tag in results]
        cells = [run.name, run.status, *([run.format] if formats else []), *values, *numbers]
        table.add_row(*(Text(clean(cell)) for cell in cells))
    return table


def _results(runs: Sequence[Run]) -> list[str]:
    declared = dict.fromkeys(tag for run in runs for tag in run.metrics if tag in run.scalars)
    tags = list(declared) or _names(run.scalars for run in runs)
    having = {tag: sum(tag in run.scalars for run in runs) for tag in tags}
    most = sorted(tags, key=lambda tag: -having[tag])[:MAX_RESULTS]
    return [tag for tag in tags if tag in most]


def _names(groups: Iterable[Iterable[str]]) -> list[str]:
    """All names of several groups, each once, in the order of their first appearance."""
    return list(dict.fromkeys(name for group in groups for name in group))


def _differs(runs: Sequence[Run], name: str) -> bool:
    return len({(type(value), value) for run in runs for value in [run.hparams.get(name)]}) > 1
