"""One small trained run for all tests of what is done with it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attnae.config import RunConfig, read_config
from attnae.rundir.checkpoint import load
from tests.conftest import TINY


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory):
    """The directory of a run with attention on 8x8 digits, trained for two epochs."""
    from attnae.training.run import train

    logs = tmp_path_factory.mktemp("trained") / "logs"
    options = {**TINY, "spatial_attention": True, "name": "mine", "log_dir": logs}
    return train(RunConfig(**options)).directory


@pytest.fixture
def vae(run_dir):
    return load(run_dir)


@pytest.fixture
def config(run_dir):
    return read_config(run_dir / "config.yaml")


@pytest.fixture
def photos(tmp_path) -> Path:
    """Seventeen images of several kinds and sizes, below two sub-folders and beside them."""
    folder = tmp_path / "photos"
    random = np.random.default_rng(0)
    for place in range(17):
        shape = [(8, 8), (8, 8, 3), (20, 12), (9, 30, 3)][place % 4]
        path = folder / ["", "cats", "dogs"][place % 3] / f"{place:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8)).save(path)
    return folder
