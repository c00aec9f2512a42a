"""Runs of a study as tasks on a Ray cluster. Ray is imported only here.

If a worker or its machine dies, Ray starts the run again elsewhere. It resumes from its checkpoint, since all machines
share the directory of the study.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import os
import re
from collections import deque
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from attnae.config import RunConfig
from attnae.errors import UserError
from attnae.study.design import PlannedRun
from attnae.study.events import Event
from attnae.study.task import describe_error, train_planned

POLL_S = 0.5
STARTED = -1  # in place of the epochs done: a worker has taken the run
COLOURS = re.compile(r"\x1b\[\d+m")


class Mailbox:
    """Collects the messages (run, epoch, loss) of the running tasks for the driver."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, int, float]] = []

    def post(self, run: str, epoch: int, loss: float) -> None:
        self.messages.append((run, epoch, loss))

    def take(self) -> list[tuple[str, int, float]]:
        messages, self.messages = self.messages, []
        return messages


def run_on_ray(
    runs: Sequence[PlannedRun],
    *,
    base: RunConfig,
    address: str | None,
    workers: int | None,
    retries: int,
    runs_per_gpu: int,
    log: Path,
) -> tuple[int, Generator[Event, None, None]]:
    """How many runs go side by side at most, and the events of training them.

    A run takes the CPUs of its threads, and where the cluster has GPUs, unless `accelerator` says otherwise, its share
    of one. The traceback of a run that failed goes to `log`. Closing the iterator stops the tasks; their runs can be
    resumed. Raises `UserError` where Ray is not installed, or no cluster answers at the address.
    """
    ray = connect(address)
    gpus = 0.0 if base.accelerator not in ("auto", "gpu", "cuda") else ray.cluster_resources().get("GPU", 0.0)
    cpus = base.threads or 1
    fits = ray.cluster_resources().get("CPU", 1.0) // cpus
    if gpus:
        fits = min(fits, gpus * runs_per_gpu)
    task = ray.remote(
        num_cpus=cpus,
        num_gpus=1 / runs_per_gpu if gpus else 0,
        max_retries=retries,
        retry_exceptions=True,
        max_calls=0,  # a worker is kept: it imports torch once
    )(_train_and_tell)
    return workers or max(1, int(fits)), _events(ray, task, [_absolute(run) for run in runs], workers, log)


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


def _train_and_tell(run: PlannedRun, mailbox: Any) -> str:
    import ray

    # Waited for, so that it arrives before the run can end; but a run needs no mailbox.
    with contextlib.suppress(ray.exceptions.RayError):
        ray.get(mailbox.post.remote(run.name, STARTED, math.nan))
    return train_planned(run, lambda epoch, loss: mailbox.post.remote(run.name, epoch, loss))


def _events(
    ray: Any, task: Any, runs: Sequence[PlannedRun], workers: int | None, log: Path
) -> Generator[Event, None, None]:
    try:
        mailbox = _mailbox(ray)
        waiting = deque(runs)
        running: dict[Any, PlannedRun] = {}
        started: set[str] = set()
        while waiting or running:
            while waiting and (workers is None or len(running) < workers):
                run = waiting.popleft()
                running[task.remote(run, mailbox)] = run
            ended, _ = ray.wait(list(running), timeout=POLL_S)
            for name, epoch, loss in _take_messages(ray, mailbox):
                if epoch != STARTED:
                    yield Event(name, "epoch", epoch, loss)
                elif name in started:
                    yield Event(name, "retried", message="its worker or its machine died, or it raised")
                started.add(name)
            for reference in ended:
                yield _ending(ray, reference, running.pop(reference).name, log)
    finally:
        ray.shutdown()


def _ending(ray: Any, reference: Any, name: str, log: Path) -> Event:
    try:
        return Event(name, ray.get(reference))
    except ray.exceptions.RayTaskError as error:
        with log.open("a") as file:
            file.write(f"\n{name}:\n{COLOURS.sub('', str(error))}\n")
        return Event(name, "failed", message=describe_error(error.cause))
    except ray.exceptions.RayError as error:
        return Event(name, "failed", message=describe_error(error))


def _mailbox(ray: Any) -> Any:
    """An actor beside the driver, so that it does not die with another machine (`soft` would not hold it there)."""
    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=False
    )
    return ray.remote(Mailbox).options(num_cpus=0, max_restarts=-1, scheduling_strategy=here).remote()


def _take_messages(ray: Any, mailbox: Any) -> list[tuple[str, int, float]]:
    """The messages posted since the last call; none while the mailbox is being restarted."""
    try:
        return ray.get(mailbox.take.remote())
    except ray.exceptions.RayError:
        return []


def _absolute(run: PlannedRun) -> PlannedRun:
    """The run with absolute paths, which are valid in every working directory."""
    config = run.config
    return dataclasses.replace(
        run, config=config.replace(log_dir=config.log_dir.absolute(), data_dir=config.data_dir.absolute())
    )
