"""The progress of a study: a live table on a terminal, and a line for each run that ends."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from attnae.study.design import PlannedRun
from attnae.study.events import Event
from attnae.study.state import ENDED, RunState, run_state
from attnae.tags import DIVERGED, FINISHED, scalar

FAILED = "failed"
STYLES = {FINISHED: "green", DIVERGED: "yellow", FAILED: "bold red"}


@dataclass(frozen=True)
class Pace:
    """The mean time for an epoch in this study, including the start and the end of runs; NaN: unknown."""

    seconds_per_epoch: float = math.nan

    @classmethod
    def measured(cls, runs: Mapping[str, PlannedRun], states: Mapping[str, RunState]) -> Pace:
        """Measured on the finished runs. Without a finished run, every estimate is NaN."""
        finished = [name for name, state in states.items() if state.status == FINISHED]
        epochs = sum(runs[name].config.epochs for name in finished)
        return cls(sum(states[name].seconds for name in finished) / epochs) if epochs else cls()

    def estimate(self, epochs: int, workers: int) -> float:
        """The seconds that so many epochs take, divided among the workers."""
        return self.seconds_per_epoch * epochs / workers if epochs else 0.0


class StudyView:
    """The state of a study, updated by events and shown on a console. Use it as a context manager.

    `states` are the states of the runs at the start; `workers` is the number of runs that are trained side by side.
    """

    def __init__(
        self, console: Console, runs: Mapping[str, PlannedRun], states: Mapping[str, RunState], workers: int
    ) -> None:
        self.console = console
        self.runs = runs
        self.states = dict(states)
        self.workers = workers
        self.running: dict[str, Event] = {}
        self.failures: dict[str, str] = {}
        self._live = Live(get_renderable=self._table, console=console, transient=True, refresh_per_second=2)

    def __enter__(self) -> StudyView:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    @property
    def counts(self) -> Counter[str]:
        """The number of runs that are finished, diverged and failed."""
        ended = Counter(state.status for state in self.states.values() if state.status in ENDED)
        return ended + Counter({FAILED: len(self.failures)})

    def handle(self, event: Event) -> None:
        """Update the state; print a line for every event except the end of an epoch."""
        if event.kind == "epoch":
            self.running[event.run] = event
            return
        self.running.pop(event.run, None)
        if event.kind in ENDED:
            self.states[event.run] = run_state(self.runs[event.run])
        elif event.kind == FAILED:
            self.failures[event.run] = event.message
        self.console.print(self._line(event), highlight=False, soft_wrap=True)

    def _line(self, event: Event) -> str:
        name = escape(event.run)
        if event.kind == "retried":
            return f"{'':>9} [yellow]retried [/]  {name}  {escape(event.message)}"
        count = f"{sum(self.counts.values())}/{len(self.runs)}"
        line = f"{count:>9} [{STYLES[event.kind]}]{event.kind:<8}[/]  {name}"
        if event.kind == FAILED:
            return f"{line}  {escape(event.message)}"
        state = self.states[event.run]
        loss = state.metrics.get("metrics", {}).get(scalar("test", "loss"))
        return f"{line}{f'  test loss {loss:.4f}' if isinstance(loss, float) else ''}  {state.seconds:.1f} s"

    def seconds_left(self) -> float:
        """The estimated time until the study ends; NaN before any run has finished."""
        epochs = sum(
            run.config.epochs - (self.running[name].epoch if name in self.running else 0)
            for name, run in self.runs.items()
            if self.states[name].status not in ENDED and name not in self.failures
        )
        return Pace.measured(self.runs, self.states).estimate(epochs, self.workers)

    def _table(self) -> RenderableType:
        table = Table(box=None, pad_edge=False)
        table.add_column("epoch", justify="right", no_wrap=True)
        table.add_column("val loss", justify="right", no_wrap=True)
        table.add_column("running", overflow="fold")
        for name, event in list(self.running.items()):
            loss = "" if math.isnan(event.loss) else f"{event.loss:.4f}"
            table.add_row(f"{event.epoch}/{self.runs[name].config.epochs}", loss, escape(name))
        counts = self.counts
        done = Table.grid(padding=(0, 1))
        words = [f"[{style}]{counts[kind]} {kind}[/]" for kind, style in STYLES.items() if counts[kind]]
        done.add_row(
            ProgressBar(total=len(self.runs), completed=sum(counts.values()), width=40),
            f"{sum(counts.values())}/{len(self.runs)} ended",
            Text.from_markup(", ".join(words)),
            f"left {duration(self.seconds_left())}",
        )
        return Group(table, done)


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, such as 2:03:04; `unknown` for NaN."""
    if math.isnan(seconds):
        return "unknown"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
