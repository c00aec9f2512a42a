"""Simulated studies that add replicates until they are decided: error, seeds used, and the fixed design of equal power.

The responses of every run are simulated. Everything else is the code of `train.py --study --until decided` and of
`analyze.py`: the planned looks at all main effects after each replicate, and the rule that stops. A fixed design trains
the same number of replicates in each study and is judged once, by t tests of the effects of its replicates.

    python benchmarks/sequential.py --studies 20000
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from attnae.analysis.design.factors import read_factor
from attnae.analysis.estimates.family import Reading
from attnae.analysis.estimates.planned import PlannedFamily
from attnae.analysis.inference.contrasts import two_sided_p
from attnae.analysis.inference.families import holm
from attnae.analysis.inference.looks import FIRST_LOOK
from attnae.analysis.inference.verdicts import BEST, HELPS, HURTS, MATTERS, NEGLIGIBLE, UNDETERMINED, WORSE

SWITCH = (False, True)
LAYOUTS: dict[str, dict[str, tuple[object, ...]]] = {
    "2": {"attention": SWITCH},
    "2x2x2x2": {"attention": SWITCH, "batch_norm": SWITCH, "dropout": SWITCH, "channels": SWITCH},
    "2x2x2x4": {
        "attention": SWITCH,
        "batch_norm": SWITCH,
        "dropout": SWITCH,
        "act": ("elu", "relu", "selu", "sigmoid"),
    },
}
CHUNK = 500
FOUND = (HELPS, HURTS, BEST, WORSE)


@dataclass(frozen=True)
class Outcome:
    """Shares of the studies, and the mean number of replicates.

    Attributes:
        false_found: a factor without an effect helps, hurts or matters, or one of its levels is best or worse, at any
            look; false_negligible: a factor with an effect of at least the bound is negligible at any look.
        found: attention, which has the effect, is found at the stop.
        decided: all factors are decided at the stop.
        coverage: of the interval of attention at the stop.
    """

    false_found: float
    false_negligible: float
    found: float
    decided: float
    replicates: float
    coverage: float
    estimate: float


def family(layout: str, planned: int) -> PlannedFamily:
    cells = pd.DataFrame(list(product(*LAYOUTS[layout].values())), columns=list(LAYOUTS[layout])).astype(object)
    read = [read_factor(name, cells[name]) for name in cells]
    return PlannedFamily([factor for factor, _ in read], np.column_stack([codes for _, codes in read]), planned=planned)


def simulate(
    layout: str,
    planned: int,
    *,
    effect: float,
    studies: int,
    seed: int,
    negligible: float | None = None,
    of_interest: tuple[str, ...] = (),
    to_the_end: bool = False,
    varies: float = 0.0,
) -> Outcome:
    """Studies in which attention alone has an effect, in standard deviations of its estimate by one replicate.

    Args:
        of_interest: the factors that have to be decided; empty: all.
        to_the_end: no study stops, so that all looks are counted.
        varies: the standard deviation, between replicates, of every effect, in the same unit; the noise of single runs
            is less in exchange, so that the standard deviation of an effect by one replicate is 1 in any case.
    """
    looks = family(layout, planned)
    rng = np.random.default_rng(seed)
    reading = Reading(negligible=negligible)
    parts = []
    for done in range(0, studies, CHUNK):
        y = draw(looks, effect, min(CHUNK, studies - done), rng, varies)
        parts.append(follow(looks, y, effect, reading, of_interest or tuple(LAYOUTS[layout]), to_the_end=to_the_end))
    return Outcome(*(float(np.concatenate(column).mean()) for column in zip(*parts, strict=True)))


def draw(looks: PlannedFamily, effect: float, studies: int, rng: np.random.Generator, varies: float) -> np.ndarray:
    """(replicates, cells, studies) responses; the estimate of a switch by one replicate has a variance of 1."""
    count = len(looks.cells)
    y = np.sqrt((1 - varies**2) * count / 4) * rng.standard_normal((looks.planned, count, studies))
    attention = looks.cells[:, 0][:, None]
    y += effect * attention
    if varies:
        for place, factor in enumerate(looks.factors):
            # Differences of two levels have the given SD.
            moves = rng.standard_normal((looks.planned, len(factor.levels), studies))
            y += varies / np.sqrt(2) * moves[:, looks.cells[:, place]]
    return y


def follow(
    looks: PlannedFamily,
    y: np.ndarray,
    effect: float,
    reading: Reading,
    of_interest: tuple[str, ...],
    *,
    to_the_end: bool,
) -> tuple[np.ndarray, ...]:
    """The columns of `Outcome`, (studies,) each, of these responses."""
    studies = y.shape[-1]
    left = np.arange(studies)
    false_found, false_negligible = np.zeros((2, studies), dtype=bool)
    found, decided, inside = np.zeros((3, studies), dtype=bool)
    stop, estimate = np.zeros(studies), np.zeros(studies)
    for count in range(FIRST_LOOK, looks.planned + 1):
        look = looks.judge(y[:count][:, :, left], reading)
        words = looks.decisions(look, reading.alpha)
        keys = looks.after(count).keys
        wrong = np.zeros(len(left), dtype=bool)
        for name, word in words.items():
            if name != "attention" or effect == 0:
                rows = [place for place, (factor, _) in enumerate(keys) if factor == name]
                wrong |= np.isin(word, (HELPS, HURTS, MATTERS)) | np.isin(look.verdicts[rows], FOUND).any(axis=0)
        if effect > 0:
            wrong |= words["attention"] == HELPS  # a positive effect raises the loss
        false_found[left] |= wrong
        if reading.negligible is not None and abs(effect) >= reading.negligible:
            false_negligible[left] |= words["attention"] == NEGLIGIBLE
        done = np.logical_and.reduce([word != UNDETERMINED for name, word in words.items() if name in of_interest])
        ends = np.full(len(left), count == looks.planned) if to_the_end else done | (count == looks.planned)
        at = left[ends]
        found[at] = words["attention"][ends] == HURTS
        decided[at] = done[ends]
        stop[at] = count
        estimate[at] = look.look.estimate[0][ends]
        inside[at] = ((look.look.ci_low[0] <= effect) & (effect <= look.look.ci_high[0]))[ends]
        left = left[~ends]
        if not len(left):
            break
    return false_found, false_negligible, found, decided, stop, inside, estimate


def fixed_power(layout: str, effect: float, replicates: int, studies: int, seed: int) -> float:
    """The power for attention of a study of so many replicates that is judged once, by t tests with replicates - 1
    degrees of freedom, which the planned looks use as well, after Holm's correction."""
    rng = np.random.default_rng(seed)
    factors = len(LAYOUTS[layout])
    by_replicate = rng.standard_normal((replicates, factors, studies))
    by_replicate[:, 0] += effect
    error = by_replicate.std(axis=0, ddof=1) / np.sqrt(replicates)
    p = two_sided_p(by_replicate.mean(axis=0), error, np.full((factors, 1), replicates - 1.0))
    return float((holm(p)[0] < 0.05).mean())


