"""The words by which programs say how a run ended."""

from __future__ import annotations

from collections.abc import Mapping

from attnae.reading.run import DIVERGED, FAILED, FINISHED, PRUNED, UNFINISHED, UNKNOWN
from attnae.reading.table.cells import NO_SETTING, Column

COLUMNS = ("status", "state", "run_status", "trial_status", "sys/failed")
# fmt: off
WORDS = {
    **dict.fromkeys(("finished", "complete", "completed", "success", "succeeded", "successful", "terminated", "done"),
                    FINISHED),
    **dict.fromkeys(("failed", "fail", "failure", "error", "errored", "crashed", "killed", "preempted", "preempting",
                     "stopped", "aborted", "cancelled", "canceled", "timeout", "oom", "unreadable"), FAILED),
    **dict.fromkeys(("pruned",), PRUNED),
    **dict.fromkeys(("running", "waiting", "pending", "scheduled", "queued", "paused", "unfinished"), UNFINISHED),
    DIVERGED: DIVERGED,
    # A duplicate of our own runs.csv is found again by its settings.
    **dict.fromkeys((UNKNOWN, "duplicate"), UNKNOWN),
}
# fmt: on


def find_status(columns: Mapping[str, Column]) -> str | None:
    """The column that says how each run ended, if most of its words are known."""
    for name, column in columns.items():
        if name.lower() in COLUMNS and 2 * sum(_mark(name, text) is not None for text in column.texts) > column.given:
            return name
    return None


def read_statuses(column: Column) -> tuple[list[str], list[str]]:
    """The status of each row, and problems. A run with an unknown word is not used: it counts as failed."""
    marks: list[str] = []
    odd: dict[str, int] = {}
    for text in column.texts:
        mark = UNKNOWN if text.lower() in NO_SETTING else _mark(column.name, text)
        if mark is None:
            odd[text] = odd.get(text, 0) + 1
        marks.append(mark or FAILED)
    problems = [
        f"{column.name} is {text[:40]!r} in {count} of {len(marks)} rows, no known status: they count as failed"
        for text, count in list(odd.items())[:5]
    ]
    return marks, problems


def _mark(name: str, text: str) -> str | None:
    if name == "sys/failed":
        return {"true": FAILED, "false": FINISHED}.get(text.lower())
    return WORDS.get(text.lower().removeprefix("trialstate.").removeprefix("runstatus."))
