"""The response of a run: which tag, and at which epoch it is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from attnae.analysis.audit.names import resolve, unknown_name
from attnae.analysis.goal import Goal, goal_is_known
from attnae.errors import UserError
from attnae.reading.run import FINISHED, Run

TEST, VALIDATION, TRAIN = r"test|eval", r"val|valid|validation|dev", r"train|training"
TAIL = 5


@dataclass(frozen=True)
class EpochRule:
    """Which point of a series is the response: the last, the one at the best epoch, or the mean of the last k.

    "common" takes the place of "last" where finished runs have different lengths: the last point up to step `length`,
    which all of them reached.
    """

    kind: Literal["last", "best", "tail", "common"] = "last"
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
        names = {"tail": f"tail:{self.length}", "common": f"last up to step {self.length}"}
        return names.get(self.kind, self.kind)

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
        if self.kind == "common":
            reached = series.values[series.steps <= self.length]
            return float(reached[-1]) if len(reached) else None
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

    Preferred are the objective of a search, tags that the runs declare as results, that at least half of the runs have,
    of the test split, and losses, in this order. The given tag may lack a prefix such as `metrics.`, or have one.

    Raises:
        UserError: no run has the tag, or no run has any scalar.
    """
    tags = _count(tag for run in runs for tag in run.scalars)
    if not tags:
        found = "; ".join(problem for run in runs[:1] for problem in (*run.problems, *run.notes))
        raise UserError(
            f"the runs have no scalar values{f' ({found})' if found else ''}: log the result of each run, or name "
            "the column of a table with --response"
        )
    if response is not None:
        tag = resolve(response, list(tags))
        if tag is None:
            raise unknown_name("--response", response, sorted(tags), "no run has this tag")
        return tag
    declared = {metric for run in runs for metric in run.metrics}
    # Of several results of a search, the first is the one whose direction the search declares.
    objectives = {run.metrics[0] for run in runs if run.goal is not None and run.metrics}

    def unlikely(tag: str) -> tuple[bool, bool, bool, int, int, str]:
        split = 0 if _has(tag, TEST) or tag in declared else 1 if _has(tag, VALIDATION) else 2
        metric = 0 if "loss" in tag.lower() else 1 if goal_is_known(tag) else 2
        order = (2 * tags[tag] < len(runs), 3 if _has(tag, TRAIN) else split, metric, tag)
        return tag not in objectives, tag not in declared, *order

    return min(tags, key=unlikely)


def declared_goal(runs: Sequence[Run], tag: str) -> Goal | None:
    """The direction that the runs declare for the tag, if they agree."""
    goals = {run.goal for run in runs if run.goal is not None and run.metrics[:1] == (tag,)}
    return goals.pop() if len(goals) == 1 else None


def common_step(runs: Sequence[Run], tag: str) -> int | None:
    """The last step that all finished runs reached, if they have different lengths and no setting explains them.

    Runs without a completion mark may have been stopped, so they do not count. A setting explains the lengths if runs
    that agree in it end at the same step, as a number of epochs does.
    """
    marked = [run for run in runs if run.status == FINISHED and tag in run.scalars and len(run.scalars[tag].steps)]
    ends = [int(run.scalars[tag].steps[-1]) for run in marked]
    if len(set(ends)) < 2 or has_one_point(marked, tag):
        return None
    for name in dict.fromkeys(name for run in marked for name in run.hparams):
        values = [run.hparams.get(name) for run in marked]
        if len(set(values)) < len(values) and len(set(zip(values, ends, strict=True))) == len(set(values)):
            return None
    return min(ends)


def validation_twin(tag: str, tags: Iterable[str]) -> str | None:
    """The same metric on the validation split: `val/loss` for `test/loss`, the tag itself if it is that."""
    return _twin(tag, tags, VALIDATION)


def curve_tags(runs: Sequence[Run], tag: str) -> tuple[str, ...]:
    """The series of a response over the training: its own, or its validation twin if it has one point per run, and then
    that of the training split."""
    tags = {tag for run in runs for tag in run.scalars}
    base = validation_twin(tag, tags) if has_one_point(runs, tag) else tag
    if base is None:
        return ()
    return tuple(dict.fromkeys(filter(None, (base, _twin(base, tags, TRAIN)))))


def _twin(tag: str, tags: Iterable[str], split: str) -> str | None:
    """The same metric on another split; the tag itself if it is of that split."""
    if _has(tag, split):
        return tag
    pattern = re.compile(_word(f"{TEST}|{VALIDATION}|{TRAIN}"), re.IGNORECASE)
    known = set(tags)
    for name in split.split("|"):
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
    if rule.kind in ("last", "common"):
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

    If the tag has one value per run, the same metric on the validation split is used, under every rule. Where finished
    runs have different lengths, the last step that all of them reached is one of the rules.
    """
    twin = validation_twin(tag, {tag for run in runs for tag in run.scalars})
    base = twin if has_one_point(runs, tag) else tag
    if base is None or has_one_point(runs, base):
        return
    rules = [EpochRule("last"), EpochRule("best"), EpochRule("tail", TAIL)]
    if (step := common_step(runs, base)) is not None:
        rules.append(EpochRule("common", step))
    for other in rules:
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
