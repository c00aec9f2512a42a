"""Studies that add replicates until the question is decided: `--until decided`.

After the first three replicates, and after each further one, the study is analysed by looks that were planned before
the first run (`attnae.analysis.inference.looks`). looks.json in the directory of the study holds all looks, and says
which replicates may be trained. Whoever finishes a replicate takes the look. A look depends on the results of the runs
alone, so that a study that is interrupted and continued decides the same.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from attnae.errors import UserError
from attnae.files import write_text
from attnae.rundir.directory import read_metrics
from attnae.study.design import Design, PlannedRun
from attnae.study.designs import level_text
from attnae.study.file import FIRST_LOOK
from attnae.study.state import make_directory
from attnae.tags import DIVERGED, FINISHED, LOOKS, scalar

if TYPE_CHECKING:
    import numpy as np

    from attnae.analysis.estimates.planned import PlannedEffects, PlannedFamily

LOCK = ".looks.lock"
ALPHA = 0.05
RESPONSE = scalar("test", "loss")
DECIDED, MAXIMUM = "every factor of interest is decided", "the largest number of replicates is reached"


@dataclass(frozen=True)
class Looks:
    """What looks.json says.

    Attributes:
        looks: the looks so far: `replicates`, `factors` and `effects`, as `_look` makes them.
        problem: why the study goes on to the largest number of replicates without further looks; empty: it does not.
        stop: why no further replicate is trained; empty: the study goes on.
    """

    looks: tuple[Mapping[str, Any], ...] = ()
    problem: str = ""
    stop: str = ""

    def opened(self, design: Design) -> int:
        """The number of replicates that may be trained."""
        if self.problem:
            return design.replicates
        last = int(self.looks[-1]["replicates"]) if self.looks else FIRST_LOOK - 1
        return last if self.stop else last + 1


def read_looks(directory: Path) -> Looks:
    """The looks of the study in a directory; `UserError` if looks.json is damaged."""
    path = directory / LOOKS
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Looks(tuple(found["looks"]), str(found["problem"]), str(found["stop"]))
    except FileNotFoundError:
        return Looks()
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(f"{path} is damaged: delete it, and the same looks are taken again") from error


def open_runs(design: Design) -> list[PlannedRun]:
    """The runs that may be trained so far; all of them, unless the study is to stop when it is decided."""
    runs = design.runs()
    if design.until is None:
        return runs
    opened = read_looks(design.directory).opened(design)
    return [run for run in runs if run.repeat <= opened]


def advance(design: Design) -> list[str]:
    """Take the looks that are due, and make the directories of the replicate that comes next.

    Any number of processes may call this at any time: each look is taken once. The lines say what was found.
    """
    if design.until is None:
        return []
    lines: list[str] = []
    with FileLock(design.directory / LOCK):
        while (found := _next(design, read_looks(design.directory))) is not None:
            _make_directories(design, found.opened(design))
            _write(design, found)
            lines.append(f"no early stop: {found.problem}" if found.problem else describe_look(found.looks[-1]))
            if found.stop:
                lines.append(f"stop: {found.stop}")
    return lines


def _next(design: Design, before: Looks) -> Looks | None:
    """The looks with the one that is due now; None if none is."""
    assert design.until is not None
    if before.stop or before.problem:
        return None
    count = before.opened(design)
    runs = [run for run in design.runs() if run.repeat <= count]
    metrics = [read_metrics(run.directory) for run in runs]
    states = [found.get("status") for found in metrics]
    if not all(state in (FINISHED, DIVERGED) for state in states):
        return None
    lost = [run.name for run, state in zip(runs, states, strict=True) if state == DIVERGED]
    values = [found.get("metrics", {}).get(RESPONSE, math.nan) for found in metrics]
    lost = lost or [run.name for run, value in zip(runs, values, strict=True) if not math.isfinite(value)]
    if lost:
        return Looks(before.looks, problem=f"{lost[0]} has no result")
    import numpy as np

    # TensorBoard's files hold single precision: the report of these files and the looks see the same numbers.
    y = np.array(values, dtype=np.float32).astype(float).reshape(count, -1)
    look = _look(design, y)
    open_factors = [name for name in design.until.factors if look["factors"][name]["verdict"] == "undetermined"]
    stop = DECIDED if not open_factors else MAXIMUM if count == design.replicates else ""
    return Looks((*before.looks, look), stop=stop)


def family_of(design: Design) -> PlannedFamily:
    """The planned looks at the main effects of a design."""
    import numpy as np
    import pandas as pd

    from attnae.analysis.design.factors import read_factor
    from attnae.analysis.estimates.planned import PlannedFamily

    cells = design.cells()
    varied = [name for name in design.factors if len({cell[name] for cell in cells}) > 1]
    columns = {
        name: [level_text(cell[name]) if isinstance(cell[name], tuple) else cell[name] for cell in cells]
        for name in varied
    }
    read = [read_factor(name, pd.Series(values, dtype=object)) for name, values in columns.items()]
    codes = np.column_stack([codes for _, codes in read])
    return PlannedFamily([factor for factor, _ in read], codes, planned=design.replicates)


def _look(design: Design, y: np.ndarray) -> dict[str, Any]:
    """A look at the responses, (replicates, cells), as looks.json holds it."""
    from attnae.analysis.estimates.family import Reading

    assert design.until is not None
    family = family_of(design)
    found = family.judge(y, Reading(alpha=ALPHA, negligible=design.until.negligible))
    words = family.decisions(found, ALPHA)
    adjusted = found.adjusted.factors
    return {
        "replicates": len(y),
        "factors": {
            name: {
                "verdict": str(word),
                "p_planned": _number(adjusted[name][0]),
                "p_holm": _number(adjusted[name][1]),
            }
            for name, word in words.items()
        },
        "effects": list(_effects(family, found, len(y))),
    }


def _effects(family: PlannedFamily, found: PlannedEffects, count: int) -> Iterator[dict[str, Any]]:
    look = found.look
    for row, (factor, level) in enumerate(family.after(count).keys):
        yield {
            "factor": factor,
            "level": level,
            "estimate": _number(look.estimate[row]),
            "ci_low_planned": _number(look.ci_low[row]),
            "ci_high_planned": _number(look.ci_high[row]),
            "p_planned": _number(look.p[row]),
            "p_holm": _number(found.adjusted.rows[row]),
            "p_negligible": _number(found.p_negligible[0][row]),
            "p_negligible_holm": _number(found.p_negligible[1][row]),
            "verdict": str(found.verdicts[row]),
        }


def _number(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _write(design: Design, found: Looks) -> None:
    assert design.until is not None
    content = {
        "schema": "attnae-looks",
        "planned": design.replicates,
        "cells": len(design.cells()),
        "alpha": ALPHA,
        "response": RESPONSE,
        "factors_of_interest": list(design.until.factors),
        "negligible": design.until.negligible,
        "looks": list(found.looks),
        "problem": found.problem,
        "stop": found.stop,
    }
    write_text(design.directory / LOOKS, json.dumps(content, indent=1, allow_nan=False) + "\n")


def _make_directories(design: Design, opened: int) -> None:
    for run in design.runs():
        if run.repeat <= opened:
            make_directory(run)


def describe_look(look: Mapping[str, Any]) -> str:
    """A look in one line."""
    words = ", ".join(f"{name} {values['verdict']}" for name, values in look["factors"].items())
    return f"look after {look['replicates']} replicates: {words}"


def opening(design: Design) -> list[str]:
    """What to know before the first run."""
    assert design.until is not None
    shown = ", ".join(design.until.factors)
    verb = "is" if len(design.until.factors) == 1 else "are"
    lines = [
        f"Until decided: a look after each replicate from number {FIRST_LOOK} on, at most {design.replicates} of them; "
        f"training stops when {shown} {verb} decided."
    ]
    small = design.until.negligible
    if small is None:
        lines.append("Without --negligible, a factor without an effect is never decided: all replicates are trained.")
    else:
        lines.append(
            f"An effect within ±{small:g} can be shown to be negligible only if the standard deviation of the effect "
            f"between replicates is below about {small / least_negligible(design.replicates):.2g}."
        )
    many = [name for name in design.until.factors if len(design.factors[name]) > 2]
    if many:
        lines.append(
            f"Of {', '.join(many)} no effect is negligible: more than two levels are decided when they differ."
        )
    return lines


def least_negligible(planned: int) -> float:
    """The smallest effect that can be shown to be negligible, in standard deviations of the effect between replicates.

    It is that of an estimate of exactly zero at the last look.
    """
    import numpy as np
    from scipy import stats

    from attnae.analysis.inference.looks import null_distribution

    critical = float(np.quantile(null_distribution(planned, sides=1), ALPHA))
    return float(stats.t.isf(critical, planned - 1) / math.sqrt(planned))


def summary(design: Design) -> list[str]:
    """The verdict on each factor at the last look, and why training stopped."""
    found = read_looks(design.directory)
    if found.problem:
        return [
            f"No early stop: {found.problem}, and the planned looks need every cell in every replicate. "
            f"All {design.replicates} replicates were to be trained; analyze.py compares the runs that finished."
        ]
    if not found.looks:
        return [f"No look yet: the first one comes after {FIRST_LOOK} complete replicates."]
    last = found.looks[-1]
    lines = [_effect_line(row, last["factors"]) for row in last["effects"]]
    count = last["replicates"]
    why = (
        f"Training stopped after {count} replicates: {found.stop}." if found.stop else f"Last look: {count} replicates."
    )
    lines += [f"{why} These p-values and 95% intervals are valid at this stop."]
    if found.stop == DECIDED and count < design.replicates:
        lines.append("After an early stop, estimates of effects that were found tend to be too large.")
    return lines


def _effect_line(row: Mapping[str, Any], factors: Mapping[str, Mapping[str, Any]]) -> str:
    known = None not in (row["estimate"], row["ci_low_planned"], row["ci_high_planned"])
    numbers = "no estimate"
    if known:
        numbers = f"{row['estimate']:+.4g} (95% CI {row['ci_low_planned']:.4g} to {row['ci_high_planned']:.4g})"
    p = "" if row["p_holm"] is None else f", planned p = {row['p_holm']:.3g} after Holm"
    small = ""
    if row["verdict"] == "negligible":
        small = f", p = {row['p_negligible_holm']:.3g} that it is not within the bound"
    return f"{row['factor']} = {row['level']}: {RESPONSE} {numbers}{p}{small}: {row['verdict']}"
