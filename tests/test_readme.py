"""The README's commands are those that are run, and the tables of options are those of the code."""

import configparser
import re
import typing

import docstring_parser

from attnae.config import GROUPS, flag
from attnae.config.run import choices
from attnae.config.study_options import StudyOptions
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
TRAIN = (
    "python3 -m venv .venv && .venv/bin/pip install -q -e . && "
    ".venv/bin/python train.py --spatial-attention --act elu --dataset digits"
)
TEST = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/python -m pytest"


def commands(text):
    """The lines of the shell blocks."""
    blocks = re.findall(r"```(?:bash|sh)\n(.*?)```", text, re.S)
    return [line for block in blocks for line in block.splitlines() if line]


def test_the_two_commands_are_there_a_line_each():
    assert TRAIN in commands(README)
    assert TEST in commands(README)


def test_ci_runs_the_test_command_to_the_letter():
    assert TEST in (ROOT / ".ci" / "run").read_text().splitlines()


def test_what_the_commands_need_is_there():
    for name in ("train.py", "analyze.py", "setup.cfg", "LICENSE", "configs/quick.yaml", "configs/article.yaml"):
        assert (ROOT / name).is_file()


def test_packages_are_those_that_are_imported():
    """At least the ones that the project was asked to stand on, and an extra for each thing that can be left out."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    options, extras = setup["options"], setup["options.extras_require"]
    assert options["python_requires"] == ">=3.10"

    def names(lines):
        return {re.split(r"[<>=]", line)[0] for line in lines.split()}

    assert names(options["install_requires"]) >= {
        "torch",
        "torchvision",
        "pytorch-lightning",
        "tensorboard",
        "statsmodels",
        "numpy",
        "pandas",
        "scikit-learn",
        "matplotlib",
        "rich",
        "tyro",
        "pydantic",
        "PyYAML",
        "jinja2",
        "crc32c",
    }
    assert names(extras["ray"]) == {"ray"}
    assert names(extras["onnx"]) == {"onnx", "onnxruntime"}
    assert names(extras["test"]) >= {
        "attnae[ray]",
        "attnae[onnx]",
        "hypothesis",
        "selenium",
        "ruff",
        "mypy",
        "pytest-cov",
    }


def test_the_licence_names_the_source_of_the_method():
    licence = (ROOT / "LICENSE").read_text()
    assert licence.startswith("MIT License")
    assert "Octavio Gonzalez-Lugo" in licence


def described_options():
    """(flag, default, description) of each option, as the tables of docs/options.md show them."""
    for kind in (*GROUPS.values(), StudyOptions):
        source = docstring_parser.parse_from_object(kind)
        texts = {field.arg_name: " ".join(field.description.split()) for field in source.params}
        for option, declared in typing.get_type_hints(kind).items():
            default = getattr(kind, option)
            shown = " ".join(map(str, default)) if isinstance(default, tuple) else str(default)
            values = [str(value) for value in choices(declared) if value is not None]
            one_of = f" One of {', '.join(values)}." if values else ""
            yield (
                flag(option),
                {"True": "on", "False": "off", "None": "unset"}.get(shown, shown),
                texts[option] + one_of,
            )


def test_options_in_the_tables_are_the_options_of_the_help():
    tables = (ROOT / "docs" / "options.md").read_text()
    rows = re.findall(r"^\| `(--[a-z-]+)[^|]*\| (.*?) \| (.*?) \|$", tables, re.M)
    assert sorted(rows) == sorted(described_options())


def test_the_readme_names_every_document_once():
    listed = re.findall(r"^\| \[\w+\]\(docs/(\w+\.md)\) \|", README, re.M)
    assert sorted(listed) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))
