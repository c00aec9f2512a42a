"""Which files and directories below a directory hold logs, of which format, and the runs in them."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path

from attnae.errors import UserError
from attnae.reading.formats import find_format, known_formats
from attnae.reading.hydra import add_outer_settings
from attnae.reading.run import Format, Request, Run
from attnae.text import counted, listed

MAX_ENTRIES = 1_000_000
SKIPPED = {".git", "__pycache__", "node_modules", "site-packages"}
# Files that stand beside logs: what is missing where only they are found.
COMPANIONS = {
    "hparams.yaml": "metrics.csv or an event file beside it",
    "config.yaml": "an event file beside it",
    "params.json": "result.json or progress.csv beside it",
    "args.yaml": "results.csv beside it",
    "overrides.yaml": "logs of the run beside the directory .hydra",
}
BEGUN = {"hparams.yaml"}  # written by a logger when a run begins
TABLES = (".csv", ".tsv")


@dataclass
class Found:
    """What lies below a directory.

    Attributes:
        units: the files and directories that a format recognises, by format, sorted by path.
        unreadable: directories that cannot be listed, with the reason.
        outside: links that lead out of the directory. They are not followed.
        others: how many files of each name no format recognises; files of a table's suffix are counted by suffix.
        begun: directories in which a logger put the settings of a run, whether or not anything was logged after them.
    """

    units: dict[Format, list[Path]] = field(default_factory=lambda: defaultdict(list))
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    outside: list[Path] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    begun: list[Path] = field(default_factory=list)


def scan(root: Path, request: Request) -> list[Run]:
    """The runs of all formats at or below a directory, sorted by name. Nothing outside of it is read.

    A run is named by the path of its own directory, or else by the path of the file and its name within the file.

    Raises:
        UserError: there are no runs; the message says what was found instead.
    """
    found = find_units(root, request.visited)
    runs: list[Run] = []
    notes: list[str] = []
    for log_format, paths in found.units.items():
        if log_format.read_all is not None:
            runs += [
                replace(run, format=run.format or log_format.name, source=run.source or str(run.directory or root))
                for run in log_format.read_all(root, paths, request)
            ]
            continue
        for path in paths:
            try:
                read = log_format.read(path, request)
            except UserError as error:
                notes.append(str(error))
                continue
            runs += [
                replace(
                    run, name=_name(root, path, run, len(read)), format=run.format or log_format.name, source=str(path)
                )
                for run in read
            ]
    if (empty := _logged_nothing(found)) and runs:
        starts = counted(len(empty), "start")
        notes.append(f"{starts} logged nothing but hparams.yaml, such as {directory_name(root, empty[0])}")
    if found.outside:
        shown = listed(path.relative_to(root).as_posix() for path in found.outside)
        notes.append(f"links that lead out of {root} are not followed ({shown}): give their targets as well")
    for directory, reason in found.unreadable:
        problem = f"the directory cannot be read: {reason}"
        runs.append(Run(directory_name(root, directory), directory, {}, {}, problems=(problem,)))
    if not runs:
        if found.units or found.others or found.outside:
            raise UserError(_nothing(root, found, notes))
        return []
    runs = sorted(add_outer_settings(root, runs), key=lambda run: run.name)
    return [replace(runs[0], notes=tuple(notes)), *runs[1:]]


def find_units(root: Path, visited: set[tuple[int, int]]) -> Found:
    """Walk through a directory, real directories only, and ask the formats about every directory and file.

    Raises:
        UserError: it holds more than MAX_ENTRIES files.
    """
    found = Found()
    inside = root.resolve()
    waiting, entries_left = [root], MAX_ENTRIES
    while waiting:
        directory = waiting.pop()
        try:
            if not is_new(directory, visited):
                continue
            whole = find_format(directory, scanning=True)
            if whole is not None:
                found.units[whole].append(directory)
                continue
            with os.scandir(directory) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            found.unreadable.append((directory, error.strerror or str(error)))
            continue
        entries_left -= len(entries)
        if entries_left < 0:
            raise UserError(f"{root} holds more than {MAX_ENTRIES:,} files: give the directory of the logs itself")
        folders, belongs = [], set()
        for entry in entries:
            path = directory / entry.name
            if entry.is_symlink():
                if _leads_out(path, inside):
                    found.outside.append(path)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif entry.is_file(follow_symlinks=False):
                log_format = find_format(path, scanning=True)
                if entry.name in BEGUN:
                    found.begun.append(directory)
                if log_format is None:
                    found.others[path.suffix if path.suffix in TABLES else path.name] += 1
                elif is_new(path, visited):
                    found.units[log_format].append(path)
                    belongs |= {*log_format.belongs}
        waiting += [
            directory / name
            for name in reversed(folders)
            if name not in SKIPPED and not any(fnmatch(name, pattern) for pattern in belongs)
        ]
    return found


def _logged_nothing(found: Found) -> list[Path]:
    """The directories of runs that begun and logged nothing, neither there nor below."""
    if not found.begun:
        return []
    places = (path if path.is_dir() else path.parent for paths in found.units.values() for path in paths)
    logged = {above for place in places for above in (place, *place.parents)}
    return [directory for directory in found.begun if directory not in logged]


def directory_name(root: Path, directory: Path) -> str:
    """The path of a directory relative to the root; for the root itself, its own name."""
    return root.resolve().name if directory == root else directory.relative_to(root).as_posix()


def _name(root: Path, path: Path, run: Run, count: int) -> str:
    if path == root:
        return run.name
    if run.directory is not None and run.directory in (path, path.parent):
        return directory_name(root, run.directory)
    if count == 1 and run.name == path.stem:
        return path.relative_to(root).with_suffix("").as_posix()
    return f"{path.relative_to(root).as_posix()}/{run.name}"


def is_new(path: Path, visited: set[tuple[int, int]]) -> bool:
    """Whether the file or directory was not visited yet; now it is."""
    status = os.stat(path)
    identity = (status.st_dev, status.st_ino)
    if identity in visited:
        return False
    visited.add(identity)
    return True


def _leads_out(link: Path, inside: Path) -> bool:
    """Whether a link leads to a directory, or to logs, outside of the directory `inside`."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):  # it leads nowhere, or in a circle
        return False
    if target.is_relative_to(inside):
        return False
    return target.is_dir() or find_format(link, scanning=True) is not None


def _nothing(root: Path, found: Found, notes: Sequence[str]) -> str:
    """Why a directory has no runs: what was found, and what is missing or to be given instead."""
    remarks = list(notes)
    for name, missing in COMPANIONS.items():
        if count := found.others.get(name):
            remarks.append(f"{counted(count, 'file')} {name}, but not {missing}")
    tables = sum(found.others.get(suffix, 0) for suffix in TABLES)
    if tables:
        remarks.append(f"{counted(tables, 'CSV file')}: give a table with one row per run itself")
    if (root / ".aim").is_dir():
        remarks.append("a store of Aim, which cannot be read: export its runs as CSV")
    others = sum(found.others.values())
    seen = f" There are {'; '.join(remarks)}." if remarks else f" There are {counted(others, 'other file')}."
    return f"no runs found in {root}: give {known_formats()}.{seen if others or remarks else ''}"
