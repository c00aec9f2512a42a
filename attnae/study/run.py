"""A whole study: its design is resolved, then shown in a dry run, or trained by a launcher and summed up."""

from __future__ import annotations

import dataclasses
import shlex
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from attnae.config import RunConfig
from attnae.config.study_options import StudyOptions
from attnae.data.sources import resolve_auto
from attnae.errors import UserError
from attnae.process import Stopped, stop_on_signals
from attnae.rundir.directory import check_place
from attnae.rundir.locks import local_locks
from attnae.study.design import Design, PlannedRun, idle_factors
from attnae.study.designs import cell_name, level_text
from attnae.study.local import LocalWorkers, environments
from attnae.study.progress import FAILED, Pace, StudyView, duration
from attnae.study.sequential import FIRST_LOOK, advance, describe_look, open_runs, opening, read_looks, summary
from attnae.study.state import (
    ENDED,
    LOG,
    RunState,
    check_record,
    lock_study,
    prepare_runs,
    recorded_design,
    run_state,
    to_do,
)
from attnae.study.worker import WorkOptions
from attnae.tags import DIVERGED, FINISHED
from attnae.training.prepare import build, needs_download, offline, prepare

POLL_S = 0.3


class Team(Protocol):
    """Workers that a launcher has started."""

    def at_work(self) -> bool:
        """Whether any is left; called again and again, it replaces those that died with a run."""

    def stop(self) -> None:
        """Stop all of them; their runs can be resumed."""


def run_study(design: Design, options: StudyOptions, console: Console) -> int:
    """Train every run of the design that has not ended. The exit code: 0 if all runs are finished then, otherwise 1.

    Raises `UserError`, before anything is written, for a design, data or a directory with which the study cannot run,
    and `Stopped` on SIGINT and SIGTERM; the same call then continues the study.
    """
    with stop_on_signals():
        design, notes = resolve_design(design)
        if options.launcher != "local" and (warning := local_locks(design.directory)):
            notes.append(warning)
        for note in [*notes, *idle_factors(design)]:
            console.print(Panel(escape(note), title="Warning", style="bold yellow"))
        if options.launcher == "ray":
            from attnae.study.ray_launcher import connect

            connect(options.ray_address)
        with lock_study(design):
            advance(design)
            runs = {run.name: run for run in open_runs(design)}
            states = {name: run_state(run) for name, run in runs.items()}
            todo = to_do(runs.values())
            prepare_runs(todo)
            if options.launcher == "none":
                return _only_prepared(design, len(todo), console)
            # Workers may open the replicates that come later.
            workers, team = launch(design, to_do(design.runs()) if todo else [], options)
            console.print(_opening(design, states, workers, options), highlight=False, soft_wrap=True)
            view = StudyView(console, runs, states, workers, options.retries)
            try:
                with view:
                    _watch(team, view, options, design)
            except Stopped:
                console.print(
                    f"{view.counts[FINISHED]} of {len(runs)} runs are finished; the same command continues the study."
                )
                raise
            return _sum_up(view, design, console)


def _watch(team: Team, view: StudyView, options: StudyOptions, design: Design) -> None:
    """Show what the workers do until all runs have ended or failed, or no worker is left."""
    looks = len(read_looks(design.directory).looks)
    try:
        at_work = True
        while at_work:
            at_work = team.at_work()
            looks = _show_looks(design, view, looks)
            if view.failures and options.stop_on_failure:
                return
            time.sleep(POLL_S if at_work else 0)
        for name in view.open:
            view.fail(name, f"no worker could be started: see {LOG}")
    finally:
        team.stop()


def _show_looks(design: Design, view: StudyView, shown: int) -> int:
    """Update the view, also by the looks after the first `shown` ones; the number of looks."""
    found = read_looks(design.directory)
    view.update()
    if design.until is None:
        return 0
    for look in found.looks[shown:]:
        view.console.print(describe_look(look), highlight=False, soft_wrap=True, markup=False)
    view.add(run for run in design.runs() if run.repeat <= found.opened(design))
    view.update()
    return len(found.looks)


def _only_prepared(design: Design, left: int, console: Console) -> int:
    where = shlex.quote(str(design.directory))
    console.print(f"{design.directory} is prepared: {left} runs are to be trained.", highlight=False, soft_wrap=True)
    console.print(f"Start as many workers as you like: attnae work {where}", highlight=False, soft_wrap=True)
    return 0


