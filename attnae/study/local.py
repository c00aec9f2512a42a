"""Workers on this machine, in processes that may die without harm to one another."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from attnae.config import RunConfig
from attnae.study.attempt import record_death, this_process
from attnae.study.design import PlannedRun
from attnae.study.state import LOG
from attnae.study.worker import WorkOptions, worker_process

STOP_WITHIN_S = 20.0

Environment = Mapping[str, str]


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


class LocalWorkers:
    """A worker in each of the `places`, as long as there are runs to train. Their output goes to the study's log.

    A worker that dies with a run is replaced, and the crash is recorded with its cause. One that dies without a run,
    because it cannot even start, is not.
    """

    def __init__(self, runs: Sequence[PlannedRun], places: Sequence[Environment], options: WorkOptions) -> None:
        self.runs = runs
        self.options = replace(options, wait=True, parent=os.getpid())
        self.log = options.directory / LOG
        self.processes = [(place, self._start(place)) for place in places[: len(runs)]]

    def at_work(self) -> bool:
        """Whether there are workers; dead ones are replaced."""
        for place, process in list(self.processes):
            if (code := process.poll()) is None:
                continue
            self.processes.remove((place, process))
            if code == 0:
                continue
            cause = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            name = f"{this_process().rpartition(':')[0]}:{process.pid}"
            if any(record_death(run.directory, name, f"its process {cause}") for run in self.runs):
                self.processes.append((place, self._start(place)))
        return bool(self.processes)

    def stop(self) -> None:
        """Stop all at once, with a moment for each to close its logs; their runs can be resumed."""
        for _, process in self.processes:
            process.terminate()
        deadline = time.monotonic() + STOP_WITHIN_S
        for _, process in self.processes:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []

    def _start(self, place: Environment) -> subprocess.Popen[bytes]:
        command, environment = worker_process(self.options)
        with self.log.open("ab") as log:
            # In a session of its own, a Ctrl-C in the terminal is the parent's to handle.
            return subprocess.Popen(
                command,
                env={**environment, **place},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
