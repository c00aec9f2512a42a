"""Every command in the README, CONTRIBUTING.md and docs/ is run as written, on small images and with small models.

A command that `run_command` does not know fails, so that every new command is tested as well.
"""

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from attnae.cli import main, train_command
from attnae.config import RunConfig, read_config
from tests.conftest import PATIENCE, ROOT, tiny_flags
from tests.data.test_sources import write_idx_set

pytestmark = pytest.mark.usefixtures("blank_pictures", "blank_figures")

# tests/trained/test_docs.py tests docs/trained.md, because it also checks the files that the commands write.
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != "trained.md"),
]
BLOCK = re.compile(r"```(?:sh|bash|console)\n(.*?)```", re.S)
INLINE = re.compile(r"`((?:(?:python|tensorboard|pytest|ray)|attnae \w+) [^`]+)`")
TOOLS = ("python", "python3", "pip", "pytest", "ruff", "mypy", "attnae", "tensorboard", "ray")
PROMPT = re.compile(r"^(\w+\$ +|exec |srun |\.venv[\w-]*/bin/)")  # shell prompts and prefixes of a command
# Lines of shell scripts without a command of this project. `bash -n` checks them as part of their script.
OTHER_LINES = re.compile(r"#|rsync -a ")

# Appended to the documented commands.
TINY_MODEL = ["--units", "6", "4", "2", "--block-depth=1", "--batch-size=32", "--epochs=1", "--threads=1"]
TINY_RUN = [*TINY_MODEL, "--picture-every=0", "--compile=off"]
TINY_STUDY = [*TINY_MODEL, "--limit-train=60", "--limit-test=10"]
STUDIES = ("attention", "attention-family", "factorial", "findings", "lightning", "mlflow", "mnist", "optuna")
# This replaces the article's 32 cells; the real study file is used with --dry-run only.
SMALL_STUDY = "factors: {spatial_attention: [false, true], act: [relu, elu]}"


def commands(path):
    """The commands of a document, in order and without repetitions."""
    text = path.read_text()
    lines = [line for block in BLOCK.findall(text) for line in block.replace("\\\n", " ").splitlines() if line]
    found = []
    for line in [*lines, *INLINE.findall(text)]:
        for part in line.split(" && "):
            command = PROMPT.sub("", part)
            if not OTHER_LINES.match(command):
                found.append(" ".join(command.split()))
    return list(dict.fromkeys(found))


ALL = [(path.name, command) for path in DOCUMENTS for command in commands(path)]


def is_slow(command):
    """Whether the command starts processes that import torch again."""
    script = "benchmarks" in command or "docs/gallery" in command
    return script or ("--study" in command and "--launcher ray" not in command)


@pytest.fixture(scope="module")
def with_runs(tmp_path_factory):
    """A checkout with small data sets, and with the runs that the commands read.

    MNIST and FashionMNIST have 72 training images of noise each. logs/ holds a small study, a run with attention and
    a run that was killed. Each folder of `STUDIES` in it holds copies of the study and of the killed run.
    """
    from tests.faults.processes import ended, right_after_the_checkpoint, start

    home = tmp_path_factory.mktemp("home")
    for name in ("train.py", "analyze.py", "benchmarks", "attnae", "docs"):
        (home / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "configs", home / "configs")
    (home / "configs" / "factorial.yaml").rename(home / "configs" / "article-factorial.yaml")
    (home / "configs" / "factorial.yaml").write_text(SMALL_STUDY)
    write_idx_set(home / "data" / "MNIST" / "raw", train=72, test=12)
    write_idx_set(home / "fashion-mnist", train=72, test=12)
    (home / "photos").mkdir()
    Image.new("RGB", (12, 9), "teal").save(home / "photos" / "teal.png")

    def flags(name, **options):
        return [*tiny_flags(**{"epochs": 1, **options}), f"--log-dir={home / 'logs'}", f"--name={name}"]

    killed = RunConfig(spatial_attention=True, act="elu", dataset="digits").default_name()
    assert ended(start(flags(killed, epochs=3), home / "screen", before=right_after_the_checkpoint)) == -9
    for act, seed in itertools.product(("relu", "elu"), (1, 2)):
        assert train_command(flags(f"act={act},seed={seed}", act=act, seed=seed)) == 0
    for study in STUDIES:
        shutil.copytree(home / "logs", home / study)
    for study in STUDIES:
        (home / study).rename(home / "logs" / study)
    assert train_command(flags("mine", spatial_attention=True)) == 0
    return home


@pytest.mark.parametrize(
    ("document", "command"),
    [pytest.param(*each, marks=[pytest.mark.slow] if is_slow(each[1]) else [], id=" ".join(each)) for each in ALL],
)
def test_documented_command_runs(document, command, with_runs, tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(with_runs, tmp_path / "home", symlinks=True))
    run_command(shlex.split(command, comments=True), document)


