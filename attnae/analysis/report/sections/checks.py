"""Sections 8 to 11: does the model fit, do the verdicts last, what is best, and what to run next."""

from __future__ import annotations

import math

import pandas as pd

from attnae.analysis.inference.verdicts import SUGGESTIVE, TIED, UNDETERMINED
from attnae.analysis.report.blocks import Blocks, Column, Figure, Section, Table, Text, columns
from attnae.analysis.result import StudyResult
from attnae.text import clean, listed, number, p_statement, percent

# More factors than this stand in one column.
MAX_COLUMNS = 5


def diagnostics(result: StudyResult) -> Section:
    """Section 8."""
    found = result.diagnostics
    blocks: Blocks = []
    if found.largest is None:
        blocks.append(Text("Too few residual degrees of freedom to judge single runs."))
    else:
        p, size = float(found.largest["p"]), number(float(found.largest["studentized"]))
        line = (
            f"Largest studentized residual: {size} in {clean(found.largest['run'])} "
            f"({p_statement(p)}, Bonferroni over the runs)"
        )
        outlier = p < result.reading.alpha
        blocks.append(Text(f"{line}{': look at this run' if outlier else ''}.", warning=outlier))
    if found.box_cox is None:
        blocks.append(Text("No Box-Cox profile: it needs positive responses and residual degrees of freedom."))
    else:
        blocks.append(Text(_box_cox(result)))
    if found.brown_forsythe is None:
        blocks.append(Text("Spread is not tested: that needs replicated cells (Brown-Forsythe)."))
    else:
        shown = columns("factor", ("statistic", "F", "number"), ("p", "p", "p"), ("p_holm", "Holm p", "p"))
        blocks.append(Table("Do levels differ in spread? (Brown-Forsythe)", found.brown_forsythe, shown))
    if result.model.residual_df:
        shown = columns("factor", "level", ("n", "runs", "count"), ("sd", "SD of residuals", "response"))
        blocks.append(Table("Spread of the residuals", found.spread, shown))
        blocks.append(Figure("residuals", "Residuals against fitted values, and against normal quantiles."))
        if found.box_cox is not None:
            blocks.append(Figure("box_cox", "Box-Cox profile: powers above the line are as good as the best."))
    else:
        blocks.append(Text("No residual plots: the model fits every run exactly."))
    reading = "Whether the model fits. Intervals and verdicts already allow for levels of unequal spread."
    return Section(8, "Diagnostics", reading, blocks)


def sensitivity(result: StudyResult) -> Section:
    """Section 9."""
    table = result.sensitivity
    blocks: Blocks = [Text(f"{line}.", warning=True) for line in result.reversals]
    analyses = list(dict.fromkeys(table.analysis))
    if len(analyses) == 1:
        blocks.append(Text("No other reading of the responses is possible: one point a run, not all of them positive."))
    else:
        words = table.pivot(index=["factor", "level"], columns="analysis", values="verdict")[analyses]
        order = pd.MultiIndex.from_frame(result.effects[["factor", "level"]])
        frame = words.reindex(order).fillna("").reset_index()
        heads = [Column(name, clean(name, 40), "verdict") for name in analyses]
        blocks.append(
            Table("Verdicts under other readings of the same runs", frame, (*columns("factor", "level"), *heads))
        )
    if result.permutation is None:
        blocks.append(Text("No permutation tests: --permutations 0."))
    else:
        shown = columns(
            "factor", ("p", "p", "p"), ("p_holm", "Holm p", "p"), "method", ("draws", "draws", "count"),
            ("statistic", "sum sq", "number", 1),
        )  # fmt: skip
        blocks.append(Table("Permutation tests: does the factor change anything at all?", result.permutation, shown))
    reading = "Whether the verdicts depend on choices of the analysis. A verdict that turns around is no verdict."
    return Section(9, "Sensitivity", reading, blocks)


