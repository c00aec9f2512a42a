"""The report of logs whose every name attacks, in a real browser: nothing runs, everything is shown as text."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from attnae.cli import analyze_command
from tests.reading.event_logs import write_study

# Each would change the title of the page if anything of it ran. Names of folders hold no slash.
RUN = '"><img src=x onerror="document.title=1">'
SETTING = "<script>document.title=2</script>"
LEVEL = "'><svg onload='document.title=3'>"
TAG = "</style><script>document.title=4</script>/loss"
COMMIT = "{{ 7 * 7 }}<iframe srcdoc='<script>parent.document.title=5</script>'>"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    directory = tmp_path_factory.mktemp("evil") / "logs"
    rows = [(level, seed, 1.0 + seed + 0.1 * cell) for cell, level in enumerate("ab") for seed in range(4)]
    table = pd.DataFrame(rows, columns=[SETTING, "seed", "response"])
    table[SETTING] = LEVEL + table[SETTING]
    table["status"] = ["diverged", *["finished"] * 7]
    for number, run in enumerate(write_study(directory, table, [SETTING], TAG, status="status")):
        metrics = {"status": table.status[number], "git_commit": f"{COMMIT}{number % 2}", "versions": {RUN: "1"}}
        (run / "metrics.json").write_text(json.dumps(metrics))
        run.rename(run.with_name(f"{RUN}{number}"))
    assert analyze_command([str(directory), "--permutations", "99"]) == 0
    return directory


def test_nothing_runs_and_everything_is_text(browser, report):
    page = report / "analysis" / "report.html"
    browser.get_log("browser")
    browser.get(page.as_uri())
    assert browser.get_log("browser") == []
    assert (
        browser.execute_script("return document.querySelectorAll('script, img, iframe, [onerror], [onload]').length")
        == 0
    )
    assert browser.title == f"Which choices matter for {TAG}?"
    text = browser.execute_script("return document.body.textContent")
    for payload in (f"{RUN}0", SETTING, f"{LEVEL}a", TAG, f"{COMMIT}0"):
        assert payload in text


def test_spreadsheets_are_given_no_formula(tmp_path):
    """In every file: a setting, a level and a run that begin as formulas do."""
    rows = [(level, seed, 1.0 + seed + 0.1 * cell) for cell, level in enumerate("ab") for seed in range(4)]
    table = pd.DataFrame(rows, columns=["=1+1", "seed", "response"])
    table["=1+1"] = "=cmd|' /C calc'!A0" + table["=1+1"]
    for number, run in enumerate(write_study(tmp_path / "logs", table, ["=1+1"], "@loss")):
        run.rename(run.with_name(f"+{number}-1"))
    assert analyze_command([str(tmp_path / "logs"), "--permutations", "99"]) == 0
    files = sorted((tmp_path / "logs" / "analysis").rglob("*.csv"))
    cells = [
        str(cell)
        for file in files
        for frame in [pd.read_csv(file, header=None, dtype=str, keep_default_na=False)]
        for cell in frame.to_numpy().ravel()
    ]
    assert {"'=1+1", "'=cmd|' /C calc'!A0a", "'+0-1"} <= set(cells)
    dangerous = [cell for cell in cells if cell[:1] in ("=", "@", "\t") or (cell[:1] in "+-" and not is_number(cell))]
    assert not [cell for cell in dangerous if cell]


def is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True
