"""The options of a study: which runs, how many side by side, and where."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import FlagCreatePairsOff

from attnae.config.run import flag
from attnae.errors import UserError


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """Many runs: all combinations of the levels of some factors, or a part of them, several times each."""

    study: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Train the combinations of factor levels in this YAML file, such as configs/factorial.yaml: all of them, or those
    that its fraction, sample, exclude or cells ask for.
    All other options apply to every run. The study is written to LOG_DIR/NAME; --name is the name of the file if unset.
    Repeat the same command to finish a study that was interrupted."""
    replicates: int | None = None
    """Train every combination this many times, each run with a seed of its own that follows from --seed.
    Unset: as the study file says, otherwise once."""
    seeds: int | None = None
    """Train every combination with the same seeds, this many of them: seed, seed + 1, ...
    Use it to compare runs in pairs; --replicates needs fewer runs to find an effect that holds for new seeds."""
    until: Literal["decided"] | None = None
    """decided: add replicates one at a time until each factor of interest helps, hurts or is negligible.
    The results are looked at after each one in a way that keeps the verdicts and intervals valid at the stop."""
    factors_of_interest: tuple[str, ...] | None = None
    """The factors that --until decided has to decide. Unset: all. Name those that you care about to stop earlier."""
    negligible: float | None = None
    """The largest effect on test/loss that does not matter to you, for --until decided.
    Unset: every effect matters, and a factor without an effect is never decided."""
    max_replicates: int = 20
    """The largest number of replicates of --until decided. It cannot be changed later: the looks depend on it."""
    workers: int | None = None
    """Number of runs that are trained at the same time.
    Unset: (number of cores) / threads; with CUDA, (number of GPUs) x runs_per_gpu; with Ray, as many as fit."""
    launcher: Literal["local", "ray", "none"] = "local"
    """Where the runs are trained. local: in processes on this machine. ray: as tasks on a Ray cluster.
    none: only make the directories; workers that are started with `attnae work` train the runs."""
    ray_address: str | None = None
    """Address of the Ray cluster: auto or host:port.
    Unset: the cluster that runs on this machine, or a new one if there is none."""
    retries: int = 2
    """How often a run that crashed is started again, from its last checkpoint."""
    stop_on_failure: FlagCreatePairsOff[bool] = False
    """Stop the study as soon as one run has failed for good. Use it to find mistakes early."""
    runs_per_gpu: int = 1
    """Number of runs that share a GPU. Increase it if a run leaves most of the GPU idle."""

    def check(self, typed: Sequence[str]) -> None:
        """Raises `UserError` for a value out of range, or a `typed` option that would have no effect."""
        for message in self._mistakes(typed):
            raise UserError(message)

    def _mistakes(self, typed: Sequence[str]) -> Iterator[str]:
        for field in dataclasses.fields(self):
            if self.study is None and field.name in typed:
                yield f"{flag(field.name)} is for studies: say which with --study, such as configs/factorial.yaml"
        for option, least in {"replicates": 1, "seeds": 1, "workers": 1, "retries": 0, "runs_per_gpu": 1}.items():
            value = getattr(self, option)
            if value is not None and value < least:
                yield f"{flag(option)} {value}: must be at least {least}"
        for field_name in ("factors_of_interest", "negligible", "max_replicates"):
            if field_name in typed and self.until is None:
                yield f"{flag(field_name)} needs --until decided"
        for option in ("replicates", "seeds"):
            if self.until is not None and (value := getattr(self, option)) is not None:
                yield (
                    f"{flag(option)} {value}: with --until decided the results say how many replicates there are; "
                    "--max-replicates is the largest number"
                )
        if self.replicates is not None and self.seeds is not None:
            yield (
                f"--replicates {self.replicates} and --seeds {self.seeds}: each run has its own seed, or all cells "
                "share them: leave out one of the two"
            )
        if self.ray_address is not None and self.launcher != "ray":
            yield f"--ray-address {self.ray_address} needs --launcher ray"
