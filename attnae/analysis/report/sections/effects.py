"""Effects, analysis of variance, noise and means."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from attnae.analysis.estimates.noise import Lenth, Noise
from attnae.analysis.inference.scope import NEW_SEEDS, THESE_RUNS, seeds_recur
from attnae.analysis.report.blocks import Blocks, Figure, Table, Text
from attnae.analysis.report.columns import LAST, Column, Columns
from attnae.analysis.report.report import StudyReport
from attnae.analysis.report.sentences.units import points_per_unit
from attnae.analysis.result import StudyResult
from attnae.analysis.statistics import EFFECT_COLUMNS
from attnae.text import clean, counted, listed, number, p_statement, percent

MAX_SEEDS = 20
# In tables of F tests, degrees of freedom are no detail.
DF = Column("df", "df", "count")
FACTOR_COLUMNS = ("factor", "F", "df1", "df2", "p", "p_holm", "verdict")
ESTIMATE = ("estimate", "interval", "p_holm", "std_error", "df", "p", "error")


def main_effects(report: StudyReport) -> Blocks:
    """The effects, with their notes; the page shows the forest plot beside the sentences."""
    result = report.result
    alpha = result.reading.alpha
    blocks: Blocks = [
        *_looks(result),
        Text(
            f"Intervals are {percent(1 - alpha)} intervals without correction. Holm's correction counts each factor "
            f"once, and verdicts are based on Holm p < {alpha:g}; the rows of a factor of many levels carry the p "
            f"of the factor. {_scope(result)}"
        ),
        *_factors(result),
        Table("Effects", _percentages(result.shown_effects, result), EFFECT_COLUMNS, "effects.csv"),
    ]
    if result.effects.mde.notna().any():
        blocks.append(
            Text(
                "Detectable effect (mde in effects.csv): the study had an 80% chance of detecting an effect of "
                "this size."
            )
        )
    pooled = result.effects[result.effects.error == "pooled"]
    if len(pooled):
        rows = ", ".join(f"{clean(row.factor)} = {clean(row.level)}" for row in pooled.itertuples())
        blocks.append(Text(f"These rows have pooled standard errors, because a run has leverage 1: {rows}."))
    notes = result.effects[result.effects.note != ""]
    for note, rows in notes.groupby("note", sort=False):
        names = listed(f"{row.factor} = {row.level}" for row in rows.itertuples())
        blocks.append(Text(f"{names}: {clean(note)}.", warning=True))
    return blocks


def _percentages(effects: pd.DataFrame, result: StudyResult) -> pd.DataFrame:
    """The effects without percentages of a percentage, which are not its points."""
    return effects if points_per_unit(result) is None else effects.assign(percent_change=float("nan"))


def short_table(result: StudyResult) -> Table:
    """The effects in the columns that a verdict needs."""
    shown = ("factor", "level", "estimate", "interval", "p_holm", "verdict")
    return Table("Effects", result.shown_effects, shown, "effects.csv")


def anova(report: StudyReport) -> Blocks:
    """The table of type II, and the interactions."""
    result = report.result
    shown = ("term", "sum_sq", DF, "F", "p", "p_holm", "eta_sq_partial", "omega_sq", "note")
    blocks: Blocks = [Table("Type-II analysis of variance", result.anova, shown, "anova.csv")]
    blocks += [
        Text(f"{clean(row.term)}: {clean(row.note)}.", warning=True)
        for row in result.anova[result.anova.note.fillna("") != ""].itertuples()
    ]
    if result.noise.blocks:
        blocks.append(Text("The seeds are blocks and no hypothesis of the study, so they have no Holm p."))
    if result.interactions is None:
        blocks.append(Text(f"The model has no interactions: {result.model.reason}."))
        return blocks
    by_p = _percentages(result.interactions, result).sort_values("p_holm", kind="stable")
    blocks.append(Table("Interactions, smallest p-value first", by_p, EFFECT_COLUMNS, "interactions.csv"))
    blocks.append(
        Text(
            "Here, helps means that the combination is better than its main effects alone predict, and hurts that it "
            "is worse."
        )
    )
    if has_lines(result):
        blocks.append(Figure("interactions", "Means of model M. Lines that are not parallel show an interaction."))
    return blocks


def has_lines(result: StudyResult) -> bool:
    """Whether there are two categorical factors whose interaction can be drawn."""
    return result.design.has_interactions and sum(factor.kind != "continuous" for factor in result.factors) > 1


def noise(report: StudyReport) -> Blocks:
    """Pure error or Lenth's method, and whether effects change with the seed."""
    result = report.result
    found = result.noise
    fewest, most = found.runs_per_cell
    runs = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    blocks: Blocks = [Text(f"Runs per cell: {runs}. {found.statement[:1].upper()}{found.statement[1:]}.")]
    if found.blocks:
        blocks.append(Text("Seeds recur across cells, so they are blocks of the model, whatever their p-value."))
    if found.pure_error is not None:
        pure = found.pure_error
        fit = f"lack of fit of model M: F = {number(pure.lack_of_fit_f)}, {p_statement(pure.lack_of_fit_p)}"
        fit = fit if pure.lack_of_fit_df else "model M leaves no lack of fit to test"
        blocks.append(Text(f"Pure error: SD {number(pure.sd)} with {pure.df} degrees of freedom; {fit}."))
    if found.lenth is not None:
        blocks += _lenth(found.lenth)
    if found.seed_interactions is not None:
        shown = ("term", "sum_sq", DF, "F", "p", "p_holm")
        blocks.append(Table("Do effects change with the seed?", found.seed_interactions, shown))
        changing = found.seed_interactions[found.seed_interactions.p_holm < result.reading.alpha].factor
        if len(changing):
            line = f"The effect of {listed(changing)} changes with the seed."
            blocks.append(Text(line, warning=True))
    if found.seed_effects is not None:
        blocks.append(_seed_table(found))
    return blocks


