"""One sentence per factor: what it does to the response, by how much, how certain that is, and the verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from attnae.analysis.design.factors import OFF_WORDS, Factor
from attnae.analysis.estimates.effects import NARROW_LEVEL
from attnae.analysis.inference.power import POWER
from attnae.analysis.inference.verdicts import HELPS, HURTS, NEGLIGIBLE, SUGGESTIVE, TIED, WORSE
from attnae.analysis.result import StudyResult
from attnae.text import clean, decimals_for, fixed, listed, p_statement, percent, title_of

CHANCE = f"the study had an {percent(POWER)} chance of detecting"
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
        verdict: of a two-level factor, that of its only row; of a factor of more levels, that of the best level; of a
            continuous factor, that of the row with the smallest p-value; "" without an estimate.
    """

    factor: str
    verdict: str
    text: str


def sentences(result: StudyResult) -> tuple[Sentence, ...]:
    """One sentence for each factor, in their order; then one for each factor that had to be dropped."""
    found = []
    for factor in result.factors:
        rows = result.effects[result.effects.factor == factor.name].to_dict("records")
        describe = {"two-level": _two_level, "many-level": _many_level, "continuous": _continuous}[factor.kind]
        found.append(describe(factor, rows, result))
    for name, level in result.dropped_factors.items():
        text = f"{title_of(name)} is {clean(level, 80)} in all finished runs, so its effect cannot be estimated"
        found.append(Sentence(name, "", text))
    return tuple(found)


def is_switch(factor: Factor) -> bool:
    """Whether the two levels are off and on."""
    return tuple(label.casefold() for label in factor.labels) in SWITCHES


def _two_level(factor: Factor, rows: list[dict[str, Any]], result: StudyResult) -> Sentence:
    low, high = (clean(label, 60) for label in factor.labels)
    subject = title_of(factor.name)
    if not is_switch(factor):
        instead = f" instead of {low}" if low.casefold() not in OFF_WORDS or factor.numeric else ""
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
    if not verdict:
        return f"{subject}: no estimate ({clean(row['note']) or 'too few runs'})"
    unit = _Unit.of_row(row, result)
    size, low, high = (unit.value(amount) for amount in (estimate, row["ci_low"], row["ci_high"]))
    response = clean(result.response)
    changed = f"{subject} changes {response} by {unit.text(size, signed=True)}"
    if math.isnan(low):
        return f"{changed} (no interval: no residual degrees of freedom): {verdict}"
    interval = f"{percent(1 - result.reading.alpha)} CI"
    sure = f"{p_statement(row['p_holm'])} after Holm"
    if verdict in (HELPS, HURTS, SUGGESTIVE):
        verb = "lower" if size < 0 else "raise"
        verb = f"may {verb}" if verdict == SUGGESTIVE else f"{verb}s"
        span = unit.span(*((-high, -low) if size < 0 else (low, high)))
        return f"{subject} {verb} {response} by {unit.text(abs(size))} ({interval} {span}, {sure}): {verdict}"
    if verdict == NEGLIGIBLE:
        bound = f"{percent(NARROW_LEVEL)} CI within ±{result.reading.negligible:g}"
        return f"{changed} ({interval} {unit.span(low, high)}; {bound}): {verdict}"
    power = f"{CHANCE} an effect of {unit.text(unit.value(row['mde']))}"
    return f"{changed} ({interval} {unit.span(low, high)}, {sure}): {verdict}; {power}"


def _many_level(factor: Factor, rows: list[dict[str, Any]], result: StudyResult) -> Sentence:
    name, response = clean(factor.name), clean(result.response)
    judged = [row for row in rows if row["verdict"]]
    if not judged:
        return Sentence(factor.name, "", f"{name}: no estimate ({clean(rows[0]['note']) or 'too few runs'})")
    top = (min if result.reading.goal == "min" else max)(judged, key=lambda row: row["estimate"])
    word = "lowest" if result.reading.goal == "min" else "highest"
    p = min((row["p_holm"] for row in judged if math.isfinite(row["p_holm"])), default=math.nan)
    sure = f"smallest {p_statement(p)} after Holm"
    rest = [row for row in judged if row is not top]
    others = {verdict: [row for row in rest if row["verdict"] == verdict] for verdict in (WORSE, TIED)}
    if not others[WORSE]:
        # Levels differ where a row of effects.csv and a pair both have p below alpha: the larger p prevented that.
        if result.pairwise is not None:
            p = max(p, result.pairwise.p_holm[result.pairwise.factor == factor.name].min())
            sure = f"smallest {p_statement(p)} after Holm"
        unit = _Unit.of_row(top, result)
        sizes = [row["mde"] for row in judged if math.isfinite(row["mde"])]
        text = f"{name}: {listed(factor.labels)} are not distinguishable ({sure}): {TIED}"
        if sizes:
            size = unit.text(unit.value(max(sizes)))
            text += f"; {CHANCE} a level that differs from their mean by {size}"
        return Sentence(factor.name, TIED, text)
    worse = listed(f"{clean(row['level'], 60)} ({_distance(row, top, result)})" for row in others[WORSE])
    verb = "is" if len(others[WORSE]) == 1 else "are"
    text = f"{name} = {clean(top['level'], 60)} has the {word} {response}; {worse} {verb} worse"
    if others[TIED]:
        verb = "is" if len(others[TIED]) == 1 else "are"
        text += f", {listed(row['level'] for row in others[TIED])} {verb} tied with it"
    return Sentence(factor.name, top["verdict"], f"{text} ({sure}): {top['verdict']}")


def _distance(row: dict[str, Any], top: dict[str, Any], result: StudyResult) -> str:
    """How far a level is from the best one, in the unit of the sentence."""
    difference = row["estimate"] - top["estimate"]
    unit = _Unit.of_row(top, result)
    return unit.text(unit.value(difference), signed=True)


@dataclass(frozen=True)
class _Unit:
    """Percent of the reference mean where there is one, else units of the response.

    Attributes:
        scale: percent of one unit of the response; NaN where percentages have no meaning.
        decimals: the same for all numbers of a sentence; None for significant digits.
    """

    log: bool
    scale: float
    decimals: int | None

    @classmethod
    def of_row(cls, row: dict[str, Any], result: StudyResult) -> _Unit:
        log, change, estimate = result.reading.log, row["percent_change"], row["estimate"]
        scale = 100.0 if log else change / estimate if estimate else math.nan
        half = (row["ci_high"] - row["ci_low"]) / 2
        half = half if half > 0 else abs(estimate)
        if not math.isfinite(scale):
            return cls(log, scale, decimals_for(half, 2) if 1e-7 < half < 1e7 else None)
        shown = abs(scale) * half
        return cls(log, scale, max(1, decimals_for(shown, 1)) if shown < 1e7 else None)

    def value(self, amount: float) -> float:
        """An amount on the scale of the analysis as this unit shows it."""
        if not math.isfinite(self.scale):
            return amount
        return 100 * math.expm1(amount) if self.log else self.scale * amount

    def text(self, value: float, *, signed: bool = False) -> str:
        sign = "+" if signed and value > 0 else ""
        return f"{sign}{fixed(value, self.decimals)}{'%' if math.isfinite(self.scale) else ''}"

    def span(self, low: float, high: float) -> str:
        return f"{fixed(low, self.decimals)} to {fixed(high, self.decimals)}"
