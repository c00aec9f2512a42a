"""One sentence per factor: what it does to the response, by how much, how certain that is, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from attnae.analysis.design.factors import OFF_WORDS, Factor
from attnae.analysis.estimates.effects import NO_CHOICE
from attnae.analysis.inference.distributions import t_ppf
from attnae.analysis.inference.power import POWER
from attnae.analysis.inference.scope import NEW_SEEDS, seeds_recur
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
    WORSE,
)
from attnae.analysis.report.sentences.units import Unit
from attnae.analysis.result import StudyResult
from attnae.text import clean, listed, p_statement, percent, title_of

# Verdicts of sentences that may be left to a second page.
SILENT = (UNDETERMINED, NEGLIGIBLE, NOT_DISTINGUISHABLE, "")
# A longer value is named by its place among the levels.
MAX_VALUE = 80
SWITCHES = (
    ("false", "true"),
    ("0", "1"),
    ("off", "on"),
    ("no", "yes"),
    ("without", "with"),
    ("absent", "present"),
    ("disabled", "enabled"),
)


@dataclass(frozen=True)
class Sentence:
    """What the study says about one factor.

    Attributes:
        verdict: of a two-level factor, that of its only row; of a factor of more levels `best`, `matters` or `not
            distinguishable`; of a continuous factor, that of the row with the smallest p-value; "" without a verdict.
        is_pair: whether it compares one level of a factor with none, after the sentence on the whole factor.
    """

    factor: str
    verdict: str
    text: str
    is_pair: bool = False


def sentences(result: StudyResult) -> tuple[Sentence, ...]:
    """One sentence for each factor, in their order, with one for each level beside "none" of more than two levels; then
    one for each factor that had to be dropped."""
    found = []
    for factor in result.factors:
        effects = result.shown_effects
        rows = effects[effects.factor == factor.name].to_dict("records")
        describe = {"two-level": _two_level, "many-level": _many_level, "continuous": _continuous}[factor.kind]
        found += [describe(factor, rows, result), *_against_none(factor, rows, result)]
    for name, level in result.dropped_factors.items():
        text = f"{title_of(name)} is {clean(level, 80)} in all finished runs, so its effect cannot be estimated"
        found.append(Sentence(name, "", text))
    return tuple(found)


def leading_sentences(found: Sequence[Sentence], most: int) -> tuple[list[Sentence], list[Sentence]]:
    """The sentences that are shown first, and the others: of more than `most`, those without a finding come later."""
    if len(found) <= most:
        return list(found), []
    leading = [item for item in found if item.verdict not in SILENT][:most] or list(found[:1])
    return leading, [item for item in found if item not in leading]


def is_switch(factor: Factor) -> bool:
    """Whether the two levels are off and on."""
    return tuple(label.casefold() for label in factor.labels) in SWITCHES


def _two_level(factor: Factor, rows: list[dict[str, Any]], result: StudyResult) -> Sentence:
    low, high = (level_name(label, factor.labels) for label in factor.labels)
    subject = title_of(factor.name)
    if not is_switch(factor):
        instead = f" instead of {low}" if factor.labels[0].casefold() not in OFF_WORDS or factor.numeric else ""
        subject = f"{clean(factor.name)} = {high}{instead}"
    return Sentence(factor.name, rows[0]["verdict"], _effect_sentence(subject, rows[0], result))


def _continuous(factor: Factor, rows: list[dict[str, Any]], result: StudyResult) -> Sentence:
    line, curve = rows
    scale = " (on a log10 scale)" if factor.scale == "log10" else ""
    ends = f"{factor.levels[0]:.4g} to {factor.levels[-1]:.4g}"
    subject = f"Raising {clean(factor.name)} from {ends}{scale}"
    text = _effect_sentence(subject, line, result)
    middle = f"the middle of the range of {clean(factor.name)}, compared with its ends,"
    curvature = _effect_sentence(middle, curve, result)
    surest = min(rows, key=lambda row: row["p_holm"] if math.isfinite(row["p_holm"]) else 2.0)
    return Sentence(factor.name, surest["verdict"], f"{text}. Curvature: {curvature}")


def _effect_sentence(subject: str, row: dict[str, Any], result: StudyResult) -> str:
    verdict, estimate = row["verdict"], row["estimate"]
    if not math.isfinite(estimate):
        return f"{subject}: no estimate; {_remedy(row)}"
    unit = Unit.of_row(row, result)
    size, low, high = (unit.value(amount) for amount in (estimate, row["ci_low"], row["ci_high"]))
    response, wide = clean(result.response), row["scope"] == NEW_SEEDS
    new = " for new seeds" if wide else ""
    changed = f"{subject} changes {response} by {unit.text(size, signed=True)}{new}"
    interval = f"{percent(1 - result.reading.alpha)} CI"
    if math.isnan(low):
        return f"{changed} (no interval: no residual degrees of freedom): {_no_verdict(row, result)}"
    sure = f"{p_statement(row['p_holm'])} after Holm"
    only = "" if wide else f", {_only(result)}"
    if not verdict:
        return f"{changed} ({interval} {unit.span(low, high)}): {_no_verdict(row, result)}"
    if verdict == NEGLIGIBLE:
        small = 1 - 2 * result.reading.alpha
        bound = f"{p_statement(row['p_negligible_holm'])} after Holm that it is within ±{result.reading.negligible:g}"
        if result.looks is None:
            low, high = (unit.value(end) for end in _interval(row, small))
        else:
            small = 1 - result.reading.alpha
        limits = unit.span(low, high)
        return f"{changed} ({percent(small)} CI {limits}; {bound}): {verdict}{only}"
    if verdict == UNDETERMINED:
        text = f"{changed} ({interval} {unit.span(low, high)}, {sure}): {verdict}{only}"
        detectable = f"; {unit.text(unit.value(row['mde']))} was detectable with {percent(POWER)} power"
        return f"{text}{detectable}" if math.isfinite(row["mde"]) else text
    here = verdict in (HELPS_HERE, HURTS_HERE)
    ends = [unit.value(row[f"ci_{end}_here"]) for end in ("low", "high")]
    shown = (lambda low, high: unit.span(-high, -low)) if size < 0 else unit.span
    verb = "lower" if size < 0 else "raise"
    verb = f"may {verb}" if verdict == SUGGESTIVE else f"{verb}s"
    change = f"{subject} {verb} {response} by {unit.text(abs(size))}"
    if here:
        open_ = f"{shown(low, high)}, {p_statement(row['p_holm'])}"
        sure = f"{p_statement(row['p_holm_here'])} after Holm"
        seen = f"({interval} {shown(*ends)}, {sure})"
        if not wide:
            return f"{change} {seen}: {verdict}{only}"
        return f"{change} in {these_runs(result)} {seen}: {verdict}; for new seeds open ({open_})"
    text = f"{change}{new} ({interval} {shown(low, high)}, {sure}): {verdict}{only}"
    # With few seeds the interval for new seeds can be the narrower one by chance; the other then adds nothing.
    if verdict in (HELPS, HURTS) and seeds_recur(result.design) and ends[1] - ends[0] < high - low:
        text += f". For {these_runs(result)} alone: {shown(*ends)}"
    return text


def _many_level(factor: Factor, rows: list[dict[str, Any]], result: StudyResult) -> Sentence:
    name, response = clean(factor.name), clean(result.response)
    known = [row for row in rows if math.isfinite(row["estimate"])]
    if not known:
        return Sentence(factor.name, "", f"{name}: no estimate; {_remedy(rows[0])}")
    called = {label: level_name(label, factor.labels) for label in factor.labels}
    top = (min if result.reading.goal == "min" else max)(known, key=lambda row: row["estimate"])
    word = "lowest" if result.reading.goal == "min" else "highest"
    if not top["verdict"]:
        return Sentence(
            factor.name, "", f"{name} = {called[top['level']]} has the {word} mean: {_no_verdict(top, result)}"
        )
    wide = top["scope"] == NEW_SEEDS
    new, only = (" for new seeds", "") if wide else ("", f", {_only(result)}")
    sure = f"{p_statement(top['p_holm'])} after Holm"
    matters = top["p_holm"] < result.reading.alpha
    worse = [row for row in known if row["verdict"] == WORSE]
    if not worse:
        if not matters:
            text = f"{name}: {listed(called.values())} do not differ significantly{new} ({sure}): {NOT_DISTINGUISHABLE}"
            return Sentence(factor.name, NOT_DISTINGUISHABLE, f"{text}{only}")
        text = f"{name} changes {response}{new} ({sure}); which level is best is open: {MATTERS}{only}"
        return Sentence(factor.name, MATTERS, text)
    named = listed(f"{called[row['level']]} ({_distance(row, top, result)})" for row in worse)
    verb = "is" if len(worse) == 1 else "are"
    text = f"{name} = {called[top['level']]} has the {word} {response}; {named} {verb} worse{new}"
    level = listed(called[row["level"]] for row in known if row["verdict"] == NOT_DISTINGUISHABLE and row is not top)
    if level:
        several = len(known) - len(worse) > 2
        text += f", {level} {'are' if several else 'is'} not distinguishable from it"
    verdict = BEST if top["verdict"] == BEST else MATTERS
    return Sentence(factor.name, verdict, f"{text} ({sure}): {verdict}{only}")


def _against_none(factor: Factor, rows: list[dict[str, Any]], result: StudyResult) -> list[Sentence]:
    """What each level changes, if a factor of more than two levels has one that means that there is nothing."""
    absent = [label for label in factor.labels if label.casefold() in OFF_WORDS]
    if factor.kind != "many-level" or len(absent) != 1 or result.pairwise is None or not rows[0]["verdict"]:
        return []
    means = result.marginal_means
    mean = float(means[(means.factor == factor.name) & (means.level == absent[0])]["mean"].iloc[0])
    pairs = result.pairwise[result.pairwise.factor == factor.name]
    found = []
    for row in pairs[(pairs.level == absent[0]) | (pairs.versus == absent[0])].to_dict("records"):
        if row["level"] == absent[0]:
            low, high = -row["ci_high"], -row["ci_low"]
            row |= {"level": row["versus"], "estimate": -row["estimate"], "ci_low": low, "ci_high": high}
        in_percent = math.isfinite(rows[0]["percent_change"])
        row["percent_change"] = 100 * row["estimate"] / mean if in_percent else math.nan
        found.append(_pair(factor, absent[0], row, rows[0]["scope"] == NEW_SEEDS, result))
    return found


def _pair(factor: Factor, absent: str, row: dict[str, Any], wide: bool, result: StudyResult) -> Sentence:
    unit = Unit.of_row(row, result)
    size, low, high = (unit.value(amount) for amount in (row["estimate"], row["ci_low"], row["ci_high"]))
    better = (size < 0) == (result.reading.goal == "min")
    verdict = NOT_DISTINGUISHABLE
    if row["p_holm"] < result.reading.alpha:
        verdict = (HELPS if better else HURTS) if wide else (HELPS_HERE if better else HURTS_HERE)
    new, only = (" for new seeds", "") if wide else ("", f", {_only(result)}")
    subject = f"{clean(factor.name)} = {level_name(row['level'], factor.labels)} instead of {clean(absent)}"
    change = f"changes {clean(result.response)} by {unit.text(size, signed=True)}{new}"
    interval = f"{percent(1 - result.reading.alpha)} CI {unit.span(low, high)}"
    sure = f"{p_statement(row['p_holm'])} over all pairs"
    return Sentence(factor.name, verdict, f"{subject} {change} ({interval}, {sure}): {verdict}{only}", is_pair=True)


def level_name(label: str, labels: Sequence[str]) -> str:
    """A level in a sentence: its text, or its place among the levels if the text is too long to be read."""
    return clean(label, 60) if len(label) <= MAX_VALUE else f"value {list(labels).index(label) + 1} of {len(labels)}"


def _remedy(row: dict[str, Any]) -> str:
    """What gives an estimate; the section Main effects has the reason in full."""
    note = str(row["note"])
    if not note.startswith("not estimable"):
        return "too few runs"
    what = "runs that separate it from its aliases" if "aliased with" in note else "the missing combinations"
    alone = " or add --interactions none" if "--interactions none" in note else ""
    return f"train {what}, which Main effects names{',' if alone else ''}{alone}"


def _interval(row: dict[str, Any], level: float) -> tuple[float, float]:
    half = float(t_ppf((1 + level) / 2, row["df"])) * row["std_error"]
    return row["estimate"] - half, row["estimate"] + half


def _no_verdict(row: dict[str, Any], result: StudyResult) -> str:
    if row["note"] == NO_CHOICE:
        return NO_CHOICE
    left = result.model.residual_df
    return (
        f"no verdict, because model M leaves {left} residual degree{'' if left == 1 else 's'} of freedom; train the "
        "same combinations with more seeds"
    )


def these_runs(result: StudyResult) -> str:
    """The seeds of the study in words."""
    count = int(result.effects.seeds.iloc[0])
    return f"these {count} seeds" if count > 1 else "this seed" if count else "these runs"


def _only(result: StudyResult) -> str:
    """What a statement that is not about new seeds is about."""
    seeds = result.noise.seeds
    if not seeds:
        return "for these runs only"
    if len(seeds) == 1:
        return f"for seed {clean(seeds[0], 20)} only; nothing is said about other seeds"
    return f"for these {len(seeds)} seeds only; nothing is said about other seeds"


def _distance(row: dict[str, Any], top: dict[str, Any], result: StudyResult) -> str:
    """How far a level is from the best one, in the unit of the sentence."""
    difference = row["estimate"] - top["estimate"]
    unit = Unit.of_row(top, result)
    return unit.text(unit.value(difference), signed=True)