def marginal_means(report: StudyReport) -> Blocks:
    """Means, pairs of levels, and simple effects where an interaction is significant."""
    result = report.result
    means = result.marginal_means
    blocks: Blocks = []
    if len(means):
        caption = f"Marginal means; errors from {', '.join(dict.fromkeys(means.method))}"
        errors = ("method",) if means.method.nunique() > 1 else ()
        shown = ("factor", "level", "mean", "std_error", "interval", "n", "df", *errors)
        blocks.append(Table(caption, means, shown, "marginal_means.csv"))
    else:
        blocks.append(Text("No table of means: all factors are continuous. The figure shows the fitted curves."))
    blocks.append(Figure("marginal_means", "Marginal means with intervals; fitted curves of continuous factors."))
    if result.pairwise is None:
        blocks.append(Text("No pairs of levels to compare: no factor has three levels or more."))
    else:
        caption = "Pairs of levels: level minus the one it is compared with (closed tests, Holm over the factors)"
        blocks.append(Table(caption, result.pairwise, ("factor", "level", "versus", "p_ryan", *ESTIMATE)))
    if result.simple_effects is None:
        blocks.append(Text("No interaction is significant, so simple effects are not shown."))
    else:
        line = (
            "An interaction is significant, so the main effects alone are misleading. Read the effects at each level "
            "of the other factor instead."
        )
        blocks.append(Text(line, warning=True))
        blocks.append(Table("Simple effects", result.simple_effects, ("factor", "level", "within", "at", *ESTIMATE)))
    return blocks


def _looks(result: StudyResult) -> Blocks:
    """What holds in a study that looked at its results after each replicate."""
    if result.looks is None:
        return []
    look = result.looks.look
    text = (
        "This study was looked at after each replicate from the third on, and could stop as soon as it was decided. "
        f"The looks were planned for at most {look.planned} replicates, so the intervals, p-values and verdicts of "
        f"main effects are valid at this stop, after {look.seeds} replicates. So are the p-values of factors and of "
        "pairs of levels. All other intervals and p-values of this report hold only for a number of runs that was "
        "fixed beforehand."
    )
    if look.seeds < look.planned:
        text += " At an early stop, estimates are optimistic: an effect that was found is probably smaller."
    return [Text(text, warning=True)]


