"""Runs of a study that stops when it is decided: the replicate of each, and which of them planned looks can use."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from attnae.analysis.audit.outcomes import USED
from attnae.analysis.inference.looks import FIRST_LOOK, Replicates
from attnae.reading.run import Run
from attnae.tags import LOOKS
from attnae.text import clean, counted

REPLICATE = re.compile(r"replicate=(\d{1,6})$")
ORDINARY = "the p-values and intervals are those of a study whose number of runs was fixed beforehand"


def planned_replicates(
    runs: Sequence[Run], table: pd.DataFrame
) -> tuple[pd.DataFrame, Replicates | None, tuple[str, ...]]:
    """The rows to analyse, their replicates, and remarks for the report.

    Replicates are None where no study with planned looks is analysed, or where its looks cannot be used, which a remark
    explains. Runs of a replicate that is not complete yet are left out.

    Args:
        runs: all runs that were read.
        table: the rows of the runs that ended, with columns `run` and `status`.
    """
    directories = {run.name: run.directory for run in runs}
    places = {None if (path := directories[name]) is None else path.parent for name in table["run"]}
    studies = [place for place in places if place is not None and (place / LOOKS).is_file()]
    if not studies:
        return table, None, ()
    name = clean(studies[0] / LOOKS)
    if len(places) > 1:
        return table, None, (f"{name} is not used, because runs of several directories are analysed: {ORDINARY}",)
    try:
        content = json.loads((studies[0] / LOOKS).read_text(encoding="utf-8"))
        planned, cells, problem = int(content["planned"]), int(content["cells"]), str(content["problem"])
        response, small = str(content["response"]), content["negligible"]
        small = None if small is None else float(small)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return table, None, (f"{name} cannot be read: {ORDINARY}",)
    found = {run: REPLICATE.search(path.name) for run in table["run"] if (path := directories[run]) is not None}
    numbers = table["run"].map({run: int(match[1]) if match else 0 for run, match in found.items()})
    if problem:
        line = f"{clean(problem)}, so the study went on to {planned} replicates without further looks"
        return table, None, (f"{line}: {ORDINARY}, and do not allow for the looks that were taken before",)
    finished = Counter(numbers[table["status"].isin(USED)])
    complete = next((number for number in range(planned) if finished[number + 1] != cells), planned)
    if complete < FIRST_LOOK:
        line = f"{counted(complete, 'replicate')} of the study {'is' if complete == 1 else 'are'} complete"
        return table, None, (f"{line}, and the planned looks begin with {FIRST_LOOK}: {ORDINARY}",)
    kept = numbers.between(1, complete)
    remarks: tuple[str, ...] = ()
    if not kept.all():
        left = counted(int((~kept).sum()), "run")
        remarks = (f"{left} left out: replicate {complete + 1} is not complete, and a planned look needs whole ones",)
    of_run = dict(zip(table["run"], numbers, strict=True))
    return table[kept], Replicates(planned, of_run, response, small), remarks
