"""Whether the model fits, whether the verdicts hold, which combinations are best, and what to run next."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from attnae.analysis.inference.verdicts import SUGGESTIVE, TIED, UNDETERMINED
from attnae.analysis.report.blocks import Blocks, Figure, Table, Text
from attnae.analysis.report.columns import EXTRA, Column, Columns
from attnae.analysis.report.report import Report
from attnae.analysis.result import StudyResult
from attnae.text import clean, listed, number, p_statement, percent

# More factors than this share one column.
MAX_COLUMNS = 5


def diagnostics(report: Report) -> Blocks:
    """Residuals, spread of the levels, Box-Cox profile."""
    result = report.result
    found = result.diagnostics
    blocks: Blocks = []
    if found.largest is None:
        blocks.append(Text("There are too few residual degrees of freedom to test single runs."))
    else:
        p, size = float(found.largest["p"]), number(float(found.largest["studentized"]))
        line = (
            f"The largest studentized residual is {size}, in {clean(found.largest['run'])} "
            f"({p_statement(p)}, Bonferroni over all runs)"
        )
        outlier = p < result.reading.alpha
        blocks.append(Text(f"{line}{'. Check this run' if outlier else ''}.", warning=outlier))
    if found.box_cox is None:
        blocks.append(Text("No Box-Cox profile: it needs positive responses and residual degrees of freedom."))
    else:
        blocks.append(Text(_box_cox(result)))
    if found.brown_forsythe is None:
        blocks.append(Text("The spread of the levels is not tested: the Brown-Forsythe test needs replicated cells."))
    else:
        shown = ("factor", Column("statistic", "F", "number"), "p", "p_holm")
        blocks.append(Table("Do levels differ in spread? (Brown-Forsythe test)", found.brown_forsythe, shown))
    if not result.model.residual_df:
        blocks.append(Text("No residual plots: the model fits every run exactly."))
        return blocks
    blocks.append(Table("Spread of the residuals", found.spread, ("factor", "level", "n", "sd")))
    blocks.append(Figure("residuals", "Residuals against fitted values, and against normal quantiles."))
    if found.box_cox is not None:
        caption = "Box-Cox profile. Powers above the dashed line fit about as well as the best one."
        blocks.append(Figure("box_cox", caption))
    return blocks


def sensitivity(report: Report) -> Blocks:
    """Verdicts of other analyses of the same runs, and permutation tests."""
    result = report.result
    table = result.sensitivity
    blocks: Blocks = [Text(f"{line}.", warning=True) for line in result.reversals]
    analyses = list(dict.fromkeys(table.analysis))
    if len(analyses) == 1:
        blocks.append(
            Text("No other analysis is possible: each run has one value only, and not all values are positive.")
        )
    else:
        words = table.pivot(index=["factor", "level"], columns="analysis", values="verdict")[analyses]
        order = pd.MultiIndex.from_frame(result.effects[["factor", "level"]])
        frame = words.reindex(order).fillna("").reset_index()
        named = (Column(name, clean(name, 40), "verdict") for name in analyses)
        blocks.append(Table("Verdicts of other analyses of the same runs", frame, ("factor", "level", *named)))
    if result.permutation is None:
        blocks.append(Text("Permutation tests are switched off (--permutations 0)."))
    else:
        shown = ("factor", "p", "p_holm", "method", "draws", Column("statistic", "sum sq", "number", EXTRA))
        blocks.append(Table("Permutation tests: does the factor change anything at all?", result.permutation, shown))
    return blocks


def best_cells(report: Report) -> Blocks:
    """Combinations of levels, best first, and their differences to a baseline."""
    result = report.result
    cells = result.cells
    ties = int(cells.not_worse.sum())
    named, frame = _settings(cells)
    shown: Columns = (
        *named,
        "n",
        "mean",
        Column("difference", "minus best", "response"),
        "std_error",
        "p_holm",
        "not_worse",
    )
    blocks: Blocks = [
        Text(
            f"{ties} of {result.model.cells:,} combinations {'is' if ties == 1 else 'are'} not significantly worse "
            "than the best. The best mean is too optimistic, because it was selected for being extreme, and has no "
            "interval."
        ),
        Table(f"Combinations, best first ({cells.method.iloc[0]})", frame, shown),
    ]
    if result.baseline is None:
        first = result.factors[0]
        example = f"{clean(first.name)}={clean(first.labels[0])}"
        blocks.append(Text(f"No comparison with a baseline: name one with --baseline, such as --baseline {example}."))
    elif result.baseline.empty:
        blocks.append(Text("There is no other combination to compare the baseline with."))
    else:
        named, frame = _settings(result.baseline)
        paired: Columns = (*named, "difference", "interval", "p_holm", Column("n", "pairs", "count"), "method")
        blocks.append(Table("Differences to the baseline", frame, paired))
    return blocks


def next_steps(report: Report) -> Blocks:
    """How many seeds per cell each effect needs."""
    result = report.result
    table = result.next_steps
    undecided = table[result.effects.verdict.isin((SUGGESTIVE, UNDETERMINED, TIED))]
    needed = [value for value in undecided.seeds_needed if math.isfinite(value)]
    blocks: Blocks = []
    if needed:
        names = listed(dict.fromkeys(undecided.factor))
        blocks.append(Text(f"Not decided yet: {names}. {_advice(needed, len(needed) < len(undecided))}"))
    shown = ("factor", "level", "effect", "power_now", "seeds_now", "seeds_needed")
    blocks.append(Table("Runs per cell (seeds) for 80% power", table, shown))
    return blocks


def _settings(frame: pd.DataFrame) -> tuple[tuple[Column, ...], pd.DataFrame]:
    """One column per factor, or a single column for all of them where there are many; and the frame that has it."""
    heads = {column: clean(factor, 40) for column, factor in frame.attrs["factors"].items()}
    if len(heads) <= MAX_COLUMNS:
        return tuple(Column(name, head.replace("_", " ")) for name, head in heads.items()), frame
    joined = [_joined(list(heads.values()), levels) for levels in frame[list(heads)].itertuples(index=False, name=None)]
    return (Column("combination", "combination"),), frame.assign(combination=joined)


def _joined(heads: Sequence[str], levels: Sequence[object]) -> str:
    return ", ".join(f"{head}={clean(level, 40)}" for head, level in zip(heads, levels, strict=True))


def _advice(needed: list[float], some_unreachable: bool) -> str:
    low, high = int(min(needed)), int(max(needed))
    span = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    rest = "; some effects are too small to detect even with 1,000" if some_unreachable else ""
    return f"Detecting effects as large as the estimates takes {span} seeds per cell{rest}."


def _box_cox(result: StudyResult) -> str:
    found = result.diagnostics.box_cox
    assert found is not None
    span = f"λ = {found.best:g} ({percent(1 - result.reading.alpha)} interval {found.low:g} to {found.high:g})"
    if found.low <= 1 <= found.high:
        advice = "no transformation is needed"
    elif found.low <= 0 <= found.high:
        advice = "the logarithm fits" if result.reading.log else "the logarithm would fit better (--log-response)"
    else:
        advice = "a power transformation would fit better"
    return f"Box-Cox: {span}; {advice}."
