"""The text alternatives of the figures: what is to be seen, for readers who do not see it."""

from __future__ import annotations

import numpy as np

from attnae.analysis.report.sentences.cost import combination
from attnae.analysis.report.sentences.search import by_share, setting_sentence, value_text
from attnae.analysis.result import StudyResult
from attnae.analysis.search.result import SearchResult
from attnae.text import clean, counted, listed, number, percent

MAX_NAMED = 12


def describe_forest(result: StudyResult) -> str:
    rows = result.shown_effects.dropna(subset="estimate")
    named = listed(
        (
            f"{clean(row.factor, 30)} {clean(row.level, 20)} {number(row.estimate)}"
            f"{f' ({number(row.ci_low)} to {number(row.ci_high)})' if np.isfinite(row.ci_low) else ''} {row.verdict}"
            for row in rows.itertuples()
        ),
        MAX_NAMED,
    )
    level = percent(1 - result.reading.alpha)
    return f"Forest plot of the effects on {clean(result.response, 60)} with {level} intervals: {named}"


def describe_interactions(result: StudyResult) -> str:
    found = result.interactions
    tested = [] if found is None else found.dropna(subset="p_holm").sort_values("p_holm").factor.tolist()
    smallest = f"; the smallest p-value has {clean(tested[0], 60)}" if tested else ""
    return f"Interaction plots: means of {clean(result.response, 60)} at each pair of levels{smallest}"


def describe_half_normal(result: StudyResult) -> str:
    assert result.noise.lenth is not None
    table = result.noise.lenth.table
    above = listed(table[table.active].contrast, MAX_NAMED) or "none"
    return f"Half-normal plot of {len(table)} contrasts; above Lenth's margin of error: {above}"


def describe_means(result: StudyResult) -> str:
    named = listed(
        (
            f"{clean(row['factor'], 30)} {clean(row['level'], 20)} {number(row['mean'])}"
            for row in result.marginal_means.to_dict("records")
        ),
        MAX_NAMED,
    )
    return f"Marginal means of {clean(result.response, 60)}: {named or 'fitted curves of continuous factors'}"


def describe_level_curves(result: StudyResult) -> str:
    assert result.curves is not None
    tag, last = result.curves.tags[0], result.curves.last_step
    means = result.curves.means
    rows = means[(means.tag == tag) & (means.step == means.step.max())]
    named = listed(
        (
            f"{clean(row['factor'], 30)} {clean(row['level'], 20)} {number(row['mean'])}"
            for row in rows.to_dict("records")
        ),
        MAX_NAMED,
    )
    return f"Learning curves of each level; {clean(tag, 60)} at the last common step, {last:,}: {named}"


def describe_cell_curves(result: StudyResult) -> str:
    assert result.curves is not None
    cells = counted(result.model.cells, "combination")
    return f"Learning curves: {clean(result.curves.tags[0], 60)} of every run, one panel for each of {cells}"


def describe_cost(result: StudyResult) -> str:
    cells = None if result.cost is None else result.cost.cells
    assert cells is not None
    named = listed(
        (
            f"{row['number']}: {combination(row, cells.attrs['factors'])}, {number(row['seconds'])} s, "
            f"{number(row['mean'])}"
            for row in cells[cells.number > 0].to_dict("records")
        ),
        MAX_NAMED,
    )
    return (
        f"Mean {clean(result.response, 60)} against seconds per run of {counted(len(cells), 'combination')}. No other "
        f"one beats these on both: {named}"
    )


def describe_residuals(result: StudyResult) -> str:
    largest = result.diagnostics.largest
    size = "" if largest is None else f"; the largest studentized residual is {number(float(largest['studentized']))}"
    return f"Residuals of {counted(result.model.runs, 'run')} against fitted values and against normal quantiles{size}"


def describe_box_cox(result: StudyResult) -> str:
    found = result.diagnostics.box_cox
    assert found is not None
    return f"Box-Cox profile: the best power is {found.best:g}; powers from {found.low:g} to {found.high:g} fit as well"


def describe_curve(result: SearchResult, place: int) -> str:
    sentence = setting_sentence(by_share(result).iloc[place].to_dict(), result)
    return f"{clean(result.response, 60)} over the values of {clean(sentence.factor, 60)}. {sentence.text}"


def describe_pair(result: SearchResult) -> str:
    runs = result.configurations
    best = "" if runs["response"].isna().all() else f"; the best response is {_best(result)}"
    return f"{counted(len(runs), 'configuration')} over two settings, coloured from the best to the worst{best}"


def describe_trials(result: SearchResult) -> str:
    runs = counted(len(result.configurations), "run")
    return f"{clean(result.response, 60)} of {runs} in their order; the best is {_best(result)}"


def _best(result: SearchResult) -> str:
    values = result.configurations["response"].dropna()
    return value_text(float(values.min() if result.goal == "min" else values.max()), 3)
