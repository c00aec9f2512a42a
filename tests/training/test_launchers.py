"""Runs below SLURM, torchrun and the like: which process writes, and which processes train together."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest
from pytorch_lightning.utilities import rank_zero_only

from attnae.config import RunConfig
from attnae.errors import UserError
from attnae.process import Stopped, handlers, stop_on_signals
from attnae.rundir.directory import read_metrics
from attnae.training.run import _one_voice, train
from attnae.training.trainer import trainer_in_its_environment
from tests.conftest import PATIENCE, ROOT, tiny_flags

pytestmark = pytest.mark.usefixtures("blank_pictures")

SLURM = {
    "SLURM_JOB_ID": "4321",
    "SLURM_JOB_NAME": "train",
    "SLURM_NTASKS": "2",
    "SLURM_NTASKS_PER_NODE": "2",
    "SLURM_NNODES": "1",
    "SLURM_NODEID": "0",
    "SLURM_NODELIST": "127.0.0.1",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "1",
}
TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "RANK": "1",
    "LOCAL_RANK": "1",
    "GROUP_RANK": "0",
    "WORLD_SIZE": "2",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29511",
}
ENVIRONMENTS = {
    "SLURM_PROCID alone": {"SLURM_PROCID": "1"},
    "SLURM": SLURM,
    "RANK": {"RANK": "3"},
    "LOCAL_RANK": {"LOCAL_RANK": "1", "WORLD_SIZE": "2"},
    "NODE_RANK": {"NODE_RANK": "1", "GROUP_RANK": "1"},
    "torchrun": TORCHRUN,
    "torchrun within SLURM": {**SLURM, **TORCHRUN},
    "LSF": {"JSM_NAMESPACE_RANK": "1", "JSM_NAMESPACE_LOCAL_RANK": "1", "JSM_NAMESPACE_SIZE": "2"},
}


def files(directory):
    return {path.name.partition(".tfevents")[0] for path in directory.iterdir()}


WHOLE_RUN = {"events.out", "config.yaml", "metrics.json", "figure.png", "checkpoints", ".lock"}


@pytest.mark.parametrize("variables", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_a_run_on_one_device_is_complete_whatever_the_environment_says(tiny, monkeypatch, variables):
    """Importing Lightning below such a launcher sets the rank that is set here."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    before = dict(os.environ)
    result = train(tiny(epochs=1, accelerator="cpu", devices="1"))
    assert result.directory.parent.name == "logs"
    assert files(result.directory) == WHOLE_RUN
    assert [path.name for path in result.directory.parent.iterdir()] == [result.directory.name]
    assert dict(os.environ) == before
    assert rank_zero_only.rank == 1


def test_ddp_on_one_device_leaves_the_environment_as_it_was(tiny, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    before = dict(os.environ)
    result = train(tiny(epochs=1, accelerator="cpu", devices="1", strategy="ddp"))
    assert files(result.directory) == WHOLE_RUN
    assert dict(os.environ) == before


@pytest.mark.parametrize("rank", [0, 1])
def test_processes_join_where_several_devices_are_asked_for(monkeypatch, rank):
    for name, value in {**SLURM, "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}.items():
        monkeypatch.setenv(name, value)
    with trainer_in_its_environment(RunConfig(accelerator="cpu", devices="2")) as trainer:
        assert (trainer.global_rank, trainer.world_size, rank_zero_only.rank) == (rank, 2, rank)
        assert trainer.is_global_zero == (rank == 0)


def test_an_incomplete_environment_is_the_user_s_mistake(monkeypatch):
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SLURM_LOCALID")
    with (
        pytest.raises(UserError, match="the environment variable SLURM_LOCALID is missing"),
        trainer_in_its_environment(RunConfig(accelerator="cpu", devices="2")),
    ):
        pass


def start(variables, *args):
    return subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
    )


@pytest.mark.slow
def test_the_command_below_srun_leaves_a_complete_run(tmp_path):
    process = start({"SLURM_PROCID": "1"}, *tiny_flags(epochs=1), "--accelerator=cpu", f"--log-dir={tmp_path / 'logs'}")
    out, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, ""), out
    (directory,) = (tmp_path / "logs").iterdir()
    assert files(directory) == WHOLE_RUN
    assert "Training" in out


@pytest.mark.slow
def test_two_processes_that_slurm_starts_train_one_model(tmp_path):
    args = [*tiny_flags(epochs=1, batch_size=30), "--accelerator=cpu", "--devices=2", f"--log-dir={tmp_path / 'logs'}"]
    ranks = [{"SLURM_PROCID": rank, "SLURM_LOCALID": rank} for rank in "01"]
    processes = [start({**SLURM, **rank}, *args) for rank in ranks]
    (out, errors), (other_out, other_errors) = [process.communicate(timeout=PATIENCE) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors + other_errors
    assert (errors, other_errors, other_out) == ("", "", ""), out
    (directory,) = (tmp_path / "logs").iterdir()
    assert files(directory) == WHOLE_RUN
    (warning,) = read_metrics(directory)["warnings"]
    assert warning.startswith("Each of the 2 devices trains on 15 images of a batch, and batch norm uses only these")


@pytest.mark.parametrize("main", [True, False])
def test_only_the_main_process_says_that_it_was_stopped_also_by_two_signals(main):
    """Ctrl-C reaches all processes, and the main one passes it on: the second signal may come while the others end."""

    @contextmanager
    def another():
        try:
            yield
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    before = handlers()
    again = nullcontext() if main else another()
    with pytest.raises(Stopped) as caught, stop_on_signals(), again, _one_voice(SimpleNamespace(is_global_zero=main)):
        os.kill(os.getpid(), signal.SIGINT)
    assert caught.value.quiet is not main
    assert handlers() == before
