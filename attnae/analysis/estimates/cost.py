"""What a choice costs: the time of a run as a response of its own, beside the response that is judged.

Times depend on the machine and on what else it does, so they get ratios with intervals and no verdict, and none where
something other than the factors may explain them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from attnae.analysis.design.factors import OFF_WORDS, Factor
from attnae.analysis.design.model import Design
from attnae.analysis.estimates.family import Reading, main_rows, pair_rows
from attnae.analysis.inference.families import holm
from attnae.analysis.inference.scope import scoped_contrasts
from attnae.analysis.inference.verdicts import MIN_VERDICT_DF, Goal
from attnae.reading.curves import as_float
from attnae.reading.run import FINISHED, Run

# Runs of one combination do the same work. If their times differ by more, something else decides how long a run takes.
MAX_SPREAD = 2.0
MIN_SECONDS = 1.0
MAX_ORDER = 0.9
ORDER = "the levels of each factor ran one after the other, and the load of the machine may have changed"
# What runs record about the machine that they ran on, by the last part of its name.
MACHINE = re.compile(
    r"(.*[/_.])?(host(name)?|node(_ip)?|system|machine|cpus?|cpu_count|cpu_capability|gpus?|gpu_(count|type|name)|"
    r"device(_name|_type)?|accelerator)",
    re.IGNORECASE,
)
EPOCHS, EARLY = ("epochs", "max_epochs", "num_train_epochs", "num_epochs", "n_epochs"), re.compile(r"patience|early")
# Columns of the table of combinations that hold no setting; a factor of such a name becomes `factor:name`.
COMPUTED = ("number", "n", "seconds", "seconds_per_epoch", "mean")
EFFECTS = ["factor", "level", "versus", "ratio", "ci_low", "ci_high", "df", "p", "p_holm"]


@dataclass(frozen=True)
class Cost:
    """How long the runs of a study took.

    Attributes:
        effects: factor, level, versus, ratio (of the mean times, geometric, level over versus), ci_low, ci_high, df, p,
            p_holm (a family of its own); one row for each level but the one that it is compared with. None if nothing
            can be said.
        reason: why nothing can be said about the factors, as a part of a sentence; empty if something can.
        cells: number, one column per factor (by `attrs["factors"]`), n, seconds (geometric mean), seconds_per_epoch
            (NaN if the number of epochs is unknown), mean (of the analysed responses); one row per combination, the
            fastest first. `number` counts the combinations that no other one beats on both: none is at least as fast
            and has at least as good a mean; the others have 0. None if a run has no time.
        at_once: how many runs were under way at the same time, at most; 0 if their starts are unknown.
        apart: factors whose levels ran one after the other, so that their times cannot be compared.
    """

    effects: pd.DataFrame | None
    reason: str
    cells: pd.DataFrame | None
    at_once: int = 0
    apart: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        """Whether any level takes a different time; see `p_holm`."""
        return self.effects is not None and bool((self.effects["p_holm"] < self.effects.attrs["alpha"]).any())


def study_cost(
    design: Design,
    y: np.ndarray,
    names: Sequence[str],
    runs: Sequence[Run],
    reading: Reading,
    *,
    same_length: bool = True,
) -> Cost | None:
    """What the choices of a study cost in time; None if no run of it recorded a time.

    Args:
        design: model M, whose runs have these names.
        y: (runs,), the analysed responses.
        runs: all runs that were read.
        same_length: whether runs end at the same step unless a setting explains it.
    """
    by_name = {run.name: run for run in runs}
    used = [by_name[name] for name in names]
    seconds = np.array([run.seconds for run in used])
    known = np.isfinite(seconds) & (seconds > 0)
    if not known.any():
        return None
    if not known.all():
        return Cost(None, f"only {known.sum():,} of {len(used):,} runs recorded how long they took", None)
    cells = _cells(design, y, seconds, _epochs(used), reading.goal)
    started = np.array([run.started for run in used])
    cost = Cost(None, "", cells, _at_once(started, seconds))
    if reason := _obstacle(design, used, seconds, same_length):
        return replace(cost, reason=reason)
    apart = tuple(
        factor.name for k, factor in enumerate(design.factors) if _ran_apart(factor, design.codes[:, k], started)
    )
    effects = _effects(design, np.log(seconds), reading)
    effects = effects[~effects["factor"].isin(apart) & effects["ratio"].notna()].reset_index(drop=True)
    effects["p_holm"] = holm(effects["p"].to_numpy())
    effects.attrs["alpha"] = reading.alpha
    if effects.empty:
        return replace(cost, reason=ORDER, apart=apart)
    return replace(cost, effects=effects[EFFECTS], apart=apart)


def _obstacle(design: Design, runs: Sequence[Run], seconds: np.ndarray, same_length: bool) -> str:
    """Why the times cannot be compared; empty if they can."""
    if design.residual_df < MIN_VERDICT_DF:
        return f"model M leaves fewer than {MIN_VERDICT_DF} residual degrees of freedom"
    if seconds.min() < MIN_SECONDS:
        return f"the shortest run took {seconds.min():.2g} s, and times below {MIN_SECONDS:g} s are mostly start-up"
    if not same_length:
        return "the runs ended at different steps, and no setting explains it"
    if differing := _machines(runs):
        return f"the runs differ in {' and '.join(differing[:3])}: they come from different machines or devices"
    largest = np.full(design.cells.max() + 1, -np.inf)
    smallest = -largest
    np.maximum.at(largest, design.cells, seconds)
    np.minimum.at(smallest, design.cells, seconds)
    if (spread := float((largest / smallest).max())) > MAX_SPREAD:
        return (
            f"runs of the same combination differ by a factor of up to {spread:.2g}, so something other than the "
            "factors decides how long a run takes"
        )
    if np.ptp(seconds) == 0:
        return "all runs have the same time to the last digit, so it was not measured"
    return ""


def _machines(runs: Sequence[Run]) -> list[str]:
    """What the runs record about their machines and is not the same for all of them."""
    records = [{**run.provenance, **run.details} for run in runs]
    names = dict.fromkeys(name for record in records for name in record if MACHINE.fullmatch(name))
    return [name for name in names if len({str(record.get(name)) for record in records}) > 1]


def _ran_apart(factor: Factor, codes: np.ndarray, started: np.ndarray) -> bool:
    """Whether the order of the runs follows the levels, so that a change in the machine's load looks like an effect.

    It does if all runs of some level started before, or after, those of all other levels; a curve has one value per run
    and follows the order if their ranks correlate by more than MAX_ORDER.
    """
    if not np.isfinite(started).all():
        return False
    if factor.kind == "continuous":
        return bool(abs(pd.Series(codes).rank().corr(pd.Series(started).rank())) > MAX_ORDER)
    own = [started[codes == level] for level in np.unique(codes)]
    others = [started[codes != level] for level in np.unique(codes)]
    return any(
        len(one) > 1 and (one.max() < rest.min() or one.min() > rest.max())
        for one, rest in zip(own, others, strict=True)
    )


def _at_once(started: np.ndarray, seconds: np.ndarray) -> int:
    if not np.isfinite(started).all():
        return 0
    # An end counts before a start at the same time.
    events = sorted([(end, -1) for end in started + seconds] + [(begin, 1) for begin in started])
    return int(np.cumsum([change for _, change in events]).max())


def _effects(design: Design, log_seconds: np.ndarray, reading: Reading) -> pd.DataFrame:
    """Ratios of the levels: of two, the second over the first; of more, each over "none" or else the first one; of a
    curve, its end over its beginning."""
    keys: list[tuple[str, str, str]] = []
    rows: list[np.ndarray] = []
    names = [factor.name for factor in design.factors for _ in factor.effect_rows()]
    main = dict(zip(reversed(names), main_rows(design)[::-1], strict=True))  # the first row of each factor
    for factor in design.factors:
        reference = _reference(factor)
        if factor.kind == "many-level":
            others = [i for i in range(len(factor.levels)) if i != reference]
            rows += list(pair_rows(design, factor, [(i, reference) for i in others]))
        else:
            others = [len(factor.levels) - 1]
            rows.append(main[factor.name])
        keys += [(factor.name, factor.labels[i], factor.labels[reference]) for i in others]
    estimates = scoped_contrasts(design, np.array(rows)).fit(log_seconds)[0]
    low, high = estimates.interval(1 - reading.alpha)
    table = pd.DataFrame(keys, columns=["factor", "level", "versus"])
    return table.assign(
        ratio=np.exp(estimates.estimate), ci_low=np.exp(low), ci_high=np.exp(high), df=estimates.df, p=estimates.p
    )


def _reference(factor: Factor) -> int:
    if factor.kind != "many-level" or factor.numeric:
        return 0
    return next((i for i, label in enumerate(factor.labels) if label.casefold() in OFF_WORDS), 0)


def _epochs(runs: Sequence[Run]) -> np.ndarray:
    """(runs,) the number of epochs that each run was told to make; NaN unless each of them made them to the end."""
    none = np.full(len(runs), np.nan)
    settings = dict.fromkeys(name for run in runs for name in run.hparams)
    if any(run.status != FINISHED for run in runs) or any(EARLY.search(name.lower()) for name in settings):
        return none
    for name in settings:
        counts = [as_float(run.hparams.get(name)) for run in runs]
        if re.split(r"[/.]", name)[-1] in EPOCHS and all(count is not None and count >= 1 for count in counts):
            return np.array(counts, dtype=float)
    return none


def _cells(design: Design, y: np.ndarray, seconds: np.ndarray, epochs: np.ndarray, goal: Goal) -> pd.DataFrame:
    counts = np.bincount(design.cells)
    mean = np.bincount(design.cells, y) / counts
    time = np.exp(np.bincount(design.cells, np.log(seconds)) / counts)
    per_epoch = np.exp(np.bincount(design.cells, np.log(seconds / epochs)) / counts)
    codes = design.codes[np.unique(design.cells, return_index=True)[1]]
    labels: dict[str, str] = {}
    table = pd.DataFrame(index=range(len(counts)))
    for k, factor in enumerate(design.factors):
        column = f"factor:{factor.name}" if factor.name in COMPUTED else factor.name
        labels[column] = factor.name
        table[column] = [factor.labels[code] for code in codes[:, k]]
    table = table.assign(n=counts, seconds=time, seconds_per_epoch=per_epoch, mean=mean)
    order = np.lexsort((mean if goal == "min" else -mean, time))
    table.insert(0, "number", _frontier(time, mean if goal == "min" else -mean))
    table = table.iloc[order].reset_index(drop=True)
    table.attrs["factors"] = labels
    return table


def _frontier(time: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """1, 2, ... for the points that no other one beats on both, the fastest first; 0 for the others.

    A point beats another one if it is at most as large in both and smaller in one.
    """
    numbers = np.zeros(len(time), dtype=int)
    best, last = np.inf, 0
    order = np.lexsort((loss, time))
    for place, i in enumerate(order):
        same = place > 0 and time[i] == time[order[place - 1]] and loss[i] == loss[order[place - 1]]
        if loss[i] < best or (same and numbers[order[place - 1]]):
            best, last = min(best, loss[i]), last + 1
            numbers[i] = last
    return numbers
