"""Simulated searches with known truth: how often a verdict is false, how often effects are found, and how often
intervals cover, with the code that `analyze.py` runs, beside other methods on the same data.

    python benchmarks/searches.py --searches 200 --nulls 2000
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import norm
from search_rivals import ACTIVATIONS, RIVALS, ped_anova, space_of

from attnae.analysis.inference.families import holm
from attnae.analysis.search.assess import scorings_of, settings_tests
from attnae.analysis.search.fit import fit_search
from attnae.analysis.search.order import find_adaptive
from attnae.analysis.search.pairs import pairs_table
from attnae.analysis.search.prepare import Options, prepare_search, without_diverged
from attnae.analysis.search.result import SearchResult
from attnae.analysis.search.scores import normal_scores
from attnae.analysis.search.sensitivity import FINISHED_ONLY

ALPHA = 0.05
ONE_SHARE, WEAKER_SHARE, CLIFF_SHARE, THREE_SHARES = 0.45, 0.36, 0.7, (0.2, 0.2, 0.2)
DIVERGED_SHARE = 0.15
# Of the learning rate at which a run diverges: the standard deviation, as a share of the tried decades.
LR_NOISE = 0.1
# Responses without effect for each draw of the settings.
RESPONSES = 10
# The settings of a search with 4, 6, 8 or 10 of them are the first ones.
NAMES = ("lr", "dropout", "act", "aug", "units", "wd", "optimizer", "momentum", "batch_size", "warmup")

Noise = Callable[[np.random.Generator, int], np.ndarray]


def normal(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.standard_normal(n)


def student(rng: np.random.Generator, n: int) -> np.ndarray:
    """Student's t with 2 degrees of freedom: no variance."""
    return rng.standard_t(2, n)


def lognormal(rng: np.random.Generator, n: int) -> np.ndarray:
    """Variance 1, skewed like losses: exp of a normal variable with the standard deviation 1."""
    return np.exp(rng.standard_normal(n)) / np.sqrt((np.e - 1) * np.e)


def skewed(rng: np.random.Generator, n: int) -> np.ndarray:
    """Half of exp of a normal variable with the standard deviation 1.5: a standard deviation of 4.5."""
    return 0.5 * np.exp(1.5 * rng.standard_normal(n))


@dataclass(frozen=True)
class Truth:
    """How one setting changes the response.

    Attributes:
        setting: its name.
        shape: from the values of the setting to the response; standardised to the share.
        verdicts: what should be said.
        best: the best value, "low" or "high" for an end of the tried range, or None for levels.
    """

    setting: str
    shape: Callable[[pd.Series], np.ndarray]
    verdicts: tuple[str, ...]
    best: float | str | None = None


def _place(lr: pd.Series) -> np.ndarray:
    """The learning rate on its scale, from 0 (1e-5) to 1 (0.1)."""
    return (np.log10(lr.to_numpy(dtype=float)) + 5) / 4


def _cliff(lr: pd.Series) -> np.ndarray:
    """Falling, and a jump above 10^-1.8 = 0.0158."""
    return np.where(_place(lr) < 0.8, -_place(lr), 1.0)


def _momentum(momentum: pd.Series) -> np.ndarray:
    return np.nan_to_num(momentum.to_numpy(dtype=float) - 0.5)


LINEAR = Truth("dropout", lambda x: x.to_numpy(dtype=float), ("hurts",), "low")
U_SHAPE = Truth("lr", lambda x: (_place(x) - 0.5) ** 2, ("optimum",), 1e-3)
CLIFF = Truth("lr", _cliff, ("hurts", "optimum"), 10**-1.8)
CATEGORY = Truth("act", lambda x: (x == "tanh").to_numpy(dtype=float), ("matters",))
CONDITIONAL = Truth("momentum", _momentum, ("hurts",), "low")
THREE = (U_SHAPE, LINEAR, CATEGORY)


@dataclass(frozen=True)
class Scenario:
    """A kind of search.

    Attributes:
        truths: the settings that matter, with the shares of the variance that they explain.
        diverged: share of the runs that diverge.
        cause: why they diverge: "chance", independently of everything; "response", those with the largest responses;
            "lr", those with the largest learning rates, up to some noise.
        strata: number of data sets, each with its own level of the response.
        recorded: share of the runs that record the learning rate.
    """

    name: str
    runs: int
    settings: int
    truths: tuple[Truth, ...] = ()
    shares: tuple[float, ...] = ()
    noise: Noise = normal
    diverged: float = 0.0
    cause: Literal["chance", "response", "lr"] = "chance"
    strata: int = 1
    recorded: float = 1.0

    @property
    def names(self) -> list[str]:
        return list(NAMES[: self.settings])


