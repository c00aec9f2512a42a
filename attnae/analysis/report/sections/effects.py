"""Sections 4 to 7: effects, analysis of variance, noise, means."""

from __future__ import annotations

import pandas as pd

from attnae.analysis.estimates.noise import Noise
from attnae.analysis.report.blocks import Blocks, Column, Figure, Section, Table, Text, columns
from attnae.analysis.result import StudyResult
from attnae.text import clean, listed, number, p_statement, percent

# Ranks of columns: what a narrow terminal leaves out first.
DETAIL, EXTRA = 2, 1
MAX_SEEDS = 20


def estimate_columns(*, judged: bool = True, versus: tuple[Column, ...] = ()) -> tuple[Column, ...]:
    """Columns of tables like effects.csv."""
    shown = columns("factor", "level")
    figures = columns(
        ("estimate", "estimate", "response"),
        ("interval", "interval", "interval"),
        ("p_holm", "Holm p", "p"),
    )
    words = columns(
        ("percent_change", "change", "percent", EXTRA),
        ("verdict", "verdict", "verdict"),
        ("mde", "found from", "response", EXTRA),
    )
    details = columns(
        ("std_error", "std. error", "response", DETAIL),
        ("df", "df", "count", DETAIL),
        ("p", "p", "p", DETAIL),
        ("error", "error", "text", DETAIL),
    )
    return (*shown, *versus, *figures, *(words if judged else ()), *details)


def main_effects(result: StudyResult) -> Section:
    """Section 4."""
    alpha = result.reading.alpha
    blocks: Blocks = [
        Text(
            f"Intervals are {percent(1 - alpha)}, unadjusted; Holm p over all rows; verdicts by Holm p < {alpha:g}. "
            "Found from: the smallest effect that this study would have found with a power of 80%."
        ),
        Table("Effects", result.effects, estimate_columns(), "effects.csv"),
    ]
    pooled = result.effects[result.effects.error == "pooled"]
    if len(pooled):
        blocks.append(Text(f"Pooled standard errors, where a run has leverage 1: {', '.join(_rows(pooled))}."))
    blocks += [
        Text(f"{clean(row.factor)} = {clean(row.level)}: {clean(row.note)}.", warning=True)
        for row in result.effects[result.effects.note != ""].itertuples()
    ]
    blocks.append(Figure("forest", "Effects with their unadjusted intervals."))
    reading = (
        "Two-level rows: the named level minus the other. Rows of many levels: the level minus the mean of the levels. "
        "All other factors at equal weights."
    )
    return Section(4, "Main effects", reading, blocks)


def anova(result: StudyResult) -> Section:
    """Section 5, with the interactions."""
    shown = columns(
        "term", ("sum_sq", "sum sq", "number"), ("df", "df", "count"), ("F", "F", "number"), ("p", "p", "p", EXTRA),
        ("p_holm", "Holm p", "p"), ("eta_sq_partial", "partial η²", "number"),
        ("omega_sq", "partial ω²", "number", EXTRA), ("note", "note", "text", DETAIL),
    )  # fmt: skip
    blocks: Blocks = [Table("Type-II analysis of variance", result.anova, shown, "anova.csv")]
    blocks += [
        Text(f"{clean(row.term)}: {clean(row.note)}.", warning=True)
        for row in result.anova[result.anova.note.fillna("") != ""].itertuples()
    ]
    if result.interactions is None:
        blocks.append(Text(f"No interactions in the model: {result.model.reason}."))
    else:
        strongest = result.interactions.sort_values("p_holm", kind="stable")
        blocks.append(Table("Interactions, the surest first", strongest, estimate_columns(), "interactions.csv"))
        blocks.append(Text("Helps, here: the combination is better than its main effects alone say; hurts: worse."))
        if has_lines(result):
            blocks.append(Figure("interactions", "Means of model M; lines that are not parallel interact."))
    reading = "How much of the variation each term takes up. No verdict hangs on these F tests, which pool all errors."
    return Section(5, "Analysis of variance and interactions", reading, blocks)


def has_lines(result: StudyResult) -> bool:
    """Whether there are two categorical factors whose interaction can be drawn."""
    return result.design.has_interactions and sum(factor.kind != "continuous" for factor in result.factors) > 1


