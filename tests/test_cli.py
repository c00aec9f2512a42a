"""The command line as a user runs it: in a separate process, from another directory."""

import json
import math
import os
import re
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
from PIL import Image

from attnae.cli import train_command
from attnae.data import sources
from attnae.rundir.checkpoint import CHECKPOINT
from tests.conftest import PATIENCE, ROOT, read_curves, tiny_flags

pytestmark = pytest.mark.usefixtures("blank_pictures")


def run(*args, cwd, script="train.py", **environment):
    return subprocess.run(
        [sys.executable, str(ROOT / script), *map(str, args)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, "COLUMNS": "80", **environment},
    )


def call(*args, cwd, monkeypatch, capsys):
    """The same in this process, which has torch imported: (exit code, standard output, standard error)."""
    monkeypatch.chdir(cwd)
    code = train_command([*map(str, args)])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def everything_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_run_from_flags_and_files(tmp_path):
    """A later file wins over an earlier one, a flag over both; and the last lines say what to do next."""
    (tmp_path / "a.yaml").write_text("act: elu\nepochs: 1\nseed: 5\n")
    (tmp_path / "b.yaml").write_text("act: selu\nseed: 6\n")
    flags = [flag for flag in tiny_flags() if not flag.startswith("--epochs")]
    done = run("--config", "a.yaml", *flags, "--seed", "7", "--config=b.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (directory,) = (tmp_path / "logs").iterdir()
    content = (directory / "config.yaml").read_text()
    assert "act: selu\n" in content
    assert "epochs: 1\n" in content
    assert "seed: 7\n" in content
    last = done.stdout.splitlines()
    assert last[-2:] == ["Watch:   tensorboard --logdir logs", "Compare: python analyze.py logs"]
    loss = json.loads((directory / "metrics.json").read_text())["metrics"]["test/loss"]
    assert f"{loss:.5g}" in done.stdout
    assert done.stderr == ""


MISTAKES = {
    "a misspelt flag": (["--spatial-atention"], "--spatial-attention"),
    "a misspelt value": (["--act", "swish"], "leaky_relu"),
    "an unknown data set": (["--dataset", "imagenet"], "kmnist"),
    "a wrong type": (["--epochs", "many"], "--epochs"),
    "a value out of range": (["--latent-dim", "0"], "--latent-dim 0: must be at least 1"),
    "too few units": (["--units", "4", "2"], "give at least 3"),
    "units that are not positive": (["--units", "4", "-2", "1"], "all must be positive"),
    "images too small": (["--dataset", "digits", "--units", "9", "8", "7", "6", "5", "4"], "at least 16x16"),
    "no such device": (["--dataset", "digits", "--accelerator", "tpu"], "is not available"),
    "no such devices": (
        ["--dataset", "digits", "--accelerator", "cpu", "--devices", "0,3"],
        "is not available",
    ),
    "more devices than there can be": (["--dataset", "digits", "--devices", "9" * 30], "give auto, a number such as 2"),
    "more devices than there are": (
        ["--dataset", "digits", "--accelerator", "cpu", "--devices", "9999"],
        "--batch-size 64 cannot be divided evenly",
    ),
    "no such strategy": (["--dataset", "digits", "--strategy", "magic"], "is not available"),
    "a missing file": (["--config", "none.yaml"], "none.yaml cannot be read"),
    "an option in a file": (
        ["--config", "misspelt.yaml"],
        "misspelt.yaml: unknown option epoch; perhaps you meant epochs",
    ),
    "a value in a file": (["--config", "range.yaml"], "range.yaml: --epochs 0: must be at least 1"),
    "a log directory that is a file": (["--dataset", "digits", "--log-dir", "misspelt.yaml"], "cannot be written to"),
    "a name that leaves the log directory": (
        ["--dataset", "digits", "--name", "../x"],
        "must be the name of one folder",
    ),
    "a folder without images": (["--dataset", "folder", "--data-dir", "empty"], "found 0 images"),
    "a missing folder": (["--dataset", "folder", "--data-dir", "nowhere"], "no such directory"),
    "a broken image": (["--dataset", "folder", "--data-dir", "broken"], "1.png is not an image"),
    "mixed channels": (["--dataset", "folder", "--data-dir", "mixed"], "--channels 1"),
    "a corrupt data set": (
        ["--dataset", "mnist", "--data-dir", "corrupt"],
        "t10k-images-idx3-ubyte is not an IDX file",
    ),
    "a missing run": (["--resume", "nowhere"], "there is no run to resume"),
    "an option beside resume": (["--resume", "nowhere", "--lr", "0.1"], "--lr cannot be combined with --resume"),
    "a path too long": (["--dataset", "folder", "--data-dir", "x" * 5000], "File name too long"),
    "a path too long for auto": (["--data-dir", "x" * 5000, "--units", "1", "1"], "give at least 3"),
    "a model too large": (["--dataset", "digits", "--latent-dim", "4000000000"], "does not fit into memory"),
    "batches that cannot be shared": (
        ["--dataset", "digits", "--accelerator", "cpu", "--devices", "3", "--batch-size", "64"],
        "use 63",
    ),
}


@pytest.fixture(scope="module")
def mistakes_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "misspelt.yaml").write_text("epoch: 3\n")
    (folder / "range.yaml").write_text("epochs: 0\n")
    for name in ("empty", "broken", "mixed", "corrupt"):
        (folder / name).mkdir()
    for index in range(3):
        grey = np.zeros((8, 8), np.uint8)
        Image.fromarray(grey).save(folder / "broken" / f"{index}.png")
        Image.fromarray(np.dstack([grey] * 3) if index else grey).save(folder / "mixed" / f"{index}.png")
    (folder / "broken" / "1.png").write_text("hello")
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        sizes = [1, 28, 28][: int(name[-1])]
        header = bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)
        content = header + bytes(math.prod(sizes))
        (folder / "corrupt" / f"{name}-ubyte").write_bytes(content if "t10k-images" not in name else b"junk")
    return folder


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_a_clear_line_and_exit_code_2(mistakes_dir, mistake, monkeypatch, capsys):
    args, message = MISTAKES[mistake]
    monkeypatch.chdir(mistakes_dir)
    before = everything_below(mistakes_dir)
    try:
        code = train_command(args)
    except SystemExit as end:  # tyro's panel
        code = end.code
    shown = capsys.readouterr().err
    assert code == 2
    assert message in re.sub(r"[\s│]+", " ", shown)
    if shown.startswith("error"):
        assert len(shown.splitlines()) == 1
    assert everything_below(mistakes_dir) == before


