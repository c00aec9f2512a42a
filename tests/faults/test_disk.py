"""A full disk and a read-only one: one line, what was there is still there, and the run goes on when there is room."""

import os
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest

from attnae.rundir.checkpoint import CHECKPOINT, epochs_done
from attnae.rundir.directory import read_metrics, read_unfinished
from attnae.training.prepare import prepare
from attnae.training.run import train
from tests.conftest import read_curves
from tests.faults.conftest import contents, flags
from tests.faults.processes import limit_files, limit_the_figure, run
from tests.faults.test_kill import assert_same_end


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 100 kB, and a function that mounts it anew with other options."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options):
        return subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, check=False
        )

    if os.geteuid() != 0 or shutil.which("mount") is None or mount("size=100k").returncode != 0:
        pytest.skip("only root can mount a small file system, and not everywhere")
    yield place, lambda options: mount(f"remount,{options}")
    subprocess.run(["umount", "-l", str(place)], check=True)


def assert_one_line(code, screen, *parts):
    assert code == 2, screen
    assert "Traceback" not in screen
    (line,) = [line for line in screen.splitlines() if line.startswith("error: ")]
    assert screen.splitlines()[-1] == line
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    ("limit", "done"),
    [
        pytest.param(partial(limit_files, 1500), 0, id="the log"),
        pytest.param(limit_the_figure, 3, id="the figure", marks=pytest.mark.slow),
    ],
)
def test_full_while_training(undisturbed, tmp_path, limit, done):
    config, expected = undisturbed
    code, screen = run(flags(tmp_path), tmp_path / "screen", before=limit)
    directory = tmp_path / "run"
    assert_one_line(code, screen, f"{directory} cannot be written to: File too large", f"--resume {directory}")
    assert not list(directory.rglob("*.partial"))
    assert read_metrics(directory)["status"] == "unfinished"
    if done:
        assert epochs_done(directory / CHECKPOINT, prepare(config).module) == done
    train(read_unfinished(directory), resume=directory)
    assert_same_end(directory, expected.directory)


def test_full_before_anything_is_written(tmp_path):
    """There is nothing to go on with, and nothing is said of it."""
    code, screen = run(flags(tmp_path), tmp_path / "screen", before=partial(limit_files, 200))
    assert_one_line(code, screen, "cannot be written to: File too large")
    assert "--resume" not in screen
    assert contents(tmp_path / "run") == {Path(".lock"): b""}


def test_full_while_a_checkpoint_is_written(undisturbed, half_done, tmp_path):
    """The checkpoint of the second epoch outlives the attempt to write that of the third."""
    earlier = (half_done / CHECKPOINT).read_bytes()
    limit = partial(limit_files, len(earlier) // 2)
    code, screen = run(["--resume", half_done], tmp_path / "screen", before=limit)
    assert_one_line(code, screen, "File too large")
    assert (half_done / CHECKPOINT).read_bytes() == earlier
    assert train(read_unfinished(half_done), resume=half_done).metrics == undisturbed[1].metrics


def test_a_disk_that_is_really_full(undisturbed, small_disk, tmp_path):
    place, remount = small_disk
    code, screen = run(flags(place), tmp_path / "screen")
    assert_one_line(code, screen, "No space left on device")
    assert read_metrics(place / "run")["status"] == "unfinished"
    remount("size=10m")
    code, screen = run(["--resume", place / "run"], tmp_path / "again")
    assert code == 0, screen
    assert_same_end(place / "run", undisturbed[1].directory)


def test_a_read_only_log_directory(half_done, small_disk, tmp_path):
    place, remount = small_disk
    remount("size=10m")
    shutil.copytree(half_done, place / "run")
    write_study(place / "study")
    before = contents(place)
    assert remount("ro").returncode == 0
    for args in (flags(place / "new"), ["--resume", place / "run"]):
        code, screen = run(args, tmp_path / "screen")
        assert_one_line(code, screen, "cannot be written to: Read-only file system")
    code, screen = run([place / "study"], tmp_path / "screen", script="analyze")
    assert_one_line(code, screen, "cannot be written to (Read-only file system): choose another directory with --out")
    assert contents(place) == before


def write_study(directory):
    """Logs of eight runs with two factors."""
    from torch.utils.tensorboard import SummaryWriter

    for number in range(8):
        with SummaryWriter(str(directory / f"run-{number}")) as writer:
            options = {"act": ["relu", "elu"][number % 2], "bn": number % 4 > 1, "seed": number}
            writer.add_hparams(options, {"test/loss": 0.1 * (number % 4) + 0.01 * number}, run_name=".")


def test_full_while_a_report_is_written(tmp_path):
    """Each file of the earlier report is still there, whole."""
    write_study(tmp_path / "logs")
    out = tmp_path / "report"
    args = [tmp_path / "logs", "--out", out, "--permutations", 99]
    code, screen = run(args, tmp_path / "screen", script="analyze")
    assert code == 0, screen
    before = contents(out)
    limit = partial(limit_files, 3000)
    code, screen = run([*args, "--alpha", 0.1], tmp_path / "screen", script="analyze", before=limit)
    assert_one_line(code, screen, f"{out} cannot be written to (File too large)", "--out")
    assert contents(out) == before


def test_stopped_while_a_report_is_written(tmp_path):
    from tests.faults.processes import stop_before_the_report_is_in_place

    write_study(tmp_path / "logs")
    out = tmp_path / "report"
    args = [tmp_path / "logs", "--out", out, "--permutations", 99]
    code, screen = run(args, tmp_path / "screen", script="analyze", before=stop_before_the_report_is_in_place)
    assert (code, screen) == (130, "stopped by SIGINT\n")
    assert contents(out) == {}


@pytest.mark.slow
def test_the_curves_of_a_full_disk_are_those_that_fit(undisturbed, tmp_path):
    """An event file that was cut off is read as far as it goes."""
    size = next(undisturbed[1].directory.glob("events.*")).stat().st_size
    code, screen = run(flags(tmp_path, picture_every=1), tmp_path / "screen", before=partial(limit_files, size // 2))
    assert_one_line(code, screen)
    expected = read_curves(undisturbed[1].directory)
    for tag, points in read_curves(tmp_path / "run").items():
        assert points.items() <= expected[tag].items()
