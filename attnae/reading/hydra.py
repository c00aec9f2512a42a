"""Settings that lie above the logs of a run: Hydra's directory of a job, or a YAML file.

Hydra writes `.hydra/config.yaml`, the composed options before interpolation, and `.hydra/overrides.yaml`, the options
that the command line or the sweep changed, as `name=value` (hydra.cc, "Output/Working directory").
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from attnae.reading.run import HParam, Run
from attnae.reading.settings import as_setting, load_yaml, missing_settings, read_yaml, read_yaml_file, value_of

HYDRA = ".hydra"
INTERPOLATION = "${"
Job = tuple[dict[str, HParam], dict[str, HParam]]  # the options, and what was overridden


def add_outer_settings(root: Path, runs: list[Run]) -> list[Run]:
    """The runs, with the settings that lie at or above their directories, but not above `root`.

    A run without settings gets those of the nearest directory that has any. `root` itself counts only for Hydra, since
    another YAML file there describes the study and not a run. A run with settings gets only what its Hydra job
    overrode and what its own settings do not hold: batch size and data set are often not among those of the model.
    """
    outer = _Outer(root)
    found = []
    for run in runs:
        if run.directory is not None:
            extra = outer.overrides(run.directory) if run.hparams else outer.settings(run.directory)
            if more := missing_settings(run.hparams, extra):
                run = replace(run, hparams={**run.hparams, **more})
        found.append(run)
    return found


class _Outer:
    """Reads the settings of each directory once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._jobs: dict[Path, Job | None] = {}
        self._plain: dict[Path, dict[str, HParam]] = {}

    def settings(self, directory: Path) -> dict[str, HParam]:
        for place in upwards(directory, self._root):
            if (job := self._job(place)) is not None:
                return {**self.overrides(place), **job[0]}
            if place not in self._plain:
                self._plain[place] = read_yaml(place, []) if place != self._root else {}
            if self._plain[place]:
                return self._plain[place]
        return {}

    def overrides(self, directory: Path) -> dict[str, HParam]:
        """What the Hydra job at or above a directory overrode, with the values of its composed options."""
        for place in upwards(directory, self._root):
            if (job := self._job(place)) is not None:
                config, overrides = job
                return {name: config.get(name, value) for name, value in overrides.items()}
        return {}

    def _job(self, place: Path) -> Job | None:
        if place not in self._jobs:
            self._jobs[place] = read_job(place / HYDRA) if is_job(place) else None
        return self._jobs[place]


def upwards(directory: Path, root: Path) -> tuple[Path, ...]:
    """The directory and those above it, up to `root`; none if `root` is no such directory."""
    places = (directory, *directory.parents[: max(0, len(directory.parts) - len(root.parts))])
    return places if places[-1] == root else ()


def is_job(directory: Path) -> bool:
    """Whether Hydra started a job in the directory."""
    return os.path.isdir(f"{directory}/{HYDRA}")  # three times as fast as a Path of it, and asked for every run


def read_job(directory: Path) -> Job:
    """The options of a job and what was overridden, by name with `/` in place of the dots.

    Interpolations (`${model.lr}`) are left out: they follow other options.
    """
    config = read_yaml_file(directory / "config.yaml", "config.yaml", [])
    config = {name: value for name, value in config.items() if INTERPOLATION not in str(value)}
    try:
        lines = load_yaml(directory / "overrides.yaml")
    except ValueError:
        lines = []
    overrides: dict[str, HParam] = {}
    for line in lines if isinstance(lines, list) else []:
        name, equals, value = str(line).partition("=")
        if equals and not name.startswith("~") and INTERPOLATION not in value:
            overrides[name.lstrip("+").replace(".", "/")] = as_setting(value_of(value))
    return config, overrides
