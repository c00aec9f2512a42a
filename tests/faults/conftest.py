"""Runs to compare with, and runs that were interrupted."""

import shutil

import pytest

from attnae.config import RunConfig
from attnae.training.run import train
from tests.conftest import TINY, tiny_flags
from tests.faults.processes import ended, right_after_the_checkpoint, start

SHORT = {"epochs": 3}


def flags(log_dir, **options):
    """The command line of the same short run, without pictures of its epochs: they change nothing else."""
    return [*tiny_flags(**{**SHORT, **options}), f"--log-dir={log_dir}", "--name=run"]


def contents(directory):
    """{file: bytes} of everything below."""
    return {path.relative_to(directory): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture(scope="package")
def undisturbed(tmp_path_factory):
    """(options, result) of the run to which nothing happens."""
    config = RunConfig(
        log_dir=tmp_path_factory.mktemp("undisturbed"), name="run", **{**TINY, **SHORT, "picture_every": 1}
    )
    return config, train(config)


@pytest.fixture(scope="package")
def _half_done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("half")
    process = start(flags(folder), folder / "screen", before=right_after_the_checkpoint)
    assert ended(process) == -9, (folder / "screen").read_text()
    return folder / "run"


@pytest.fixture
def half_done(_half_done, tmp_path):
    """The directory of the run, killed after two of its three epochs."""
    return shutil.copytree(_half_done, tmp_path / "run")
