"""What a study would train, without touching anything."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from attnae.study.checks import resolve_design
from attnae.study.design import Design, idle_factors, level_text
from attnae.study.progress import Pace, duration
from attnae.study.state import ENDED, check_record, run_state


def describe_study(design: Design, workers: int, console: Console) -> None:
    """Prints the factors, the cells with the state of their runs, and the time that is left to train.

    Raises `UserError` for whatever `run_study` would refuse. Writes and downloads nothing.
    """
    design, notes = resolve_design(design, dry_run=True)
    check_record(design)
    runs = {run.name: run for run in design.runs()}
    states = {name: run_state(run) for name, run in runs.items()}
    cells = Table(*design.factors, *(f"seed {seed}" for seed in design.seeds))
    for cell in design.cells():
        of_cell = [states[name].status for name, run in runs.items() if run.cell == cell]
        cells.add_row(*map(level_text, cell.values()), *of_cell)
    console.print(cells)
    for note in [*notes, *idle_factors(design)]:
        console.print(f"note: {escape(note)}", soft_wrap=True)
    options = ", ".join(f"{name} {value}" for name, value in design.shared_options().items() if value is not None)
    console.print(f"every run: {escape(options)}", highlight=False, soft_wrap=True)
    console.print(f"directory: {escape(str(design.directory))}", highlight=False, soft_wrap=True)
    counts = Counter(state.status for state in states.values())
    console.print(
        f"{len(design.cells())} cells x {len(design.seeds)} seeds = {len(runs)} runs: "
        + ", ".join(f"{count} {status}" for status, count in counts.items()),
        highlight=False,
    )
    epochs = sum(run.config.epochs for name, run in runs.items() if states[name].status not in ENDED)
    seconds = Pace.measured(runs, states).estimate(epochs, workers)
    known = f"about {duration(seconds)} (h:mm:ss) with {workers} side by side, as fast as the finished runs"
    console.print(f"time left: {known if seconds == seconds else 'unknown until a run has finished'}", highlight=False)