@pytest.mark.parametrize("dataset", ["mnist", "auto"])
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--accelerator", "tpu"], "is not available"),
        (["--units", "9", "8", "7", "6", "5", "4", "3", "2"], "at least 64x64"),
        (["--accelerator", "cpu", "--devices", "3"], "--batch-size 64 cannot be divided evenly"),
        (["--latent-dim", "4000000000"], "does not fit into memory"),
        (["--log-dir", "file/logs"], "cannot be written to"),
        (["--name", "taken"], "holds no run: choose another --name"),
    ],
)
def test_a_mistake_is_found_before_a_download(tmp_path, monkeypatch, capsys, dataset, flags, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "logs" / "taken" / "letter").mkdir(parents=True)
    monkeypatch.setattr(sources.IdxSource, "download", lambda *_: pytest.fail("began to download"))
    before = everything_below(tmp_path)
    assert train_command(["--dataset", dataset, *flags]) == 2
    assert message in capsys.readouterr().err
    assert everything_below(tmp_path) == before


@pytest.mark.parametrize("dataset", ["mnist", "auto"])
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--units", "9", "8", "7", "6", "5", "4", "3", "2"], "at least 64x64"),
        (["--log-dir", "file/logs"], "cannot be"),
    ],
)
def test_a_mistake_in_a_study_is_found_before_a_download(tmp_path, monkeypatch, capsys, dataset, flags, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "study.yaml").write_text("factors: {act: [elu, relu]}\n")
    monkeypatch.setattr(sources.IdxSource, "download", lambda *_: pytest.fail("began to download"))
    before = everything_below(tmp_path)
    assert train_command(["--study", "study.yaml", "--dataset", dataset, *flags]) == 2
    assert message in capsys.readouterr().err
    assert everything_below(tmp_path) == before


