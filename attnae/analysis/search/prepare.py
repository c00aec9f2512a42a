"""From a table of runs to configurations, their scores, and their settings as columns of a linear model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from attnae.analysis.design.columns import codes, plain
from attnae.analysis.design.dependence import find_aliases, find_derived, find_parents
from attnae.analysis.design.factors import level_label
from attnae.analysis.goal import Goal
from attnae.analysis.search.budgets import History, beaten_shares, unequal_budgets
from attnae.analysis.search.model.basis import dummies
from attnae.analysis.search.model.settings import Setting, read_setting
from attnae.analysis.search.scores import normal_scores
from attnae.errors import UserError
from attnae.reading.run import DIVERGED, FINISHED, PRUNED, UNFINISHED, UNKNOWN

USED = (FINISHED, UNKNOWN, DIVERGED)
# Runs that have no final value, but can be compared with others at a step that both reached.
STOPPED = (PRUNED, UNFINISHED)
# Names of the columns of the table of configurations; settings that are called alike are renamed there.
RESERVED = ("run", "runs", "response", "diverged", "z", "order")


@dataclass(frozen=True)
class Options:
    """Names of columns and choices of `fit_search`, which documents them."""

    response: str = "response"
    goal: Goal = "min"
    status: str = "status"
    run: str = "run"
    strata: str | None = None
    order: str | None = None


@dataclass(frozen=True)
class Prepared:
    """The configurations of a search.

    Attributes:
        table: run, runs, the settings, response, diverged, z and order; see `SearchResult.configurations`.
        columns: the settings alone, as numbers and labels, None where they are not recorded.
        cost: (n,) median response over the seeds, lower is better; infinite where diverged, NaN where a run that was
            stopped has no final value.
        z: (n,) normal scores, centred.
        complete: (n,) whether the response can be compared in its own units.
        budgets: whether runs of unequal lengths are compared at the last step that both of two runs reached.
        strata: (n,) index of the group within which runs are compared and permuted.
        base: (n, columns) that are in every model: the mean, the strata, and where settings are recorded.
        settings: those that vary.
        aliases: settings that split the runs as another one does, with the name of that one.
        left_out: settings without a row, with the reason.
        runs: number of runs used.
        notes: one line each.
    """

    table: pd.DataFrame
    columns: pd.DataFrame
    cost: np.ndarray
    z: np.ndarray
    complete: np.ndarray
    budgets: bool
    strata: np.ndarray
    base: np.ndarray
    settings: tuple[Setting, ...]
    aliases: dict[str, str]
    left_out: dict[str, str]
    runs: int
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        return len(self.z)

    @property
    def ended(self) -> np.ndarray:
        """(n,) whether a configuration did not diverge."""
        return ~np.isposinf(self.cost)


def prepare_search(
    table: pd.DataFrame,
    settings: Sequence[str],
    options: Options,
    histories: Sequence[History] | None = None,
) -> Prepared:
    """Configurations, scores and settings of the runs that can be used.

    Raises:
        UserError: a column is missing, or there are fewer than two runs with a response.
    """
    _check_names(table, settings, options)
    notes: list[str] = []
    budgets = histories is not None and unequal_budgets(histories, table, settings)
    keep, cost, diverged = _usable(table, options, budgets, notes)
    rows, sign = table[keep], 1 if options.goal == "min" else -1
    strata = codes(rows[options.strata]) if options.strata is not None else np.zeros(len(rows), dtype=np.int64)
    ranked, complete = cost, np.isfinite(cost)
    if budgets and histories is not None:
        kept = [history for history, used in zip(histories, keep, strict=True) if used]
        ranked = -beaten_shares(kept, sign, diverged)
        last = np.array([steps[-1] if len(steps) else np.nan for steps, _ in kept], dtype=float)
        complete &= ~(last < 0.9 * np.nanmax(last))
        usable = ~np.isnan(ranked)
        if not usable.all():
            notes.append(f"runs left out: {int((~usable).sum())} share no step with another run")
            rows, cost, diverged, strata = rows[usable], cost[usable], diverged[usable], strata[usable]
            ranked, complete = ranked[usable], complete[usable]
        notes.append("the runs have unequal lengths: they are compared at the last step that both of two runs reached")
    if len(rows) < 2:
        raise UserError(
            f"only {len(rows)} of {len(table)} runs have a value of {options.response}: there is nothing to "
            "compare; choose another (--response)"
        )
    found = _find_settings(rows, settings)
    scores = normal_scores(ranked, strata)
    return _collect(rows, found, options, cost, scores, complete, budgets, strata, notes)


def _usable(
    table: pd.DataFrame, options: Options, budgets: bool, notes: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which rows are used, and of these the cost, infinite where the run diverged, and whether it diverged."""
    values = pd.to_numeric(table[options.response], errors="coerce").to_numpy(dtype=float)
    status = table[options.status] if options.status in table else pd.Series(UNKNOWN, index=table.index)
    used = status.isin((*USED, *STOPPED) if budgets else USED).to_numpy()
    if not used.all():
        counts = status[~used].value_counts()
        notes.append("runs left out: " + ", ".join(f"{counts[kind]} {kind}" for kind in sorted(counts.index)))
    stopped = status.isin(STOPPED).to_numpy()
    diverged = ((status == DIVERGED).to_numpy() | np.isinf(values)) & ~stopped
    lost = used & np.isnan(values) & ~diverged & ~stopped
    if lost.any():
        notes.append(f"runs left out: {int(lost.sum())} without a value of the response")
    keep = used & ~lost
    cost = values if options.goal == "min" else -values
    return keep, np.where(diverged, np.inf, np.where(stopped, np.nan, cost))[keep], diverged[keep]