@pytest.mark.parametrize("path", [*DOCUMENTS, ROOT / "docs" / "trained.md"], ids=lambda path: path.name)
def test_relative_links_exist(path):
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()) if "://" not in link]
    assert [link for link in links if not (path.parent / link.partition("#")[0]).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_named_tests_exist(path):
    for file, test in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", path.read_text()):
        assert (f"def {test}(" if test else "") in (ROOT / file).read_text()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_shell_blocks_are_valid_bash(path):
    for block in re.findall(r"```(?:sh|bash)\n(.*?)```", path.read_text(), re.S):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)


def python_block(name, values, home, monkeypatch):
    """Run the only Python block of a document in the folder `home`; return its variables."""
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), re.S)
    monkeypatch.chdir(home)
    exec(block, values)
    return values


def test_python_block_of_the_readme(with_runs, monkeypatch):
    found = python_block("README.md", {"images": torch.rand(3, 1, 8, 8)}, with_runs, monkeypatch)
    assert found["codes"].shape == found["log_var"].shape == (3, 2)
    assert {attention.shape[:2] for attention in found["maps"].values()} == {(3, 1)}


def test_python_block_of_the_statistics(with_runs, monkeypatch):
    result = python_block("docs/statistics.md", {}, with_runs, monkeypatch)["result"]
    assert list(result.effects.factor.unique()) == ["act"]
    assert set(result.dropped_factors) == {"batch_norm", "dropout", "spatial_attention"}


@pytest.mark.slow
def test_documents_show_the_pictures_of_the_script(with_runs, tmp_path):
    """The script draws the pictures of the README and the documents, and no others."""
    tools = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    runs = [with_runs / "logs" / "mine", with_runs / "logs" / "factorial", tmp_path / "family"]
    for attention, seed in itertools.product(("spatial", "cbam", "simam", "coordinate"), (768, 769)):
        name = f"attention={attention},seed={seed}"
        flags = [*tiny_flags(epochs=1, attention=attention, seed=seed), "--dataset=digits"]
        assert train_command([*flags, f"--log-dir={tmp_path / 'family'}", f"--name={name}"]) == 0
    subprocess.run([ROOT / "docs" / "pictures.sh", *runs, tmp_path / "new"], env=tools, check=True, timeout=PATIENCE)
    drawn = {path.name for path in (tmp_path / "new").iterdir()}
    shown = "".join(path.read_text() for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))
    assert drawn == set(re.findall(r"\((?:docs/)?pictures/([\w.-]+)\)", shown))
    assert drawn == {path.name for path in (ROOT / "docs" / "pictures").iterdir()}


def test_the_gallery_shows_its_figures_and_no_others():
    shown = re.findall(r"\(gallery/([\w-]+\.svg)\)", (ROOT / "docs" / "gallery.md").read_text())
    assert sorted(shown) == sorted(path.name for path in (ROOT / "docs" / "gallery").glob("*.svg"))
    assert len(shown) == 4


