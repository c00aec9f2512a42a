"""Every command in the README and in docs/ is run as it stands there, on small images and with small models.

A command of a kind that `perform` does not know fails, so that none can be added and then rot.
"""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from attnae.cli import main, train_command
from attnae.config import RunConfig
from tests.conftest import ROOT, tiny_flags
from tests.training.test_sources import write_idx_set

# docs/trained.md has a test of its own, in tests/trained/test_docs.py, which looks at what its commands write.
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != "trained.md"),
]
BLOCK = re.compile(r"```(?:sh|bash|console)\n(.*?)```", re.S)
INLINE = re.compile(r"`((?:(?:python|tensorboard|pytest|ray)|attnae \w+) [^`]+)`")
TOOLS = ("python", "python3", "pip", "pytest", "ruff", "mypy", "attnae", "tensorboard", "ray")
BEFORE = re.compile(r"^(\w+\$ +|exec |srun .* \"\$head\" |\.venv/bin/)")  # prompts, and where a program is started
# Lines of shell scripts that are no command of ours; `bash -n` reads them as parts of their script.
AROUND = re.compile(r"#|head=\$\(scontrol|sleep \d+$|rsync -a ")

# In the README's words: `python train.py ...` and these subcommands. What is small is typed behind what is written.
SMALL = tiny_flags(limit_train=None, limit_test=None, epochs=1)
SMALL_STUDY = """\
factors: {spatial_attention: [false, true], act: [relu, elu]}
options: {dataset: digits, units: [6, 4, 2], block_depth: 1, limit_train: 60, limit_test: 40, batch_size: 32, epochs: 1}
"""


def commands(path):
    """The commands of a document, in order, each once."""
    text = path.read_text()
    lines = [line for block in BLOCK.findall(text) for line in block.replace("\\\n", " ").splitlines() if line]
    found = []
    for line in [*lines, *INLINE.findall(text)]:
        for part in line.split(" && "):
            command = BEFORE.sub("", part)
            if command.split()[0] in TOOLS:
                found.append(" ".join(command.split()))
            else:
                assert AROUND.match(command), f"{path.name}: {line}"
    return list(dict.fromkeys(found))


ALL = [(path.name, command) for path in DOCUMENTS for command in commands(path)]


def is_slow(command):
    """Those that start processes which import torch for themselves."""
    return "benchmarks/" in command or ("--study" in command and "ray" not in command)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A checkout with small files of its own where the real ones would take hours, and runs and images in their places.

    MNIST and FashionMNIST are six training images of noise each.
    """
    home = tmp_path_factory.mktemp("home")
    for name in ("train.py", "analyze.py", "benchmarks", "attnae"):
        (home / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "configs", home / "configs")
    (home / "configs" / "factorial.yaml").write_text(SMALL_STUDY)
    write_idx_set(home / "data" / "MNIST" / "raw")
    write_idx_set(home / "fashion-mnist")
    (home / "photos").mkdir()
    Image.new("RGB", (12, 9), "teal").save(home / "photos" / "teal.png")
    return home


@pytest.fixture(scope="module")
def with_runs(home):
    """The same with the runs that the README's commands use: a study's, one trained, and one that was killed."""
    from tests.faults.processes import ended, right_after_the_checkpoint, start

    killed = RunConfig(spatial_attention=True, act="elu", dataset="digits").default_name()
    options = [*tiny_flags(epochs=3), f"--log-dir={home / 'logs'}", f"--name={killed}"]
    assert ended(start(options, home / "screen", before=right_after_the_checkpoint)) == -9
    for folder, act, seed in [(".", "relu", 1), (".", "elu", 1), (".", "relu", 2), (".", "elu", 2)]:
        options = [*tiny_flags(act=act, seed=seed, epochs=1), f"--log-dir={home / 'logs' / folder}"]
        assert train_command([*options, f"--name=act={act},seed={seed}"]) == 0
    assert (
        train_command([*tiny_flags(spatial_attention=True, epochs=1), f"--log-dir={home / 'logs'}", "--name=mine"]) == 0
    )
    shutil.copytree(home / "logs", home / "logs" / "factorial", ignore=shutil.ignore_patterns("mine", "factorial"))
    return home


@pytest.mark.parametrize(
    ("document", "command"),
    [pytest.param(*each, marks=[pytest.mark.slow] if is_slow(each[1]) else [], id=" ".join(each)) for each in ALL],
)
def test_it_runs(document, command, with_runs, tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(with_runs, tmp_path / "home", symlinks=True))
    perform(shlex.split(command, comments=True), document)


def perform(words, document):
    match words:
        case ["python", "train.py", *args]:
            assert train(args) == 0
        case ["python", "analyze.py", *args]:
            assert main(["analyze", *args]) == 0
            report = Path(args[0]) / "analysis" / "report.json"
            assert report.stat().st_size > 1000
        case ["python", "benchmarks/study_speed.py", *_]:
            eager = [word for word in words[1:] if word != "--compiled"]  # the same again, and minutes of compiling
            benchmark(*eager, "--turns=1", "--epochs=1", "--seeds=1", "--limit-train=60")
        case ["python", "benchmarks/train_speed.py", *_]:
            benchmark(*words[1:], "--turns=1", "--steps=1", "--no-once", "--no-compile")
        case ["python", "benchmarks/inference.py", *_]:
            benchmark(*words[1:], "--studies=20")
        case ["attnae", *args]:
            assert main(args) == 0
        case ["tensorboard", *args]:
            assert "test/loss" in said("tensorboard", *args, "--inspect")
        case ["ray", verb, *args]:
            options = said("ray", verb, "--help")
            assert all(arg.partition("=")[0] in options for arg in args if arg.startswith("--"))
        case ["python3" | "pip" | "pytest" | "ruff" | "mypy" as tool, *_] | ["python", "-m", "pytest" as tool]:
            assert tool in (ROOT / ".ci" / "run").read_text()
        case _:
            raise AssertionError(f"{document}: no test knows how to run {shlex.join(words)}")


def train(args):
    """train.py with these arguments, made small. What needs a cluster is planned and not run: test_ray.py has one."""
    args = [arg.replace("/usr/share/datasets", ".").replace("/shared/", "./") for arg in args]
    args = ["data" if arg in ("DIR", "$SCRATCH/data") else arg for arg in args]
    if "--help" in args:
        with pytest.raises(SystemExit) as ended:
            train_command(args)
        return ended.value.code
    if "--resume" in args:
        return train_command(args)
    if "--study" not in args:
        return train_command([*args, *SMALL])
    small = [
        "--dataset=digits",
        "--limit-train=60",
        "--epochs=1",
        "--seeds=1",
        *([] if "--name" in args else ["--name=anew"]),
    ]
    return train_command([*args, *small, *(["--dry-run"] if "ray" in args else [])])


def benchmark(script, *args):
    assert said("python", script, *["no-mnist" if arg == "DIR" else arg for arg in args])


def said(*words):
    """What a program of this environment prints; it must end well."""
    program = Path(sys.executable).with_name(words[0])
    done = subprocess.run([program, *words[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
