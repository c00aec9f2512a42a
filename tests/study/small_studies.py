"""Small studies, what they computed, and waiting for what other processes do."""

import io
import time

from rich.console import Console

from attnae.config import RunConfig
from attnae.config.study_options import StudyOptions
from attnae.rundir.directory import read_metrics
from attnae.study.design import make_design
from tests.conftest import PATIENCE, TINY, read_curves


def small_design(log_dir, factors, seeds=(768,), *, replicates=0, **options):
    """A study of runs of about a second."""
    base = RunConfig(**{**TINY, "log_dir": log_dir, "name": "study", **options})
    first = {name: levels[0] for name, levels in factors.items()}
    return make_design(factors, seeds, base.replace(**first), replicates=replicates)


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


def wait_for(condition, seconds=PATIENCE):
    """The first true result of `condition`, which is called again and again."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return result