NULLS = (
    *(
        Scenario(f"{runs} runs, {settings} settings, {label}", runs, settings, noise=noise, diverged=diverged)
        for runs in (20, 40, 100)
        for settings in (4, 10)
        for label, noise, diverged in (
            ("normal", normal, 0.0),
            ("heavy tails", student, 0.0),
            ("15% diverged", normal, DIVERGED_SHARE),
        )
    ),
    Scenario("40 runs, 6 settings, two data sets", 40, 6, strata=2),
    Scenario("40 runs, 6 settings, lr in 70% of runs", 40, 6, recorded=0.7),
    *(
        Scenario(f"{runs} runs, {settings} settings, large lr diverged", runs, settings, diverged=0.15, cause="lr")
        for runs in (20, 40, 100)
        for settings in (4, 10)
    ),
    Scenario("40 runs, 6 settings, two data sets, 15% diverged", 40, 6, strata=2, diverged=DIVERGED_SHARE),
)
EFFECTS = (
    Scenario("20 runs, 6 settings, three", 20, 6, THREE, THREE_SHARES),
    Scenario("20 runs, 10 settings, three", 20, 10, THREE, THREE_SHARES),
    Scenario("40 runs, 6 settings, three", 40, 6, THREE, THREE_SHARES),
    Scenario("40 runs, 10 settings, three", 40, 10, THREE, THREE_SHARES),
    Scenario("100 runs, 10 settings, three", 100, 10, THREE, THREE_SHARES),
    Scenario("40 runs, 8 settings, one linear", 40, 8, (LINEAR,), (ONE_SHARE,)),
    Scenario("40 runs, 8 settings, one U shape", 40, 8, (U_SHAPE,), (ONE_SHARE,)),
    Scenario("40 runs, 8 settings, one cliff", 40, 8, (CLIFF,), (CLIFF_SHARE,)),
    Scenario("40 runs, 8 settings, one category", 40, 8, (CATEGORY,), (ONE_SHARE,)),
    Scenario("40 runs, 8 settings, one conditional", 40, 8, (CONDITIONAL,), (ONE_SHARE,)),
    Scenario("40 runs, 8 settings, three, lognormal", 40, 8, THREE, THREE_SHARES, noise=lognormal),
    Scenario("40 runs, 8 settings, three, any 15% diverged", 40, 8, THREE, THREE_SHARES, diverged=DIVERGED_SHARE),
    *(
        Scenario(
            f"40 runs, 8 settings, three, {label}", 40, 8, THREE, THREE_SHARES, diverged=DIVERGED_SHARE, cause=cause
        )
        for label, cause in (("worst 15% diverged", "response"), ("large lr diverged", "lr"))
    ),
    Scenario("40 runs, 8 settings, three, strongly skewed", 40, 8, THREE, THREE_SHARES, noise=skewed),
    Scenario("40 runs, 8 settings, one weaker category", 40, 8, (CATEGORY,), (WEAKER_SHARE,)),
    Scenario("40 runs, 8 settings, one weaker conditional", 40, 8, (CONDITIONAL,), (WEAKER_SHARE,)),
)
ADAPTIVE = (
    Scenario("60 trials, 6 settings, no effect", 60, 6),
    Scenario("60 trials, 6 settings, three", 60, 6, THREE, THREE_SHARES),
    Scenario("60 trials, 10 settings, no effect", 60, 10),
    Scenario("60 trials, 10 settings, three", 60, 10, THREE, THREE_SHARES),
)