@dataclass(frozen=True)
class _Found:
    """The settings that vary as plain columns, what decides whether they apply, and those left out with the reason."""

    columns: pd.DataFrame
    parents: dict[str, tuple[str, np.ndarray]]
    aliases: dict[str, str]
    left_out: dict[str, str]


def _find_settings(rows: pd.DataFrame, names: Sequence[str]) -> _Found:
    columns = pd.DataFrame({name: plain(rows[name]) for name in names}, index=rows.index)
    left_out: dict[str, str] = {}
    for name in names:
        values = columns[name].drop_duplicates()
        if len(values) == 1:
            value = values.iloc[0]
            left_out[name] = "no run records a value" if value is None else f"it is {level_label(value)} in all runs"
    columns = columns.drop(columns=list(left_out))
    if columns.empty:
        return _Found(columns, {}, {}, left_out)
    derived = find_derived(columns)
    left_out |= {name: f"it follows from {', '.join(sources)}" for name, sources in derived.items()}
    columns = columns.drop(columns=list(derived))
    aliases = find_aliases(columns)
    left_out |= {name: f"it cannot be distinguished from {kept}" for name, kept in aliases.items()}
    columns = columns.drop(columns=list(aliases))
    return _Found(columns, find_parents(columns), aliases, left_out)


