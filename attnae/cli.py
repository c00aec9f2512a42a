"""The command line: options in, one call out. torch is imported after parsing, so that --help is quick."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Union

import tyro
from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes, UseAppendAction

from attnae.analysis.command import AnalyzeCommand
from attnae.config import RunConfig, option_names
from attnae.config.checks import flag
from attnae.config.files import OptionGroups, flags_of, groups_of, typed_options
from attnae.config.plain_yaml import read_yaml
from attnae.config.study_options import StudyOptions
from attnae.errors import UserError
from attnae.process import STOPPING, Stopped, set_handlers, tolerant_streams
from attnae.study.file import STUDY_DEFAULTS, StudyFile, read_study_file
from attnae.trained.commands import TRAINED

# What may stand beside --resume: where and how the run goes on, not what it computes.
BESIDE_RESUME = {*option_names("hardware"), "data_dir", "picture_every", "resume"}


@dataclass(frozen=True)
class TrainCommand(OptionGroups):
    """Train one autoencoder, or a study of many, test it, and log everything to TensorBoard.

    python train.py --spatial-attention --act elu
    python train.py --study configs/factorial.yaml --seeds 3
    """

    config: UseAppendAction[tuple[Annotated[Path, tyro.conf.arg(metavar="FILE")], ...]] = ()
    """YAML file of options, such as configs/article.yaml; a later file wins over an earlier one, a flag over both."""
    resume: Path | None = None
    """Go on with the run in this directory, by its own options; only hardware flags, --data-dir and --picture-every may
    stand beside it."""
    dry_run: FlagCreatePairsOff[bool] = False
    """Show what would be trained, and write and download nothing."""
    study: OmitArgPrefixes[StudyOptions] = field(default_factory=StudyOptions)


def main(args: Sequence[str] | None = None) -> int:
    """What `attnae` and `python -m attnae` do with these arguments; the exit code."""
    args = sys.argv[1:] if args is None else list(args)
    doors = {"train": train_command, "analyze": analyze_command}
    if args and args[0] in doors:
        return doors[args[0]](args[1:], prog=f"attnae {args[0]}")
    return _guarded(_attnae, args)


def train_command(args: Sequence[str] | None = None, prog: str = "train.py") -> int:
    """What `train.py` does with these arguments; the exit code. A run goes on where its output cannot be written."""
    with tolerant_streams() as output:
        code = _guarded(partial(_train, prog=prog), sys.argv[1:] if args is None else list(args))
        output.flush()
        if output.failure:
            print(output.failure, file=sys.stderr)
        return code


def analyze_command(args: Sequence[str] | None = None, prog: str = "analyze.py") -> int:
    """What `analyze.py` does with these arguments; the exit code, 141 where the reader of a pipe has had enough."""
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
    if name in TRAINED:
        return tyro.cli(TRAINED[name], args=rest, prog=f"attnae {name}").run()
    commands = {"train": TrainCommand, "analyze": AnalyzeCommand, **TRAINED}
    choice: Any = Union[tuple(_subcommand(name, kind) for name, kind in commands.items())]  # noqa: UP007
    tyro.cli(choice, args=args, prog="attnae", description="Train attention autoencoders, and use them.")
    return 2  # --help, and names that are none, have ended the process before


def _subcommand(name: str, kind: type) -> Any:
    """A subcommand, shown in the list of them by the first line of what it says of itself."""
    return Annotated[kind, tyro.conf.subcommand(name, description=(kind.__doc__ or "").partition("\n")[0])]


def _train(args: list[str], prog: str) -> int:
    study = next((read_study_file(path) for path in reversed(_named_files("--study", args))), None)
    files = {path: read_yaml(path) for path in _named_files("--config", args)}
    defaults: list[str] = []
    if study is not None:
        for path, options in files.items():
            study.refuse(options, f"{path}: ")
        study.refuse(typed_options(args))
        defaults = flags_of(STUDY_DEFAULTS, "study")
        files = {study.path: study.first_cell(), **files}
    from_files = [token for path, options in files.items() for token in flags_of(options, path)]
    command = tyro.cli(TrainCommand, args=[*defaults, *from_files, *args], prog=prog)
    command.study.check(typed_options(args))
    if command.resume is not None:
        return _resume(command.resume, args, prog)
    try:
        config = command.run_config()
    except UserError as error:
        typed = typed_options(args)
        for path, options in reversed(files.items()):
            for option in options:
                if str(error).startswith(f"{flag(option)} ") and option not in typed:
                    raise UserError(f"{path}: {error}") from error
        raise
    if study is not None:
        return _run_study(study, config, command)
    return _run(config, dry_run=command.dry_run)


def _named_files(option: str, args: Sequence[str]) -> list[Path]:
    """The files named by this flag, in order."""
    named = []
    for argument, following in zip(args, [*args[1:], ""], strict=True):
        if argument == option:
            named.append(following)
        elif argument.startswith(f"{option}="):
            named.append(argument.partition("=")[2])
    return [Path(name) for name in named if name]


def _resume(directory: Path, args: list[str], prog: str) -> int:
    from attnae.rundir.directory import read_unfinished

    for option in typed_options(args):
        if option not in BESIDE_RESUME:
            raise UserError(f"{flag(option)} cannot stand beside --resume: {directory} has its own options")
    recorded = read_unfinished(directory)
    command = tyro.cli(
        TrainCommand, args=args, prog=prog, default=TrainCommand(**groups_of(recorded), resume=directory)
    )
    return _run(command.run_config(), resume=directory)


def _run(config: RunConfig, *, resume: Path | None = None, dry_run: bool = False) -> int:
    from rich.console import Console

    from attnae.training.prepare import describe
    from attnae.training.run import is_main_process, train
    from attnae.training.summary import print_result

    # Names of files and folders are shown as they are, whatever brackets they hold.
    console = Console(quiet=not is_main_process(), markup=False, highlight=False)
    if dry_run:
        describe(config, console)
        return 0
    return print_result(train(config, resume=resume, console=console), console)


def _run_study(study: StudyFile, config: RunConfig, command: TrainCommand) -> int:
    from rich.console import Console

    from attnae.study.local import environments
    from attnae.study.run import describe_study, run_study

    design = study.design(config, command.study.seeds)
    console = Console()
    if command.dry_run:
        workers = len(environments(config, command.study.workers, command.study.runs_per_gpu))
        describe_study(design, workers, console)
        return 0
    return run_study(design, command.study, console)


def _analyze(args: list[str], prog: str) -> int:
    from attnae.analysis.command import run

    return run(tyro.cli(AnalyzeCommand, args=args, prog=prog))


def _guarded(command: Callable[[list[str]], int], args: list[str]) -> int:
    """Runs a command; a user's mistake becomes one line and exit code 2, a signal its own exit code."""
    try:
        return command(args)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")  # in one piece, where several processes share the terminal
        return 2
    except Stopped as stop:
        set_handlers(dict.fromkeys(STOPPING, signal.SIG_IGN))  # a second one finds nothing left to stop
        going_on = (
            f"; go on with: python train.py --resume {shlex.quote(str(stop.resumable))}" if stop.resumable else ""
        )
        if not stop.quiet:
            print(f"stopped by {stop}{going_on}", file=sys.stderr)
        return stop.exit_code
    except KeyboardInterrupt:
        return 130