def draw_settings(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """(n, settings) independent draws; momentum exists with sgd only."""
    table = pd.DataFrame(
        {
            "lr": 10 ** rng.uniform(-5, -1, n),
            "dropout": rng.uniform(0, 0.5, n),
            "act": rng.choice(ACTIVATIONS, n),
            "aug": rng.random(n) < 0.5,
            "units": rng.integers(16, 513, n),
            "wd": 10 ** rng.uniform(-6, -2, n),
            "optimizer": rng.choice(["adam", "sgd"], n),
            "momentum": rng.uniform(0, 1, n),
            "batch_size": rng.choice([16, 32, 64, 128, 256], n),
            "warmup": rng.uniform(0, 0.2, n),
        }
    )
    return table.assign(momentum=table["momentum"].where(table["optimizer"] == "sgd"))


POPULATION = draw_settings(20_000, np.random.default_rng(12345))


def standardised(truth: Truth, values: pd.Series, share: float) -> np.ndarray:
    """The effect of some values, scaled so that its variance over all searches is the share."""
    everyone = truth.shape(POPULATION[truth.setting])
    return np.sqrt(share) * (truth.shape(values) - everyone.mean()) / everyone.std()


def draw_search(scenario: Scenario, rng: np.random.Generator) -> pd.DataFrame:
    """One search: its settings, response, status and data set. The variance of the response is 1."""
    table = draw_settings(scenario.runs, rng)
    y = np.sqrt(1 - sum(scenario.shares)) * scenario.noise(rng, scenario.runs)
    for truth, share in zip(scenario.truths, scenario.shares, strict=True):
        y = y + standardised(truth, table[truth.setting], share)
    table["lr"] = table["lr"].where(rng.random(scenario.runs) < scenario.recorded)
    table["dataset"] = rng.integers(scenario.strata, size=scenario.runs)
    y = y + 3 * table["dataset"].to_numpy()
    lost = draw_diverged(scenario, table, y, rng)
    return table[[*scenario.names, "dataset"]].assign(response=y, status=np.where(lost, "diverged", "finished"))


def draw_diverged(scenario: Scenario, table: pd.DataFrame, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(runs,) which runs diverge."""
    chance = rng.random(scenario.runs)
    if scenario.cause == "chance":
        return chance < scenario.diverged
    danger = y if scenario.cause == "response" else _place(table["lr"]) + LR_NOISE * norm.ppf(chance)
    return danger > np.quantile(danger, 1 - scenario.diverged)


def draw_adaptive(scenario: Scenario, rng: np.random.Generator) -> pd.DataFrame:
    """One search by Optuna's TPE sampler, in the order of the trials (`number`). Needs `pip install optuna`."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=int(rng.integers(2**31))))
    spaces = {name: space_of(optuna, name) for name in scenario.names if name != "momentum"}
    noise = np.sqrt(1 - sum(scenario.shares)) * scenario.noise(rng, scenario.runs)
    rows = []
    for number in range(scenario.runs):
        trial = study.ask(spaces)
        row = dict(trial.params)
        if "momentum" in scenario.names:
            row["momentum"] = trial.suggest_float("momentum", 0, 1) if row["optimizer"] == "sgd" else None
        y = noise[number]
        for truth, share in zip(scenario.truths, scenario.shares, strict=True):
            y += standardised(truth, pd.Series([row[truth.setting]]), share)[0]
        study.tell(trial, y)
        rows.append({**row, "number": number, "response": y})
    return pd.DataFrame(rows)


@dataclass
class Counts:
    """What happened over the searches of a scenario: sums, or lists of 0 and 1 over findings and intervals."""

    searches: int = 0
    false_alarms: int = 0
    pair_alarms: list[bool] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    found_finished: list[bool] = field(default_factory=list)
    right_word: list[bool] = field(default_factory=list)
    share: list[bool] = field(default_factory=list)
    effect: list[bool] = field(default_factory=list)
    best: list[bool] = field(default_factory=list)
    flagged: list[bool] = field(default_factory=list)
    rivals: dict[str, list[tuple[bool, float]]] = field(default_factory=dict)


def simulate_null(scenario: Scenario, searches: int, seed: int, permutations: int) -> Counts:
    """Searches without any effect but that of the learning rate on divergence: how often one reports another setting,
    or a pair of settings.

    Several responses are drawn for each draw of the settings, which takes most of the time. The first of them is also
    tested for pairs.
    """
    counts, rng = Counts(), np.random.default_rng(seed)
    for number in range(searches):
        if number % RESPONSES == 0:
            table = draw_search(scenario, rng)
            data = prepare_search(table, scenario.names, Options(strata="dataset" if scenario.strata > 1 else None))
        else:
            noise = scenario.noise(rng, scenario.runs)
            cost = np.where(draw_diverged(scenario, table, noise, rng), np.inf, noise)
            z = normal_scores(cost, data.strata)
            data = replace(data, cost=cost, z=z - z.mean())
        finished = None if data.ended.all() else without_diverged(data)
        scorings = scorings_of(data, finished, adaptive=False)
        tests = settings_tests(data, scorings, draws=permutations, seed=number)
        found = holm(np.array([test.p for test, _ in tests])) < ALPHA
        counts.searches += 1
        counts.false_alarms += any(
            alarm and (setting.name != "lr" or scenario.cause != "lr")
            for alarm, setting in zip(found, data.settings, strict=True)
        )
        if number % RESPONSES == 0:
            pairs = pairs_table(data, scorings[0].nuisance, permutations, np.random.default_rng(number))
            counts.pair_alarms.append(bool(len(pairs) and pairs["p"].iloc[0] < ALPHA))
    return counts


def simulate(scenario: Scenario, searches: int, seed: int, permutations: int) -> Counts:
    """Searches with effects: false alarms among the other settings, power, coverage and right words."""
    counts, rng = Counts(), np.random.default_rng(seed)
    real = {truth.setting for truth in scenario.truths}
    for number in range(searches):
        table = draw_search(scenario, rng)
        result = fit_search(table, scenario.names, permutations=permutations, random_seed=number)
        p = result.settings.set_index("factor")["p_holm"]
        counts.searches += 1
        counts.false_alarms += bool((p.drop(list(real & set(p.index))) < ALPHA).any())
        counts.pair_alarms.append(result.pairs_p < ALPHA)
        for truth, share in zip(scenario.truths, scenario.shares, strict=True):
            count_truth(counts, result, truth, share)
        finished = result.sensitivity[result.sensitivity["analysis"] == FINISHED_ONLY].set_index("factor")["p_holm"]
        if len(finished):
            counts.found_finished += [bool(finished.get(name, 1.0) < ALPHA) for name in real]
        for name, rival in RIVALS.items():
            found = rival(table, scenario.names)
            alarms = any(value < ALPHA for key, value in found.items() if key not in real)
            power = float(np.mean([found.get(key, 1.0) < ALPHA for key in real])) if found else np.nan
            counts.rivals.setdefault(name, []).append((alarms, power))
    return counts


def simulate_adaptive(scenario: Scenario, searches: int, seed: int, permutations: int) -> Counts:
    """Adaptive searches: how often the order shows it, and false alarms and power if the sampler is known."""
    counts, rng = Counts(), np.random.default_rng(seed)
    real = {truth.setting for truth in scenario.truths}
    for number in range(searches):
        table = draw_adaptive(scenario, rng)
        flagged = fit_search(table, scenario.names, order="number", permutations=0).adaptive
        result = fit_search(table, scenario.names, sampler="TPESampler", permutations=permutations, random_seed=number)
        p = result.settings.set_index("factor")["p_holm"]
        counts.searches += 1
        counts.flagged.append(flagged)
        counts.false_alarms += bool((p.drop(list(real & set(p.index))) < ALPHA).any())
        for truth, share in zip(scenario.truths, scenario.shares, strict=True):
            count_truth(counts, result, truth, share)
    return counts


def called_adaptive(scenario: Scenario, searches: int, seed: int) -> float:
    """The share of random searches of which the order of the runs seems to show that they are adaptive."""
    rng, found = np.random.default_rng(seed), 0
    for _ in range(searches):
        table = draw_search(scenario, rng).assign(number=range(scenario.runs))
        data = prepare_search(table, scenario.names, Options(order="number"))
        found += find_adaptive(data.settings, data.table["order"].to_numpy(), None)[0]
    return found / searches


def count_truth(counts: Counts, result: SearchResult, truth: Truth, share: float) -> None:
    """Whether one effect was found, in the right words, and whether its intervals cover."""
    rows = result.settings.set_index("factor")
    if truth.setting not in rows.index:
        counts.found.append(False)
        return
    row, detail = rows.loc[truth.setting], result.details[truth.setting]
    found = bool(row["p_holm"] < ALPHA)
    counts.found.append(found)
    if found:
        counts.right_word.append(row["verdict"] in truth.verdicts)
    counts.share.append(bool(row["share_low"] <= share <= row["share_high"]))
    if np.isfinite(row["effect"]) and isinstance(detail.low_value, float):
        ends = standardised(truth, pd.Series([detail.low_value, detail.high_value]), share)
        counts.effect.append(bool(row["effect_low"] <= ends[1] - ends[0] <= row["effect_high"]))
    if truth.best is not None and found:
        best = {"low": row["tried_low"], "high": row["tried_high"]}.get(str(truth.best), truth.best)
        counts.best.append(bool(row["best_low"] * (1 - 1e-9) <= best <= row["best_high"] * (1 + 1e-9)))


def percent(values: Sequence[bool] | Sequence[float]) -> str:
    return f"{100 * np.nanmean(np.asarray(values, dtype=float)):.1f}" if len(values) else "-"


def rival_cell(pairs: Sequence[tuple[bool, float]]) -> str:
    if np.isnan([power for _, power in pairs]).all():
        return "no answer"
    return f"{percent([alarm for alarm, _ in pairs])} / {percent([power for _, power in pairs])}"


def ratio_cell(counts: Counts) -> str:
    """Our power divided by that of OLS in the same searches, with its standard error by the delta method."""
    own = np.reshape(counts.found, (counts.searches, -1)).mean(axis=1)
    other = np.array([power for _, power in counts.rivals["OLS"]])
    if len(own) < 2 or not other.mean() > 0:
        return "-"
    ratio = own.mean() / other.mean()
    error = (own - ratio * other).std(ddof=1) / np.sqrt(len(own)) / other.mean()
    return f"{ratio:.2f} ({error:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=200, help="simulated searches of each scenario with effects")
    parser.add_argument("--nulls", type=int, default=2000, help="simulated searches of each scenario without effects")
    parser.add_argument("--permutations", type=int, default=999, help="permutations of each test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only scenarios whose name contains this")
    parser.add_argument("--ped-anova", action="store_true", help="also Optuna's PED-ANOVA (needs optuna; slow)")
    parser.add_argument("--adaptive", type=int, default=0, help="searches by Optuna's TPE (needs optuna)")
    parser.add_argument("--raw", type=Path, help="file for all counts, one JSON object a line")
    options = parser.parse_args()
    if options.ped_anova:
        RIVALS["PED-ANOVA"] = ped_anova
    start = time.perf_counter()

    def keep(scenario: Scenario, counts: Counts) -> None:
        if options.raw is not None:
            with options.raw.open("a") as file:
                file.write(
                    json.dumps({"scenario": scenario.name, "seconds": time.perf_counter() - start, **asdict(counts)})
                )
                file.write("\n")

    chosen = [(i, scenario) for i, scenario in enumerate(NULLS) if options.only in scenario.name and options.nulls]
    if chosen:
        print("| no effect | searches | false alarms % | pairs, false % |")
        print("|---|---|---|---|", flush=True)
    for number, scenario in chosen:
        counts = simulate_null(scenario, options.nulls, options.seed + number, options.permutations)
        keep(scenario, counts)
        alarms = 100 * counts.false_alarms / counts.searches
        print(f"| {scenario.name} | {counts.searches} | {alarms:.1f} | {percent(counts.pair_alarms)} |", flush=True)
    chosen = [(i, scenario) for i, scenario in enumerate(EFFECTS) if options.only in scenario.name and options.searches]
    if chosen:
        print(
            f"\n| effects | searches | {' | '.join(RIVALS)} | false / found % | found, to OLS | finished only "
            "| pairs | share | effect | best | word |"
        )
        print(f"|---|---|{'---|' * (len(RIVALS) + 8)}", flush=True)
    for number, scenario in chosen:
        counts = simulate(scenario, options.searches, options.seed + 1000 + number, options.permutations)
        keep(scenario, counts)
        rivals = " | ".join(rival_cell(counts.rivals[name]) for name in RIVALS)
        own = f"{100 * counts.false_alarms / counts.searches:.1f} / {percent(counts.found)}"
        rest = (counts.found_finished, counts.pair_alarms, counts.share, counts.effect, counts.best, counts.right_word)
        print(
            f"| {scenario.name} | {counts.searches} | {rivals} | {own} | {ratio_cell(counts)} | "
            f"{' | '.join(map(percent, rest))} |",
            flush=True,
        )
    if options.adaptive:
        print("\n| Optuna's TPE | searches | seen from the order % | false / found % | effect | best |")
        print("|---|---|---|---|---|---|", flush=True)
    for number, scenario in enumerate(ADAPTIVE if options.adaptive else ()):
        counts = simulate_adaptive(scenario, options.adaptive, options.seed + 2000 + number, options.permutations)
        keep(scenario, counts)
        own = f"{100 * counts.false_alarms / counts.searches:.1f} / {percent(counts.found)}"
        rest = percent(counts.flagged), own, percent(counts.effect), percent(counts.best)
        print(f"| {scenario.name} | {counts.searches} | {' | '.join(rest)} |", flush=True)
    if options.adaptive:
        found = [called_adaptive(NULLS[number], 200, options.seed + 3000 + number) for number in (6, 9, 15)]
        print(f"of 600 random searches, {100 * np.mean(found):.1f}% are called adaptive")
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
