"""metrics.json: how a run ended, its numbers, and where they come from."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from attnae.config import RunConfig, option_names
from attnae.errors import UserError
from attnae.rundir.directory import read_metrics, write_metrics
from attnae.versions import installed_versions

# The options that a resumed run may change although its numbers depend on them.
MAY_CHANGE = [option for option in option_names("hardware") if option != "precision"]
PACKAGES = ("attnae", "torch", "torchvision", "pytorch-lightning", "numpy", "scikit-learn")


@dataclass(frozen=True)
class RunResult:
    """How a run ended: `finished` or `diverged`, its directory, and the latest value of each metric by tag."""

    status: str
    directory: Path
    metrics: dict[str, float]


class Record:
    """Writes the metrics.json of a run, and writes it again at the end of each epoch.

    `parameters` is the number of the model's weights, `checksum` the SHA-256 of the images and labels used, and `sizes`
    the number of images in each split. The wall time includes all earlier invocations of the run.
    """

    def __init__(
        self,
        directory: Path,
        config: RunConfig,
        *,
        parameters: int,
        checksum: str,
        sizes: Mapping[str, int],
        warnings: Sequence[str],
        device: torch.device,
    ) -> None:
        self.directory = directory
        self.config = config
        self.parameters = parameters
        self.before = read_metrics(directory)
        self.changes: list[dict[str, Any]] = []
        self.started = time.monotonic()
        self.facts: dict[str, Any] = {
            "n_params": parameters,
            "seed": config.seed,
            "dataset": {"name": config.dataset, "sha256": checksum, "sizes": dict(sizes)},
            "warnings": list(warnings),
            "versions": installed_versions(PACKAGES),
            "git_commit": git_commit(),
            "host": host(device),
        }

    @property
    def title(self) -> str:
        """The units and the number of parameters, as in the article's figures."""
        return f"units {' '.join(map(str, self.config.units))}, {self.parameters:,} parameters"

    def check_images(self) -> None:
        """Raise `UserError` if the run began with other images than are there now."""
        began = self.before.get("dataset", {}).get("sha256")
        if began not in (None, self.facts["dataset"]["sha256"]):
            raise UserError(
                f"--resume {self.directory}: the images of {self.config.dataset} in {self.config.data_dir} are not "
                "those that the run began with: restore them, or start another run"
            )

    def note_resume(self, epochs: int, options: RunConfig) -> None:
        """Record what differs from the earlier invocations, which trained `epochs` epochs with these `options`.

        Raises `UserError` if the precision differs, since the numbers before and after would not be of one kind.
        """
        if options.precision != self.config.precision:
            raise UserError(
                f"--resume {self.directory}: it was trained with --precision {options.precision}, and here it would "
                f"continue with {self.config.precision}: resume it on the kind of device on which it began"
            )
        self.changes = [change for change in self.before.get("changes", []) if isinstance(change, dict)]
        for part in ("versions", "host", "git_commit"):
            self.note_changes(epochs, {part: self.before.get(part)}, {part: self.facts[part]})
        self.note_changes(
            epochs, *({name: getattr(each, name) for name in MAY_CHANGE} for each in (options, self.config))
        )

    def note_changes(self, epochs: int, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """Record the values that differ, and the number of epochs that were trained before they changed.

        Nested names are joined by `/`. What was not recorded before is left out.
        """
        for name, value in now.items():
            earlier = before.get(name)
            if isinstance(value, Mapping) and isinstance(earlier, Mapping):
                pairs = ({f"{name}/{key}": part.get(key) for key in value} for part in (earlier, value))
                self.note_changes(epochs, *pairs)
            elif earlier not in (None, value):
                self.changes.append({"after_epoch": epochs, "name": name, "before": earlier, "now": value})

    def write(self, status: str, metrics: dict[str, float], reason: str | None = None) -> None:
        """Write metrics.json; `reason` says why a run diverged."""
        wall_time = self.before.get("wall_time_s", 0) + time.monotonic() - self.started
        content = {
            "status": status,
            **({"reason": reason} if reason else {}),
            "metrics": metrics,
            "wall_time_s": round(wall_time, 3),
            **self.facts,
            **({"changes": self.changes} if self.changes else {}),
        }
        write_metrics(self.directory, content)


def git_commit() -> str | None:
    """The git commit of this package, followed by `+changes` if tracked files differ from it.

    None where the package is not in a git checkout, or git is not installed.
    """
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        commit, changes = (
            subprocess.run(
                ["git", "-C", str(root), *command], capture_output=True, text=True, timeout=10, check=True
            ).stdout.strip()
            for command in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}+changes" if changes else commit


def host(device: torch.device) -> dict[str, Any]:
    """The kind of machine, on which rounding and speed depend. It holds no host or user names."""
    kind: dict[str, Any] = {
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "device": device.type,
        # Whether a GPU may multiply 32-bit numbers in TF32, which keeps 10 bits of them: PyTorch's choice is kept.
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "cudnn_allow_tf32": torch.backends.cudnn.allow_tf32,
    }
    if device.type == "cuda":
        kind["device_name"] = torch.cuda.get_device_name(device)
    return kind
