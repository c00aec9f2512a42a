"""A whole study: what is missing is trained by a launcher, shown, and summed up."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from attnae.config.study_options import StudyOptions
from attnae.process import Stopped, stop_on_signals
from attnae.study.checks import resolve_design
from attnae.study.design import Design, PlannedRun, idle_factors
from attnae.study.events import Event
from attnae.study.local import environments, run_locally
from attnae.study.progress import FAILED, StudyView
from attnae.study.state import ENDED, HALF_DONE, LOG, RunState, lock_study, run_state
from attnae.tags import DIVERGED, FINISHED


def run_study(design: Design, options: StudyOptions, console: Console) -> int:
    """Train every run of the design that has not ended; the exit code: 0 if all are finished then, else 1.

    Raises `UserError` before anything is written where the design, the data or the directory does not allow it, and
    `Stopped` on SIGINT and SIGTERM; the same call then goes on.
    """
    with stop_on_signals():
        design, notes = resolve_design(design)
        for note in [*notes, *idle_factors(design)]:
            console.print(Panel(escape(note), title="Warning", style="bold yellow"))
        if options.launcher == "ray":
            from attnae.study.ray_launcher import connect

            connect(options.ray_address)
        with lock_study(design):
            runs = {run.name: run for run in design.runs()}
            states = {name: run_state(run) for name, run in runs.items()}
            todo = to_do(runs, states)
            workers, events = launch(design, todo, options)
            console.print(_opening(design, states, workers, options), highlight=False, soft_wrap=True)
            view = StudyView(console, runs, states, workers)
            try:
                with view, closing(events):
                    for event in events:
                        view.handle(event)
            except Stopped:
                console.print(f"{view.counts[FINISHED]} of {len(runs)} runs are finished; the same command goes on.")
                raise
            return _sum_up(view, design, console)


def to_do(runs: Mapping[str, PlannedRun], states: Mapping[str, RunState]) -> list[PlannedRun]:
    """The runs that have not ended, in order, those half done first."""
    open_runs = [run for name, run in runs.items() if states[name].status not in ENDED]
    return sorted(open_runs, key=lambda run: states[run.name].status != HALF_DONE)


def launch(
    design: Design, runs: Sequence[PlannedRun], options: StudyOptions
) -> tuple[int, Generator[Event, None, None]]:
    """How many runs go side by side at most, and the events of training them."""
    log = design.directory / LOG
    if options.launcher == "ray":
        from attnae.study.ray_launcher import run_on_ray

        return run_on_ray(
            runs,
            base=design.base,
            address=options.ray_address,
            workers=options.workers,
            retries=options.retries,
            runs_per_gpu=options.runs_per_gpu,
            log=log,
        )
    places = environments(design.base, options.workers, options.runs_per_gpu)
    return len(places), run_locally(runs, places=places, retries=options.retries, log=log)


def _opening(design: Design, states: Mapping[str, RunState], workers: int, options: StudyOptions) -> str:
    cells, seeds = len(design.cells()), len(design.seeds)
    ended = sum(state.status in ENDED for state in states.values())
    return escape(
        f"Study {design.directory}: {cells} cells x {seeds} seed{'s' if seeds > 1 else ''} = {cells * seeds} runs, "
        f"{ended} ended before; {design.base.dataset}; {options.launcher}, {workers} side by side"
    )


def _sum_up(view: StudyView, design: Design, console: Console) -> int:
    counts = view.counts
    for name, state in view.states.items():
        if state.status == DIVERGED:
            reason = escape(str(state.metrics.get("reason", "")))
            console.print(f"[yellow]{DIVERGED}[/]  {escape(name)}  {reason}", highlight=False, soft_wrap=True)
    for name, message in view.failures.items():
        console.print(f"[bold red]{FAILED}[/]    {escape(name)}  {escape(message)}", highlight=False, soft_wrap=True)
    if view.failures:
        log = escape(str(design.directory / LOG))
        console.print(f"Tracebacks: {log}; the same command tries them again.", highlight=False, soft_wrap=True)
    console.print(
        f"{len(view.runs)} runs: {counts[FINISHED]} finished, {counts[FAILED]} failed, {counts[DIVERGED]} diverged",
        highlight=False,
    )
    where = shlex.quote(str(design.directory))
    console.print(f"Watch:   tensorboard --logdir {where}", highlight=False, soft_wrap=True, markup=False)
    console.print(f"Compare: python analyze.py {where}", highlight=False, soft_wrap=True, markup=False)
    return 0 if counts[FINISHED] == len(view.runs) else 1
