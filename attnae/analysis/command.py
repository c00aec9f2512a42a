"""What `analyze.py` does: logs in, report out. Heavy packages are imported only when there is something to read."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tyro.conf import FlagCreatePairsOff, Positional

from attnae import tags
from attnae.analysis.goal import Goal
from attnae.errors import UserError
from attnae.process import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from rich.console import Console

    from attnae.analysis.audit.audit import Audit
    from attnae.analysis.audit.searches import SearchLog
    from attnae.analysis.report.report import AnyReport
    from attnae.analysis.result import StudyResult
    from attnae.analysis.search.result import SearchResult
    from attnae.reading.run import Run

DEFAULT_RESPONSE = tags.scalar("test", "loss")
DRAWS, DRAWS_OF_LARGE, LARGE_STUDY = 9999, 999, 1000
FOLDER = "analysis"
# The options that only the analysis of a designed study has, with the values that leave them unset.
DESIGNED_ONLY = {"baseline": (), "interactions": "auto", "negligible": None, "target": None}


def shown(metavar: str) -> object:
    """An option whose text says what its default is, in place of tyro's `{None}` and `(default: None)`."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


@dataclass(frozen=True)
class AnalyzeCommand:
    """Report from training logs which choices helped, by how much, and how certain that is.

    python analyze.py logs/

    python analyze.py logs/ --response val/acc --at best --baseline act=relu
    """

    paths: Positional[Annotated[tuple[Path, ...], shown("LOGS ...")]] = ()
    """Directories or files with the logs of many runs, or a CSV table with one row per run.
    Known logs: TensorBoard, Lightning, MLflow, W&B, Optuna, Ray Tune, Hugging Face, Keras and Ultralytics.
    Directories are searched at any depth."""
    response: Annotated[str | None, shown("TAG")] = None
    """The scalar tag to analyse. Default: test/loss, or the most likely result of runs that have no test/loss.
    Set it to analyse another result, such as val/acc."""
    factors: Annotated[tuple[str, ...] | None, shown("NAME ...")] = None
    """The hyper-parameters to compare. Default: all that vary, except seeds, names, and settings that follow
    from others.
    Set it if the report treats the wrong ones as factors."""
    design: Annotated[Literal["auto", "factorial", "search"], shown("auto|factorial|search")] = "auto"
    """How the runs were chosen: in a designed study (factorial), or at random or by a sampler (search).
    auto: as the settings say; the report says which and why. Set it if that is wrong."""
    at: Annotated[str, tyro.conf.arg(metavar="last|best|tail:5")] = "last"
    """Which value of a run counts: the last, the one at the best validation epoch, or the mean of the last five.
    Use tail:5 if the last values are noisy, and best if training used early stopping."""
    log_response: FlagCreatePairsOff[bool] = False
    """Analyse the logarithm of the response, so that effects are ratios.
    Use it if the response spans orders of magnitude, or if the report says that logarithms would fit better."""
    group: Annotated[str | None, shown("NAME")] = None
    """The study, experiment or data set to analyse, where the logs hold several. Default: that with most finished runs.
    Set it to analyse another one, such as the name of a study or "dataset=mnist"."""
    goal: Annotated[Goal | None, shown("min|max")] = None
    """Whether a small or a large response is better. Default: max for names such as acc, auc, f1 or psnr, else min.
    Set it if this default is wrong for your response."""
    alpha: float = 0.05
    """Significance level: intervals have confidence 1 - alpha, and the chance of any false verdict is at most alpha.
    Lower it if a false verdict is costly."""
    baseline: Annotated[tuple[str, ...], shown("NAME=LEVEL ...")] = ()
    """Also compare all combinations of some factors with this one, such as --baseline act=relu batch_norm=True.
    Use it if you want to improve on a current configuration."""
    interactions: Literal["auto", "none", "two-way"] = "auto"
    """Two-way interactions in the model: if there are enough runs for them (auto), never (none), or always (two-way).
    Choose none for more power if you know that no factor changes the effect of another."""
    negligible: Annotated[float | None, shown("FLOAT")] = None
    """The largest effect that does not matter to you, in units of the response, or of its logarithm with
    --log-response (0.05 is about 5%). Default: none.
    Set it to get the verdict "negligible" for effects that are shown to be smaller."""
    target: Annotated[float | None, shown("FLOAT")] = None
    """The effect that a larger study should detect, in the units of --negligible.
    Default: the value of --negligible, or each estimate if that is not set.
    Set it to the smallest effect that matters to you; the report then says how many seeds detect it."""
    permutations: Annotated[int | None, shown("INT")] = None
    """Number of permutations per permutation test. Default: 9999, or 999 for more than 1000 runs.
    Reduce it for a faster report; 0 skips these tests."""
    name_pattern: Annotated[str | None, shown("PATTERN")] = None
    """Where the names of the runs contain hyper-parameters, such as "{act}-{bn}". Default: names are not used.
    Use it if the logs do not record the hyper-parameters."""
    out: Annotated[Path | None, shown("DIR")] = None
    """The directory to write the report to. Default: analysis/ in the first log directory.
    Set it if the logs are read-only, or to keep several reports."""
    full: FlagCreatePairsOff[bool] = False
    """Print all sections of the report, not only its first screen. report.html has them in any case.
    Use it where you cannot open report.html."""
    json: FlagCreatePairsOff[bool] = False
    """Print report.json to standard output, and nothing else.
    Use it to pass the results to another program."""


