"""Simulated studies: how often intervals cover, and how often a study without any effect reports one.

Every scenario draws responses for the article's 32 cells and judges them with the code that `analyze.py`
runs. What depends on the design alone is computed once per design, so that 10,000 studies take seconds.

    python benchmarks/inference.py --studies 10000
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from attnae.analysis.design.prepare import Columns, prepare
from attnae.analysis.estimates.effects import MainEffects, Reading
from attnae.analysis.estimates.noise import margins, pseudo_standard_error
from attnae.analysis.inference.power import detectable
from attnae.analysis.inference.verdicts import BEST, HELPS, HURTS, WORSE

FACTORS = ("batch_norm", "dropout", "spatial_attention", "act")
ACTIVATIONS = ("elu", "relu", "selu", "sigmoid")
NOISE = 1.0

NoiseModel = Callable[[pd.DataFrame, int, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Scenario:
    """A kind of study.

    Attributes:
        seeds: runs per cell.
        shared_seeds: whether all cells have the same seeds, which are then blocks.
        noise: draws (runs, studies) responses without any effect.
        missing: share of the cells without a run.
        patterns: number of designs, each with its own random choice of missing cells.
    """

    name: str
    noise: NoiseModel
    seeds: int = 3
    shared_seeds: bool = True
    missing: float = 0.0
    patterns: int = 1


@dataclass(frozen=True)
class Outcome:
    """Shares of the studies, or of the intervals."""

    coverage: float
    lowest_coverage: float
    false_helps_or_hurts: float
    false_verdicts: float
    studies: int


def independent(runs: pd.DataFrame, studies: int, rng: np.random.Generator) -> np.ndarray:
    return NOISE * rng.standard_normal((len(runs), studies))


def wide_seeds(runs: pd.DataFrame, studies: int, rng: np.random.Generator) -> np.ndarray:
    """Each seed shifts all its runs, with an SD of twice the noise."""
    shifts = 2 * NOISE * rng.standard_normal((runs["seed"].max() + 1, studies))
    return shifts[runs["seed"]] + independent(runs, studies, rng)


def noisy_activation(runs: pd.DataFrame, studies: int, rng: np.random.Generator) -> np.ndarray:
    """One activation has five times the noise of the others."""
    spread = np.where(runs["act"] == "sigmoid", 5.0, 1.0)
    return spread[:, None] * independent(runs, studies, rng)


SCENARIOS = (
    Scenario("independent noise, one run a cell", independent, seeds=1),
    Scenario("independent noise, 3 replicates", independent, shared_seeds=False),
    Scenario("seed blocks twice as wide as the noise, 3 seeds", wide_seeds),
    Scenario("10% of cells missing, wide seed blocks, 3 seeds", wide_seeds, missing=0.1, patterns=50),
    Scenario("10% of cells missing, one run a cell", independent, seeds=1, missing=0.1, patterns=50),
    Scenario("one activation five times as noisy, 3 seeds", noisy_activation),
)


def runs_of(scenario: Scenario, rng: np.random.Generator) -> pd.DataFrame:
    """One row for each run: the factors, seed and a placeholder response."""
    switches = (False, True)
    cells = np.array(list(product(switches, switches, switches, ACTIVATIONS)), dtype=object)
    kept = np.sort(rng.permutation(len(cells))[round(scenario.missing * len(cells)) :])
    tables = [pd.DataFrame(cells[kept], columns=FACTORS).assign(seed=seed) for seed in range(scenario.seeds)]
    runs = pd.concat(tables, ignore_index=True)
    if not scenario.shared_seeds:
        runs["seed"] = np.arange(len(runs))
    return runs.assign(response=np.arange(len(runs), dtype=float))


def family_of(runs: pd.DataFrame) -> MainEffects:
    return MainEffects.of(prepare(runs, FACTORS, runs["response"], Columns(), "auto").design)


def simulate(scenario: Scenario, studies: int, seed: int, reading: Reading | None = None) -> Outcome:
    """Studies without any effect: how often intervals contain 0, and how often a study has a false verdict."""
    reading = reading or Reading()
    rng = np.random.default_rng(seed)
    covered, named, judged = [], [], []
    for _ in range(scenario.patterns):
        runs = runs_of(scenario, rng)
        y = scenario.noise(runs, studies // scenario.patterns, rng)
        estimates, _, words = family_of(runs).judge(y, reading)
        low, high = estimates.interval(1 - reading.alpha)
        covered.append((low <= 0) & (high >= 0))
        named.append(np.isin(words, [HELPS, HURTS]).any(axis=0))
        judged.append(np.isin(words, [HELPS, HURTS, BEST, WORSE]).any(axis=0))
    inside = np.hstack(covered)
    by_row = inside.mean(axis=1)
    shares = [float(np.concatenate(found).mean()) for found in (named, judged)]
    return Outcome(float(inside.mean()), float(by_row.min()), *shares, inside.shape[1])


def power_at_mde(seeds: int, studies: int, seed: int, reading: Reading | None = None) -> float:
    """Share of studies that detect an effect of batch norm of the size of `mde` computed with the true sigma."""
    reading = reading or Reading()
    rng = np.random.default_rng(seed)
    runs = runs_of(Scenario("power", independent, seeds=seeds), rng)
    family = family_of(runs)
    row = family.keys.index(("batch_norm", "True"))
    true_error = NOISE * np.linalg.norm(family.rows.weights[row])
    size = float(detectable(true_error, family.rows.df[row], family=len(family.keys), alpha=reading.alpha))
    y = independent(runs, studies, rng) - size * (runs["batch_norm"] == True).to_numpy()[:, None]  # noqa: E712
    return float((family.judge(y, reading)[2][row] == HELPS).mean())


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
    print("| scenario | studies | coverage | lowest row | helps / hurts | any verdict |")
    print("|---|---|---|---|---|---|")
    for number, scenario in enumerate(SCENARIOS):
        o = simulate(scenario, options.studies, options.seed + number)
        figures = (o.coverage, o.lowest_coverage, o.false_helps_or_hurts, o.false_verdicts)
        print(f"| {scenario.name} | {o.studies} | {' | '.join(f'{100 * x:.2f}%' for x in figures)} |")
    print()
    for seeds in (1, 3):
        power = power_at_mde(seeds, options.studies, options.seed + seeds)
        print(f"power at the mde with the true sigma, {seeds} run(s) per cell: {100 * power:.1f}%")
    me, sme = lenth_alarms(31, options.studies, options.seed)
    print(f"Lenth, 31 contrasts without effect: one above ME in {100 * me:.1f}% of studies, SME in {100 * sme:.1f}%")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
