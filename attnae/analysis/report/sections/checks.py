"""Whether the model fits, whether the verdicts hold, which combinations are best, and what to run next."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from attnae.analysis.estimates.diagnostics import LAMBDAS
from attnae.analysis.inference.permutation import MIN_ARRANGEMENTS
from attnae.analysis.report.blocks import Blocks, Figure, Table, Text
from attnae.analysis.report.columns import EXTRA, Column, Columns
from attnae.analysis.report.report import StudyReport
from attnae.analysis.report.sentences.overview import study_advice
from attnae.analysis.result import StudyResult
from attnae.text import clean, number, p_statement, percent

# More factors than this share one column.
MAX_COLUMNS = 5
ADDED_SEEDS = (
    "These p-values and intervals hold only if the number of seeds was fixed beforehand. Looking after each seed gives "
    "false verdicts in 17% of studies by 10 seeds and in 23% by 20. Plan it: train.py --study FILE --until decided "
    "--max-replicates N."
)
PLANNED = (
    "The table is for a new study with a fixed number of seeds. This study had planned looks: its largest number of "
    "replicates cannot be changed, and runs that are added by hand are not covered."
)


def diagnostics(report: StudyReport) -> Blocks:
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


def sensitivity(report: StudyReport) -> Blocks:
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
        if result.permutation.p.isna().any():
            line = f"There is no permutation p where fewer than {MIN_ARRANGEMENTS} arrangements of the runs exist."
            blocks.append(Text(line))
    return blocks


def best_cells(report: StudyReport) -> Blocks:
    """Combinations of levels, best first, and their differences to a baseline."""
    result = report.result
    cells = result.cells
    named, frame = setting_columns(cells)
    shown: Columns = (
        *named,
        "n",
        "mean",
        Column("difference", "minus best", "response"),
        "std_error",
        "p_hsu",
        "may_be_best",
    )
    blocks: Blocks = [
        Text(_candidates(result)),
        *_chosen_on_test(report),
        Table(f"Combinations, best first ({cells.method.iloc[0]})", frame, shown),
    ]
    if result.baseline is None:
        first = result.factors[0]
        example = f"{clean(first.name)}={clean(first.labels[0])}"
        blocks.append(Text(f"No comparison with a baseline: name one with --baseline, such as --baseline {example}."))
    elif result.baseline.empty:
        blocks.append(Text("There is no other combination to compare the baseline with."))
    else:
        named, frame = setting_columns(result.baseline)
        paired: Columns = (*named, "difference", "interval", "p_holm", Column("n", "pairs", "count"), "method")
        blocks.append(Table("Differences to the baseline", frame, paired))
    return blocks


def next_steps(report: StudyReport) -> Blocks:
    """How many seeds per cell each effect needs."""
    result = report.result
    table = result.next_steps
    blocks: Blocks = [Text(study_advice(result))]
    blocks += [Text(line) for line in (_distinct_seeds(result),) if line]
    shown = ("factor", "level", "effect", "power_target", "seeds_now", "seeds_needed", "seeds_cautious")
    blocks.append(Table("Runs per cell (seeds) for 80% power", table, shown))
    if result.looks is not None:
        blocks.append(Text(PLANNED))
    elif result.design.seeds is not None and result.effects.p.notna().any():
        blocks.append(Text(ADDED_SEEDS))
    return blocks


def _candidates(result: StudyResult) -> str:
    """Which combinations may be the best one."""
    cells = result.cells
    if cells.may_be_best.isna().any():
        return (
            "Which combination is best cannot be said, because too few runs are left to estimate the noise: train the "
            "same combinations with more seeds. The first of the list only has the best value so far."
        )
    count, total = int(cells.may_be_best.sum()), result.model.cells
    optimistic = "The best mean is too optimistic, because it was selected for being extreme, and has no interval."
    if count == total:
        return f"None of the {total:,} combinations is significantly worse than the best: each may be it. {optimistic}"
    return f"{count} of {total:,} combinations may be the best one; the others are significantly worse. {optimistic}"


def _chosen_on_test(report: StudyReport) -> Blocks:
    """A warning where the combination would be chosen by its results on the test set."""
    response = report.result.response
    if re.search(r"(?<![a-z])test(?![a-z])", response, re.IGNORECASE) is None:
        return []
    # The alternatives of a result of the test set are those of the same metric on the validation set, if it is logged.
    twins = {label.rpartition(", ")[0] for label in report.audit.alternatives} - {response, ""}
    instead = f" (--response {clean(min(twins, key=len))})" if twins else ", whose results these logs do not have,"
    line = (
        f"The list is ordered by {clean(response)}: the test set is used to choose. Choose by the validation set"
        f"{instead} and report the test set for the chosen combination only."
    )
    return [Text(line, warning=True)]


def _distinct_seeds(result: StudyResult) -> str:
    """What seeds of their own would give, where a few seeds are shared by all runs."""
    found = result.noise.distinct_seeds
    if found is None or found.distinct >= found.shared:
        return ""
    return (
        f"All runs share {found.seeds} seeds. If each of the {result.model.runs:,} runs had a seed of its own, the "
        f"same number of runs would detect an effect of {clean(found.factor)} of about {number(found.distinct)} "
        f"instead of {number(found.shared)} (80% power; from the noise within and between seeds). In a study file, "
        "replicates: N gives each run its own seed."
    )


def setting_columns(frame: pd.DataFrame) -> tuple[tuple[Column, ...], pd.DataFrame]:
    """One column per factor, or a single column for all of them where there are many; and the frame that has it."""
    heads = {column: clean(factor, 40) for column, factor in frame.attrs["factors"].items()}
    if len(heads) <= MAX_COLUMNS:
        return tuple(Column(name, head) for name, head in heads.items()), frame
    joined = [_joined(list(heads.values()), levels) for levels in frame[list(heads)].itertuples(index=False, name=None)]
    return (Column("combination", "combination"),), frame.assign(combination=joined)


def _joined(heads: Sequence[str], levels: Sequence[object]) -> str:
    return ", ".join(f"{head}={clean(level, 40)}" for head, level in zip(heads, levels, strict=True))


def _box_cox(result: StudyResult) -> str:
    found = result.diagnostics.box_cox
    assert found is not None
    span = f"λ = {found.best:g} ({percent(1 - result.reading.alpha)} interval {found.low:g} to {found.high:g})"
    if found.low <= LAMBDAS.min() and found.high >= LAMBDAS.max():
        advice = "the runs do not determine whether a transformation is needed"
    elif found.low <= 0 and found.high >= 1:
        advice = "the response and its logarithm both fit"
    elif found.low <= 1 <= found.high:
        advice = "no transformation is needed"
    elif found.low <= 0 <= found.high:
        advice = "the logarithm fits" if result.reading.log else "the logarithm would fit better (--log-response)"
    else:
        advice = "a power transformation would fit better"
    return f"Box-Cox: {span}; {advice}."
