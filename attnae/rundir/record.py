"""metrics.json: how a run ended, its numbers, and where they come from."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from attnae.errors import UserError
from attnae.rundir.directory import read_metrics, write_metrics
from attnae.rundir.provenance import git_commit, host, versions
from attnae.training.prepare import Prepared


class Record:
    """What metrics.json says of a run; written anew at each epoch's end. Wall time counts all invocations."""

    def __init__(self, directory: Path, prepared: Prepared, device: torch.device) -> None:
        self.directory = directory
        self.config = prepared.config
        self.parameters = sum(weight.numel() for weight in prepared.module.vae.parameters())
        self.before = read_metrics(directory)
        self.started = time.monotonic()
        self.facts: dict[str, Any] = {
            "n_params": self.parameters,
            "seed": prepared.config.seed,
            "dataset": {
                "name": prepared.config.dataset,
                "sha256": prepared.data.checksum,
                "sizes": prepared.data.sizes,
            },
            "warnings": list(prepared.warnings),
            "versions": versions(),
            "git_commit": git_commit(),
            "host": host(device),
        }

    @property
    def title(self) -> str:
        """The units and the number of parameters, as in the article's figures."""
        return f"units {' '.join(map(str, self.config.units))}, {self.parameters:,} parameters"

    def check_images(self) -> None:
        """`UserError` where the run began with other images than are there now."""
        began = self.before.get("dataset", {}).get("sha256")
        if began not in (None, self.facts["dataset"]["sha256"]):
            raise UserError(
                f"--resume {self.directory}: the images of {self.config.dataset} in {self.config.data_dir} are not "
                "those that the run began with: bring them back, or start another run"
            )

    def write(self, status: str, metrics: dict[str, float], reason: str | None = None) -> None:
        wall_time = self.before.get("wall_time_s", 0) + time.monotonic() - self.started
        content = {
            "status": status,
            **({"reason": reason} if reason else {}),
            "metrics": metrics,
            "wall_time_s": round(wall_time, 3),
            **self.facts,
        }
        write_metrics(self.directory, content)
