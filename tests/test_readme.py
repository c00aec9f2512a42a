"""The README's commands are those that are run."""

import re

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


def test_options_in_the_table_are_the_options():
    from attnae.checks import flag
    from attnae.config import GROUPS, RunConfig, option_names

    for option in option_names(*GROUPS):
        rows = re.findall(rf"^\| `{flag(option)}`[^|]*\| (.*?) \|", README, re.M)
        default = getattr(RunConfig, option)
        shown = " ".join(map(str, default)) if isinstance(default, tuple) else str(default)
        shown = {"True": "on", "False": "off", "None": "unset"}.get(shown, shown)
        assert shown in rows, option
