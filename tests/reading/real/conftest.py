"""A virtual environment with the trackers themselves, whose own requirements are not ours."""

import subprocess
import sys
import venv

import pytest

from tests.reading.experiment import as_json

TRACKERS = ("mlflow", "optuna", "wandb", "tensorboardX")


@pytest.fixture(scope="session")
def tracker_python(tmp_path_factory):
    """The Python of an environment in which the trackers are installed; skips where they cannot be."""
    folder = tmp_path_factory.mktemp("trackers") / "venv"
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *TRACKERS]
    done = subprocess.run(install, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        pytest.skip(f"the trackers cannot be installed here: {done.stderr.strip().splitlines()[-1:]}")
    return python


@pytest.fixture
def write_with(tracker_python, tmp_path):
    """Runs a program with the trackers; it gets the experiment as JSON on its standard input."""

    def write(program):
        done = subprocess.run(
            [tracker_python, "-c", program],
            input=as_json(),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        return tmp_path

    return write
