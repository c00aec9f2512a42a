"""The directory of a run: made, claimed, locked; what it says of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from attnae.config import RunConfig, read_config
from attnae.errors import UserError
from attnae.files import write_text
from attnae.tags import DIVERGED, FINISHED

CONFIG = "config.yaml"
METRICS = "metrics.json"
FIGURE = "figure.png"
CHECKPOINTS = "checkpoints"
LOCK = ".lock"
UNFINISHED = "unfinished"

# Of the entries of metrics.json that are read again.
METRIC_TYPES: dict[str, type | tuple[type, ...]] = {
    "status": str,
    "metrics": dict,
    "wall_time_s": (int, float),
    "dataset": dict,
}


def make_run_directory(config: RunConfig) -> Path:
    """A new directory below `log_dir`: of the given name, or of a readable one that is not taken yet.

    Raises `UserError` where the name is taken, or the place cannot be written to; nothing is left of it then.
    """
    with ExitStack() as undo:
        directory = _claim(config, undo)
        undo.pop_all()
    return directory


def check_place(config: RunConfig) -> None:
    """`UserError` where `make_run_directory` would raise one; leaves everything as it was."""
    with ExitStack() as undo:
        _claim(config, undo)


def _claim(config: RunConfig, undo: ExitStack) -> Path:
    try:
        for path in reversed((config.log_dir, *config.log_dir.parents)):
            if not path.is_dir() and not _make(path, undo) and not path.is_dir():
                raise FileExistsError(None, "a file is in its place")
        if config.name is not None:
            directory = config.log_dir / config.name
            if directory.exists() and (not directory.is_dir() or {path.name for path in directory.iterdir()} - {LOCK}):
                raise UserError(_taken(directory))
            _make(directory, undo)
            return directory
        base = shortened(config.default_name())
        for number in range(1, 10_000):
            directory = config.log_dir / (base if number == 1 else f"{base}-{number}")
            if not directory.exists() and _make(directory, undo):
                return directory
        raise UserError(f"{config.log_dir / base} and 9,999 more are taken: choose a --name")
    except OSError as error:
        raise UserError(f"--log-dir {config.log_dir} cannot be written to: {error.strerror}") from error


def _make(directory: Path, undo: ExitStack) -> bool:
    """Make it, and have `undo` remove it; False where there is something of that name."""
    try:
        directory.mkdir()
    except FileExistsError:
        return False
    except FileNotFoundError:  # another process has looked whether it could be made, and taken away what is above it
        directory.mkdir(parents=True)
    undo.callback(_remove_empty, directory)
    return True


def _remove_empty(directory: Path) -> None:
    with suppress(OSError):  # somebody else has put something there
        directory.rmdir()


def _taken(directory: Path) -> str:
    status = read_metrics(directory).get("status")
    if status in (FINISHED, DIVERGED):
        return f"{directory} already holds a run that {status}: choose another --name"
    if (directory / CONFIG).is_file():
        return f"{directory} already holds an unfinished run: go on with --resume {directory}, or choose another --name"
    return f"{directory} is not empty and holds no run: choose another --name"


def shortened(name: str, most: int = 150) -> str:
    """A name that file systems take: its end, which holds the seed, stays."""
    if len(name) <= most:
        return name
    from zlib import crc32

    return f"{name[: most - 40]}...{crc32(name.encode()):08x}...{name[-20:]}"


def read_unfinished(directory: Path) -> RunConfig:
    """The options of a run to go on with; `UserError` where there is none, or nothing is left to do."""
    try:
        if not (directory / CONFIG).is_file():
            raise UserError(f"--resume {directory}: no {CONFIG} there, so no run to go on with")
    except OSError as error:
        raise UserError(f"--resume {directory} cannot be read: {error.strerror}") from error
    status = read_metrics(directory).get("status")
    if status == FINISHED:
        raise UserError(f"--resume {directory}: that run is finished; to train longer, start one with more --epochs")
    if status == DIVERGED:
        raise UserError(f"--resume {directory}: that run diverged and would again; start another with a smaller --lr")
    for name in (METRICS, FIGURE):
        if (directory / name).is_dir():
            raise UserError(f"{directory / name} is a folder, where the run has a file: take it away")
    if (directory / CHECKPOINTS).exists() and not (directory / CHECKPOINTS).is_dir():
        raise UserError(f"{directory / CHECKPOINTS} is a file, where the run has a folder: take it away")
    return read_config(directory / CONFIG)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Holds the run for this process; the lock goes with the process, however it ends."""
    lock = FileLock(directory / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(f"{directory} is being trained by another process") from error
    except OSError as error:
        raise UserError(f"{directory} cannot be written to: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def read_metrics(directory: Path) -> dict[str, Any]:
    """What metrics.json says, less what is of a wrong type; nothing where it is missing or garbled."""
    try:
        content = json.loads((directory / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {name: value for name, value in content.items() if isinstance(value, METRIC_TYPES.get(name, object))}


def write_metrics(directory: Path, content: dict[str, Any]) -> None:
    """metrics.json, whole. JSON has no NaN: such values are written as text."""
    write_text(directory / METRICS, json.dumps(_finite(content), indent=2, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value
