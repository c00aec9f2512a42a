"""The flags of a study: which runs, how many side by side, and where."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from attnae.config.checks import flag
from attnae.errors import UserError


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """Many runs: every combination of the levels of some factors, for several seeds."""

    study: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """YAML file of factors and their levels, such as configs/factorial.yaml; all other flags are options of every
    run. The directory is log_dir/name, named by the file if unset; the same command again finishes what is missing."""
    seeds: int | None = None
    """Train every cell with so many seeds: seed, seed + 1, ...; unset: as the file says, else one."""
    workers: int | None = None
    """Runs side by side; unset: as many as cores / threads, with CUDA GPUs x runs_per_gpu, with Ray what fits."""
    launcher: Literal["local", "ray"] = "local"
    """local: worker processes on this machine; ray: tasks on a Ray cluster."""
    ray_address: str | None = None
    """The Ray cluster: auto or host:port; unset: the one that runs on this machine, else one is started."""
    retries: int = 2
    """A run that crashed is started again so many times, from its last checkpoint."""
    runs_per_gpu: int = 1
    """Runs that share a GPU."""

    def check(self, typed: Sequence[str]) -> None:
        """`UserError` for a value out of range, or a flag among the `typed` ones that would have no effect."""
        for message in self._mistakes(typed):
            raise UserError(message)

    def _mistakes(self, typed: Sequence[str]) -> Iterator[str]:
        for field in dataclasses.fields(self):
            if self.study is None and field.name in typed:
                yield f"{flag(field.name)} is for studies: say which with --study, such as configs/factorial.yaml"
        for option, least in {"seeds": 1, "workers": 1, "retries": 0, "runs_per_gpu": 1}.items():
            value = getattr(self, option)
            if value is not None and value < least:
                yield f"{flag(option)} {value}: must be at least {least}"
        if self.ray_address is not None and self.launcher != "ray":
            yield f"--ray-address {self.ray_address} needs --launcher ray"