def learning(report: StudyReport) -> Blocks:
    """The means of levels over the steps, at equal budgets, and which runs are in none of them."""
    curves = report.result.curves
    if curves is None:
        return [Text("There are no learning curves: the runs did not log a series of the response at common steps.")]
    steps = f"Levels are compared up to step {curves.last_step:,}, which all runs reached"
    longer = f"; the longest run went on to step {curves.longest:,}" if curves.longest > curves.last_step else ""
    blocks: Blocks = [Text(f"{' and '.join(map(clean, curves.tags))}. {steps}{longer}.")]
    if curves.stopped:
        kinds = Counter(run.status for run in curves.stopped)
        counts = listed(f"{count} {status}" for status, count in kinds.items())
        blocks.append(
            Text(f"Runs that are in no mean, drawn as dotted lines to where they ended: {counts}.", warning=True)
        )
    blocks.append(
        Figure(
            "learning_curves",
            f"Solid: {clean(curves.tags[0])}, with intervals. Dashed: the training series. "
            "The values of the first fifth of the steps may lie outside.",
        )
    )
    blocks.append(Figure("cell_curves", f"{clean(curves.tags[0])} of every run, by combination of levels."))
    return blocks


def _factors(result: StudyResult) -> Blocks:
    """The tests of whole factors, if there are any."""
    if result.factor_tests.p.isna().all():
        return []
    caption = "Factors: does it matter which level is chosen?"
    return [Table(caption, result.factor_tests, FACTOR_COLUMNS, "factors.csv")]


def _scope(result: StudyResult) -> str:
    """Which seeds the intervals and verdicts are about."""
    scopes = set(result.effects.scope)
    count = int(result.effects.seeds.iloc[0])
    if scopes == {THESE_RUNS}:
        return "No seeds are recorded, so they hold for these runs: helps here and hurts here say no more."
    if NEW_SEEDS not in scopes:
        which = f"the {counted(count, 'seed')} of this study" if count else "these runs"
        return (
            f"They hold for {which} only; for new seeds, train with at least three shared seeds or with distinct ones."
        )
    if seeds_recur(result.design):
        return (
            f"They hold for new seeds: the {count} seeds are a sample, and errors come from the differences between "
            "them (CR2). helps here and hurts here hold for these seeds alone."
        )
    return "They hold for new seeds, because each run has a seed of its own."


def _lenth(found: Lenth) -> Blocks:
    line = (
        f"Lenth's method: PSE {number(found.pse)}, ME {number(found.me)}, SME {number(found.sme)}. Use it for "
        f"screening only: without any effect, a single contrast seldom exceeds ME, but one of {len(found.table)} often "
        "does; SME allows for their number."
    )
    largest = found.table.sort_values("ratio", ascending=False, kind="stable")
    shown = ("contrast", Column("effect", "effect", "number"), "ratio", "active", "active_sme", "aliases")
    return [
        Text(line, warning=True),
        Table(f"Lenth's method for {len(found.table)} contrasts, largest first", largest, shown, "lenth.csv"),
        Figure("half_normal", "Half-normal plot. Contrasts far above the line are larger than noise alone explains."),
    ]


def _seed_table(noise: Noise) -> Table:
    """The means over seeds first; then a column for each of the first seeds."""
    assert noise.seed_effects is not None
    assert noise.effects_by_seed is not None
    wide = noise.effects_by_seed.pivot(index=["factor", "level"], columns="seed", values="estimate")
    frame = noise.seed_effects.merge(wide.rename(columns="seed {}".format), on=["factor", "level"])
    keys = [f"seed {label}" for label in noise.seeds[:MAX_SEEDS]]
    seeds = (Column(key, clean(key, 20), "response", LAST) for key in keys)
    shown: Columns = ("factor", "level", Column("estimate", "mean", "response"), "interval", "p", *seeds)
    return Table("Effects estimated from each seed alone: their mean and its t interval", frame, shown)