def noise(result: StudyResult) -> Section:
    """Section 6."""
    found = result.noise
    fewest, most = found.runs_per_cell
    runs = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    blocks: Blocks = [Text(f"Runs a cell: {runs}. {found.statement[:1].upper()}{found.statement[1:]}.")]
    if found.blocks:
        blocks.append(Text("Seeds recur across cells and are blocks of the model, whatever their p-value."))
    if found.pure_error is not None:
        pure = found.pure_error
        fit = f"lack of fit of model M: F = {number(pure.lack_of_fit_f)}, {p_statement(pure.lack_of_fit_p)}"
        fit = fit if pure.lack_of_fit_df else "model M leaves no lack of fit to test"
        blocks.append(Text(f"Pure error: SD {number(pure.sd)} on {pure.df} degrees of freedom; {fit}."))
    if found.lenth is not None:
        blocks += _lenth(result)
    if found.seed_interactions is not None:
        shown = columns(
            "term", ("sum_sq", "sum sq", "number"), ("df", "df", "count"), ("F", "F", "number"), ("p", "p", "p"),
            ("p_holm", "Holm p", "p"),
        )  # fmt: skip
        blocks.append(Table("Do effects change with the seed?", found.seed_interactions, shown))
        changing = found.seed_interactions[found.seed_interactions.p_holm < result.reading.alpha].factor
        if len(changing):
            names = listed(changing)
            line = f"The effect of {names} changes with the seed: its interval above holds for these seeds only."
            blocks.append(Text(line, warning=True))
    if found.seed_effects is not None:
        caption = "Effects of each seed alone, their mean and t interval"
        blocks.append(_seed_table(caption, found))
        blocks.append(Text("If effects change with the seed, these intervals are the honest ones for new seeds."))
    reading = "How much runs differ that should be equal: the yardstick of all intervals."
    return Section(6, "Noise", reading, blocks)


def marginal_means(result: StudyResult) -> Section:
    """Section 7."""
    blocks: Blocks = []
    means = result.marginal_means
    if len(means):
        shown = columns(
            "factor", "level", ("mean", "mean", "response"), ("std_error", "std. error", "response"),
            ("interval", "interval", "interval"), ("n", "runs", "count"), ("df", "df", "count", DETAIL),
        )  # fmt: skip
        blocks.append(
            Table(
                f"Marginal means; errors from {', '.join(dict.fromkeys(means.method))}",
                means,
                shown,
                "marginal_means.csv",
            )
        )
    else:
        blocks.append(Text("No table of means: no factor has levels; the figure shows the fitted curves."))
    blocks.append(Figure("marginal_means", "Marginal means with intervals; fitted curves of continuous factors."))
    if result.pairwise is None:
        blocks.append(Text("No pairs of levels to compare: no factor has three levels or more."))
    else:
        versus = columns(("versus", "minus"))
        shown = estimate_columns(judged=False, versus=versus)
        blocks.append(Table("Pairs of levels; Holm within each factor", result.pairwise, shown))
    if result.simple_effects is None:
        blocks.append(
            Text("No interaction is significant, hence no simple effects: the main effects speak for all levels.")
        )
    else:
        line = "An interaction is significant: main effects alone mislead, read these effects at each level instead."
        blocks.append(Text(line, warning=True))
        shown = estimate_columns(judged=False, versus=columns(("within", "where"), ("at", "is")))
        blocks.append(Table("Simple effects", result.simple_effects, shown))
    reading = "Means of the response at each level, all other factors and seeds at equal weights."
    return Section(7, "Marginal means", reading, blocks)


def _rows(frame: pd.DataFrame) -> list[str]:
    return [f"{clean(row.factor)} = {clean(row.level)}" for row in frame.itertuples()]


def _lenth(result: StudyResult) -> Blocks:
    found = result.noise.lenth
    assert found is not None
    shown = columns(
        "contrast", ("effect", "effect", "number"), ("ratio", "|effect| / ME", "number"), ("active", "> ME", "flag"),
        ("active_sme", "> SME", "flag"), ("aliases", "aliases", "text", DETAIL),
    )  # fmt: skip
    contrasts = len(found.table)
    line = (
        f"Lenth: PSE {number(found.pse)}, ME {number(found.me)}, SME {number(found.sme)}. Screening only: without any "
        f"effect, at least one contrast of 31 passes ME in 53% of studies, and SME in 3%."
    )
    largest = found.table.sort_values("ratio", ascending=False, kind="stable")
    return [
        Text(line, warning=True),
        Table(f"Lenth's method on {contrasts} contrasts, the largest first", largest, shown, "lenth.csv"),
        Figure("half_normal", "Half-normal plot: effects off the line through the small ones stand out."),
    ]


def _seed_table(caption: str, noise: Noise) -> Table:
    """The means over seeds first; then a column for each of the first seeds."""
    assert noise.seed_effects is not None
    assert noise.effects_by_seed is not None
    wide = noise.effects_by_seed.pivot(index=["factor", "level"], columns="seed", values="estimate")
    shown = columns("factor", "level", ("estimate", "mean", "response"), ("interval", "interval", "interval"))
    frame = noise.seed_effects.merge(wide.rename(columns="seed {}".format), on=["factor", "level"])
    names = [f"seed {label}" for label in noise.seeds[:MAX_SEEDS]]
    heads = [Column(name, clean(name, 20), "response", DETAIL) for name in names]
    return Table(caption, frame, (*shown, *columns(("p", "p", "p")), *heads))
