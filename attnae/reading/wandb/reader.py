"""W&B's directories `run-DATE-ID` and `offline-run-DATE-ID`: the `.wandb` file, or else the YAML and JSON beside it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from attnae.reading.json_files import read_json
from attnae.reading.run import UNKNOWN, Format, Request, Run
from attnae.reading.settings import load_yaml
from attnae.reading.wandb.content import Content
from attnae.reading.wandb.records import is_wandb_file

CONFIG, SUMMARY = "config.yaml", "wandb-summary.json"
FILES = "files"
RECORDS = re.compile(r"run-(.+)\.wandb")
DIRECTORY = re.compile(r"(?:offline-)?run-(?:\d{8}_\d{6}-)?(.+)")


def recognises(path: Path) -> bool:
    """A file `run-ID.wandb`; or, without it, the configuration or the summary in `files` of a run's directory."""
    if RECORDS.fullmatch(path.name):
        return path.is_file()
    if path.name not in (CONFIG, SUMMARY) or path.parent.name != FILES or not path.is_file():
        return False
    directory = path.parent.parent
    return DIRECTORY.fullmatch(directory.name) is not None and not any(directory.glob("run-*.wandb"))


def read(path: Path, request: Request) -> list[Run]:
    """The run of one directory."""
    return read_all(path.parent, [path], request)


def read_all(root: Path, files: Sequence[Path], request: Request) -> list[Run]:
    """A run for each id: one that was resumed has several directories, which are read in the order of their dates."""
    by_id: dict[str, set[Path]] = defaultdict(set)
    for file in files:
        directory = file.parent.parent if file.parent.name == FILES else file.parent
        found = RECORDS.fullmatch(file.name) or DIRECTORY.fullmatch(directory.name)
        by_id[found.group(1) if found else directory.name].add(directory)
    runs = [_read_run(sorted(directories, key=_date)) for directories in by_id.values()]
    repeated = {name for name, count in Counter(run.name for run in runs).items() if count > 1}
    return [
        replace(run, name=f"{run.name} ({run_id})") if run.name in repeated else run
        for run_id, run in zip(by_id, runs, strict=True)
    ]


def _date(directory: Path) -> str:
    return directory.name.removeprefix("offline-")


def _read_run(directories: list[Path]) -> Run:
    content = Content()
    for directory in directories:
        _read_directory(directory, content)
    content.finish()
    return Run(
        name=content.name or directories[-1].name,
        directory=directories[-1],
        hparams=content.config,
        scalars=content.curves.series(),
        status=content.status,
        problems=tuple(content.problems),
        started=content.started,
        seconds=content.seconds,
        group=content.project,
    )


def _read_directory(directory: Path, content: Content) -> None:
    for path in sorted(directory.glob("run-*.wandb")):
        try:
            if is_wandb_file(path):
                content.read(path)
                return
            content.problems.append(f"{path.name} does not begin as a .wandb file does")
        except OSError as error:
            content.problems.append(f"{path.name} cannot be read: {error.strerror or error}")
    content.status = UNKNOWN  # the files do not record it
    _read_files(directory / FILES, content)


def _read_files(files: Path, content: Content) -> None:
    """`config.yaml` has entries `NAME: {value: ...}`, and `wandb-summary.json` the last values."""
    config, summary = files / CONFIG, files / SUMMARY
    try:
        tree = load_yaml(config) if config.is_file() else {}
        for name, entry in tree.items() if isinstance(tree, dict) else ():
            if isinstance(entry, dict) and "value" in entry:
                content.configure(str(name), entry["value"])
    except (ValueError, OverflowError) as error:
        content.problems.append(f"{CONFIG} cannot be read: {error}")
    try:
        values = read_json(summary) if summary.is_file() else {}
        for name, value in values.items() if isinstance(values, dict) else ():
            content.summarise(name, value)
    except (ValueError, RecursionError) as error:
        content.problems.append(f"{SUMMARY} cannot be read: {error}")


WANDB = Format(
    "W&B",
    "a directory wandb/ of Weights & Biases",
    recognises,
    read,
    belongs=(FILES, "logs", "tmp"),
    read_all=read_all,
)
