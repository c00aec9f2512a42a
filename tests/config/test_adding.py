"""CONTRIBUTING.md says how to add an activation and a data set: done here in a copy of the package."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import PATIENCE, ROOT, tiny_flags

LOADER = '''
import numpy as np

from attnae.data.sources import DataSet, Images


def load_stripes(data_dir, image_size, channels):
    """Stripes of random width and phase, 8x8; the label is the width."""
    random = np.random.default_rng(0)
    width, phase = random.integers(1, 4, 150), random.integers(0, 8, 150)
    columns = (np.arange(8) + phase[:, None]) // width[:, None] % 2
    images = np.repeat(columns[:, None, None, :] * 255, 8, axis=2).astype(np.uint8)
    return DataSet(Images(images[:120], width[:120]), Images(images[120:], width[120:]))
'''


@pytest.fixture
def copy(tmp_path):
    """The project with one data set and one activation more."""
    shutil.copytree(ROOT / "attnae", tmp_path / "attnae", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "train.py", tmp_path)
    (tmp_path / "attnae" / "data" / "stripes.py").write_text(LOADER)
    for path, table, line in (
        ("config/datasets.py", "DATASETS = {", '"stripes": DataSetEntry("attnae.data.stripes:load_stripes", 8, 1),'),
        ("model/activations.py", "ACTIVATIONS = {", '"softsign": "Softsign",'),
    ):
        file = tmp_path / "attnae" / path
        before, begin, after = file.read_text().partition(table)
        assert begin, path
        file.write_text(f"{before}{begin}\n    {line}{after}")
    return tmp_path


@pytest.mark.slow
def test_a_new_data_set_and_a_new_activation_are_one_line_each(copy):
    flags = [*tiny_flags(dataset="stripes", act="softsign", epochs=1), "--name", "new"]
    done = subprocess.run(
        [sys.executable, "train.py", *flags],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert "act: softsign\n" in (copy / "logs" / "new" / "config.yaml").read_text()
    recorded = json.loads((copy / "logs" / "new" / "metrics.json").read_text())
    assert recorded["dataset"]["name"] == "stripes"
    assert recorded["metrics"]["test/loss"] > 0
