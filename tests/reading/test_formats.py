"""Adding a format of logs: one object in the list, and its runs come out of the reader and of the report."""

from __future__ import annotations

import inspect
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from attnae.analysis.command import AnalyzeCommand
from attnae.cli import analyze_command
from attnae.errors import UserError
from attnae.reading import formats
from attnae.reading.read import read_logs, read_runs
from attnae.reading.run import FINISHED, Format, Request, Run, Series
from tests.conftest import ROOT
from tests.reading.event_logs import EventFile

pytestmark = pytest.mark.usefixtures("blank_figures")


def read_results(path: Path, request: Request) -> Sequence[Run]:
    """A file `results.jsonl` with one JSON object per line: settings, and a loss for each epoch."""
    runs = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            settings = json.loads(line)
            losses = np.array(settings.pop("loss"), dtype=np.float64)
            series = Series(steps=np.arange(1, len(losses) + 1), values=losses)
        except (ValueError, LookupError, AttributeError, TypeError):
            raise UserError(f"{path}, line {number} is not an object with settings and a list loss") from None
        runs.append(Run(f"line {number}", None, settings, {"val/loss": series}, status=FINISHED))
    return runs


RESULTS = Format("JSON lines", "a file results.jsonl", lambda path: path.name == "results.jsonl", read_results)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study in the toy format, which is registered as CONTRIBUTING.md says: one more entry of the list."""
    monkeypatch.setattr(formats, "FORMATS", [RESULTS, *formats.FORMATS])
    rows = [
        {"act": act, "seed": seed, "loss": [9.0, 2.0 + (act == "elu") + 0.1 * seed + 0.01 * (seed % 2)]}
        for act, seed in itertools.product(["relu", "elu"], range(4))
    ]
    path = tmp_path / "results.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_runs_of_a_new_format_are_read(path: Path) -> None:
    runs = read_logs(path)
    assert [run.name for run in runs] == [f"line {number}" for number in range(1, 9)]
    assert {run.format for run in runs} == {"JSON lines"}
    table = read_runs(path)
    assert list(table) == ["run", "status", "format", "source", "act", "seed", "val/loss"]
    assert table["val/loss"].tolist() == pytest.approx([2, 2.11, 2.2, 2.31, 3, 3.11, 3.2, 3.31])


def test_a_new_format_is_analysed_end_to_end(path: Path) -> None:
    assert analyze_command([str(path), "--permutations", "0"]) == 0
    report = json.loads((path.parent / "analysis" / "report.json").read_text())
    assert report["response"]["tag"] == "val/loss"
    assert report["verdicts"] == {"act": {"relu": "helps"}}
    assert report["tables"]["effects"][0]["estimate"] == pytest.approx(-1)


def test_a_new_format_beside_the_known_ones(path: Path) -> None:
    EventFile().hparams({"act": "relu"}).scalar("val/loss", 1.0).write(path.parent / "logs" / "run")
    (path.parent / "table.csv").write_text("act,loss\nrelu,1\n")
    runs = read_logs([path, path.parent / "logs", path.parent / "table.csv"])
    assert [run.format for run in runs[-3:]] == ["JSON lines", "TensorBoard", "CSV table"]
    assert [run.name for run in runs[-2:]] == ["logs/run", "table.csv/row 1"]


def test_help_and_documents_name_every_format() -> None:
    table = (ROOT / "docs" / "reading.md").read_text().partition("## Formats")[2].partition("##")[0]
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|")]
    for known in formats.FORMATS:
        assert any(row.startswith(known.name) for row in rows), f"docs/reading.md has no row for {known.name}"
        in_help = known is formats.TABLE or known.name.split()[0] in inspect.getsource(AnalyzeCommand)
        assert in_help, f"the help of analyze.py does not name {known.name}"


def test_what_is_unreadable_is_no_matter_of_another_run(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path.parent / "logs" / "broken").mkdir(parents=True)
    path.rename(path.parent / "logs" / "results.jsonl")
    (path.parent / "logs" / "broken" / "results.jsonl").write_text("no object")
    assert analyze_command([str(path.parent / "logs"), "--permutations=0"]) == 0
    audit = json.loads((path.parent / "logs" / "analysis" / "report.json").read_text())["audit"]
    (note,) = audit["unread"]
    assert note.endswith("broken/results.jsonl, line 1 is not an object with settings and a list loss")
    assert audit["dropped"] == {}
    assert "line 1 is not an object" in (path.parent / "logs" / "analysis" / "report.html").read_text()


def test_messages_name_every_format(path: Path) -> None:
    with pytest.raises(UserError, match=r"does not exist: give logs of JSON lines, TensorBoard, .*, or a CSV"):
        read_logs(path.parent / "missing")


def test_a_path_in_no_known_format(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "FORMATS", [RESULTS])
    (path.parent / "other.txt").write_text("words")
    with pytest.raises(UserError, match=r"is in no known format: give logs of JSON lines, or a CSV table"):
        read_logs(path.parent / "other.txt")


def test_blank_and_damaged_lines_of_a_new_format(path: Path) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "", lines[1]]))
    assert [run.name for run in read_logs(path)] == ["line 1", "line 3"]
    for damaged in ('{"act": "relu"', "3", '{"act": "relu"}', '{"act": "relu", "loss": 3}'):
        path.write_text(f"{lines[0]}\n{damaged}\n")
        with pytest.raises(UserError, match=r"line 2 is not an object with settings and a list loss"):
            read_logs(path)


def test_a_directory_is_searched_for_a_new_format(path: Path) -> None:
    deep = path.parent / "studies" / "one"
    deep.mkdir(parents=True)
    path.rename(deep / "results.jsonl")
    runs = read_logs(path.parent)
    assert [run.name for run in runs][:2] == ["studies/one/results.jsonl/line 1", "studies/one/results.jsonl/line 2"]
    assert {run.source for run in runs} == {str(deep / "results.jsonl")}
