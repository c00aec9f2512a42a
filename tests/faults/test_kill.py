"""Killed anywhere and resumed, a run ends as if nothing had happened: weights, numbers and curves, to the bit."""

import json
import random
import signal
import time

import pytest
import torch
from filelock import FileLock
from pytorch_lightning.callbacks import Callback

from attnae import tags
from attnae.config import write_config
from attnae.errors import UserError
from attnae.rundir.checkpoint import CHECKPOINT
from attnae.rundir.directory import LOCK, read_metrics, read_unfinished
from attnae.training.prepare import prepare
from attnae.training.run import train
from tests.conftest import read_events, read_points, tiny_flags
from tests.faults import processes
from tests.faults.conftest import contents, flags
from tests.faults.processes import ended, run, says, start, wait_until


class Interrupted(Exception):
    """What a run is cut off by."""


class InterruptSecondEpoch(Callback):
    def on_train_batch_end(self, trainer, *args):
        if trainer.current_epoch == 1:
            raise Interrupted


def assert_same_end(one, other):
    """Weights, optimiser and schedule, numbers and TensorBoard's curves are equal to the bit."""
    first, second = (torch.load(run / CHECKPOINT, weights_only=True) for run in (one, other))
    assert first["global_step"] == second["global_step"]
    for part in ("state_dict", "optimizer_states", "lr_schedulers"):
        torch.testing.assert_close(first[part], second[part], rtol=0, atol=0)
    assert read_metrics(one)["status"] == read_metrics(other)["status"] == "finished"
    assert read_metrics(one)["metrics"] == read_metrics(other)["metrics"]
    assert read_points(one) == read_points(other)


# The others differ from these in nothing that a resume sees.
QUICK = {
    processes.between_the_scalars_and_the_checkpoint,
    processes.while_the_checkpoint_is_written,
}


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(where, id=where.__name__, marks=() if where in QUICK else pytest.mark.slow)
        for where in processes.KILLS
    ],
)
def test_killed_and_resumed(undisturbed, tmp_path, where):
    _, expected = undisturbed
    code, screen = run(flags(tmp_path, picture_every=1), tmp_path / "screen", before=where)
    assert code == -signal.SIGKILL, screen
    directory = tmp_path / "run"
    assert read_metrics(directory)["status"] == "unfinished"
    if where is processes.while_the_checkpoint_is_written:
        assert (directory / "checkpoints" / ".last.ckpt.partial").stat().st_size > 0
    resumed = train(read_unfinished(directory), resume=directory)
    assert resumed.directory == directory
    assert resumed.metrics == expected.metrics
    assert_same_end(directory, expected.directory)
    assert len(list(directory.glob("events.*"))) == 2
    assert not list((directory / "checkpoints").glob(".*"))
    steps = [image.step for image in read_events(directory).Images("pictures/latent_walk")]
    assert steps == [1, 2, 3]
    status = read_events(directory).Tensors(tags.STATUS_EVENT)[-1]
    assert (status.step, status.tensor_proto.string_val[0]) == (3, b"finished")


@pytest.mark.parametrize(("kills", "epochs"), [(3, 30), pytest.param(20, 200, marks=pytest.mark.slow)])
def test_killed_at_random_again_and_again(tiny, tmp_path, kills, epochs):
    """From before the first batch to several epochs on; a kill in the midst of writing is among them now and then."""
    expected = train(tiny(epochs=epochs, name="run"))
    directory, screen = tmp_path / "disturbed" / "run", tmp_path / "screen"
    draw = random.Random(0)
    args = [*tiny_flags(epochs=epochs), f"--log-dir={directory.parent}", "--name=run"]
    for _ in range(kills):
        process = start(args, screen)
        wait_until(says(screen, directory), process)
        time.sleep(draw.uniform(0, 0.3))
        process.kill()
        if ended(process) == 0:  # it was faster than the kill
            break
        assert process.exitcode == -signal.SIGKILL, screen.read_text()
        args, screen = ["--resume", directory], screen.with_name(screen.name + "+")
    else:
        code, shown = run(args, screen)
        assert code == 0, shown
    assert_same_end(directory, expected.directory)


def test_the_figure_has_the_whole_curve_and_the_wall_time_adds_up(undisturbed, half_done):
    from PIL import Image, ImageChops

    before = read_metrics(half_done)["wall_time_s"]
    assert before > 0.05  # two epochs
    train(read_unfinished(half_done), resume=half_done)
    assert read_metrics(half_done)["wall_time_s"] > before + 0.05
    with Image.open(half_done / "figure.png") as one, Image.open(undisturbed[1].directory / "figure.png") as other:
        assert ImageChops.difference(one, other).getbbox() is None


def test_other_images_are_refused(half_done):
    content = read_metrics(half_done)
    content["dataset"]["sha256"] = "0" * 64
    (half_done / "metrics.json").write_text(json.dumps(content))
    before = contents(half_done)
    with pytest.raises(UserError, match="not those that the run began with"):
        train(read_unfinished(half_done), resume=half_done)
    assert contents(half_done) == before


def test_a_finished_run_is_not_resumed(undisturbed):
    with pytest.raises(UserError, match="finished"):
        read_unfinished(undisturbed[1].directory)


def test_a_run_in_training_is_not_resumed(half_done):
    before = contents(half_done)
    with FileLock(half_done / LOCK), pytest.raises(UserError, match="another process"):
        train(read_unfinished(half_done), resume=half_done)
    assert contents(half_done) == before


def test_two_processes_on_one_run(tmp_path):
    """The second one, whether it resumes or starts, says so and leaves; the first does not notice."""
    args = [*tiny_flags(epochs=10_000), f"--log-dir={tmp_path}", "--name=run"]
    first = start(args, tmp_path / "first")
    try:
        wait_until((tmp_path / "run" / CHECKPOINT).exists, first)
        for number, second in enumerate((["--resume", tmp_path / "run"], args)):
            code, screen = run(second, tmp_path / f"second-{number}")
            assert (code, len(screen.splitlines())) == (2, 1), screen
            assert ("being trained by another process", "already holds an unfinished run")[number] in screen
        assert first.is_alive()
        epoch = torch.load(tmp_path / "run" / CHECKPOINT, weights_only=True)["epoch"]
        wait_until(lambda: torch.load(tmp_path / "run" / CHECKPOINT, weights_only=True)["epoch"] > epoch, first)
    finally:
        first.terminate()
    assert ended(first) == 143
    assert len((tmp_path / "first").read_text().split("stopped by SIGTERM")) == 2


@pytest.mark.slow
def test_a_compiled_run_resumes_to_the_same_bits(undisturbed, tmp_path):
    config = undisturbed[0].replace(compile="on", epochs=2, picture_every=0, log_dir=tmp_path / "logs")
    whole = train(config.replace(name="whole"))
    with pytest.raises(Interrupted):
        train(config, callbacks=[InterruptSecondEpoch()])
    directory = tmp_path / "logs" / "run"
    train(read_unfinished(directory), resume=directory)
    assert_same_end(directory, whole.directory)


def test_threads_and_compile_are_kept_on_resume(undisturbed, tmp_path):
    config, _ = undisturbed
    before = torch.get_num_threads()
    directory = tmp_path / "run"
    try:
        prepared = prepare(config.replace(threads=2, compile="auto"))
        directory.mkdir()
        write_config(directory / "config.yaml", prepared.config)
        torch.set_num_threads(1)
        again = prepare(read_unfinished(directory))
        assert (again.config.threads, again.config.compile) == (2, "off")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