def run_command(words, document):
    match words:
        case ["python", "train.py" | "analyze.py" as script, "--help"]:
            assert "--" in output_of("python", script, "--help")
        case ["python", "train.py", *args]:
            assert train(args) == 0
        case ["python", "analyze.py", *args]:
            assert main(["analyze", *args]) == 0
            report = Path(args[0]) / "analysis" / "report.json"
            assert report.stat().st_size > 1000
        case ["python", "benchmarks/study_speed.py", *_]:
            assert "--compiled" in output_of("python", words[1], "--help")
            # Compiling would take minutes.
            eager = [word.replace("OTHER", str(ROOT)) for word in words[1:] if word != "--compiled"]
            benchmark(*eager, "--turns=1", "--epochs=1", "--seeds=1", "--limit-train=60")
        case ["python", "benchmarks/train_speed.py", *_]:
            other = [word.replace("OTHER", str(ROOT)) for word in words[1:]]
            benchmark(*other, "--turns=1", "--steps=1", "--no-once", "--no-compile")
        case ["python", "benchmarks/inference.py" | "benchmarks/sequential.py", *_]:
            benchmark(*words[1:], "--studies=10")
        case ["python", "benchmarks/attentions.py", *_]:
            benchmark(*words[1:], "--turns=1", "--steps=1")
        case ["python", "benchmarks/published.py", *_]:
            benchmark(*words[1:], "--images=64", "--epochs=1", "--test-images=10", "--samples=2")
        case ["python", "benchmarks/layers.py" | "benchmarks/convolutions.py", *_]:
            benchmark(*words[1:], "--turns=1")
        case ["python", "benchmarks/big_tables.py", *_]:
            benchmark(*words[1:], "--kilobytes=5", "--tables", "optuna")
        case ["python", "benchmarks/start_speed.py", *_]:
            benchmark("benchmarks/start_speed.py", f"--other={ROOT}", "--turns=1", "--runs=3", "--only=read_logs")
        case ["python", "benchmarks/read_speed.py", *_]:
            benchmark(*words[1:], "--runs=2", "--scalar-runs=3", "--epochs=2", "--repeats=1")
        case ["python", "benchmarks/step_profile.py", *_]:
            benchmark("benchmarks/step_profile.py", "--data-dir=DIR", "--steps=1")
        case ["python", "benchmarks/memory.py", *_]:
            benchmark("benchmarks/memory.py", "--dataset=digits", "--threads=1")
        case ["python", "benchmarks/busy_cores.py", *_]:
            benchmark(*words[1:], "--turns=1", "--steps=1")
        case ["python", "docs/gallery.py"]:
            make_gallery_of_one_report(Path("one"))
        case ["python", "docs/gallery/lightning_digits.py", *_]:
            output_of("python", *words[1:], "--epochs=1", "--seeds=1")
            assert len(list(Path("logs", "lightning").glob("lightning_logs/*/metrics.csv"))) == 8
        case ["python", "docs/gallery/mlflow_digits.py" | "docs/gallery/optuna_digits.py" as script, *_]:
            assert script in (ROOT / "tests" / "reading" / "real" / "test_gallery.py").read_text()
        case ["python", "benchmarks/searches.py", *_]:
            benchmark(*words[1:], "--searches=1", "--nulls=2", "--permutations=99", "--adaptive=0")
        case ["attnae", "train", *args]:
            assert train(args) == 0
        case ["attnae", "work", *args]:
            small = [
                "--study",
                "configs/factorial.yaml",
                *TINY_STUDY,
                "--replicates=1",
                "--dataset=digits",
                "--name=typed",
            ]
            assert train_command([*small, "--launcher=none"]) == 0
            args = ["logs/typed" if arg.endswith("logs/factorial") else arg for arg in args]
            assert main(["work", *args, "--max-runs=1"]) == 0
            assert len(list(Path("logs", "typed").glob("*/figure.png"))) == 1
        case ["attnae", *args]:
            assert main(args) == 0
        case ["tensorboard", *args]:
            assert "test/loss" in output_of("tensorboard", *args, "--inspect")
        case ["ray", verb, *args]:
            options = output_of("ray", verb, "--help")
            assert all(arg.partition("=")[0] in options for arg in args if arg.startswith("--"))
        case ["python", "-m", "pytest", "-p", "benchmarks.seconds_of_tests"]:
            assert "of the slowest tests" in output_of("python", *words[1:], str(ROOT / "tests" / "test_seeding.py"))
        case ["python3" | "pip" | "pytest" | "ruff" | "mypy" as tool, *_] | ["python", "-m", "pytest" as tool]:
            assert tool in (ROOT / ".ci" / "run").read_text()
        case _:
            raise AssertionError(f"{document}: no test covers {shlex.join(words)}")


def make_gallery_of_one_report(root):
    """Run the script of docs/gallery.md on a page whose commands take no time."""
    page = root / "docs" / "gallery.md"
    (root / "docs" / "gallery").mkdir(parents=True)
    shutil.copy(ROOT / "docs" / "gallery.py", root / "docs")
    text = (
        "One.\n\n```sh\nmkdir -p logs/a/analysis/figures\necho new | tee logs/a/analysis/figures/forest.svg\n```\n\n"
        "```text\nold\n```\n\n![forest](gallery/a-forest.svg)\n"
    )
    page.write_text(text)
    output_of("python", str(root / "docs" / "gallery.py"))
    assert page.read_text() == text.replace("old", "new")
    assert (root / "docs" / "gallery" / "a-forest.svg").read_text() == "new\n"


def train(args):
    """Run train.py with these arguments and small images. Ray commands get --dry-run only; test_ray.py runs Ray."""
    args = [arg.replace("/usr/share/datasets", ".").replace("/shared/", "./") for arg in args]
    args = ["data" if arg in ("DIR", "$SCRATCH/data") else arg for arg in args]
    if "--resume" in args:
        return train_command(args)
    if "--study" not in args:
        code = train_command([*args, *TINY_RUN, "--name=typed"])  # logs/mine exists already
        named = args[args.index("--dataset") + 1] if "--dataset" in args else "mnist"
        assert read_config(Path("logs", "typed", "config.yaml")).dataset == named
        return code
    number = "--max-replicates=3" if "--until" in args else "--seeds=1" if "--seeds" in args else "--replicates=1"
    small = [*TINY_STUDY, number, "--name=typed"]
    as_it_is = [arg.replace("configs/factorial", "configs/article-factorial") for arg in args]
    assert train_command([*as_it_is, *small, "--dry-run"]) == 0
    return 0 if "ray" in args else train_command([*args, *small])


def benchmark(script, *args):
    assert output_of("python", script, *["no-mnist" if arg == "DIR" else arg for arg in args])


def output_of(tool, *args):
    """The standard output of a program of this environment; it must exit with code 0."""
    program = sys.executable if tool == "python" else shutil.which(tool, path=Path(sys.executable).parent)
    done = subprocess.run([program, *args], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout
