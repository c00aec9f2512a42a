"""Several processes on one model: what happens to one of them reaches all."""

import os
import signal
import subprocess
import sys
import time

import pytest

from attnae.rundir.checkpoint import CHECKPOINT
from tests.conftest import PATIENCE, ROOT, tiny_flags
from tests.faults.test_kill import assert_same_end

pytestmark = pytest.mark.slow
TWO = ("--accelerator=cpu", "--devices=2", "--strategy=ddp")


def start(script, *args):
    """In a process group of its own, as a shell does it."""
    return subprocess.Popen(
        [sys.executable, str(script), *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def options(log_dir):
    return [*tiny_flags(batch_size=30, epochs=40), *TWO, f"--log-dir={log_dir}", "--name=run"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    process = start(ROOT / "train.py", *options(folder))
    out, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + errors
    return folder / "run"


@pytest.mark.parametrize(
    ("signum", "send", "code"), [(signal.SIGINT, os.killpg, 130), (signal.SIGTERM, os.kill, 143)], ids=["all", "main"]
)
def test_stopped_and_resumed(whole, tmp_path, signum, send, code):
    """Ctrl-C reaches all processes, `kill` the main one only: one line, nobody left, and the same end in the end."""
    directory = tmp_path / "run"
    process = start(ROOT / "train.py", *options(tmp_path))
    deadline = time.monotonic() + PATIENCE
    while not (directory / CHECKPOINT).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    send(process.pid, signum)
    out, errors = process.communicate(timeout=PATIENCE)
    line = f"stopped by {signal.Signals(signum).name}; go on with: python train.py --resume {directory}\n"
    assert (process.returncode, errors) == (code, line), out
    assert_gone(process.pid)
    resumed = start(ROOT / "train.py", "--resume", directory)
    out, errors = resumed.communicate(timeout=PATIENCE)
    assert (resumed.returncode, errors) == (0, ""), out
    assert_same_end(directory, whole)


def test_ranks_with_other_images(tmp_path):
    """All of them say so and end; else those with the right images would wait for ever."""
    script = tmp_path / "train.py"
    script.write_text(
        "import os, sys\n"
        "from attnae.cli import train_command\n"
        "from attnae.data import module as data\n"
        "if os.environ.get('LOCAL_RANK') == '1':\n"
        "    data.ImageData.checksum = 'f' * 64\n"
        "sys.exit(train_command())\n"
    )
    process = start(script, *options(tmp_path / "logs"))
    out, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2, out + errors
    assert errors == "error: the images on rank 1 differ from those on rank 0: copy them from there\n" * 2
    assert_gone(process.pid)


def test_waiting_for_another_machine(tmp_path):
    args = [*tiny_flags(epochs=1), "--accelerator=cpu", "--devices=1", "--num-nodes=2", f"--log-dir={tmp_path}"]
    process = start(ROOT / "train.py", *args)
    said = ""
    while "waiting for the others at 127.0.0.1:" not in said:
        said = process.stdout.readline()
        assert said, process.stderr.read()
    assert said.startswith("Machine 1 of 2")
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    try:
        assert process.communicate(timeout=PATIENCE)[1] == ""
        assert process.returncode == -signal.SIGINT  # which a shell calls 130
    finally:
        process.kill()


def assert_gone(group, seconds=PATIENCE):
    """No process of the group is left."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.killpg(group, signal.SIGKILL)
    raise AssertionError("a process is left")
