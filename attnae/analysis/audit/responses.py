"""The response of a run: which tag, and at which epoch it is read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from attnae.analysis.goal import Goal, goal_is_known
from attnae.errors import UserError
from attnae.reading.run import Run

TEST, VALIDATION, TRAIN = r"test|eval", r"val|valid|validation|dev", r"train|training"
TAIL = 5


@dataclass(frozen=True)
class EpochRule:
    """Which point of a series is the response: the last, the one at the best epoch, or the mean of the last k."""

    kind: Literal["last", "best", "tail"] = "last"
    length: int = 1

    @classmethod
    def parse(cls, text: str) -> EpochRule:
        """`last`, `best` or `tail:k`, k > 0."""
        if text in ("last", "best"):
            return cls("last" if text == "last" else "best")
        found = re.fullmatch(r"tail:([1-9]\d{0,5})", text)
        if found is None:
            raise UserError(f"--at {text} is not an epoch rule: type last, best, or tail:5 (the mean of the last five)")
        return cls("tail", int(found[1]))

    def __str__(self) -> str:
        return f"tail:{self.length}" if self.kind == "tail" else self.kind

    def read(self, run: Run, tag: str, goal: Goal, chosen_on: str | None = None) -> float | None:
        """The response of a run; None if it has none.

        Args:
            chosen_on: for `best`, the tag whose best finite value decides at which step `tag` is read (the first step
                if several are equally good). None: no run has such a tag.
        """
        series = run.scalars.get(tag)
        if series is None or len(series.values) == 0:
            return None
        if self.kind == "last":
            return float(series.values[-1])
        if self.kind == "tail":
            with np.errstate(invalid="ignore"):
                return float(np.mean(series.values[-self.length :]))
        chooser = run.scalars.get(chosen_on) if chosen_on is not None else None
        if chooser is None:
            return None
        _, ours, theirs = np.intersect1d(series.steps, chooser.steps, assume_unique=True, return_indices=True)
        scores = chooser.values[theirs] * (1 if goal == "min" else -1)
        scores = np.where(np.isfinite(scores), scores, np.inf)
        if len(scores) == 0:
            return None
        return float(series.values[ours[np.argmin(scores)]]) if np.isfinite(scores).any() else float("nan")


def choose_response(runs: Sequence[Run], response: str | None) -> str:
    """The given tag, or else the most likely one.

    Preferred are tags that the runs declare as results, that at least half of the runs have, of the test split, and
    losses, in this order.

    Raises:
        UserError: no run has the tag, or no run has any scalar.
    """
    tags = _count(tag for run in runs for tag in run.scalars)
    if not tags:
        raise UserError("the runs have no scalar values: log the result of each run with add_scalar")
    if response is not None:
        if response not in tags:
            close = difflib.get_close_matches(response, tags, n=1)
            hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(sorted(tags)[:8])}"
            raise UserError(f"--response {response}: no run has this tag; {hint}")
        return response
    declared = {metric for run in runs for metric in run.metrics}

    def unlikely(tag: str) -> tuple[bool, bool, int, int, str]:
        split = 0 if _has(tag, TEST) or tag in declared else 1 if _has(tag, VALIDATION) else 2
        metric = 0 if "loss" in tag.lower() else 1 if goal_is_known(tag) else 2
        return tag not in declared, 2 * tags[tag] < len(runs), 3 if _has(tag, TRAIN) else split, metric, tag

    return min(tags, key=unlikely)


def validation_twin(tag: str, tags: Iterable[str]) -> str | None:
    """The same metric on the validation split: `val/loss` for `test/loss`, the tag itself if it is that."""
    if _has(tag, VALIDATION):
        return tag
    pattern = re.compile(_word(f"{TEST}|{TRAIN}"), re.IGNORECASE)
    known = set(tags)
    for name in VALIDATION.split("|"):
        guesses = [pattern.sub(name, tag, count=1)] if pattern.search(tag) else [f"{name}/{tag}", f"{name}_{tag}"]
        for guess in guesses:
            if guess in known:
                return guess
    return None


def has_one_point(runs: Sequence[Run], tag: str) -> bool:
    """Whether no run has more than one value of the tag, so that there is no epoch to choose."""
    return all(len(run.scalars[tag].steps) <= 1 for run in runs if tag in run.scalars)


def check_rule(runs: Sequence[Run], tag: str, rule: EpochRule) -> str | None:
    """The tag by which `best` chooses the epoch; None for the other rules.

    Raises:
        UserError: the tag has one value per run and the rule is not `last`, or `best` has no validation tag.
    """
    if rule.kind == "last":
        return None
    twin = validation_twin(tag, {tag for run in runs for tag in run.scalars})
    if has_one_point(runs, tag):
        instead = f"add --response {twin}" if twin not in (None, tag) else "leave out --at"
        raise UserError(f"--at {rule}: {tag} has only one value per run, so there is no epoch to choose; {instead}")
    if rule.kind == "best" and twin is None:
        raise UserError(f"--at best: {tag} has no validation tag by which to choose the epoch; try --at tail:{TAIL}")
    return twin if rule.kind == "best" else None


def alternative_rules(
    runs: Sequence[Run], tag: str, rule: EpochRule
) -> Iterator[tuple[str, str, EpochRule, str | None]]:
    """Other definitions of the response: a label, tag, rule, and the tag by which to choose the epoch.

    If the tag has one value per run, the same metric on the validation split is used, under every rule.
    """
    twin = validation_twin(tag, {tag for run in runs for tag in run.scalars})
    base = twin if has_one_point(runs, tag) else tag
    if base is None or has_one_point(runs, base):
        return
    for other in (EpochRule("last"), EpochRule("best"), EpochRule("tail", TAIL)):
        if (base, other) == (tag, rule) or (other.kind == "best" and twin is None):
            continue
        itself = ", chosen on itself" if other.kind == "best" and base == twin else ""
        yield f"{base}, {other}{itself}", base, other, twin if other.kind == "best" else None


def _word(names: str) -> str:
    return rf"(?<![a-zA-Z])(?:{names})(?![a-zA-Z])"


def _has(tag: str, names: str) -> bool:
    return re.search(_word(names), tag, re.IGNORECASE) is not None


def _count(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts
