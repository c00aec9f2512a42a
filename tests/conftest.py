"""What several tests need: small runs, real MNIST where it is, and TensorBoard's own reader as the reference."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import pytest

from attnae.config import RunConfig

if "PYTEST_XDIST_WORKER" in os.environ:
    # Each process, and each that it starts, has a core to itself.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]

# Seconds after which a process or a condition that a test waits for is given up. It is reached only by something that
# hangs: on a busy machine, a process can take a minute to import torch.
PATIENCE = 600

# A run of about a second: 8x8 digits and a model of a few hundred parameters.
TINY = {
    "dataset": "digits",
    "units": (6, 4, 2),
    "block_depth": 1,
    "limit_train": 100,
    "limit_test": 40,
    "batch_size": 32,
    "epochs": 2,
    "picture_every": 0,
    "threads": 1,
    "compile": "off",
}


def pytest_xdist_auto_num_workers(config):
    """A process per core for all quick tests; none for named tests, nor for slow ones, which use all cores anyway."""
    whole = not config.option.file_or_dir and "not slow" in config.option.markexpr
    return min(os.cpu_count() or 1, 8) if whole else 0


@pytest.fixture
def tiny(tmp_path):
    """Makes the options of a small run below a temporary directory."""

    def make(**options):
        return RunConfig(**{"log_dir": tmp_path / "logs", **TINY, **options})

    return make


# Rendering takes most of the time of a small run, and of a small report. Files of tests that look at no picture use one
# of these: the figures are made, and their files and points in the log are written, but matplotlib does not draw them.
# The tests of pictures, of figures and of hostile names in them draw everything.


@pytest.fixture(scope="module")
def blank_pictures():
    """The pictures of a run in this process are blank."""
    from attnae.training import callbacks, run

    with pytest.MonkeyPatch.context() as patch:
        for module in (callbacks, run):
            patch.setattr(module, "to_array", lambda figure: np.zeros((2, 2, 3), np.uint8))
        yield


@pytest.fixture(scope="module")
def blank_figures():
    """The figures of a report in this process are blank. They have their names and descriptions."""
    from attnae.analysis.report import figures

    def blank(figure, name, description):
        return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label={quoteattr(description)} id="{name}"/>'

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "to_svg", blank)
        yield


@pytest.fixture(scope="session")
def mnist_dir():
    """The folder with real MNIST, named by ATTNAE_DATA_DIR, else data/."""
    folder = Path(os.environ.get("ATTNAE_DATA_DIR") or ROOT / "data")
    if not (folder / "MNIST" / "raw").is_dir():
        pytest.skip(f"no MNIST in {folder}: set ATTNAE_DATA_DIR to the folder that holds MNIST/raw")
    return folder


def tiny_flags(**options):
    """The same small run as flags of the command line."""
    flags = []
    for name, value in {**TINY, **options}.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            flags.append(flag if value else flag.replace("--", "--no-", 1))
        elif isinstance(value, tuple):
            flags += [flag, *map(str, value)]
        else:
            flags.append(f"{flag}={value}")
    return flags


def read_events(directory):
    """TensorBoard's own view of a directory of event files."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(directory), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    return accumulator.Reload()


def read_points(directory):
    """{tag: [(step, value), ...]} as TensorBoard shows it, points that stand twice included."""
    events = read_events(directory)
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def read_curves(directory):
    """{tag: {step: value}} as TensorBoard shows it."""
    events = read_events(directory)
    return {tag: {event.step: event.value for event in events.Scalars(tag)} for tag in events.Tags()["scalars"]}


# Chromium asks nobody anything, and needs no screen.
BROWSER_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator:
    """Chromium, where it is installed, with a log of what it says and asks for."""
    binary, driver_path = shutil.which("chromium"), shutil.which("chromedriver")
    if not (binary and driver_path):
        pytest.skip("no chromium and chromedriver installed")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in [*BROWSER_FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver_path))
    yield driver
    driver.quit()
