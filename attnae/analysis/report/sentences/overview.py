"""What a reader has to know first: the answer, the runs that it rests on, and what to run next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from attnae.analysis.audit.audit import Audit
from attnae.analysis.estimates.effects import NO_CHOICE
from attnae.analysis.inference.verdicts import (
    BEST,
    HELPS,
    HELPS_HERE,
    HURTS,
    HURTS_HERE,
    MATTERS,
    NEGLIGIBLE,
    NOT_DISTINGUISHABLE,
    SUGGESTIVE,
    UNDETERMINED,
)
from attnae.analysis.report.sentences.cost import cost_line
from attnae.analysis.report.sentences.search import by_share, nothing_found, range_text
from attnae.analysis.report.sentences.study import Sentence, these_runs
from attnae.analysis.result import StudyResult
from attnae.analysis.search.assess import FINDINGS
from attnae.analysis.search.next import next_search
from attnae.analysis.search.result import SearchResult
from attnae.text import clean, counted, listed

UNDECIDED = (SUGGESTIVE, UNDETERMINED, NOT_DISTINGUISHABLE, HELPS_HERE, HURTS_HERE)
MAX_NAMES = 6
# Groups of factors of a designed study, by the verdicts of their sentences.
GROUPS = (
    ("Shown to matter", (HELPS, HURTS, BEST, MATTERS)),
    ("Shown only for {runs}", (HELPS_HERE, HURTS_HERE)),
    ("Negligible", (NEGLIGIBLE,)),
    ("Open", (SUGGESTIVE, UNDETERMINED, NOT_DISTINGUISHABLE)),
    ("No verdict", ("",)),
)


@dataclass(frozen=True)
class Overview:
    """The first lines of a report.

    Attributes:
        question: the title.
        basis: which runs the answer rests on.
        answer: which choices are shown to matter and which are open; of a search also the best region.
        advice: what to run next.
        cost: which choices take more or less time; empty if none is shown to.
    """

    question: str
    basis: str
    answer: str
    advice: str
    cost: str = ""


def study_overview(result: StudyResult, audit: Audit, sentences: Sequence[Sentence]) -> Overview:
    """The first lines of the report of a designed study."""
    factors = [item for item in sentences if not item.is_pair]
    groups = [(head, [item for item in factors if item.verdict in verdicts]) for head, verdicts in GROUPS]
    told = [f"{head.format(runs=these_runs(result))}: {_names(items)}" for head, items in groups if items]
    answer = "; ".join([*told[:1], *(f"{line[:1].lower()}{line[1:]}" for line in told[1:])])
    seeds = result.noise.seeds
    known = counted(len(seeds), "seed") if seeds else "no recorded seeds"
    cells = counted(result.model.cells, "combination")
    basis = f"{_used(result.model.runs, audit)} of {cells}, {known}; {_better(result.reading.goal)}"
    return Overview(_question(result.response), f"{basis}.", f"{answer}.", study_advice(result), cost_line(result))


def study_advice(result: StudyResult) -> str:
    """How many seeds per cell decide what is still open."""
    effects, table = result.effects, result.next_steps
    known = effects.estimate.notna()
    undecided = table[effects.verdict.isin(UNDECIDED)]
    silent = effects[known & (effects.verdict == "") & (effects.note != NO_CHOICE)]
    if len(silent):
        return f"Train the same combinations with more seeds to get verdicts on {_listed(silent.factor)}."
    lost = effects[~known]
    missing = f"Train the missing combinations to estimate {_listed(lost.factor)}." if len(lost) else ""
    if undecided.empty:
        return missing or "All is decided."
    needed = undecided.fillna({"seeds_needed": math.inf}).groupby("factor", sort=False).seeds_needed.agg(["min", "max"])
    counts = [
        f"{clean(factor, 40)} {_seeds(low, high)}"
        for factor, low, high in needed.sort_values("min", kind="stable").itertuples()
    ]
    # Of a factor that is shown to matter, only the best level is open.
    matters = (effects.verdict == NOT_DISTINGUISHABLE) & (effects.p_holm < result.reading.alpha)
    open_ = undecided.factor.mask(matters, "which " + undecided.factor + " is best")
    where = " in a new study" if result.looks is not None else ""
    now = float(undecided.seeds_now.iloc[0])
    return (
        f"Not decided yet: {_listed(open_)}. Seeds per cell{where} that would detect effects of these sizes "
        f"(now {now:.3g}): {listed(counts, MAX_NAMES)}. {missing}"
    ).rstrip()


def _seeds(low: float, high: float) -> str:
    """The seeds that the levels of a factor need, from the clearest to the least clear one."""
    if not math.isfinite(low):
        return "unknown, or more than 1,000"
    if low == high:
        return f"{low:,.0f}"
    return f"{low:,.0f} to {f'{high:,.0f}' if math.isfinite(high) else 'more than 1,000'}"


def search_overview(result: SearchResult, audit: Audit) -> Overview:
    """The first lines of the report of a search."""
    settings = by_share(result)
    kind = "adaptive" if result.adaptive else "random"
    varied = counted(len(settings), "setting")
    basis = f"{_used(result.runs, audit)} of a {kind} search over {varied}; {_better(result.goal)}"
    found = settings[settings["verdict"].isin(FINDINGS)]
    if found.empty:
        answer = nothing_found(result) or "No setting has a verdict."
    else:
        regions = [region for row in found.to_dict("records") if (region := _region(row, result))]
        answer = f"Shown to matter: {_listed(found['factor'])}."
        answer += f" Best region: {listed(regions, MAX_NAMES)}." if regions else ""
    return Overview(_question(result.response), f"{basis}.", answer, _search_advice(result))


def _search_advice(result: SearchResult) -> str:
    """The next search in one sentence: which settings are narrowed, extended, fixed, dropped and kept."""
    found = next_search(result)
    actions = found.table.groupby("action", sort=False)["factor"].agg(_listed)
    steps = "; ".join(f"{action} {names}" for action, names in actions.items())
    return f"{counted(found.runs, 'run')}: {steps}."


def _region(row: dict, result: SearchResult) -> str:
    """Where the response is best: a range that the runs locate, or a level that is shown to be best; else empty."""
    name = clean(row["factor"], 40)
    if isinstance(row["best"], str):
        if not (isinstance(row["worse"], str) and row["worse"]):
            return ""
        levels = [row["best"], *filter(None, str(row["tied"]).split(";"))]
        return f"{name} = {' or '.join(clean(level, 40) for level in levels[:MAX_NAMES])}"
    detail = result.details[row["factor"]]
    if not (detail.located and math.isfinite(row["best_low"])):
        return ""
    return f"{name} {'roughly ' if detail.rough else ''}{range_text(row['best_low'], row['best_high'])}"


def _question(response: str) -> str:
    return f"Which choices matter for {clean(response)}?"


def _used(runs: int, audit: Audit) -> str:
    """`96 runs`, or `94 of 96 runs`."""
    return f"{counted(runs, 'run')}" if runs == len(audit.table) else f"{runs:,} of {counted(len(audit.table), 'run')}"


def _better(goal: str) -> str:
    return "smaller is better" if goal == "min" else "larger is better"


def _listed(names: pd.Series) -> str:
    return listed((clean(name, 40) for name in dict.fromkeys(names)), MAX_NAMES)


def _names(items: Sequence[Sentence]) -> str:
    """The factors of a group; those that help, hurt or have a best level with their verdicts."""
    told = (HELPS, HURTS, BEST, HELPS_HERE, HURTS_HERE)
    words = (f"{clean(item.factor, 40)} ({item.verdict})" if item.verdict in told else item.factor for item in items)
    return listed((clean(word, 60) for word in words), MAX_NAMES)
