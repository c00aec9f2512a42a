"""The progress of a study: a live table on a terminal, and a line for each run that ends."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from attnae.study.attempt import Attempt, read_attempt
from attnae.study.design import PlannedRun
from attnae.study.state import ENDED, WAITING, RunState, read_state
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
    """The state of a study, read from the files of its runs and shown on a console. Use it as a context manager.

    `states` are the states of the runs at the start; `workers` is the number of runs that are trained side by side; a
    run fails at its crash number `retries` + 1.
    """

    def __init__(
        self,
        console: Console,
        runs: Mapping[str, PlannedRun],
        states: Mapping[str, RunState],
        workers: int,
        retries: int,
    ) -> None:
        self.console = console
        self.runs = dict(runs)
        self.states = dict(states)
        self.workers = workers
        self.retries = retries
        self.attempts: dict[str, Attempt] = {}
        self.failures: dict[str, str] = {}
        self._live = Live(get_renderable=self._table, console=console, transient=True, refresh_per_second=2)

    def __enter__(self) -> StudyView:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    @property
    def open(self) -> list[str]:
        """The runs that have neither ended nor failed."""
        return [name for name, state in self.states.items() if state.status not in ENDED and name not in self.failures]

    @property
    def counts(self) -> Counter[str]:
        """The number of runs that are finished, diverged and failed."""
        ended = Counter(state.status for state in self.states.values() if state.status in ENDED)
        return ended + Counter({FAILED: len(self.failures)})

    def add(self, runs: Iterable[PlannedRun]) -> None:
        """Runs that are to be trained since the last look."""
        for run in runs:
            if run.name not in self.states:
                self.states[run.name] = RunState(WAITING, {})
                self.runs[run.name] = run

    def update(self) -> None:
        """Read the files of the open runs; print a line for each run that ended or crashed since the last call."""
        for name in self.open:
            directory = self.runs[name].directory
            before = self.attempts.get(name, Attempt())
            attempt = read_attempt(directory)
            if attempt is None:
                state = read_state(self.runs[name])
                if state.status in ENDED:
                    self.attempts.pop(name, None)
                    self.states[name] = state
                    loss = state.metrics.get("metrics", {}).get(scalar("test", "loss"))
                    shown = f"test loss {loss:.4f}  " if isinstance(loss, float) else ""
                    self._print_line(name, state.status, f"{shown}{state.seconds:.1f} s")
                continue
            self.attempts[name] = attempt
            # Several crashes may have happened since the last look.
            if min(attempt.crashes, self.retries) > before.crashes:
                self.console.print(
                    f"{'':>9} [yellow]retried [/]  {escape(name)}  {escape(attempt.message)}",
                    highlight=False,
                    soft_wrap=True,
                )
            if attempt.crashes > self.retries:
                self.fail(name, attempt.message)

    def fail(self, name: str, message: str) -> None:
        """A run has crashed for the last time, or cannot be trained at all."""
        self.failures[name] = message
        self._print_line(name, FAILED, escape(message))

    def _print_line(self, name: str, status: str, text: str) -> None:
        count = f"{sum(self.counts.values())}/{len(self.runs)}"
        self.console.print(
            f"{count:>9} [{STYLES[status]}]{status:<8}[/]  {escape(name)}  {text}", highlight=False, soft_wrap=True
        )

    def seconds_left(self) -> float:
        """The estimated time until the study ends; NaN before any run has finished."""
        epochs = sum(self.runs[name].config.epochs - self.attempts.get(name, Attempt()).epoch for name in self.open)
        return Pace.measured(self.runs, self.states).estimate(epochs, self.workers)

    def _table(self) -> RenderableType:
        table = Table(box=None, pad_edge=False)
        table.add_column("epoch", justify="right", no_wrap=True)
        table.add_column("val loss", justify="right", no_wrap=True)
        table.add_column("running", overflow="fold")
        for name in self.open:
            attempt = self.attempts.get(name, Attempt())
            if attempt.process:
                loss = "" if math.isnan(attempt.loss) else f"{attempt.loss:.4f}"
                table.add_row(f"{attempt.epoch}/{self.runs[name].config.epochs}", loss, escape(name))
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