def run(command: AnalyzeCommand) -> int:
    """Read, analyse, print and write; 0.

    Raises:
        UserError: these logs cannot be analysed, or an option does not fit them.
    """
    if not command.paths:
        raise UserError("no logs are given: give a log directory, such as: python analyze.py logs/")
    baseline = baseline_levels(command.baseline)

    from rich.console import Console

    from attnae.analysis.report.files import VALUES, report_files, write_report
    from attnae.analysis.report.screen import print_screen
    from attnae.analysis.report.terminal import print_files, print_report

    console = Console(highlight=False)
    report = analyze(command, baseline, Console(stderr=True, highlight=False) if command.json else console)
    out = command.out if command.out is not None else default_out(command.paths[0])
    files = report_files(report)
    with stop_on_signals():  # so that no partial file is left
        written = write_report(files, out)
    if command.json:
        sys.stdout.write(files[VALUES] or "")
    elif command.full:
        print_report(report, console)
        print_files(report, out, written, console)
    else:
        print_screen(report, out, written, console)
    return 0


def analyze(command: AnalyzeCommand, baseline: dict[str, object], console: Console) -> AnyReport:
    """The report of the runs. If they cannot be analysed, the warnings of the audit are printed before the error."""
    from attnae.analysis.audit.audit import audit_runs
    from attnae.analysis.report.report import SearchReport, StudyReport
    from attnae.reading.read import read_logs

    runs = read_logs(command.paths, name_pattern=command.name_pattern)
    response = command.response or default_response(runs)
    audit = audit_runs(
        runs,
        response=response,
        at=command.at,
        factors=command.factors,
        goal=command.goal,
        group=command.group,
        design=command.design,
    )
    draws, remarks = permutation_draws(command.permutations, len(audit.ended))
    try:
        if audit.search is None:
            result, planned = study_result(command, runs, audit, baseline, draws)
            return StudyReport.of(runs, audit, result, (*planned, *remarks))
        return SearchReport.of(runs, audit, search_result(command, audit, audit.search, draws), remarks)
    except UserError:
        print_findings(audit, console)
        raise