def test_a_mistake_in_a_separate_process_shows_no_traceback(mistakes_dir):
    for args in (["--act", "swish"], ["--config", "range.yaml"]):
        done = run(*args, cwd=mistakes_dir)
        assert done.returncode == 2
        assert done.stdout == ""
        assert "Traceback" not in done.stderr


def test_a_finished_run_is_not_overwritten(tmp_path, monkeypatch, capsys):
    here = {"cwd": tmp_path, "monkeypatch": monkeypatch, "capsys": capsys}
    flags = [*tiny_flags(epochs=1), "--name", "mine"]
    assert call(*flags, **here)[0] == 0
    before = {path: path.read_bytes() for path in (tmp_path / "logs").rglob("*") if path.is_file()}
    code, _, errors = call(*flags, **here)
    assert code == 2
    assert "choose another --name" in errors
    code, _, errors = call("--resume", "logs/mine", **here)
    assert code == 2
    assert "this run is finished" in errors
    assert {path: path.read_bytes() for path in (tmp_path / "logs").rglob("*") if path.is_file()} == before


def test_a_diverging_run_ends_with_3(tmp_path, monkeypatch, capsys):
    """Brackets in the names of directories are shown as they are, also where nothing is trained."""
    here = {"cwd": tmp_path, "monkeypatch": monkeypatch, "capsys": capsys}
    flags = [*tiny_flags(lr=1e30, epochs=3), "--log-dir", "a[/b]/[red]"]
    code, shown, _ = call(*flags, "--dry-run", **here)
    assert code == 0
    assert "would train: a[/b]/[red]/" in shown
    code, shown, errors = call(*flags, **here)
    assert code == 3
    assert "The run diverged" in shown
    assert "a[/b]/[red]" in shown
    assert "Traceback" not in errors