def best_cells(result: StudyResult) -> Section:
    """Section 10."""
    cells = result.cells
    ties = int(cells.not_worse.sum())
    named, frame = _settings(cells)
    shown = (
        *named,
        *columns(
            ("n", "runs", "count", 1),
            ("mean", "mean", "response"), ("difference", "to best", "response"),
            ("std_error", "std. error", "response", 2), ("p_holm", "Holm p", "p"), ("not_worse", "may be best", "flag"),
        ),
    )  # fmt: skip
    blocks: Blocks = [
        Text(
            f"{ties} of {result.model.cells:,} combinations {'is' if ties == 1 else 'are'} not worse than the best. "
            "The best mean is optimistic, picked for being extreme, and has no interval."
        ),
        Table(f"Combinations, best first ({cells.method.iloc[0]})", frame, shown),
    ]
    if result.baseline is None:
        blocks.append(Text("No comparison with a baseline: name one, such as --baseline act=relu."))
    elif result.baseline.empty:
        blocks.append(Text("No other combination to compare the baseline with."))
    else:
        named, frame = _settings(result.baseline)
        shown = columns(
            ("difference", "difference", "response"),
            ("interval", "interval", "interval"), ("p_holm", "Holm p", "p"), ("n", "pairs", "count"),
            ("method", "method", "text", 2),
        )  # fmt: skip
        blocks.append(Table("Differences to the baseline", frame, (*named, *shown)))
    reading = "Which combinations to choose from, best first; Holm over all combinations but the best."
    return Section(10, "Best cells", reading, blocks)


def next_steps(result: StudyResult) -> Section:
    """Section 11."""
    table = result.next_steps
    shown = columns(
        "factor", "level", ("effect", "effect", "response"), ("power_now", "power now", "share"),
        ("seeds_now", "seeds now", "count"), ("seeds_needed", "needed", "count"),
    )  # fmt: skip
    open_rows = table[result.effects.verdict.isin((SUGGESTIVE, UNDETERMINED, TIED))]
    needed = [value for value in open_rows.seeds_needed if math.isfinite(value)]
    blocks: Blocks = []
    if len(open_rows) and needed:
        names = listed(dict.fromkeys(open_rows.factor))
        blocks.append(Text(f"Open: {names}. {_advice(needed, len(needed) < len(open_rows))}"))
    blocks.append(Table("Runs per cell (seeds) for a power of 80%", table, shown))
    reading = (
        "How many seeds per cell would find an effect of this size; blank: more than 1,000. Sizes are the estimates, "
        "which flatter effects picked for being large, unless --target is given."
    )
    return Section(11, "What to run next", reading, blocks)


def _settings(frame: pd.DataFrame) -> tuple[tuple[Column, ...], pd.DataFrame]:
    """A column a factor, or one for all where there are many; and the frame that has it."""
    heads = {column: clean(factor, 40) for column, factor in frame.attrs["factors"].items()}
    if len(heads) <= MAX_COLUMNS:
        return tuple(Column(name, head.replace("_", " ")) for name, head in heads.items()), frame
    joined = [
        ", ".join(f"{head}={clean(level, 40)}" for head, level in zip(heads.values(), levels, strict=True))
        for levels in frame[list(heads)].itertuples(index=False, name=None)
    ]
    return (Column("combination", "combination"),), frame.assign(combination=joined)


def _advice(needed: list[float], some_unreachable: bool) -> str:
    low, high = int(min(needed)), int(max(needed))
    span = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    rest = "; some are too small to be found with 1,000" if some_unreachable else ""
    return f"Effects as large as the estimates would be found with {span} seeds per cell{rest}."


def _box_cox(result: StudyResult) -> str:
    found = result.diagnostics.box_cox
    assert found is not None
    span = f"λ = {found.best:g} ({percent(1 - result.reading.alpha)} interval {found.low:g} to {found.high:g})"
    if found.low <= 1 <= found.high:
        advice = "no transform is called for"
    elif found.low <= 0 <= found.high:
        advice = "logarithms would fit better" if not result.reading.log else "logarithms fit"
    else:
        advice = "a power transform would fit better"
    return f"Box-Cox: {span}: {advice}."