def fixed_replicates(layout: str, effect: float, power: float, studies: int, seed: int, most: int = 60) -> int | None:
    """The smallest fixed number of replicates with at least this power."""
    return next((n for n in range(2, most) if fixed_power(layout, effect, n, studies, seed) >= power), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=20_000, help="simulated studies of each row")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.perf_counter()
    print(
        "| no effect, all looks | at most | studies | false helps, hurts, matters, best or worse |\n|---|---|---|---|"
    )
    for layout, planned, varies in (
        ("2", 10, 0.0),
        ("2", 20, 0.0),
        ("2x2x2x2", 20, 0.0),
        ("2x2x2x2", 20, 0.7),
        ("2x2x2x4", 10, 0.0),
        ("2x2x2x4", 20, 0.7),
    ):
        # Looks at many cells and levels take longer.
        studies = max(1, options.studies // (10 if "4" in layout else 2 if "x" in layout else 1))
        o = simulate(layout, planned, effect=0.0, studies=studies, seed=options.seed, to_the_end=True, varies=varies)
        name = layout + (", effects vary" if varies else "")
        print(f"| {name} | {planned} | {studies:,} | {100 * o.false_found:.2f}% |", flush=True)
    print("\n| effect (SD) | layout | found | false | mean replicates | fixed design | coverage | mean estimate |")
    print("|---|---|---|---|---|---|---|---|")
    for layout, effect in product(("2", "2x2x2x2"), (0.0, 0.5, 1.0, 2.0)):
        studies = max(1, options.studies // (2 if "x" in layout else 1))
        # Attention alone is of interest: without a bound, factors without an effect are never decided.
        o = simulate(layout, 20, effect=effect, studies=studies, seed=options.seed, of_interest=("attention",))
        # A power that no simulation tells from 1 would ask for ever more replicates.
        power = min(o.found, 0.999)
        same = fixed_replicates(layout, effect, power, options.studies, options.seed + 1) if effect else None
        print(
            f"| {effect:g} | {layout} | {100 * o.found:.1f}% | {100 * o.false_found:.1f}% | {o.replicates:.1f} | "
            f"{same or ''} | {100 * o.coverage:.1f}% | {o.estimate:.2f} |",
            flush=True,
        )
    print("\n| negligible (SD) | layout | effect (SD) | decided | mean replicates | false negligible |")
    print("|---|---|---|---|---|---|")
    for layout, bound, effect in (
        ("2", 1.0, 0.0),
        ("2", 0.5, 0.0),
        ("2", 1.0, 1.0),
        ("2x2x2x2", 1.0, 0.0),
        ("2x2x2x2", 1.0, 1.0),
    ):
        studies = max(1, options.studies // (2 if "x" in layout else 1))
        o = simulate(layout, 20, effect=effect, studies=studies, seed=options.seed, negligible=bound)
        print(
            f"| {bound:g} | {layout} | {effect:g} | {100 * o.decided:.1f}% | {o.replicates:.1f} | "
            f"{100 * o.false_negligible:.1f}% |",
            flush=True,
        )
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
