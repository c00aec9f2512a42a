"""From a table of runs to all results of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from attnae.analysis.design.kind import design_kind
from attnae.analysis.goal import Goal
from attnae.analysis.search.assess import FEWEST_RUNS, Assessment, assess
from attnae.analysis.search.budgets import History
from attnae.analysis.search.estimates.effects import Effect, fit_effect
from attnae.analysis.search.order import find_adaptive
from attnae.analysis.search.pairs import pairs_table
from attnae.analysis.search.prepare import Options, Prepared, prepare_search, without_diverged
from attnae.analysis.search.result import SearchResult
from attnae.analysis.search.sensitivity import reversals, sensitivity_table
from attnae.analysis.search.tables import curves_table, detail_of, levels_table, settings_table
from attnae.errors import UserError

# With fewer configurations only a very strong setting can have a verdict.
FEW_RUNS = 12


def fit_search(
    table: pd.DataFrame,
    settings: Sequence[str],
    *,
    response: str = "response",
    response_name: str | None = None,
    goal: Goal = "min",
    status: str = "status",
    run: str = "run",
    strata: str | None = None,
    order: str | None = None,
    sampler: str | None = None,
    histories: Sequence[History] | None = None,
    alpha: float = 0.05,
    permutations: int = 9999,
    random_seed: int = 0,
) -> SearchResult:
    """Which settings of a random or adaptive search change the response, in which direction, and where it is best.

    Every setting is tested by permuting its values, which is exact if they were drawn independently of everything
    else. The method is described in docs/searches.md.

    Args:
        table: one row for each run: its settings, None, NaN or blank where one is not recorded, and its response.
        settings: the columns that are settings; seeds are none of them. Runs that agree in all settings are averaged.
        response, status, run: names of columns; status and run may be missing. Runs that diverged, or whose response is
            infinite, count as the worst. Unfinished, pruned, failed, unreadable and duplicate runs are left out.
        response_name: what the report calls the response; None: as its column.
        goal: whether small or large responses are better.
        strata: a column, such as the data set, within whose values alone runs are compared.
        order: a column, such as the start time, whose order is that in which the runs were chosen.
        sampler: what the logs say about how runs were chosen, such as TPESampler.
        histories: steps and values of the response, a pair for each row. If the runs have unequal lengths and no
            setting says why, they are compared at the last step that both of two runs reached, pruned and unfinished
            runs among them.
        alpha: 1 - confidence of intervals, and familywise error of verdicts.
        permutations: draws of each test; 0: parametric p-values.
        random_seed: of the permutations.

    Raises:
        UserError: a column is missing, an option is wrong, or nothing can be compared.
    """
    if goal not in ("min", "max"):
        raise UserError(f"--goal {goal!r}: choose from min, max")
    if not 0 < alpha < 1:
        raise UserError(f"--alpha {alpha}: choose a number between 0 and 1, such as 0.05")
    if permutations < 0:
        raise UserError(f"--permutations {permutations}: choose 0 (none) or more")
    options = Options(response, goal, status, run, strata, order)
    data = prepare_search(table, settings, options, histories)
    kind = design_kind(data.columns, [setting.name for setting in data.settings])
    times = data.table["order"].to_numpy() if "order" in data.table else None
    adaptive, adaptive_reason = find_adaptive(data.settings, times, sampler)
    chosen: dict[str, Any] = {"adaptive": adaptive, "alpha": alpha, "draws": permutations, "seed": random_seed}
    finished = None if data.ended.all() else without_diverged(data)
    found, nuisance = assess(data, finished, **chosen)
    values = data.cost if goal == "min" else -data.cost
    judged = [(one, _effect(one, values, data.complete, alpha)) for one in found]
    rng = np.random.default_rng([random_seed, len(found)])
    sensitivity = sensitivity_table(data, finished, found, **chosen)
    model = nuisance.model
    residual = data.z - model @ (model.T @ data.z)
    left = float(residual @ residual) / max(1, data.n - model.shape[1])
    total = float(data.z @ data.z) / max(1, data.n - 1)
    return SearchResult(
        response=response_name or response,
        goal=goal,
        alpha=alpha,
        runs=data.runs,
        n=data.n,
        diverged=int(data.table["diverged"].sum()),
        budgets=data.budgets,
        reason=kind.reason if kind.kind == "search" else f"asked for, although {kind.reason}",
        adaptive=adaptive,
        adaptive_reason=adaptive_reason,
        adjusted=nuisance.adjusted,
        r_squared=max(0.0, 1 - left / total) if total > 0 and data.n > model.shape[1] else float("nan"),
        settings=settings_table([(*pair, _note(pair[0], data)) for pair in judged], alpha),
        levels=levels_table(judged),
        curves=curves_table(found),
        pairs=pairs_table(data, nuisance, permutations, rng),
        left_out=data.left_out,
        details={one.setting.name: detail_of(one) for one in found},
        configurations=data.table,
        sensitivity=sensitivity,
        reversals=reversals(sensitivity),
        notes=(*data.notes, *_remarks(data, adaptive, nuisance.adjusted)),
    )


def _effect(one: Assessment, response: np.ndarray, complete: np.ndarray, alpha: float) -> Effect:
    if one.shape is None or not complete.any():
        return Effect()
    return fit_effect(one.setting, response[one.counts], complete[one.counts], one.nuisance, one.shape, alpha)


def _note(one: Assessment, data: Prepared) -> str:
    """What the row of a setting has to say beside its numbers."""
    notes = []
    same = [name for name, kept in data.aliases.items() if kept == one.setting.name]
    if same:
        notes.append(f"cannot be distinguished from {', '.join(same)}")
    if not one.counts.all():
        also = "; which ones diverge seems to depend on it, too" if one.decides else ""
        notes.append(f"among the configurations that did not diverge{also}")
    if one.setting.runs < FEWEST_RUNS <= data.n:
        notes.append(f"active in {one.setting.runs} runs only")
    elif one.share is None and data.n >= FEWEST_RUNS:
        notes.append("cannot be separated from the other settings with these runs")
    return "; ".join(notes)


def _remarks(data: Prepared, adaptive: bool, adjusted: bool) -> list[str]:
    remarks = []
    if data.n < FEWEST_RUNS:
        remarks.append(f"{data.n} configurations are too few for a verdict: at least {FEWEST_RUNS} are needed")
    elif data.n < FEW_RUNS:
        remarks.append(f"only a very strong setting can show with {data.n} configurations")
    if adaptive and not adjusted:
        remarks.append(
            f"{data.n} configurations are too few to separate settings that the sampler moved together: each is "
            "adjusted only for those that a forward selection by BIC chose"
        )
    elif not adjusted:
        remarks.append(
            f"{data.n} configurations are too few to adjust every setting for all others: each is adjusted for those "
            "that a forward selection by BIC chose"
        )
    return remarks
