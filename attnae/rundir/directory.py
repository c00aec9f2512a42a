"""The directory of a run: its files, its name, its lock, and metrics.json."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnae.config import RunConfig, read_config
from attnae.errors import UserError
from attnae.files import short_name, write_text
from attnae.rundir.locks import lock_error
from attnae.tags import DIVERGED, FINISHED

if TYPE_CHECKING:
    from filelock import FileLock

CONFIG = "config.yaml"
METRICS = "metrics.json"
FIGURE = "figure.png"
CHECKPOINTS = "checkpoints"
LOCK = ".lock"
UNFINISHED = "unfinished"

# The types of those entries of metrics.json that are read again.
METRIC_TYPES: dict[str, type | tuple[type, ...]] = {
    "status": str,
    "metrics": dict,
    "wall_time_s": (int, float),
    "dataset": dict,
    "versions": dict,
    "host": dict,
    "git_commit": (str, type(None)),
    "changes": list,
}


def check_place(config: RunConfig) -> None:
    """`UserError` where `make_run_directory` would fail, as far as that is known without writing anything.

    It is asked before a data set is downloaded.
    """
    nearest = _check_name(config)
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"--log-dir {config.log_dir} cannot be written to: {nearest} is read-only")


def make_run_directory(config: RunConfig) -> Path:
    """Make a new directory below `log_dir`, of the given name or of a readable one that is not taken yet.

    `UserError` where the name is taken or the directory cannot be made.
    """
    _check_name(config)
    try:
        config.log_dir.mkdir(parents=True, exist_ok=True)
        if config.name is not None:
            directory = config.log_dir / config.name
            directory.mkdir(exist_ok=True)
            return directory
        base = short_name(config.default_name())
        for number in range(1, 10_000):
            directory = config.log_dir / (base if number == 1 else f"{base}-{number}")
            with suppress(FileExistsError):
                directory.mkdir()
                return directory
    except OSError as error:
        raise UserError(f"--log-dir {config.log_dir} cannot be written to: {error.strerror}") from error
    raise UserError(f"{config.log_dir / base} and 9,999 more names are taken: choose a --name")


def _check_name(config: RunConfig) -> Path:
    """The nearest existing directory on the way to `log_dir`; `UserError` if a file is there, or --name is taken."""
    try:
        nearest = next(path for path in (config.log_dir, *config.log_dir.parents) if path.exists())
        if not nearest.is_dir():
            raise FileExistsError(None, f"{nearest} is a file")
        if config.name is not None:
            directory = config.log_dir / config.name
            if directory.exists() and (not directory.is_dir() or {path.name for path in directory.iterdir()} - {LOCK}):
                raise UserError(_taken(directory))
    except OSError as error:
        raise UserError(f"--log-dir {config.log_dir} cannot be written to: {error.strerror}") from error
    return nearest


def _taken(directory: Path) -> str:
    status = read_metrics(directory).get("status")
    if status in (FINISHED, DIVERGED):
        return f"{directory} already holds a run that {status}: choose another --name"
    if (directory / CONFIG).is_file():
        return f"{directory} already holds an unfinished run: use --resume {directory}, or choose another --name"
    return f"{directory} is not empty and holds no run: choose another --name"


def read_unfinished(directory: Path) -> RunConfig:
    """The options of an unfinished run; `UserError` where there is no run, it has ended, or its files are damaged."""
    try:
        if not (directory / CONFIG).is_file():
            raise UserError(f"--resume {directory}: there is no {CONFIG}, so there is no run to resume")
    except OSError as error:
        raise UserError(f"--resume {directory} cannot be read: {error.strerror}") from error
    status = read_metrics(directory).get("status")
    if status == FINISHED:
        raise UserError(f"--resume {directory}: this run is finished; to train longer, start one with more --epochs")
    if status == DIVERGED:
        raise UserError(
            f"--resume {directory}: this run diverged and would diverge again; start one with a smaller --lr"
        )
    for name in (METRICS, FIGURE):
        if (directory / name).is_dir():
            raise UserError(f"{directory / name} is a directory, but a run has a file of this name: delete it")
    if (directory / CHECKPOINTS).exists() and not (directory / CHECKPOINTS).is_dir():
        raise UserError(f"{directory / CHECKPOINTS} is a file, but a run has a directory of this name: delete it")
    return read_config(directory / CONFIG)


def run_lock(directory: Path) -> FileLock:
    """The lock of a run: one object for this whole process, which may acquire it again while it holds it."""
    from filelock import FileLock  # slow to import, and not needed for --help

    return FileLock(directory / LOCK, is_singleton=True)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Lock the run for this process. The operating system releases the lock when the process ends, however it ends."""
    from filelock import Timeout

    lock = run_lock(directory)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(f"{directory} is being trained by another process") from error
    except (OSError, NotImplementedError) as error:
        raise lock_error(directory, error) from error
    try:
        yield
    finally:
        lock.release()


def read_metrics(directory: Path) -> dict[str, Any]:
    """The content of metrics.json without entries of a wrong type; {} where the file is missing or damaged."""
    try:
        content = json.loads((directory / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {name: value for name, value in content.items() if isinstance(value, METRIC_TYPES.get(name, object))}


def write_metrics(directory: Path, content: dict[str, Any]) -> None:
    """Write metrics.json atomically. JSON has no NaN and no infinity: they are written as text."""
    write_text(directory / METRICS, json.dumps(_finite(content), indent=2, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value