def study_result(
    command: AnalyzeCommand, runs: Sequence[Run], audit: Audit, baseline: dict[str, object], draws: int
) -> tuple[StudyResult, tuple[str, ...]]:
    """The analysis of a designed study with curves and cost, and remarks on its planned looks, if it has any."""
    from attnae.analysis.audit.looks import planned_replicates
    from attnae.analysis.audit.names import names_data
    from attnae.analysis.estimates.cost import study_cost
    from attnae.analysis.estimates.learning import study_curves
    from attnae.analysis.study import fit_study

    table, replicates, remarks = planned_replicates(runs, audit.ended)
    negligible = command.negligible
    if negligible is None and replicates is not None and replicates.response == audit.response:
        negligible = None if command.log_response else replicates.negligible
    result = fit_study(
        table,
        audit.factors,
        response_name=audit.response,
        seed=audit.seed,
        log=command.log_response,
        goal=audit.goal,
        alpha=command.alpha,
        interactions=command.interactions,
        baseline=baseline,
        negligible=negligible,
        target=command.target,
        alternatives=audit.alternatives,
        replicates=replicates,
        # A data set that the user names with --factors is a factor like others.
        strata=[name for name in audit.factors if names_data(name)] if command.factors is None else (),
        permutations=draws,
    )
    names = result.diagnostics.residuals["run"].tolist()
    curves = study_curves(result.design, names, runs, audit.table, audit.response, alpha=command.alpha)
    same_length = audit.rule.kind != "common"
    cost = study_cost(result.design, result.y, names, runs, result.reading, same_length=same_length)
    return replace(result, curves=curves, cost=cost), remarks


def search_result(command: AnalyzeCommand, audit: Audit, log: SearchLog, draws: int) -> SearchResult:
    """The analysis of a search.

    Raises:
        UserError: an option is given that only applies to designed studies.
    """
    from attnae.analysis.search import fit_search
    from attnae.analysis.search.order import sampler_is_adaptive

    for option, unset in DESIGNED_ONLY.items():
        if getattr(command, option) != unset:
            raise UserError(
                f"--{option} applies to designed studies, and these runs are taken as a search "
                f"({audit.design.reason}): leave it out, or add --design factorial"
            )
    table, name = log.table, audit.response
    if command.log_response:
        table, name = table.assign(response=_logarithms(table, audit.response)), f"log {audit.response}"
    return fit_search(
        table,
        log.settings,
        response_name=name,
        goal=audit.goal,
        strata=log.strata,
        order=log.order,
        sampler=next(filter(sampler_is_adaptive, log.samplers), None),
        histories=log.histories,
        alpha=command.alpha,
        permutations=draws,
    )


def _logarithms(table: pd.DataFrame, response: str) -> pd.Series:
    import numpy as np

    lost = table["response"].isna() | np.isinf(table["response"])
    if (negative := table.index[~lost & (table["response"] <= 0)]).size:
        row = table.loc[negative[0]]
        raise UserError(
            f"{response} has no logarithm in run {row['run']} ({row['response']:g}): leave out --log-response"
        )
    return np.log(table["response"].where(~lost)).where(~lost, table["response"])


def print_findings(audit: Audit, console: Console) -> None:
    """The audit's warnings, which may explain why the analysis is impossible."""
    from rich.text import Text

    from attnae.text import clean

    for line in audit.warnings:
        console.print(Text(f"! {clean(line)}"))


def default_response(runs: Sequence[Run]) -> str | None:
    """test/loss if at least half of the runs have it and none declares another result with its direction; None leaves
    the choice to the audit."""
    if any(run.goal is not None for run in runs):
        return None
    having = sum(DEFAULT_RESPONSE in run.scalars for run in runs)
    return DEFAULT_RESPONSE if having and 2 * having >= len(runs) else None


def permutation_draws(asked: int | None, runs: int) -> tuple[int, tuple[str, ...]]:
    """The number of permutations, and a remark for the report if it was reduced."""
    if asked is not None:
        return asked, ()
    if runs <= LARGE_STUDY:
        return DRAWS, ()
    return DRAWS_OF_LARGE, (
        f"the permutation tests use {DRAWS_OF_LARGE} draws because there are more than {LARGE_STUDY:,} runs "
        "(--permutations)",
    )


def baseline_levels(settings: Sequence[str]) -> dict[str, object]:
    """Factor -> level, as text, from settings such as `act=relu`."""
    found: dict[str, object] = {}
    for setting in settings:
        name, equals, level = setting.partition("=")
        if not equals or not name:
            raise UserError(f"--baseline {setting}: type factor=level, such as --baseline act=relu")
        found[name] = level
    return found


def default_out(path: Path) -> Path:
    """The directory `analysis` in a log directory, or beside a file."""
    return (path if path.is_dir() else path.parent) / FOLDER