def _collect(
    rows: pd.DataFrame,
    found: _Found,
    options: Options,
    cost: np.ndarray,
    scores: np.ndarray,
    complete: np.ndarray,
    budgets: bool,
    strata: np.ndarray,
    notes: list[str],
) -> Prepared:
    """Average the runs of each configuration, and make the settings' columns."""
    keys = np.column_stack([strata, *(codes(found.columns[name]) for name in found.columns)])
    first, group = _groups(keys)
    medians = pd.Series(np.where(complete, cost, np.inf)).groupby(group).median().to_numpy()
    z = pd.Series(scores).groupby(group).mean().to_numpy()
    usable = pd.Series(complete).groupby(group).mean().to_numpy() > 0.5
    lost = pd.Series(np.isposinf(cost)).groupby(group).mean().to_numpy() >= 0.5
    columns, strata = found.columns.iloc[first], strata[first]
    settings: list[Setting] = []
    left_out = dict(found.left_out)
    for name in columns:
        parent, active = found.parents.get(name, (None, np.ones(len(rows), dtype=bool)))
        setting, note = read_setting(name, columns[name], parent, active[first])
        if setting is None:
            left_out[name] = note
            continue
        notes += [f"{name}: {note}"] if note else []
        settings.append(setting)
        if parent is None and not setting.active.all():
            notes.append(f"{name}: {len(first) - setting.runs} configurations do not record it and do not count for it")
    if not settings:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise UserError(f"no setting of these {len(rows)} runs can be compared ({reasons}): name others with --factors")
    finite = np.where(usable & np.isfinite(medians), medians, np.nan)
    summary = pd.DataFrame(
        {
            "run": rows.get(options.run, rows.index.to_series()).astype(str).to_numpy()[first],
            "runs": np.bincount(group),
            **{f"hparams/{name}" if name in RESERVED else name: columns[name].to_numpy() for name in columns},
            "response": finite if options.goal == "min" else -finite,
            "diverged": lost,
            "z": z - z.mean(),
        }
    )
    if options.order is not None and rows[options.order].notna().all():
        summary["order"] = rows[options.order].iloc[first].rank(method="first").astype(int).to_numpy() - 1
    return Prepared(
        table=summary,
        columns=columns.reset_index(drop=True),
        cost=np.where(lost, np.inf, finite),
        z=z - z.mean(),
        complete=np.isfinite(finite),
        budgets=budgets,
        strata=strata,
        base=base_columns(settings, strata),
        settings=tuple(settings),
        aliases=found.aliases,
        left_out=left_out,
        runs=len(rows),
        notes=tuple(notes),
    )


def without_diverged(data: Prepared) -> Prepared | None:
    """The configurations that did not diverge, with scores and settings of their own; None if no setting varies."""
    keep = data.ended
    columns = data.columns[keep].reset_index(drop=True)
    settings = []
    for setting in data.settings:
        again, _ = read_setting(setting.name, columns[setting.name], setting.parent, setting.active[keep])
        settings += [again] if again is not None else []
    if not settings:
        return None
    strata = codes(pd.Series(data.strata[keep]))
    # Configurations that were stopped have no cost, but scores.
    z = normal_scores((data.z if data.budgets else data.cost)[keep], strata)
    return replace(
        data,
        table=data.table[keep].reset_index(drop=True),
        columns=columns,
        cost=data.cost[keep],
        z=z - z.mean(),
        complete=data.complete[keep],
        strata=strata,
        base=base_columns(settings, strata),
        settings=tuple(settings),
    )


def base_columns(settings: Sequence[Setting], strata: np.ndarray) -> np.ndarray:
    """(n, columns): the mean, the strata, and where each setting is recorded that has no parent to say so."""
    recorded = [one.active[:, None].astype(float) for one in settings if one.parent is None and not one.active.all()]
    return np.hstack([np.ones((len(strata), 1)), dummies(strata, int(strata.max()) + 1), *recorded])


def _groups(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each distinct row of keys, and (rows,) the index of each row's group, by first appearance."""
    _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    place = np.argsort(np.argsort(first))
    return np.sort(first), place[group.ravel()]


def _check_names(table: pd.DataFrame, settings: Sequence[str], options: Options) -> None:
    wanted = [*settings, options.response, *(name for name in (options.strata, options.order) if name is not None)]
    if missing := [name for name in wanted if name not in table]:
        raise UserError(f"no column {missing[0]!r} in the table; it has {', '.join(map(str, table.columns))}")
    if repeated := [name for name in settings if list(settings).count(name) > 1]:
        raise UserError(f"setting {repeated[0]!r} is named twice")
    if not settings:
        raise UserError("no settings: no hyper-parameter varies between the runs; name some with --factors")
