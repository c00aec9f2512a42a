"""`attnae` and its subcommands: the same code behind all commands, help with examples, errors in one line."""

import subprocess
import sys

import pytest

from attnae.cli import main, train_command
from attnae.config import GROUPS, flag, option_names
from attnae.rundir.checkpoint import CHECKPOINT
from tests.conftest import ROOT, tiny_flags

COMMANDS = ("train", "analyze", "encode", "reconstruct", "sample", "walk", "attention", "export", "list")


def ended(args, capsys):
    """Exit code, standard output and standard error of a call in this process."""
    try:
        code = main(args)
    except SystemExit as end:
        code = end.code
    shown = capsys.readouterr()
    return code, shown.out, shown.err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_subcommand_shows_an_example(command, capsys):
    code, shown, _ = ended([command, "--help"], capsys)
    assert code == 0
    assert f"usage: attnae {command} " in shown
    assert f"{'python' if command in ('train', 'analyze') else 'attnae'} {command}" in shown


def test_help_lists_every_subcommand(capsys):
    code, shown, _ = ended(["--help"], capsys)
    assert code == 0
    assert all(f"• {command}" in shown for command in COMMANDS)


def test_help_without_heavy_imports():
    code = (
        "import runpy, sys\nsys.argv = ['attnae', '--help']\n"
        "try: runpy.run_module('attnae', run_name='__main__')\nexcept SystemExit: pass\n"
        "heavy = ('torch', 'pytorch_lightning', 'pandas', 'matplotlib', 'numpy', 'scipy', 'sklearn', 'PIL')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "usage: attnae [-h]" in done.stdout


def test_train_is_train_py(tmp_path, monkeypatch, capsys):
    """The same options, the same dry run, the same mistakes."""
    monkeypatch.chdir(tmp_path)
    shown = []
    for door, args in ((main, ["train"]), (train_command, [])):
        assert door([*args, *tiny_flags(act="elu"), "--dry-run"]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    code, _, said = ended(["train", "--latent-dim", "0"], capsys)
    assert code == 2
    assert said == "error: --latent-dim 0: must be at least 1\n"
    _, listed, _ = ended(["train", "--help"], capsys)
    assert all(flag(option) in listed for option in option_names(*GROUPS))


MISTAKES = {
    "no subcommand": ([], "subcommand"),
    "a misspelt subcommand": (["encod"], "encode"),
    "a run that is none": (["sample", "nowhere"], "nowhere holds no run"),
    "a path too long": (["sample", "x" * 5000], "holds no run"),
    "a run before its first epoch": (["sample", "young"], "stopped before its first epoch"),
    "images that are none": (["encode", "mine", "nothing.png"], "nothing.png is not an image file"),
    "a file that is no image": (["encode", "mine", "note.png"], "note.png is not an image"),
    "an unknown suffix": (
        ["encode", "mine", "x", "-o", "x.xls"],
        "--out x.xls: unknown suffix: choose one of .csv",
    ),
    "a picture of another kind": (["walk", "mine", "-o", "x.jpg"], "choose one of .png"),
    "a model of another kind": (["export", "mine", "-o", "x.h5"], "choose one of .onnx, .pt2"),
    "a place that cannot be written": (
        ["sample", "mine", "-o", "note.png/x.png"],
        "choose another directory with --out",
    ),
    "a folder in the way": (["sample", "mine", "-o", "folder.png"], "folder.png cannot be written"),
    "no samples": (["sample", "mine", "-n", "0"], "--count 0: must be from 1 to 1024"),
    "a seed out of range": (["sample", "mine", "--seed", "-1"], "--seed -1: must be from 0"),
    "a scale out of range": (["reconstruct", "mine", "digits", "--scale", "0"], "--scale 0: must be from 1 to 64"),
    "too many attention maps": (["attention", "mine", "digits", "-n", "33"], "--count 33: must be from 1 to 32"),
    "no attention": (["attention", "plain", "digits"], "plain has no attention maps: train a model with"),
    "no such block": (["attention", "mine", "digits", "--block", "x"], "choose one of encoder.stage0.block0, decoder"),
    "a run beside that is none": (["attention", "mine", "digits", "--beside", "nowhere"], "nowhere holds no run"),
    "a run beside of other images": (["attention", "mine", "digits", "--beside", "large"], "have another size"),
    "no runs": (["list", "empty"], "no runs found in empty: give logs of"),
    "a log directory that is none": (["list", "nowhere"], "nowhere does not exist: give logs of"),
}


@pytest.fixture(scope="module")
def mistakes_dir(run_dir, tmp_path_factory):
    from torch import save

    from attnae.config import read_config, write_config
    from attnae.training.module import AttentionVAE

    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "note.png").write_text("hello")
    for name in ("empty", "folder.png", "young", "plain/checkpoints", "large/checkpoints"):
        (folder / name).mkdir(parents=True)
    (folder / "mine").symlink_to(run_dir)
    plain = read_config(run_dir / "config.yaml").replace(spatial_attention=False)
    for name in ("young", "plain"):
        write_config(folder / name / "config.yaml", plain)
    large = plain.replace(dataset="folder", image_size=16)
    write_config(folder / "large" / "config.yaml", large)
    for name, config in (("plain", plain), ("large", large)):
        save({"state_dict": AttentionVAE(config).state_dict()}, folder / name / CHECKPOINT)
    return folder


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_gives_one_line_and_writes_nothing(mistakes_dir, mistake, monkeypatch, capsys):
    args, message = MISTAKES[mistake]
    monkeypatch.chdir(mistakes_dir)
    before = sorted(path for folder in (mistakes_dir, mistakes_dir / "mine") for path in folder.rglob("*"))
    code, shown, said = ended(args, capsys)
    assert code == 2
    assert shown == ""
    assert message in " ".join(said.replace("│", " ").split())
    if said.startswith("error"):
        assert len(said.splitlines()) == 1
    assert sorted(path for folder in (mistakes_dir, mistakes_dir / "mine") for path in folder.rglob("*")) == before


def test_existing_file_is_replaced_only_on_success(run_dir, tmp_path):
    out = tmp_path / "grid.png"
    out.write_text("earlier")
    assert main(["sample", str(tmp_path / "nowhere"), "-o", str(out)]) == 2
    assert out.read_text() == "earlier"
    assert main(["sample", str(run_dir), "-o", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [out]
