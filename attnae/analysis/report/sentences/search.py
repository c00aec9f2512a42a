"""One sentence per setting of a search, and what has to be known before reading them."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from attnae.analysis.inference.verdicts import HELPS, HURTS, NEGLIGIBLE, SUGGESTIVE, UNDETERMINED
from attnae.analysis.report.sentences.study import Sentence, level_name
from attnae.analysis.search.assess import FINDINGS, OPTIMUM
from attnae.analysis.search.next import EXTEND, next_search
from attnae.analysis.search.result import Detail, SearchResult
from attnae.text import clean, counted, decimals_for, fixed, listed, p_statement, percent

ADAPTIVE = (
    "The later runs were chosen from the results of the earlier ones. Where they crowd is the sampler's guess, not "
    "evidence: 20 or more random runs over the same ranges would tell which settings matter"
)
NO_PERCENT = "less than 1%"


def headlines(result: SearchResult) -> tuple[str, ...]:
    """How the runs were chosen, settings that act together, reversed verdicts, and what an empty result means."""
    found = []
    if result.adaptive:
        found.append(f"{ADAPTIVE}. The search is adaptive: {clean(result.adaptive_reason)}.")
    if result.pairs_p < result.alpha:
        first, second = (clean(result.pairs.iloc[0][name], 60) for name in ("first", "second"))
        found.append(
            f"The settings do not act one at a time: {first} and {second} act together "
            f"({p_statement(result.pairs_p)}): read each effect as an average over the other."
        )
    found += [f"the verdict depends on the analysis: {line}" for line in result.reversals]
    if (line := nothing_found(result)) is not None:
        found.append(line)
    return tuple(found)


def sentences(result: SearchResult) -> tuple[Sentence, ...]:
    """One sentence for each setting, the one that explains most first."""
    return tuple(setting_sentence(row, result) for row in by_share(result).to_dict("records"))


def setting_sentence(row: Mapping[Hashable, Any], result: SearchResult) -> Sentence:
    """The sentence for one row of `settings.csv`."""
    return Sentence(row["factor"], row["verdict"], _sentence(row, result))


def by_share(result: SearchResult) -> Any:
    """The rows of `settings.csv`, those that explain most first."""
    order = result.settings["share"].fillna(-1).sort_values(ascending=False, kind="stable").index
    return result.settings.loc[order].reset_index(drop=True)


def value_text(value: float, digits: int = 2) -> str:
    """A value of a setting: 6e-4, 0.0012, 0.25, 128, 1.5e+6."""
    if value == 0 or (math.isfinite(value) and value == round(value) and abs(value) < 1e5):
        return f"{value:.0f}"
    if 1e-3 <= abs(value) < 1e5:
        return f"{value:.{decimals_for(value, digits)}f}"
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(exponent)}"


def range_text(low: float, high: float) -> str:
    """A range of values, with as many digits as tell its ends apart; a single value if it has no length."""
    if low == high:
        return value_text(low)
    for digits in (2, 3, 4, 6):
        ends = value_text(low, digits), value_text(high, digits)
        if ends[0] != ends[1]:
            break
    return f"{ends[0]} to {ends[1]}"


def _sentence(row: Mapping[Hashable, Any], result: SearchResult) -> str:
    among, name = _among(row, result), clean(row["factor"], 80)
    verdict = row["verdict"]
    if not verdict:
        reason = clean(row["note"]) or f"{counted(result.n, 'configuration')} are too few"
        return f"{among}{name}: no verdict ({reason})"
    if verdict == NEGLIGIBLE:
        return f"{among}{name} explains at most {_share(row['share_high'])} of the variation: {verdict}"
    if verdict == UNDETERMINED:
        return f"{among}{name}: no effect found ({_at_most(row)}); {_power(row, result)}: {verdict}"
    statement = _finding(row, result)
    if verdict == SUGGESTIVE:
        needed = _more(row["runs_for_this"], result.n)
        return f"Perhaps {_lower(among)}{_lower(statement)}: {verdict}; {needed} would settle it"
    return f"{among}{_lower(statement) if among else statement}: {verdict}{_edge(row, result)}"


def _finding(row: Mapping[Hashable, Any], result: SearchResult) -> str:
    """What the setting does, without the verdict."""
    lead = f"{clean(row['factor'], 80)} changes {clean(result.response)} ({_evidence(row)})"
    detail = result.details[row["factor"]]
    if detail.decides:
        return f"{lead}, but which runs diverge seems to depend on it, too"
    if row["kind"] == "two-level":
        pair = [str(level) for level in _pair(detail)]
        low, high = (level_name(level, pair) for level in pair)
        return _change(f"{clean(row['factor'], 80)} = {high} instead of {low}", row, result)
    if row["kind"] == "categorical":
        return _levels(row, result)
    if row["verdict"] == OPTIMUM:
        return _optimum(row, detail, result)
    if row["verdict"] in (HELPS, HURTS, SUGGESTIVE):
        low, high = (value_text(float(value)) for value in _pair(detail))
        jump = _jump(detail, result)
        return _change(f"Raising {clean(row['factor'], 80)} from {low} to {high}", row, result) + jump
    return f"{lead}, but these runs do not tell which way{_jump(detail, result)}"


def _optimum(row: Mapping[Hashable, Any], detail: Detail, result: SearchResult) -> str:
    name, response = clean(row["factor"], 80), clean(result.response)
    lowest = "lowest" if result.goal == "min" else "highest"
    tried = f"tried {range_text(row['tried_low'], row['tried_high'])}"
    if detail.located:
        interval = range_text(row["best_low"], row["best_high"])
        level = "roughly" if detail.rough else f"{percent(1 - result.alpha)} interval"
        place = f"{response} is {lowest} near {name} = {value_text(row['best'])} ({level} {interval}; {tried})"
    else:
        place = f"{response} is {lowest} inside the range of {name} ({tried}), but these runs do not tell where"
    decimals = _decimals(row["low_end"], row["high_end"])
    ends = [
        f"at the {end} end {'it is ' if end == 'low' else ''}{fixed(abs(amount), decimals)} "
        f"{'higher' if amount > 0 else 'lower'}"
        for end, amount in (("low", row["low_end"]), ("high", row["high_end"]))
        if math.isfinite(amount)
    ]
    if len(ends) == 1:
        ends = [ends[0].replace(" end ", " end it is ").replace("it is it is", "it is")]
    said = f"; {', '.join(ends)}" if ends else ""
    return f"{place}{said} ({_evidence(row)}){_jump(detail, result)}"


def _change(subject: str, row: Mapping[Hashable, Any], result: SearchResult) -> str:
    """An effect with its interval; where the finished runs alone say the opposite, both."""
    response = clean(result.response)
    size, low, high = row["effect"], row["effect_low"], row["effect_high"]
    better = {HELPS: True, HURTS: False}.get(row["verdict"])
    if better is None and not (low > 0 or high < 0):  # the ranks differ, but not in this direction
        return f"{clean(row['factor'], 80)} changes {response} ({_evidence(row)})"
    lowers = result.goal == "min" if better else result.goal == "max"
    if not math.isfinite(size):
        few = "too few finished runs for an amount"
        if better is None:
            return f"{subject} changes {response} ({few}; {_evidence(row)})"
        return f"{subject} {'lowers' if lowers else 'raises'} {response} ({few}; {_evidence(row)})"
    decimals = _decimals(size, (high - low) / 2)
    label = f"{'optimistic ' if result.adaptive else ''}{percent(1 - result.alpha)} interval"
    if better is not None and (size < 0) != lowers:
        change = f"{fixed(size, decimals)}, {label} {fixed(low, decimals)} to {fixed(high, decimals)}"
        diverged = "diverged runs count as the worst; " if result.diverged else ""
        return (
            f"{subject} makes runs rank {'better' if better else 'worse'} by {response} ({diverged}among the finished "
            f"runs {response} changes by {change}; {_evidence(row)})"
        )
    ends = (-high, -low) if size < 0 else (low, high)
    interval = f"{label} {fixed(ends[0], decimals)} to {fixed(ends[1], decimals)}"
    verb = "lowers" if size < 0 else "raises"
    # Ranks can show a direction where the amounts scatter too much for their interval to exclude 0.
    ranks = ", by ranks; the amount is uncertain" if better is not None and low < 0 < high else ""
    return f"{subject} {verb} {response} by {fixed(abs(size), decimals)} ({interval}; {_evidence(row)}{ranks})"


def _levels(row: Mapping[Hashable, Any], result: SearchResult) -> str:
    name = clean(row["factor"], 80)
    worse = [level for level in str(row["worse"]).split(";") if level]
    tied = [level for level in str(row["tied"]).split(";") if level]
    if not worse or not isinstance(row["best"], str):
        changes = f"{name} changes {clean(result.response)} ({_evidence(row)})"
        return f"{changes}, but these runs do not tell which level is best"
    levels = result.levels[result.levels["factor"] == row["factor"]].set_index("level")
    differences = levels["difference"].reindex(worse)
    decimals = _decimals(*differences)
    parts = [
        f"{clean(level, 60)} is {fixed(abs(amount), decimals)} worse" if math.isfinite(amount) else f"{level} is worse"
        for level, amount in differences.items()
    ]
    if tied:
        verb = "are" if len(tied) > 1 else "is"
        parts.append(f"{listed(tied)} {verb} not distinguishable from it")
    return f"{name} = {clean(row['best'], 60)} is best; {'; '.join(parts)} ({_evidence(row)})"


def _edge(row: Mapping[Hashable, Any], result: SearchResult) -> str:
    """What to do where the best tried value is at an end of the range."""
    edge = row["at_edge"]
    steps = next_search(result).table.set_index("factor")["action"]
    if not edge or steps[row["factor"]] != EXTEND:
        return ""
    end = value_text(row[f"tried_{edge}"])
    where = "downwards" if edge == "low" else "upwards"
    return f". The best tried value is at the {edge} end ({end}): extend the range {where}"


def _jump(detail: Detail, result: SearchResult) -> str:
    if detail.step is None:
        return ""
    side = "above" if detail.step.above else "below"
    return f"; {clean(result.response)} jumps {side} {value_text(detail.step.value)}"


def _evidence(row: Mapping[Hashable, Any]) -> str:
    return f"{_share(row['share'])} of the variation, {p_statement(row['p_holm'])} after Holm"


def _at_most(row: Mapping[Hashable, Any]) -> str:
    high = row["share_high"]
    return f"at most {_share(high)} of the variation" if math.isfinite(high) else "no estimate"


def _power(row: Mapping[Hashable, Any], result: SearchResult) -> str:
    """Which share would have been found, and how many runs a tenth needs."""
    mde, tenth = row["mde_share"], row["runs_for_10pct"]
    runs = f"these {counted(result.n, result.unit)}"
    if math.isfinite(mde):
        said = f"{_share(mde)} was detectable in {runs} (80% power)"
    else:
        said = f"{runs} are too few to find any setting with 80% power"
    return f"{said}, 10% needs about {_rounded_up(tenth)}" if tenth > result.n else said


def nothing_found(result: SearchResult) -> str | None:
    """What a search without any finding could have found; None if it has one, or no tests."""
    tested = result.settings[result.settings["p"].notna()]
    if tested.empty or tested["verdict"].isin(FINDINGS).any():
        return None
    shares, tenth = tested["mde_share"], tested["runs_for_10pct"].max()
    runs = f"these {counted(result.n, result.unit)}"
    if shares.notna().all():
        power = f"a setting that explains {_share(shares.max())} or more of the variation was detectable"
        said = f"{power} in {runs} (80% power)"
    else:
        said = f"{runs} are too few to find every setting, however much it explains (80% power)"
    more = tenth - result.n
    if more > 0:
        said += f"; for one that explains a tenth, run about {_rounded_up(more)} more"
    return f"No setting is shown to matter: {said}."


def _more(needed: float, now: int) -> str:
    return f"about {_rounded_up(needed)} runs in all" if needed > now else "more runs"


def _rounded_up(count: float) -> str:
    """A number of runs with two significant digits, rounded up."""
    if not math.isfinite(count):
        return "an unknown number"
    unit = 10 ** max(0, math.floor(math.log10(max(count, 1))) - 1)
    return f"{math.ceil(count / unit) * unit:,}"


def _share(share: float) -> str:
    if not math.isfinite(share):
        return "an unknown share"
    return NO_PERCENT if share < 0.005 else f"{100 * share:.0f}%"


def _among(row: Mapping[Hashable, Any], result: SearchResult) -> str:
    """`Among the 38 runs with optimizer = sgd, `; empty for a setting that all runs record."""
    detail = result.details[row["factor"]]
    ended = " that did not diverge" if np.isnan(detail.z).any() else ""
    runs, parent = f"{counted(int(row['n']), result.unit)}{ended}", row["parent"]
    if detail.active.all():
        return f"Among the {runs}, " if ended else ""
    if not isinstance(parent, str):
        return f"Among the {runs}{' and' if ended else ' that'} record it, "
    column = f"hparams/{parent}" if f"hparams/{parent}" in result.configurations else parent
    values = result.configurations[column][detail.active]
    distinct = list(dict.fromkeys(values.dropna()))
    if len(distinct) == 1:
        value = distinct[0]
        text = value_text(value) if isinstance(value, float) else clean(value, 60)
        return f"Among the {runs} with {clean(parent, 80)} = {text}, "
    return f"Among the {runs} in which {clean(parent, 80)} calls for it, "


def _pair(detail: Detail) -> tuple[Any, Any]:
    return detail.low_value, detail.high_value


def _decimals(*amounts: float) -> int | None:
    """Two significant digits of the smallest amount that is not tiny beside the largest."""
    sizes = [abs(amount) for amount in amounts if math.isfinite(amount) and amount]
    if not sizes or not 1e-7 < max(sizes) < 1e7:
        return None
    return decimals_for(max(min(sizes), max(sizes) / 10), 2)


def _lower(text: str) -> str:
    """The text as it continues a sentence; names keep their case."""
    return f"r{text[1:]}" if text.startswith("Raising ") else f"a{text[1:]}" if text.startswith("Among ") else text
