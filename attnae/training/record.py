"""metrics.json: how a run ended, its numbers, and where they come from."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from attnae.training.directory import read_metrics, write_metrics
from attnae.training.prepare import Prepared
from attnae.training.provenance import git_commit, host, versions


class Record:
    """What metrics.json says of a run. The wall time counts all invocations."""

    def __init__(self, directory: Path, prepared: Prepared) -> None:
        self.directory = directory
        self.config, self.data = prepared.config, prepared.data
        self.parameters = sum(weight.numel() for weight in prepared.module.vae.parameters())
        self.warnings = prepared.warnings
        self.checksum = prepared.data.checksum()
        self.before = float(read_metrics(directory).get("wall_time_s", 0))
        self.started = time.monotonic()

    @property
    def title(self) -> str:
        """The units and the number of parameters, as in the article's figures."""
        return f"units {' '.join(map(str, self.config.units))}, {self.parameters:,} parameters"

    def write(self, status: str, metrics: dict[str, float], reason: str | None = None) -> None:
        content: dict[str, Any] = {
            "status": status,
            **({"reason": reason} if reason else {}),
            "metrics": metrics,
            "n_params": self.parameters,
            "seed": self.config.seed,
            "dataset": {"name": self.config.dataset, "sha256": self.checksum, "sizes": self.data.sizes},
            "warnings": list(self.warnings),
            "wall_time_s": round(self.before + time.monotonic() - self.started, 3),
            "versions": versions(),
            "git_commit": git_commit(),
            "host": host(next(iter(self.data.images.values())).device),
        }
        write_metrics(self.directory, content)