def test_dry_run_shows_and_writes_nothing(tmp_path, monkeypatch, capsys):
    args = ["--dry-run", "--spatial-attention", "--act", "gelu", "--seed", "3"]
    code, shown, _ = call(*args, cwd=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 0
    assert "act: gelu" in shown
    assert "217,553" in shown
    assert "would train: logs/spatial_attention,act=gelu,dataset=mnist,seed=3" in shown
    assert "downloaded to --data-dir" in shown
    assert everything_below(tmp_path) == []


def test_dry_run_of_a_folder_reads_its_size(tmp_path, monkeypatch, capsys):
    (tmp_path / "images").mkdir()
    for index in range(3):
        Image.fromarray(np.zeros((12, 12, 3), np.uint8)).save(tmp_path / "images" / f"{index}.png")
    args = ["--dry-run", "--dataset", "folder", "--data-dir", "images"]
    _, shown, _ = call(*args, cwd=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert "image_size: 12" in shown
    assert "channels: 3" in shown


@pytest.mark.parametrize("script", ["train.py", "analyze.py"])
def test_help_shows_an_example_and_imports_nothing_heavy(tmp_path, script):
    done = run("--help", cwd=tmp_path, script=script)
    assert done.returncode == 0
    assert f"python {script}" in done.stdout
    heavy = (
        "torch",
        "numpy",
        "pytorch_lightning",
        "pandas",
        "matplotlib",
        "statsmodels",
        "scipy",
        "sklearn",
        "tensorboard",
        "ray",
        "pydantic",
        "filelock",
    )
    code = (
        f"import runpy, sys\nsys.argv = ['{script}', '--help']\n"
        f"try: runpy.run_path({str(ROOT / script)!r}, run_name='__main__')\nexcept SystemExit: pass\n"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert imported.stderr.strip() == "[]"


def test_the_help_of_analyze_names_each_default_once(tmp_path):
    shown = run("--help", cwd=tmp_path, script="analyze.py").stdout
    assert "None" not in shown
    assert "(default: )" not in shown


def test_help_lists_every_option(tmp_path):
    from attnae.config import GROUPS, flag, option_names

    shown = run("--help", cwd=tmp_path).stdout
    assert all(flag(option) in shown for option in option_names(*GROUPS))


def test_auto_without_network_warns_and_trains_on_digits(tmp_path, monkeypatch, capsys):
    """No MNIST below the data directory, and a server that does not answer: a proxy that is not there."""
    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setattr(urllib.request, "_opener", None)  # it has read the variables before
    flags = [flag for flag in tiny_flags(epochs=1) if not flag.startswith("--dataset")]
    code, shown, errors = call(*flags, cwd=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 0, errors
    assert "Warning" in shown
    assert "digits instead" in " ".join(shown.split())
    (directory,) = (tmp_path / "logs").iterdir()
    content = json.loads((directory / "metrics.json").read_text())
    assert content["dataset"]["name"] == "digits"
    assert "MNIST is not available" in content["warnings"][0]
    assert "dataset=digits" in directory.name


def test_import_is_cheap():
    code = "import attnae, sys; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["False", "False"]


DDP = ("--accelerator=cpu", "--devices=2", "--strategy=ddp")


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path):
    """Gradients, counts and metrics over both ranks; then the weights scored by one process."""
    import torch

    from attnae.data.module import ImageData
    from attnae.data.sources import load_digits
    from attnae.rundir.checkpoint import load
    from attnae.seeding import EVALUATION, generator

    # 92 training images in batches of 30: the last batch of 2 leaves each rank one image, too few for batch norm.
    done = run(*tiny_flags(batch_size=30), *DDP, "--name", "two", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Training logs/two") == 1
    assert done.stdout.count("nats per pixel") == 1
    assert everything_below(tmp_path / "logs") == sorted(
        ["two", "two/.lock", "two/checkpoints", "two/checkpoints/last.ckpt", "two/config.yaml", "two/figure.png",
         "two/metrics.json", next(str(p.relative_to(tmp_path / "logs")) for p in (tmp_path / "logs").rglob("events*"))]
    )  # fmt: skip
    directory = tmp_path / "logs" / "two"
    metrics = json.loads((directory / "metrics.json").read_text())["metrics"]
    vae = load(directory)
    data = ImageData(load_digits(None, None, None), limit_train=100, limit_test=40, batch_size=30)
    for stage, epoch, index in (("val", 1, 1), ("test", 2, 2)):
        x = data.images[stage].float() / 255
        with torch.no_grad():
            out = vae(x, torch.randn(len(x), 2, generator=generator(768, EVALUATION, epoch, index)))
        bce = torch.nn.functional.binary_cross_entropy_with_logits(out.logits, x).item()
        assert metrics[f"{stage}/bce"] == pytest.approx(bce, rel=1e-5)
    assert read_curves(directory)["lr"].keys() == {1, 2}
    checkpoint = torch.load(directory / CHECKPOINT, weights_only=True)
    assert checkpoint["global_step"] == 6

    few = run(*tiny_flags(batch_size=30, limit_test=1, epochs=1), *DDP, "--name", "few", cwd=tmp_path)
    assert few.returncode == 0, few.stderr  # one rank has no test image

    one = run(*tiny_flags(batch_size=30), "--name", "one", cwd=tmp_path)
    assert one.returncode == 0
    single = json.loads((tmp_path / "logs" / "one" / "metrics.json").read_text())["metrics"]
    assert single["train/loss"] != metrics["train/loss"]  # batch norm and dropout see other halves
    assert single["train/loss"] == pytest.approx(metrics["train/loss"], rel=0.1)
