"""Workers as tasks on a Ray cluster. Ray is imported only here.

If a worker or its machine dies, Ray starts it again elsewhere. It resumes the run from its checkpoint, since all
machines share the directory of the study.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from attnae.config import RunConfig
from attnae.errors import UserError
from attnae.study.design import PlannedRun
from attnae.study.worker import WorkOptions, describe_error, work

POLL_S = 0.5


def connect(address: str | None) -> Any:
    """Ray, connected to the cluster, at first or again; `UserError` where Ray is missing or no cluster answers."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise UserError("--launcher ray needs Ray, which is not installed: pip install 'attnae[ray]'") from error
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, ignore_reinit_error=True)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UserError(f"--ray-address {address}: no Ray cluster answers: {describe_error(error)}") from error
    return ray


class RayWorkers:
    """A task for each run, of which each trains whichever run is next; at most `workers` of them side by side.

    A task takes the CPUs of a run's threads, and where the cluster has GPUs, unless `accelerator` says otherwise, its
    share of one. A task that raises or dies is started again by Ray, which is harmless: a run that failed too often is
    not taken again. Raises `UserError` where Ray is not installed, or no cluster answers at the address.
    """

    def __init__(
        self,
        runs: Sequence[PlannedRun],
        options: WorkOptions,
        *,
        base: RunConfig,
        address: str | None,
        workers: int | None,
        runs_per_gpu: int,
    ) -> None:
        self.ray = ray = connect(address)
        resources = ray.cluster_resources()
        gpus = 0.0 if base.accelerator not in ("auto", "gpu", "cuda") else resources.get("GPU", 0.0)
        cpus = base.threads or 1
        fits = resources.get("CPU", 1.0) // cpus
        if gpus:
            fits = min(fits, gpus * runs_per_gpu)
        self.side_by_side = workers or max(1, int(fits))
        # Absolute paths are valid in every working directory.
        self.options = replace(
            options,
            directory=options.directory.absolute(),
            data_dir=base.data_dir.absolute(),
            max_runs=1,
            wait=True,
        )
        self.task = ray.remote(
            num_cpus=cpus,
            num_gpus=1 / runs_per_gpu if gpus else 0,
            max_retries=-1,
            retry_exceptions=True,
            max_calls=0,  # a worker is kept: it imports torch once
        )(_work)
        self.workers = workers
        self.left = len(runs)
        self.running: list[Any] = []

    def at_work(self) -> bool:
        """Whether there are tasks; those that have ended are replaced, up to one for each run.

        Raises `UserError` where a task finds no study, because its machine does not share the directory.
        """
        while self.left and (self.workers is None or len(self.running) < self.workers):
            self.running.append(self.task.remote(self.options))
            self.left -= 1
        ended, self.running = self.ray.wait(self.running, num_returns=max(1, len(self.running)), timeout=POLL_S)
        for reference in ended:
            if mistake := self.ray.get(reference):
                raise UserError(mistake)
        return bool(self.running or self.left)

    def stop(self) -> None:
        """Stop all tasks; their runs can be resumed."""
        self.ray.shutdown()


def _work(options: WorkOptions) -> str:
    """What is wrong with the study on this machine, or an empty text once a run has ended."""
    try:
        work(options)
    except UserError as error:
        return str(error)
    return ""
