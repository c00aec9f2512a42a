"""Simulated studies: how often intervals cover, and how often a study without any effect reports one.

Every scenario draws responses and judges them with the code that `analyze.py` runs. What depends on the design alone
is computed once per design, so that thousands of studies take seconds.

    python benchmarks/inference.py --studies 10000
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from attnae.analysis.design.prepare import Columns, prepare
from attnae.analysis.estimates.family import MainEffects, Reading
from attnae.analysis.estimates.noise import margins, pseudo_standard_error
from attnae.analysis.inference.looks import planned_look
from attnae.analysis.inference.power import detectable
from attnae.analysis.inference.verdicts import BEST, HELPS, HURTS, WORSE

ACTIVATIONS = ("elu", "relu", "selu", "sigmoid")
SWITCHES = ("batch_norm", "dropout", "spatial_attention")
LAYOUTS: dict[str, dict[str, tuple[object, ...]]] = {
    "2x2x2x4": {**dict.fromkeys(SWITCHES, (False, True)), "act": ACTIVATIONS},
    "two cells": {"batch_norm": (False, True)},
    "2x8": {"batch_norm": (False, True), "act": tuple("abcdefgh")},
}
# Studies judged at once: bounds the memory.
CHUNK = 1000


@dataclass(frozen=True)
class Scenario:
    """A kind of study without any effect on average. Standard deviations are in units of the noise of one run.

    Attributes:
        seeds: runs per cell.
        shared: whether all cells have the same seeds, which are then blocks.
        seed_sd: of the shifts of all runs of a seed.
        interaction_sd: of the difference between two levels of each factor, from seed to seed.
        missing: share of the cells without a run; `patterns` designs, each with its own random choice of them.
        noisy: how much more noise one activation has.
        tails: degrees of freedom of t distributed noise, scaled to a variance of 1; 0: normal.
    """

    layout: str = "2x2x2x4"
    seeds: int = 3
    shared: bool = True
    seed_sd: float = 1.0
    interaction_sd: float = 0.0
    missing: float = 0.0
    patterns: int = 1
    noisy: float = 1.0
    tails: int = 0

    @property
    def name(self) -> str:
        parts = [self.layout, f"{self.seeds} {'shared' if self.shared else 'distinct'}", f"SD {self.interaction_sd:g}"]
        parts += [f"{100 * self.missing:.0f}% missing"] * bool(self.missing)
        parts += [f"one level x{self.noisy:g}"] * (self.noisy != 1)
        parts += [f"t{self.tails} noise"] * bool(self.tails)
        return ", ".join(parts)


@dataclass(frozen=True)
class Outcome:
    """Shares of the studies, or of the intervals; scope is what the intervals are about."""

    scope: str
    coverage: float
    lowest_coverage: float
    false_helps_or_hurts: float
    false_verdicts: float
    studies: int


SCENARIOS = (
    *(Scenario(seeds=seeds, interaction_sd=sd) for seeds in (1, 2, 3, 5, 10) for sd in (0.0, 0.3, 0.5, 1.0)),
    *(Scenario("two cells", seeds=seeds, interaction_sd=sd) for seeds in (3, 5, 10) for sd in (0.0, 0.5, 1.0)),
    *(Scenario(seeds=seeds, shared=False, interaction_sd=0.5) for seeds in (1, 3, 5)),
    *(Scenario(seeds=seeds, interaction_sd=0.5, missing=0.1, patterns=20) for seeds in (3, 5)),
    Scenario(seeds=1, shared=False, seed_sd=0.0, missing=0.1, patterns=20),
    *(Scenario(seeds=seeds, interaction_sd=0.5, noisy=5.0) for seeds in (3, 5)),
    Scenario(seeds=3, shared=False, seed_sd=0.0, noisy=5.0),
    *(Scenario(seeds=seeds, interaction_sd=0.5, tails=3) for seeds in (3, 5)),
    Scenario(seeds=3, shared=False, tails=3),
    *(Scenario("2x8", seeds=seeds, interaction_sd=0.5) for seeds in (3, 5)),
    Scenario("2x8", seeds=5, shared=False),
    Scenario(seeds=1, shared=False, seed_sd=0.0, noisy=5.0),
)


def runs_of(scenario: Scenario, rng: np.random.Generator) -> pd.DataFrame:
    """One row for each run: the factors, seed and a placeholder response."""
    levels = LAYOUTS[scenario.layout]
    cells = pd.DataFrame(list(product(*levels.values())), columns=list(levels)).astype(object)
    kept = np.sort(rng.permutation(len(cells))[round(scenario.missing * len(cells)) :])
    runs = pd.concat([cells.iloc[kept].assign(seed=seed) for seed in range(scenario.seeds)], ignore_index=True)
    if not scenario.shared:
        runs["seed"] = np.arange(len(runs))
    return runs.assign(response=np.arange(len(runs), dtype=float))


def draw(scenario: Scenario, runs: pd.DataFrame, studies: int, rng: np.random.Generator) -> np.ndarray:
    """(runs, studies) responses without any effect on average."""
    seed = runs["seed"].to_numpy()
    size = (len(runs), studies)
    noise = rng.standard_normal(size)
    if scenario.tails:
        noise = rng.standard_t(scenario.tails, size) / np.sqrt(scenario.tails / (scenario.tails - 2))
    if scenario.noisy != 1:
        noise *= np.where(runs["act"] == "sigmoid", scenario.noisy, 1.0)[:, None]
    y = noise + scenario.seed_sd * rng.standard_normal((seed.max() + 1, studies))[seed]
    for name in LAYOUTS[scenario.layout]:
        # Each seed moves each level on its own: differences of two levels have the given SD.
        codes = pd.factorize(runs[name])[0]
        moves = rng.standard_normal((seed.max() + 1, codes.max() + 1, studies))
        y += scenario.interaction_sd / np.sqrt(2) * moves[seed, codes]
    return y


def family_of(runs: pd.DataFrame) -> MainEffects:
    factors = [name for name in runs if name not in ("seed", "response")]
    return MainEffects.of(prepare(runs, factors, runs["response"], Columns(), "auto").design)


def simulate(scenario: Scenario, studies: int, seed: int, reading: Reading | None = None) -> Outcome:
    """Studies without any effect: how often intervals contain 0, and how often a study has a false verdict."""
    reading = reading or Reading()
    rng = np.random.default_rng(seed)
    covered, named, judged, scope = [], [], [], ""
    for _ in range(scenario.patterns):
        runs = runs_of(scenario, rng)
        family = family_of(runs)
        scope = str(family.rows.scope[0])
        left = max(1, studies // scenario.patterns)
        while left > 0:
            found = family.judge(draw(scenario, runs, min(CHUNK, left), rng), reading)
            left -= CHUNK
            low, high = found.estimates.interval(1 - reading.alpha)
            covered.append((low <= 0) & (high >= 0))
            named.append(np.isin(found.verdicts, [HELPS, HURTS]).any(axis=0))
            matters = [p[1] < reading.alpha for name, p in found.adjusted.factors.items() if name in family.levels]
            words = np.isin(found.verdicts, [HELPS, HURTS, BEST, WORSE]).any(axis=0)
            judged.append(np.logical_or.reduce([words, *matters]))
    inside = np.hstack(covered)
    shares = [float(np.concatenate(found).mean()) for found in (named, judged)]
    return Outcome(scope, float(inside.mean()), float(inside.mean(axis=1).min()), *shares, inside.shape[1])


def power_at_mde(scenario: Scenario, studies: int, seed: int, reading: Reading | None = None) -> float:
    """Share of studies that detect an effect of batch norm of the size of `mde` computed with the true errors."""
    reading = reading or Reading()
    rng = np.random.default_rng(seed)
    runs = runs_of(scenario, rng)
    family = family_of(runs)
    row = family.keys.index(("batch_norm", "True"))
    null = family.rows.here.fit(draw(scenario, runs, CHUNK * 5, rng)).estimate[row]
    parts = family.hypotheses[[row]]
    size = float(detectable(null.std()[None], family.rows.df[[row]], family=parts, alpha=reading.alpha)[0])
    hits = []
    for _ in range(max(1, studies // CHUNK)):
        y = draw(scenario, runs, min(CHUNK, studies), rng)
        y -= size * (runs["batch_norm"] == True).to_numpy()[:, None]  # noqa: E712
        hits.append(family.judge(y, reading).verdicts[row] == HELPS)
    return float(np.concatenate(hits).mean())


def power_and_size(scenario: Scenario, studies: int, seed: int, alpha: float = 0.05) -> tuple[float, float]:
    """Batch norm alone: power at alpha / 4 for an effect of 4.5 pooled standard errors, and size at alpha."""
    rng = np.random.default_rng(seed)
    runs = runs_of(scenario, rng)
    family = family_of(runs)
    row = family.keys.index(("batch_norm", "True"))
    y = draw(scenario, runs, studies, rng)
    effect = 4.5 * 2 / np.sqrt(len(runs)) * (runs["batch_norm"] == True).to_numpy()[:, None]  # noqa: E712
    size = family.rows.fit(y)[0].p[row] < alpha
    return float((family.rows.fit(y + effect)[0].p[row] < alpha / 4).mean()), float(size.mean())


def planned(effect: float, seeds: int, studies: int, seed: int, alpha: float = 0.05) -> tuple[float, float, float]:
    """One effect, in SDs of its estimates by seed: share of studies that find it over all planned looks, mean number of
    seeds at the stop, and coverage of the interval there."""
    by_seed = effect + np.random.default_rng(seed).standard_normal((seeds, studies))
    stop, inside = np.full(studies, seeds), np.zeros(studies, dtype=bool)
    found = np.zeros(studies, dtype=bool)
    for count in range(3, seeds + 1):
        look = planned_look(by_seed[:count], planned=seeds, alpha=alpha)
        now = ~found & ((look.p < alpha) | (count == seeds))
        stop[now] = count
        inside[now] = ((look.ci_low <= effect) & (effect <= look.ci_high))[now]
        found |= look.p < alpha
    return float(found.mean()), float(stop.mean()), float(inside.mean())


def lenth_alarms(contrasts: int, studies: int, seed: int) -> tuple[float, float]:
    """Shares of studies without any effect in which at least one contrast exceeds Lenth's ME, and SME."""
    effects = np.random.default_rng(seed).standard_normal((studies, contrasts))
    me, sme = np.array([margins(pseudo_standard_error(row), contrasts) for row in effects]).T
    largest = np.abs(effects).max(axis=1)
    return float(np.mean(largest > me)), float(np.mean(largest > sme))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=10_000, help="simulated studies of each scenario")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.perf_counter()
    print("| scenario | holds for | coverage | lowest row | helps / hurts | any verdict |")
    print("|---|---|---|---|---|---|")
    for number, scenario in enumerate(SCENARIOS):
        o = simulate(scenario, options.studies, options.seed + number)
        figures = (o.coverage, o.lowest_coverage, o.false_helps_or_hurts, o.false_verdicts)
        row = " | ".join(f"{100 * x:.2f}%" for x in figures)
        print(f"| {scenario.name} | {o.scope} | {row} |", flush=True)
    print("\n| power at the detectable effect | |\n|---|---|")
    for number, (seeds, shared, sd) in enumerate(((3, True, 0.0), (3, True, 0.5), (5, True, 0.5), (3, False, 0.0))):
        scenario = Scenario(seeds=seeds, shared=shared, interaction_sd=sd)
        power = power_at_mde(scenario, options.studies, options.seed + number)
        print(f"| {scenario.name} | {100 * power:.1f}% |", flush=True)
    print("\n| SD of effects, of seeds | 3 shared | 3 distinct | 5 shared | 5 distinct |\n|---|---|---|---|---|")
    for number, (effects, shifts) in enumerate(((0.0, 0.0), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0))):
        cells = []
        for seeds, shared in product((3, 5), (True, False)):
            scenario = Scenario(seeds=seeds, shared=shared, seed_sd=shifts, interaction_sd=effects)
            power, size = power_and_size(scenario, options.studies, options.seed + number)
            cells.append(f"{100 * power:.0f}% / {100 * size:.1f}%")
        print(f"| {effects:g}, {shifts:g} | {' | '.join(cells)} |", flush=True)
    print("\n| planned looks, at most | effect (SD) | found | mean seeds | coverage |\n|---|---|---|---|---|")
    for most in (10, 20):
        for effect in (0.0, 0.5, 1.0, 2.0):
            found, seeds, coverage = planned(effect, most, options.studies, options.seed)
            print(
                f"| {most} seeds | {effect:g} | {100 * found:.1f}% | {seeds:.1f} | {100 * coverage:.1f}% |", flush=True
            )
    me, sme = lenth_alarms(31, options.studies, options.seed)
    print(f"\nLenth, 31 contrasts without effect: one above ME in {100 * me:.1f}% of studies, SME in {100 * sme:.1f}%")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
