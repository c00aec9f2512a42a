"""The command line: options in, one call out. torch is imported after parsing, so that --help is fast."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Union

import tyro
from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes, UseAppendAction

from attnae.analysis.command import AnalyzeCommand
from attnae.config import (
    GROUPS,
    OptionError,
    RunConfig,
    check_choices,
    check_options,
    flag,
    layered,
    option_names,
    read_yaml,
)
from attnae.config.command_line import OptionGroups, groups_of, typed_options
from attnae.config.study_options import StudyOptions
from attnae.errors import UserError
from attnae.process import STOPPING, Stopped, rare_garbage_collection, set_handlers, tolerant_streams
from attnae.study.command import WorkCommand
from attnae.trained.commands import TRAINED, ListCommand

if TYPE_CHECKING:
    from attnae.study.file import StudyFile

# The options that can be combined with --resume: they change where and how the run continues, not what it computes.
BESIDE_RESUME = {*option_names("hardware"), "data_dir", "picture_every", "resume"} - {"precision"}


@dataclass(frozen=True)
class TrainCommand(OptionGroups):
    """Train one autoencoder, or a study of many, test it, and log everything to TensorBoard.

    python train.py --spatial-attention --act elu

    python train.py --study configs/factorial.yaml --replicates 3
    """

    config: UseAppendAction[tuple[Annotated[Path, tyro.conf.arg(metavar="FILE")], ...]] = ()
    """YAML file of options, such as configs/article.yaml. Can be given several times.
    A later file overrides an earlier one, and the command line overrides all files."""
    resume: Path | None = None
    """Continue the run in this directory with the options it was started with.
    Only --data-dir, --picture-every and the hardware options except --precision can be combined with it."""
    dry_run: FlagCreatePairsOff[bool] = False
    """Show the options and the model; of a study, the design, its aliases and the effects that it can detect.
    Nothing is written or downloaded."""
    study: OmitArgPrefixes[StudyOptions] = field(default_factory=StudyOptions)


OPTIONS = [*option_names(*GROUPS), *(option.name for kind in (StudyOptions, TrainCommand) for option in fields(kind))]


def main(args: Sequence[str] | None = None) -> int:
    """The command `attnae`, also `python -m attnae`. Returns the exit code."""
    args = sys.argv[1:] if args is None else list(args)
    doors = {"train": train_command, "analyze": analyze_command}
    if args and args[0] in doors:
        return doors[args[0]](args[1:], prog=f"attnae {args[0]}")
    return _guarded(_attnae, args)


def train_command(args: Sequence[str] | None = None, prog: str = "train.py") -> int:
    """The command `train.py`. Returns the exit code. A run continues if its output cannot be written."""
    with tolerant_streams() as output:
        code = _guarded(partial(_train, prog=prog), sys.argv[1:] if args is None else list(args))
        output.flush()
        if output.failure:
            print(output.failure, file=sys.stderr)
        return code


def analyze_command(args: Sequence[str] | None = None, prog: str = "analyze.py") -> int:
    """The command `analyze.py`. Returns the exit code, 141 if the reader of a pipe has closed it."""
    with tolerant_streams() as output:
        code = _guarded(partial(_analyze, prog=prog), sys.argv[1:] if args is None else list(args))
        output.flush()
        if output.failure and code == 0:
            print(f"error: {output.failure}", file=sys.stderr)
            return 2
        return 141 if output.reader_left and code == 0 else code


def _attnae(args: list[str]) -> int:
    """The subcommand that the first argument names."""
    name, *rest = args or [""]
    commands: dict[str, Any] = {"work": WorkCommand, **TRAINED}
    if name in commands:
        command: Any = tyro.cli(commands[name], args=rest, prog=f"attnae {name}")
        return _list(command) if isinstance(command, ListCommand) else command.run()
    commands = {"train": TrainCommand, "analyze": AnalyzeCommand, **commands}
    choice: Any = Union[tuple(_subcommand(name, kind) for name, kind in commands.items())]  # noqa: UP007
    tyro.cli(choice, args=args, prog="attnae", description="Train attention autoencoders, and use them.")
    return 2  # not reached: tyro exits after --help, and for an unknown name


def _list(command: ListCommand) -> int:
    """The runs of train.py below a directory, or else those of any other format."""
    from attnae.trained.listing import holds_runs, print_table

    if holds_runs(command.log_dir):
        return command.run()
    from attnae.reading.listing import runs_table
    from attnae.reading.read import read_logs

    print_table(runs_table(read_logs(command.log_dir)))
    return 0


def _subcommand(name: str, kind: type) -> Any:
    """A subcommand; the list of subcommands shows the first line of its docstring."""
    return Annotated[kind, tyro.conf.subcommand(name, description=(kind.__doc__ or "").partition("\n")[0])]


def _train(args: list[str], prog: str) -> int:
    command = tyro.cli(TrainCommand, args=args, prog=prog)
    typed = typed_options(args, OPTIONS)
    command.study.check(typed)
    if command.resume is not None:
        return _resume(command.resume, args, prog)
    study = None
    if command.study.study is not None:
        from attnae.study.file import STUDY_DEFAULTS, read_study_file

        study = read_study_file(command.study.study)
    files = {path: check_options(read_yaml(path), path) for path in command.config}
    base: dict[str, Any] = {}
    if study is not None:
        for path, options in files.items():
            study.refuse(options, f"{path}: ")
        study.refuse(typed)
        files = {study.path: study.first_cell(), **files}
        base = STUDY_DEFAULTS
    # Defaults, overridden by the study, by the files in their order, and by the command line.
    sources = {option: path for path, options in files.items() for option in options}
    flags = {option: value for option, value in command.values().items() if option in typed}
    check_choices(flags)
    merged = layered([base, *files.values(), flags])
    command = tyro.cli(TrainCommand, args=args, prog=prog, default=TrainCommand(**groups_of(merged)))
    try:
        config = command.run_config()
    except OptionError as error:
        if error.option in sources and error.option not in typed:
            raise UserError(f"{sources[error.option]}: {error}") from error
        raise
    if study is not None:
        return _run_study(study, config, command)
    return _run(config, dry_run=command.dry_run)


def _resume(directory: Path, args: list[str], prog: str) -> int:
    from attnae.rundir.directory import read_unfinished

    for option in typed_options(args, OPTIONS):
        if option not in BESIDE_RESUME:
            raise UserError(f"{flag(option)} cannot be combined with --resume: {directory} has its own options")
    recorded = vars(read_unfinished(directory))
    command = tyro.cli(TrainCommand, args=args, prog=prog, default=TrainCommand(**groups_of(recorded)))
    return _run(command.run_config(), resume=directory)


def _run(config: RunConfig, *, resume: Path | None = None, dry_run: bool = False) -> int:
    with rare_garbage_collection():
        from rich.console import Console

        from attnae.training.prepare import describe
        from attnae.training.run import train
        from attnae.training.summary import print_result

    # Without markup, brackets in the names of files and folders are shown as they are.
    console = Console(markup=False, highlight=False)
    if dry_run:
        describe(config, console)
        return 0
    return print_result(train(config, resume=resume, console=console), console)


def _run_study(study: StudyFile, config: RunConfig, command: TrainCommand) -> int:
    from rich.console import Console

    from attnae.study.file import until_decided
    from attnae.study.local import environments
    from attnae.study.run import describe_study, run_study

    options = command.study
    until, replicates = None, options.replicates
    if options.until is not None:
        replicates = options.max_replicates
        until = until_decided(
            study.factors,
            of_interest=options.factors_of_interest,
            negligible=options.negligible,
            replicates=replicates,
        )
    design = study.design(config, seeds=options.seeds, replicates=replicates, until=until)
    console = Console()
    if command.dry_run:
        workers = len(environments(config, command.study.workers, command.study.runs_per_gpu))
        describe_study(design, workers, console)
        return 0
    return run_study(design, command.study, console)


def _analyze(args: list[str], prog: str) -> int:
    from attnae.analysis.command import run

    with rare_garbage_collection():
        return run(tyro.cli(AnalyzeCommand, args=args, prog=prog))


def _guarded(command: Callable[[list[str]], int], args: list[str]) -> int:
    """Runs a command. A `UserError` becomes one line and exit code 2, a signal its own exit code."""
    try:
        return command(args)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")  # in one call, since several processes may share the terminal
        return 2
    except Stopped as stop:
        set_handlers(dict.fromkeys(STOPPING, signal.SIG_IGN))  # there is nothing left that a second one could stop
        going_on = (
            f"; go on with: python train.py --resume {shlex.quote(str(stop.resumable))}" if stop.resumable else ""
        )
        if not stop.quiet:
            print(f"stopped by {stop}{going_on}", file=sys.stderr)
        return stop.exit_code
    except KeyboardInterrupt:
        return 130
