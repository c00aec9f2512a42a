"""What `analyze.py` does: logs in, report out. Heavy packages are imported once there is something to read."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tyro.conf import FlagCreatePairsOff, Positional

from attnae import tags
from attnae.errors import UserError
from attnae.process import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from attnae.analysis.audit.audit import Audit
    from attnae.analysis.report.report import Report
    from attnae.reading.run import Run

DEFAULT_RESPONSE = tags.scalar("test", "loss")
DRAWS, DRAWS_OF_LARGE, LARGE_STUDY = 9999, 999, 1000
FOLDER = "analysis"


@dataclass(frozen=True)
class AnalyzeCommand:
    """Say which choices helped, by how much, and how sure that is, from TensorBoard logs.

    python analyze.py logs/

    python analyze.py logs/ --response val/acc --at best --baseline act=relu
    """

    paths: Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="LOGS ...")]] = ()
    """Log directories, anyone's, with a run in each directory below them; or CSV tables with a row a run."""
    response: str | None = None
    """The scalar tag to explain. Default: test/loss, else the likeliest one, which is printed."""
    factors: tuple[str, ...] | None = None
    """The hyper-parameters to compare. Default: all that vary, less names, seeds and what follows from others."""
    at: Annotated[str, tyro.conf.arg(metavar="last|best|tail:5")] = "last"
    """Where a run's response is read: its last value, at the best epoch by validation, or the mean of the last five."""
    log_response: FlagCreatePairsOff[bool] = False
    """Analyse the logarithm of the response: effects are then factors, and percents exact."""
    goal: Literal["min", "max"] | None = None
    """Whether less or more of the response is better. Default: by its name (acc, auc, f1, elbo, psnr, ...: max)."""
    alpha: float = 0.05
    """1 - confidence of the intervals, and the familywise error of the verdicts."""
    baseline: tuple[str, ...] = ()
    """Compare all combinations with this one, such as --baseline act=relu batch_norm=True."""
    interactions: Literal["auto", "none", "two-way"] = "auto"
    """Two-way interactions in the model: as the design allows, never, or always."""
    negligible: float | None = None
    """Effects within plus or minus this, in units of the response, do not matter: verdict `negligible`."""
    target: float | None = None
    """The effect that more seeds should find, in units of the response. Default: as large as estimated."""
    permutations: int | None = None
    """Draws of the permutation tests, 0 for none. Default: 9999, or 999 for more than 1000 runs."""
    name_pattern: str | None = None
    """How the names of runs spell hyper-parameters, such as "{act}-{bn}"; for logs that record none."""
    out: Path | None = None
    """Where the report goes. Default: analysis/ below the first log directory."""
    json: FlagCreatePairsOff[bool] = False
    """Print report.json, and nothing else, to standard output."""


def run(command: AnalyzeCommand) -> int:
    """Read, analyse, print and write; 0.

    Raises:
        UserError: nothing can be said about these logs, or an option does not fit them.
    """
    if not command.paths:
        raise UserError("which logs? give a log directory, such as: python analyze.py logs/")
    baseline = parse_baseline(command.baseline)

    from rich.console import Console

    from attnae.analysis.report.files import VALUES, report_files, write_report
    from attnae.analysis.report.terminal import print_files, print_report

    console = Console(highlight=False)
    report = analyze(command, baseline, Console(stderr=True, highlight=False) if command.json else console)
    out = command.out if command.out is not None else default_out(command.paths[0])
    files = report_files(report)
    with stop_on_signals():  # so that nothing half-written is left beside the files
        written = write_report(files, out)
    if command.json:
        sys.stdout.write(files[VALUES] or "")
    else:
        print_report(report, console)
        print_files(out, written, console)
    return 0


def analyze(command: AnalyzeCommand, baseline: dict[str, object], console: Console) -> Report:
    """From options to all results. What was found is printed where nothing can be concluded from it."""
    from attnae.analysis.audit.audit import audit_runs
    from attnae.analysis.report.report import Report
    from attnae.analysis.study import fit_study
    from attnae.reading.read import read_logs

    runs = read_logs(command.paths, name_pattern=command.name_pattern)
    response = command.response or default_response(runs)
    audit = audit_runs(runs, response=response, at=command.at, factors=command.factors, goal=command.goal)
    table = audit.ended
    draws, remarks = permutation_draws(command.permutations, len(table))
    try:
        result = fit_study(
            table.rename(columns={"response": audit.response}) if audit.response not in table else table,
            audit.factors,
            response=audit.response if audit.response not in table else "response",
            seed=audit.seed,
            log=command.log_response,
            goal=audit.goal,
            alpha=command.alpha,
            interactions=command.interactions,
            baseline=baseline,
            negligible=command.negligible,
            target=command.target,
            alternatives=audit.alternatives,
            permutations=draws,
        )
    except UserError:
        print_findings(audit, console)
        raise
    return Report.of(runs, audit, result, remarks)


def print_findings(audit: Audit, console: Console) -> None:
    """What the audit has to say before an analysis that is refused."""
    from rich.text import Text

    from attnae.text import clean

    for line in audit.warnings:
        console.print(Text(f"! {clean(line)}"))


def default_response(runs: Sequence[Run]) -> str | None:
    """test/loss where at least half of the runs have it; None leaves the choice to the audit."""
    having = sum(DEFAULT_RESPONSE in run.scalars for run in runs)
    return DEFAULT_RESPONSE if having and 2 * having >= len(runs) else None


def permutation_draws(asked: int | None, runs: int) -> tuple[int, tuple[str, ...]]:
    """How many draws, and what to say about it."""
    if asked is not None:
        return asked, ()
    if runs <= LARGE_STUDY:
        return DRAWS, ()
    return DRAWS_OF_LARGE, (
        f"{DRAWS_OF_LARGE} draws a permutation test, for there are more than {LARGE_STUDY:,} runs (--permutations)",
    )


def parse_baseline(settings: Sequence[str]) -> dict[str, object]:
    """factor -> level of `act=relu` and so on."""
    found: dict[str, object] = {}
    for setting in settings:
        name, equals, level = setting.partition("=")
        if not equals or not name:
            raise UserError(f"--baseline {setting}: type factor=level, such as --baseline act=relu")
        found[name] = level
    return found


def default_out(path: Path) -> Path:
    """`analysis` in a log directory, or beside a file."""
    return (path if path.is_dir() else path.parent) / FOLDER
