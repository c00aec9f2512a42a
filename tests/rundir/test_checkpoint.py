"""Loading a model, and files that are not what they should be."""

import os
import pickle

import pytest
import torch

import attnae
from attnae.errors import UserError
from attnae.rundir.checkpoint import CHECKPOINT, AtomicCheckpointIO, load
from attnae.training.run import train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    from tests.conftest import TINY

    return train(attnae.RunConfig(log_dir=tmp_path_factory.mktemp("logs"), **{**TINY, "epochs": 1})).directory


def test_load_from_the_top(run):
    vae = attnae.load(run)
    assert isinstance(vae, attnae.VAE)
    assert not vae.training
    assert vae.reconstruct(torch.zeros(1, 1, 8, 8)).shape == (1, 1, 8, 8)
    assert vae.state_dict().keys() == load(str(run)).state_dict().keys()


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_a_checkpoint_that_would_run_code_is_refused(run, tmp_path, save):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "config.yaml").write_bytes((run / "config.yaml").read_bytes())
    save({"state_dict": Payload(tmp_path / "touched")}, tmp_path / CHECKPOINT)
    with pytest.raises(UserError, match="could execute code"):
        load(tmp_path)
    with pytest.raises(UserError, match="could execute code"):
        AtomicCheckpointIO().load_checkpoint(tmp_path / CHECKPOINT)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("content", [b"", b"PK", b"junk" * 100])
def test_a_checkpoint_that_is_none(run, tmp_path, content):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "config.yaml").write_bytes((run / "config.yaml").read_bytes())
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(UserError, match=r"last\.ckpt"):
        load(tmp_path)


def test_a_truncated_checkpoint(run, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "config.yaml").write_bytes((run / "config.yaml").read_bytes())
    (tmp_path / CHECKPOINT).write_bytes((run / CHECKPOINT).read_bytes()[:-2000])
    with pytest.raises(UserError, match=r"last\.ckpt"):
        load(tmp_path)


def test_options_that_do_not_fit_the_weights(run, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    config = (run / "config.yaml").read_text()
    (tmp_path / CHECKPOINT).write_bytes((run / CHECKPOINT).read_bytes())
    (tmp_path / "config.yaml").write_text(config.replace("latent_dim: 2", "latent_dim: 3"))
    with pytest.raises(UserError, match="does not fit the options"):
        load(tmp_path)
    (tmp_path / "config.yaml").write_text(config.replace("image_size: 8", "image_size: null"))
    with pytest.raises(UserError, match="lacks image_size"):
        load(tmp_path)


def test_a_directory_without_a_run(tmp_path):
    with pytest.raises(UserError, match=r"config\.yaml cannot be read"):
        load(tmp_path)
    (tmp_path / "config.yaml").write_text("image_size: 8\nchannels: 1\ndataset: digits\n")
    with pytest.raises(UserError, match=r"last\.ckpt does not exist"):
        load(tmp_path)
