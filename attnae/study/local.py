"""Runs of a study side by side on this machine, in worker processes that may die without harm to one another.

(A `ProcessPoolExecutor` breaks as a whole when one of its processes dies.)
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import time
from collections import Counter, deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from pickle import UnpicklingError

from attnae.config import RunConfig
from attnae.study.design import PlannedRun
from attnae.study.events import Event
from attnae.study.worker import work

STOP_WITHIN_S = 20.0

Environment = Mapping[str, str]


class Worker:
    """A process that trains one run at a time, as seen by its parent."""

    def __init__(self, environment: Environment, log: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.environment = environment
        self.run: PlannedRun | None = None
        self.connection, remote = context.Pipe()
        self.process = context.Process(target=work, args=(remote, environment, log), name="study worker")
        # Until it has left our group, a Ctrl-C would reach it too.
        mask = getattr(signal, "pthread_sigmask", None)  # POSIX
        try:
            if mask is not None:
                mask(signal.SIG_BLOCK, {signal.SIGINT})
            self.process.start()
        finally:
            if mask is not None:
                mask(signal.SIG_UNBLOCK, {signal.SIGINT})
        remote.close()

    def train(self, run: PlannedRun) -> None:
        """Sends the run; where the worker is dead already, `wait` will tell."""
        self.run = run
        with contextlib.suppress(OSError):
            self.connection.send(run)

    def events(self) -> Iterator[Event]:
        """What it has sent since."""
        with contextlib.suppress(EOFError, OSError, UnpicklingError):
            while self.connection.poll():
                yield self.connection.recv()

    def end(self) -> str:
        """Makes sure that it is gone; what it died of."""
        self.connection.close()
        self.process.join(STOP_WITHIN_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        code = self.process.exitcode or 0
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def environments(base: RunConfig, workers: int | None, runs_per_gpu: int) -> list[Environment]:
    """One for each worker: `workers` of them; None: as many as fit.

    With CUDA a worker sees one GPU, which `runs_per_gpu` of them share; else they share the cores.
    """
    import torch

    if base.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        names = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(torch.cuda.device_count())))
        gpus = names.split(",")
        count = workers or len(gpus) * runs_per_gpu
        return [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in itertools.islice(itertools.cycle(gpus), count)]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [{}] * (workers or max(1, cores // (base.threads or 1)))


def run_locally(
    runs: Sequence[PlannedRun], *, places: Sequence[Environment], retries: int, log: Path
) -> Generator[Event, None, None]:
    """Trains the runs, one worker for each of the `places`, and yields what happens.

    A run whose worker dies, or that raises, is started again by a fresh worker, at most `retries` times. Closing the
    iterator stops the workers; their runs can be resumed.
    """
    waiting = deque(runs)
    crashes: Counter[str] = Counter()
    idle, workers = list(places), list[Worker]()
    resource_tracker.ensure_running()  # which unblocks signals as it starts, so not while a worker starts
    try:
        while waiting or any(worker.run for worker in workers):
            for worker in workers:
                if worker.run is None and waiting:
                    worker.train(waiting.popleft())
            while idle and waiting:
                workers.append(Worker(idle.pop(0), log))
                workers[-1].train(waiting.popleft())
            _wait(workers)
            for worker in list(workers):
                dead = not worker.process.is_alive()  # asked first, so that its last words are heard
                message = ""
                for event in worker.events():
                    if event.kind == "failed":
                        message = event.message
                        continue
                    if event.kind != "epoch":
                        worker.run = None
                    yield event
                if not (dead or message):
                    continue
                workers.remove(worker)
                idle.append(worker.environment)
                cause = worker.end()
                if (run := worker.run) is None:
                    continue
                crashes[run.name] += 1
                message = message or f"its process {cause}"
                if crashes[run.name] <= retries:
                    waiting.appendleft(run)
                    yield Event(run.name, "retried", message=message)
                else:
                    yield Event(run.name, "failed", message=message)
    finally:
        _stop(workers)


def _wait(workers: Sequence[Worker]) -> None:
    """Until a worker says something or dies."""
    handles: list[Connection | int] = []
    for worker in workers:
        handles += [worker.connection, worker.process.sentinel]
    wait(handles, timeout=1.0)


def _stop(workers: Sequence[Worker]) -> None:
    """All at once, and a moment for each to close its logs."""
    for worker in workers:
        worker.connection.close()
    deadline = time.monotonic() + STOP_WITHIN_S
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
    for worker in workers:
        worker.end()
