"""SIGINT and SIGTERM at any moment: exit code 130 or 143, no traceback, and a run that goes on where it was."""

import os
import signal
import subprocess
import sys
import time

import pytest

from attnae.rundir.checkpoint import CHECKPOINT
from tests.conftest import PATIENCE, ROOT
from tests.faults.conftest import flags
from tests.faults.processes import ended, run, start, wait_after_the_first_checkpoint, wait_until
from tests.faults.test_kill import assert_same_end

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.mark.parametrize("script", ["train.py", "analyze.py"])
@pytest.mark.parametrize(("signum", "code"), SIGNALS)
def test_while_packages_are_imported(tmp_path, script, signum, code):
    """The command line's first package says that it is being imported, and takes its time."""
    (tmp_path / "tyro.py").write_text(
        "import pathlib, time\npathlib.Path(__file__).with_name('begun').touch()\ntime.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(ROOT / script), "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    deadline = time.monotonic() + PATIENCE
    while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signum)
    assert process.communicate(timeout=PATIENCE)[0] == b""
    assert process.returncode == code


@pytest.mark.parametrize(("signum", "code"), [SIGNALS[0], pytest.param(*SIGNALS[1], marks=pytest.mark.slow)])
def test_while_training(undisturbed, tmp_path, signum, code):
    _, expected = undisturbed
    directory = tmp_path / "run"
    process = start(flags(tmp_path), tmp_path / "screen", before=wait_after_the_first_checkpoint)
    wait_until((directory / CHECKPOINT).exists, process)
    os.kill(process.pid, signum)
    assert ended(process) == code
    screen = (tmp_path / "screen").read_text()
    assert "Traceback" not in screen
    assert screen.splitlines()[-1].endswith(f"go on with: python train.py --resume {directory}")
    code, screen = run(["--resume", directory], tmp_path / "again")
    assert code == 0, screen
    assert "Resuming" in screen
    assert_same_end(directory, expected.directory)