def describe_study(design: Design, workers: int, console: Console) -> None:
    """Print the factors, the cells with the state of their runs, and an estimate of the time left.

    Raises `UserError` where `run_study` would. Writes and downloads nothing.
    """
    design, notes = resolve_design(design, dry_run=True)
    check_record(design)
    runs = {run.name: run for run in open_runs(design)}
    states = {name: run_state(run) for name, run in runs.items()}
    cells = Table(
        *design.factors, *(repeat.replace("=", " ") for repeat in design.repeats[: len(runs) // len(design.cells())])
    )
    for cell in design.cells():
        of_cell = [states[name].status for name, run in runs.items() if run.cell == cell]
        cells.add_row(*map(level_text, cell.values()), *of_cell)
    console.print(cells)
    from attnae.study.designs.explain import explain  # imports the analysis, which takes seconds

    planned, plan = list(runs.values()), design.plan
    seeds = [run.config.seed for run in planned]
    for part in explain([run.cell for run in planned], seeds, sampled=plan.sample is not None, noise=plan.noise):
        console.print(escape(part) if isinstance(part, str) else part, highlight=False, soft_wrap=isinstance(part, str))
    for note in [*notes, *idle_factors(design)]:
        console.print(f"note: {escape(note)}", soft_wrap=True)
    options = ", ".join(f"{name} {value}" for name, value in design.shared_options().items() if value is not None)
    console.print(f"every run: {escape(options)}", highlight=False, soft_wrap=True)
    console.print(f"directory: {escape(str(design.directory))}", highlight=False, soft_wrap=True)
    counts = Counter(state.status for state in states.values())
    console.print(
        f"{_size(design)}: " + ", ".join(f"{count} {status}" for status, count in counts.items()),
        highlight=False,
    )
    if design.until is not None:
        for line in opening(design):
            console.print(escape(line), highlight=False, soft_wrap=True)
    epochs = sum(run.config.epochs for name, run in runs.items() if states[name].status not in ENDED)
    seconds = Pace.measured(runs, states).estimate(epochs, workers)
    known = f"about {duration(seconds)} (h:mm:ss) with {workers} side by side, at the pace of the finished runs"
    console.print(f"time left: {known if seconds == seconds else 'unknown until a run has finished'}", highlight=False)


def resolve_design(design: Design, *, dry_run: bool = False) -> tuple[Design, list[str]]:
    """The design with its data set resolved, and notes for the user. Every model of the design is built once.

    A study that has begun keeps its data set and its cells. Images are loaded, and downloaded if necessary, so that no
    run finds them missing; a dry run downloads nothing. Raises `UserError` for images that are not available, and for a
    cell whose model does not fit the images, if possible before they are downloaded.
    """
    notes = []
    recorded = recorded_design(design.directory)
    if recorded is not None:
        design = design.keeping(recorded.cells())
    if not dry_run and needs_download(design.base):
        check_place(design.runs()[0].config.replace(name=None))
        _build_all(design, offline(design.runs()[0].config)[0])
    if design.base.dataset == "auto":
        if recorded is not None:
            name, note = recorded.base.dataset, None
        elif dry_run:
            resolved, note = offline(design.base)
            name = resolved.dataset
        else:
            name, note = resolve_auto(design.base.data_dir)
        notes += [note] if note else []
        design = dataclasses.replace(design, base=design.base.replace(dataset=name))
    first = design.runs()[0]
    if dry_run:
        images, _ = offline(first.config)
    else:
        prepared = prepare(first.config)
        images = prepared.config
        notes += prepared.warnings
    _build_all(design, images)
    return design, notes


def _build_all(design: Design, images: RunConfig) -> None:
    """Build the model of every cell for these images; `UserError` names a cell whose model does not fit them."""
    for run in (run for run in design.runs() if run.repeat == 1):
        try:
            build(run.config.replace(image_size=images.image_size, channels=images.channels, compile="off"))
        except UserError as error:
            raise UserError(f"cell {cell_name(run.cell)}: {error}") from error


def launch(design: Design, runs: Sequence[PlannedRun], options: StudyOptions) -> tuple[int, Team]:
    """The number of runs that can be trained at the same time, and the workers that train them."""
    work = WorkOptions(design.directory, retries=options.retries, stop_on_failure=options.stop_on_failure)
    if options.launcher == "ray":
        from attnae.study.ray_launcher import RayWorkers

        tasks = RayWorkers(
            runs,
            work,
            base=design.base,
            address=options.ray_address,
            workers=options.workers,
            runs_per_gpu=options.runs_per_gpu,
        )
        return tasks.side_by_side, tasks
    places = environments(design.base, options.workers, options.runs_per_gpu)
    return len(places), LocalWorkers(runs, places, work)


def _opening(design: Design, states: Mapping[str, RunState], workers: int, options: StudyOptions) -> str:
    ended = sum(state.status in ENDED for state in states.values())
    more = "" if design.until is None else "\n" + "\n".join(opening(design))
    return escape(
        f"Study {design.directory}: {_size(design)}, {ended} ended before; {design.base.dataset}; {options.launcher}, "
        f"{workers} side by side{more}"
    )


def _size(design: Design) -> str:
    cells, repeats = len(design.cells()), len(design.repeats)
    kind = "seed" if design.seeds else "replicate"
    if design.until is not None:
        return f"{cells} cells x {FIRST_LOOK} to {repeats} replicates = {FIRST_LOOK * cells} to {repeats * cells} runs"
    return f"{cells} cells x {repeats} {kind}{'s' if repeats > 1 else ''} = {cells * repeats} runs"


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
        console.print(f"Tracebacks: {log}; run the same command to try them again.", highlight=False, soft_wrap=True)
    console.print(
        f"{len(view.runs)} runs: {counts[FINISHED]} finished, {counts[FAILED]} failed, {counts[DIVERGED]} diverged",
        highlight=False,
    )
    if design.until is not None:
        for line in summary(design):
            console.print(line, highlight=False, soft_wrap=True, markup=False)
    where = shlex.quote(str(design.directory))
    console.print(f"Watch:   tensorboard --logdir {where}", highlight=False, soft_wrap=True, markup=False)
    console.print(f"Compare: python analyze.py {where}", highlight=False, soft_wrap=True, markup=False)
    return 0 if counts[FINISHED] == len(view.runs) else 1
