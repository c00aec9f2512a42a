"""Small studies, and worker processes that only pretend to train."""

import io
import os
import signal
import time

from rich.console import Console

from attnae.config import RunConfig
from attnae.config.study_options import StudyOptions
from attnae.rundir.directory import read_metrics
from attnae.study.design import make_design
from attnae.study.events import Event
from tests.conftest import TINY, read_curves


def small_design(log_dir, factors, seeds=(768,), **options):
    """A study of runs of about a second."""
    base = RunConfig(**{**TINY, "log_dir": log_dir, "name": "study", **options})
    first = {name: levels[0] for name, levels in factors.items()}
    return make_design(factors, seeds, base.replace(**first))


def run_quietly(design, **options):
    """The exit code of a study, and what it printed."""
    from attnae.study.run import run_study

    console = Console(file=io.StringIO(), width=200)
    code = run_study(design, StudyOptions(**options), console)
    return code, console.file.getvalue()


def table(directory):
    """{run: (status, metrics, curves)}: everything that was computed, to the bit; NaN equals NaN here."""
    runs = [path for path in directory.iterdir() if (path / "config.yaml").is_file()]
    return {
        path.name: (read_metrics(path)["status"], _exact(read_metrics(path)["metrics"]), _curves(path)) for path in runs
    }


def _curves(path):
    return {tag: _exact(points) for tag, points in read_curves(path).items()}


def _exact(values):
    return {key: value.hex() if isinstance(value, float) else value for key, value in values.items()}


def pretend(connection, environment, log):
    """Stands in for `attnae.study.worker.work`: what a run does is written in the activation of its cell.

    relu: ends well. elu: raises. selu: is killed. tanh: is killed the first time. mish: tells its environment.
    """
    while True:
        try:
            run = connection.recv()
        except EOFError:
            return
        act = run.cell["act"]
        marker = log.with_name(run.name)
        connection.send(Event(run.name, "epoch", 1, 0.5))
        if act == "elu":
            connection.send(Event(run.name, "failed", message=f"ValueError: in process {os.getpid()}"))
            return
        if act == "selu" or (act == "tanh" and not marker.exists()):
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if act == "mish":
            log.with_name(f"{run.name}-environment").write_text(environment["PLACE"])
            time.sleep(0.3)  # so that one worker does not take all
        connection.send(Event(run.name, "finished"))
