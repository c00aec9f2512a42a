"""What docs/trained.md and the model say can be typed, is typed."""

import doctest
import re
import shlex
import shutil

import pytest

from attnae.cli import main
from attnae.model import vae as vae_module
from tests.conftest import ROOT

DOCUMENT = (ROOT / "docs" / "trained.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.S)


@pytest.fixture
def with_a_run(run_dir, photos, monkeypatch):
    """A directory that holds logs/mine and photos."""
    monkeypatch.chdir(photos.parent)
    shutil.copytree(run_dir, "logs/mine")


def test_the_commands_run(with_a_run, photos, capsys):
    """Each writes what it says; the run that the first one would train is there already."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) == 10
    for line in lines:
        command, *args = shlex.split(line)
        assert command == "attnae"
        assert main([*args, "--dry-run"] if args[0] == "train" else args) == 0, line
        said = capsys.readouterr().out
        if args[0] not in ("train", "list"):
            assert said.startswith("wrote ")
            assert len(said.splitlines()) == 1
    for name in ("logs/mine/latents.csv", "codes.npz", "out.png", "grid.png", "walk.png", "maps.png"):
        assert (photos.parent / name).stat().st_size > 100
    for name in ("model_encoder.onnx", "model_decoder.onnx", "model_encoder.pt2", "model_decoder.pt2"):
        assert (photos.parent / name).stat().st_size > 1000


def test_the_python_examples_give_what_they_say(with_a_run):
    examples = doctest.DocTestParser().get_doctest("\n".join(blocks("python")), {}, "docs/trained.md", None, None)
    assert len(examples.examples) > 10
    failed, _ = doctest.DocTestRunner().run(examples)
    assert failed == 0


def test_the_model_s_example_gives_what_it_says():
    failed, tried = doctest.testmod(vae_module)
    assert failed == 0
    assert tried >= 4
