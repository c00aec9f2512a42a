"""The sections of the report of a search."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import pandas as pd

from attnae.analysis.report.blocks import Blocks, Table, Text
from attnae.analysis.report.columns import DETAIL, EXTRA, LAST, Column
from attnae.analysis.report.figures.searches import MAX_CURVES, other_curves, pair_caption
from attnae.analysis.report.next_study import NEXT_STUDY, next_study
from attnae.analysis.report.report import SearchReport
from attnae.analysis.report.sections import runs
from attnae.analysis.report.sentences.search import ADAPTIVE, by_share, range_text, value_text
from attnae.analysis.search.assess import FINDINGS
from attnae.analysis.search.next import DROP, levels_of, next_search
from attnae.analysis.search.result import SearchResult
from attnae.reading.run import PRUNED, UNFINISHED
from attnae.text import clean, counted, listed, p_statement, percent

Row = dict[Hashable, Any]
SHARE = Column("share_of", "variation explained", "text")


def audit(report: SearchReport) -> Blocks:
    """Runs, settings, and what is unusual about them."""
    found, result = report.audit, report.result
    kind = "adaptive search" if result.adaptive else "random search"
    settings = counted(len(result.settings), "setting")
    seeds = f" in {counted(result.n, 'configuration')}, whose runs are averaged" if result.runs > result.n else ""
    how_many = Column("runs", f"{result.unit}s", "count")
    blocks: Blocks = [
        Text(
            f"Taken as: {kind}, {counted(result.runs, 'run')}, {settings}{seeds}: {clean(found.design.reason)}. "
            f"{counted(len(found.table), 'run')} found. --design factorial overrules this."
        ),
        *([Text(f"{ADAPTIVE}.", warning=True)] if result.adaptive else ()),
        *runs.remarks(report),
        Table("Settings", _settings(result), ("factor", "kind", "tried", how_many, "decided by")),
    ]
    if result.left_out:
        reasons = listed(f"{name} ({reason})" for name, reason in result.left_out.items())
        blocks.append(Text(f"Settings without a result: {reasons}."))
    if found.search is not None and found.search.strata is not None:
        blocks.append(
            Text(f"Runs are compared, and values permuted, within each {clean(found.search.strata, 80)} only.")
        )
    if result.diverged:
        lost = counted(result.diverged, "configuration")
        counts = "It counts" if result.diverged == 1 else "They count"
        alone = "" if result.adaptive else "; the others are also analysed on their own"
        blocks.append(Text(f"{lost} diverged. {counts} as the worst{alone}."))
    used = (PRUNED, UNFINISHED) if result.budgets else ()
    return [*blocks, *runs.details(report, used)]


def response(report: SearchReport) -> Blocks:
    """The number that is analysed, and the model of its scores."""
    result = report.result
    better = "smaller is better" if result.goal == "min" else "larger is better"
    model = "all other settings" if result.adjusted else "those of the other settings that a selection by BIC chose"
    lines = [
        f"{clean(result.response)}: {runs.rule_text(report.audit.rule)}; {better} (--goal)",
        "The tests use normal scores of the ranks, with diverged runs as the worst; effects are in units of the "
        "response, among finished runs",
        f"Each setting is tested by permuting its values, adjusted for {model}",
    ]
    if result.budgets:
        lines.append("Runs stopped early are compared at the last step both reached, and effects are among the others")
    if math.isfinite(result.r_squared):
        lines.append(
            f"All settings together explain {percent(round(result.r_squared, 2))} of the variation (adjusted R²)"
        )
    return [Text(f"{line}.") for line in lines]


def settings(report: SearchReport) -> Blocks:
    """One row per setting, and the levels of words."""
    result = report.result
    frame = _described(result)
    shown = (
        "factor",
        "verdict",
        SHARE,
        "p_holm",
        Column("p", "p", "p", EXTRA),
        "effect",
        "interval",
        Column("best_at", "best (interval)", "text", EXTRA),
        Column("low_end", "low end", "response", LAST),
        Column("high_end", "high end", "response", LAST),
        Column("at_edge", "at edge", "text", LAST),
        Column("mde_share", "detectable", "share", DETAIL),
        Column("runs_for_10pct", "runs for 10%", "count", LAST),
        Column("df", "df", "count", LAST),
        "note",
    )
    optimistic = (
        " The runs of an adaptive search crowd where the response is good, so these intervals are optimistic: they "
        "contain the true effect in 85 to 88% of such searches."
        if result.adaptive
        else ""
    )
    blocks: Blocks = [
        Text(
            f"Holm's correction counts each setting once, and verdicts are based on Holm p < {result.alpha:g}. The "
            "effect of a number is that of its 95% quantile against its 5% quantile among the runs; of two levels, "
            f"the higher against the lower; of words, the best level against the mean of the runs.{optimistic}"
        ),
        Table("Settings, the one that explains most first", frame, shown, "settings.csv"),
    ]
    if any(detail.rough for detail in result.details.values()):
        few = result.n < 40
        why = f"there are fewer than 40 configurations ({result.n})" if few else "the response may jump there"
        if not few and result.n - result.diverged < 40:
            why += ", or fewer than 40 configurations did not diverge"
        blocks.append(
            Text(f"Ranges of best values that are called rough are no {percent(1 - result.alpha)} intervals: {why}.")
        )
    if len(result.settings) > MAX_CURVES:
        more = len(result.settings) - MAX_CURVES
        blocks.append(
            Text(
                f"Only the {MAX_CURVES} settings that explain most have a figure. The curves and levels of "
                f"{'the other one' if more == 1 else f'all {more} others'} are in setting_curves.csv and "
                "setting_levels.csv."
            )
        )
    if len(result.levels):
        how_many = Column("n", f"{result.unit}s", "count", EXTRA)
        levels = ("factor", "level", how_many, "mean", "difference", "interval", "p_holm", "verdict")
        blocks.append(Table("Levels; difference to the best one", result.levels, levels, "setting_levels.csv"))
    return [*blocks, *other_curves(result)]


def short_table(result: SearchResult) -> Table:
    """The settings in the columns that a verdict needs."""
    shown = ("factor", SHARE, "effect", "interval", "p_holm", "verdict")
    return Table("Settings", _described(result), shown, "settings.csv")


def _described(result: SearchResult) -> pd.DataFrame:
    """`settings.csv`, the setting that explains most first, with its share and its best value in words."""
    frame = by_share(result)
    frame["share_of"] = [_shares(*row) for row in frame[["share", "share_low", "share_high"]].itertuples(index=False)]
    frame = frame.assign(ci_low=frame["effect_low"], ci_high=frame["effect_high"])
    frame["best_at"] = [_best(row) for row in frame.to_dict("records")]
    return frame


def pairs(report: SearchReport) -> Blocks:
    """Whether the settings act one at a time."""
    result = report.result
    if result.pairs.empty:
        return [Text("No pair of settings can be tested with these runs.")]
    if math.isnan(result.pairs_p):
        said = "There is no overall p-value, because permutations are switched off (--permutations 0)."
    elif result.pairs_p < result.alpha:
        first = result.pairs.iloc[0]
        said = (
            f"{clean(first['first'], 60)} and {clean(first['second'], 60)} act together "
            f"({p_statement(result.pairs_p)} over all pairs): read the effect of each as an average over the other."
        )
    else:
        said = f"Nothing shows that settings act together ({p_statement(result.pairs_p)} over all pairs)."
    shown = (Column("first", "setting"), Column("second", "other setting"), Column("statistic", "p of this pair", "p"))
    return [
        Text(said, warning=result.pairs_p < result.alpha),
        Table("Pairs, smallest p-value first (not corrected for their number)", result.pairs, shown, "pairs.csv"),
        *pair_caption(result),
    ]


def sensitivity(report: SearchReport) -> Blocks:
    """Verdicts on raw responses, and without the diverged runs."""
    result = report.result
    blocks: Blocks = [Text(f"{line}.", warning=True) for line in result.reversals]
    if result.sensitivity.empty:
        return [*blocks, Text("No other analysis is possible with these runs.")]
    analyses = list(dict.fromkeys(result.sensitivity["analysis"]))
    words = result.sensitivity.pivot(index="factor", columns="analysis", values="verdict")
    table = by_share(result)[["factor", "verdict"]].join(words, on="factor").fillna("")
    named = (Column(name, name, "verdict") for name in analyses)
    return [
        *blocks,
        Table("Verdicts of other analyses", table, ("factor", Column("verdict", "reported", "verdict"), *named)),
    ]


def next_steps(report: SearchReport) -> Blocks:
    """The ranges to search next."""
    found = next_search(report.result)
    frame = found.table.assign(
        tried=[_tried(row, report.result) for row in report.result.settings.to_dict("records")],
        next=[_next(row) for row in found.table.to_dict("records")],
    )
    shown = ("factor", "action", "tried", "next", "reason")
    blocks: Blocks = [Table(f"The next search: {found.runs} runs", frame, shown)]
    if next_study(report) is not None:
        blocks.append(
            Text(f"{NEXT_STUDY} is this table as a study file: copy it and run python train.py --study {NEXT_STUDY}.")
        )
    return blocks


def _settings(result: SearchResult) -> pd.DataFrame:
    rows = []
    for row in result.settings.to_dict("records"):
        scale = f" ({row['scale']})" if isinstance(row["scale"], str) else ""
        rows.append((row["factor"], f"{row['kind']}{scale}", _tried(row, result), row["n"], row["parent"]))
    return pd.DataFrame(rows, columns=["factor", "kind", "tried", "runs", "decided by"])


def _tried(row: Row, result: SearchResult) -> str:
    """The tried range, or the levels."""
    if math.isfinite(row["tried_low"]):
        return range_text(row["tried_low"], row["tried_high"])
    return listed(levels_of(row["factor"], result), 8)


def _best(row: Row) -> str:
    """The best value, with its interval where the runs tell it."""
    if isinstance(row["best"], str):
        return clean(row["best"], 40)
    if row["verdict"] not in FINDINGS or not math.isfinite(row["best"]):
        return ""
    return f"{value_text(row['best'])} ({range_text(row['best_low'], row['best_high'])})"


def _shares(share: float, low: float, high: float) -> str:
    return "" if math.isnan(share) else f"{100 * share:.0f}% ({100 * low:.0f} to {100 * high:.0f})"


def _next(row: Row) -> str:
    """The range or levels of the next search."""
    if row["action"] == DROP:
        return "-"
    if math.isfinite(row["low"]):
        return range_text(row["low"], row["high"])
    return listed(str(row["levels"]).split(";"), 8)
