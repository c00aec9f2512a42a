"""Whatever bytes stand in a file, only `UserError` comes out; what is left out of a log is said."""

from __future__ import annotations

import random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from attnae.analysis.audit.audit import audit_runs
from attnae.config import RunConfig, option_names, read_config
from attnae.errors import UserError
from attnae.reading.read import read_logs
from attnae.reading.settings import read_yaml
from attnae.study.file import read_study_file
from tests.reading.event_logs import EventFile, frame

fuzz = settings(max_examples=150, deadline=None, derandomize=True, database=None)

OPTIONS = option_names("model", "training", "data", "hardware", "output")
# What YAML gives a meaning to, and what options do.
SIGNS = [
    "{",
    "}",
    "[",
    "]",
    "'",
    '"',
    "#",
    "~",
    "\n",
    "\n  ",
    "\t",
    "\0",
    "\ud7ff",
    "\ufeff",
    "- ",
    "? ",
    "| ",
    ": ",
    ", ",
]
WORDS = ["---", "...", "%YAML", "&a ", "*a", "<<: ", "yes", "null", "1e-4", "1:30", "2001-01-01", ".nan", "0x1F", "--x"]
TAGS = ["!!int ", "!!bool ", "!!timestamp ", "!!python/tuple ", "!!set "]
TOKENS = st.sampled_from([*SIGNS, *WORDS, *TAGS, *OPTIONS, "factors", "replicates", "until", "seeds", "options"])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates() | st.binary(max_size=5)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SCALARS, inner, max_size=4), max_leaves=8
)
KEYS = st.sampled_from([*OPTIONS, "factors", "replicates", "until", "seeds", "options"]) | SCALARS
MAPPINGS = st.dictionaries(KEYS, VALUES | st.dictionaries(KEYS, VALUES, max_size=3), max_size=4)
YAML = (
    st.lists(TOKENS | st.text(max_size=5), max_size=30).map("".join).map(lambda text: text.encode("utf-8", "replace"))
    | MAPPINGS.map(lambda tree: yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass"))
    | st.binary(max_size=60)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def only_our_error(call):
    """What the call returns; nothing where it raised `UserError`."""
    try:
        return call()
    except UserError:
        return None


@fuzz
@given(YAML)
def test_options(folder, content):
    path = folder / "options.yaml"
    path.write_bytes(content)
    config = only_our_error(lambda: read_config(path))
    assert config is None or isinstance(config, RunConfig)


@fuzz
@given(YAML | MAPPINGS.map(lambda tree: yaml.safe_dump({"factors": tree, "seeds": 2}).encode()))
def test_studies(folder, content):
    path = folder / "study.yaml"
    path.write_bytes(content)
    design = only_our_error(lambda: read_study_file(path).design(RunConfig()))
    assert design is None or {run.directory.parent for run in design.runs()} == {design.directory}


@fuzz
@given(YAML)
def test_settings_beside_logs(folder, content):
    (folder / "hparams.yaml").write_bytes(content)
    problems: list[str] = []
    values = read_yaml(folder, problems)
    assert len(problems) <= 1
    assert not (values and problems)
    assert all(isinstance(name, str) and value == value for name, value in values.items())
    assert all(isinstance(value, (bool, int, float, str)) for value in values.values())


CELLS = st.sampled_from(
    ["1", "2.5", "nan", "inf", "", "true", "act", "loss", "seed", "run", "status", "=1+1", '"', "1e999"]
)
LINES = st.lists(CELLS | st.text(max_size=5), max_size=4).map(",".join)


@fuzz
@given(
    st.lists(LINES, max_size=6).map("\n".join).map(lambda text: text.encode("utf-8", "replace"))
    | st.binary(max_size=60)
)
def test_tables(folder, content):
    path = folder / "runs.csv"
    path.write_bytes(content)
    only_our_error(lambda: audit_runs(read_logs(path)))


@fuzz
@given(st.dictionaries(st.text(max_size=5), st.lists(CELLS, min_size=4, max_size=4), min_size=2, max_size=5))
def test_tables_that_are_whole(folder, columns):
    path = folder / "whole.csv"
    names = [name.replace('"', "").replace("\n", "").replace("\r", "") for name in columns]
    rows = [
        [f'"{name}"' for name in names],
        *([cell.replace('"', "") for cell in row] for row in zip(*columns.values(), strict=True)),
    ]
    path.write_text("\n".join(map(",".join, rows)), encoding="utf-8", errors="replace")
    only_our_error(lambda: audit_runs(read_logs(path)))


def log_file():
    """A log with a record of each kind that the reader knows."""
    file = EventFile().declared_metrics(["test/loss"]).hparams({"act": "elu", "batch_norm": True, "lr": 0.1})
    return file.scalar("test/loss", 0.5, 1).image("picture", b"PNG", 1).restart(2).text("run/status", "finished", 2)


WHOLE = log_file()


@st.composite
def broken_logs(draw):
    """The log with bytes changed, cut out and put in; checksums made right again in half of the cases."""
    dice = random.Random(draw(st.integers(0, 2**32)))
    records = list(WHOLE._records)
    if draw(st.booleans()):
        payloads = [bytearray(record[12:-4]) for record in records] + [bytearray(draw(st.binary(max_size=40)))]
        for payload in payloads:
            for _ in range(dice.randrange(3)):
                if payload:
                    payload[dice.randrange(len(payload))] = dice.randrange(256)
        return b"".join(frame(bytes(payload)) for payload in payloads)
    content = bytearray(b"".join(records))
    for _ in range(dice.randrange(1, 4)):
        place = dice.randrange(len(content))
        content[place : place + dice.randrange(20)] = dice.randbytes(dice.randrange(20))
    return bytes(content)


@fuzz
@given(broken_logs() | st.binary(max_size=200))
def test_event_files(folder, content):
    (folder / "logs").mkdir(exist_ok=True)
    (folder / "logs" / "events.out.tfevents.1.host").write_bytes(content)
    runs = only_our_error(lambda: read_logs(folder / "logs"))
    assert runs is not None
    (run,) = runs
    for series in run.scalars.values():
        assert len(series.steps) == len(series.values) == len(set(series.steps.tolist()))


def test_the_log_that_is_broken_here_is_whole_at_first(folder):
    directory = folder / "whole"
    WHOLE.write(directory)
    (run,) = read_logs(directory)
    assert (run.status, run.problems, run.hparams) == ("finished", (), {"act": "elu", "batch_norm": True, "lr": 0.1})
    assert run.scalars["test/loss"].values.tolist() == [0.5]
