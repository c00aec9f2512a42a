"""The audit: which runs there are, which can be used, what was varied, and what does not fit.

It makes the section Audit of the report and the table from which everything else is computed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import pandas as pd

from attnae.analysis.audit.cells import Cells, find_cells, superseded
from attnae.analysis.audit.groups import comparable_runs, different_scales, with_data_sets
from attnae.analysis.audit.named import as_named
from attnae.analysis.audit.names import names_data
from attnae.analysis.audit.outcomes import DUPLICATE, UNREADABLE, USED, divergence_tests, rename_reserved, run_table
from attnae.analysis.audit.responses import (
    EpochRule,
    alternative_rules,
    check_rule,
    choose_response,
    common_step,
    declared_goal,
)
from attnae.analysis.audit.roles import Roles, chosen_names, find_roles
from attnae.analysis.audit.searches import SearchLog, search_log
from attnae.analysis.audit.selection import Selection, select_factors
from attnae.analysis.audit.warnings import warn
from attnae.analysis.design.centre import centre_runs
from attnae.analysis.design.kind import DesignChoice, Kind, choose_kind
from attnae.analysis.goal import Goal, guess_goal
from attnae.errors import UserError
from attnae.reading.run import DIVERGED, UNFINISHED, HParam, Run


@dataclass(frozen=True)
class Audit:
    """What was found, and which part of it is used.

    Attributes:
        table: `runs.csv`: run, status, one column per setting (empty where it is not recorded), seed (if there is one),
            response, source, format; one row per run. status: finished, unknown (no completion mark), diverged,
            unfinished, failed, pruned, unreadable or duplicate.
        response: its tag.
        rule: the epoch at which it is read.
        design: whether the settings are those of a designed study or of a search, and why.
        search: what the analysis of a search reads; None for a designed study.
        goal: whether less ("min") or more ("max") of it is better.
        settings, constants, partial, identifiers, doubtful, derived, aliases, conditional, ignored: see `roles.Roles`.
        factors, set_aside, unrecorded: those of `settings` that a designed study compares; see `selection.Selection`.
            A search compares all of them.
        strata: the setting that names the data set or task, where several are compared; None if there is none.
        others: the groups of runs that are left out, with their sizes; see `groups.Comparable`.
        expected, missing, seeds_per_cell: see `cells.Cells`; over all runs found, used or not.
        excluded: run, status, reason; one row per run that is not used, or, in a search, has no final value.
        duplicates: pairs of a run that is not used and the later one of the same cell, seed and repetition.
        divergence_tests: per level, Fisher's exact test of whether more runs diverged there.
        alternatives: the response under other epoch rules, by description; each indexed like `table`.
        unread: what could not be read in the directories that were searched, each as a sentence.
        dropped: by run, what could not be read of runs that are used.
        headline: set if runs diverge significantly more often at some level: effects are then among finished
            runs only, and that level looks better than it is.
        warnings: what a reader has to know before reading the numbers.
    """

    table: pd.DataFrame
    response: str
    rule: EpochRule
    design: Kind
    search: SearchLog | None
    goal: Goal
    settings: tuple[str, ...]
    factors: tuple[str, ...]
    set_aside: dict[str, str]
    unrecorded: dict[str, int]
    strata: str | None
    others: dict[str, int]
    constants: dict[str, HParam]
    partial: tuple[str, ...]
    identifiers: dict[str, str]
    doubtful: tuple[str, ...]
    derived: dict[str, tuple[str, ...]]
    aliases: dict[str, str]
    conditional: dict[str, str]
    ignored: tuple[str, ...]
    expected: int | None
    missing: pd.DataFrame
    seeds_per_cell: dict[int, int]
    excluded: pd.DataFrame
    duplicates: tuple[tuple[str, str], ...]
    divergence_tests: pd.DataFrame
    alternatives: dict[str, pd.Series]
    unread: tuple[str, ...]
    dropped: dict[str, tuple[str, ...]]
    headline: str | None
    warnings: tuple[str, ...]

    @property
    def seed(self) -> str | None:
        """The name of the table's seed column, if it has one."""
        return "seed" if "seed" in self.table else None

    @property
    def used(self) -> pd.DataFrame:
        """The rows of `table` to analyse: finished, or without marks, and with a finite response."""
        return self.table[self.table["status"].isin(USED)]

    @property
    def ended(self) -> pd.DataFrame:
        """The rows of `used` and the diverged ones: the table for `fit_study`, which ranks the latter worst."""
        return self.table[self.table["status"].isin((*USED, DIVERGED))]

    @property
    def diverged(self) -> tuple[str, ...]:
        return self.runs_with(DIVERGED)

    @property
    def unfinished(self) -> tuple[str, ...]:
        return self.runs_with(UNFINISHED)

    @property
    def unreadable(self) -> tuple[str, ...]:
        return self.runs_with(UNREADABLE)

    def runs_with(self, status: str) -> tuple[str, ...]:
        """The names of the runs with a status, in the table's order."""
        return tuple(self.table.loc[self.table["status"] == status, "run"])

    def to_dict(self) -> dict[str, Any]:
        """Everything except the tables of runs and the alternatives, as plain values for JSON."""
        plain: dict[str, Any] = {"runs": len(self.table), "used": len(self.used)}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name not in ("table", "alternatives", "search"):
                plain[item.name] = value.to_dict("records") if isinstance(value, pd.DataFrame) else value
        return {**plain, "rule": str(self.rule), "design": asdict(self.design)}


def audit_runs(
    runs: Sequence[Run],
    *,
    response: str | None = None,
    at: str = "last",
    factors: Sequence[str] | None = None,
    goal: Goal | None = None,
    group: str | None = None,
    design: DesignChoice = "auto",
) -> Audit:
    """Decide which runs, factors and values the analysis uses.

    Args:
        runs: what `read_logs` found.
        response: a scalar tag; None: the most likely one.
        at: the epoch rule, `last`, `best` or `tail:k`.
        factors: the hyper-parameters to compare; None: all that vary, without identifiers and derived ones.
        goal: whether less or more is better; None: as the runs declare it, or decided by the name of the response.
        group: the study or data set to analyse, where the runs belong to several; None: that with most finished runs.
        design: whether the runs are those of a designed study or of a search; auto: as `design_kind` decides.

    Raises:
        UserError: fewer than two runs can be compared, a tag or factor is unknown, or the epoch rule does not apply.
    """
    rule = EpochRule.parse(at)
    notes = tuple(note for run in runs for note in run.notes)
    runs = as_named(with_data_sets([rename_reserved(run) for run in runs]), factors, response)
    names = list(dict.fromkeys(name for run in runs for name in run.hparams))
    comparable = comparable_runs(runs, group, chosen_names(factors, names) if factors is not None else (), design)
    runs = comparable.runs
    complete = [run for run in runs if run.scalars and run.hparams]
    logged = complete or [run for run in runs if run.scalars]
    tag = choose_response(logged or runs, response)
    if len(logged) < 2:
        raise UserError("only one run has scalar values and hyper-parameters, and a comparison needs at least two")
    settings = [{name: value for name, value in run.hparams.items() if name != tag} for run in logged]
    roles = find_roles(settings, factors, example=logged[0].name)
    kind = _kind(settings, roles, design)
    goal = goal or declared_goal(runs, tag) or guess_goal(tag)
    chosen_on = check_rule(complete, tag, rule)
    # A search compares runs of different lengths in a way of its own.
    if rule.kind == "last" and not kind.is_search and (step := common_step(complete, tag)) is not None:
        rule = EpochRule("common", step)

    values = [rule.read(run, tag, goal, chosen_on) for run in runs]
    table, reasons = run_table(runs, roles, tag, values)
    started = pd.Series([run.started for run in runs])
    seed = "seed" if roles.seed is not None else None
    repetition = pd.Series([tuple(run.hparams.get(name) for name in roles.apart) for run in runs])
    later = superseded(table[table["status"].isin(USED)], roles.settings, seed, repetition, started)
    for index, by in later.items():
        table.loc[index, "status"] = DUPLICATE
        reasons[index] = f"it has the settings and seed of {runs[by].name}, which is later"
    used = table[table["status"].isin(USED)]
    if used.empty:
        raise UserError(f"no run finished with a value of {tag}; of the first run: {reasons[next(iter(reasons))]}")

    middle = centre_runs(used, roles.settings)[0]
    selection = Selection(roles.settings, {}, {}) if kind.is_search else select_factors(used[~middle], roles, seed)
    known = table[[bool(run.scalars and run.hparams) for run in runs]]
    complete_rows = known[known[list(selection.factors)].notna().all(axis=1)]
    complete_rows = complete_rows[complete_rows["status"] != DUPLICATE]
    middle = centre_runs(complete_rows, selection.factors)[0]
    cells = find_cells(complete_rows[~middle], selection.factors, seed)
    cells = Cells(None, cells.missing.head(0), cells.seeds_per_cell) if kind.is_search else cells
    tests = divergence_tests(known[known["status"].isin((*USED, DIVERGED))], selection.factors)
    data = [name for name in roles.settings if names_data(name)]
    mixed = (comparable.warning, different_scales(runs, values))
    headline, warnings = warn(runs, table, roles, selection, cells, later, tests, tag, rule, chosen_on, kind)
    warnings[1 if headline else 0 : 0] = [line for line in mixed if line is not None]
    return Audit(
        table=table,
        response=tag,
        rule=rule,
        design=kind,
        search=search_log(runs, table, roles, tag, rule) if kind.is_search else None,
        goal=goal,
        settings=roles.settings,
        factors=selection.factors,
        set_aside=selection.set_aside,
        unrecorded=selection.unrecorded,
        strata=data[0] if data else None,
        others=comparable.others,
        constants=roles.constants,
        partial=roles.partial,
        identifiers=roles.identifiers,
        doubtful=roles.doubtful,
        derived=roles.derived,
        aliases=roles.aliases,
        conditional=roles.conditional,
        ignored=roles.ignored,
        expected=cells.expected,
        missing=cells.missing,
        seeds_per_cell=cells.seeds_per_cell,
        excluded=pd.DataFrame(
            [
                (runs[i].name, status, reason)
                for i, reason in sorted(reasons.items())
                # A search compares the diverged runs, too.
                if (status := table.loc[i, "status"]) != DIVERGED or not kind.is_search
            ],
            columns=["run", "status", "reason"],
        ),
        duplicates=tuple((runs[index].name, runs[by].name) for index, by in later.items()),
        divergence_tests=tests,
        alternatives=_alternatives(runs, tag, rule, goal),
        unread=notes,
        dropped={run.name: run.problems for i, run in enumerate(runs) if run.problems and i not in reasons},
        headline=headline,
        warnings=tuple(warnings),
    )


def _kind(settings: Sequence[Mapping[str, HParam]], roles: Roles, choice: DesignChoice) -> Kind:
    """The kind of the table of the settings that are compared, without the data set."""
    names = [name for name in roles.settings if roles.chosen or not names_data(name)]
    table = pd.DataFrame({name: pd.Series([one.get(name) for one in settings], dtype=object) for name in names})
    return choose_kind(choice, table[~centre_runs(table, names)[0]], names)


def _alternatives(runs: Sequence[Run], tag: str, rule: EpochRule, goal: Goal) -> dict[str, pd.Series]:
    found = {}
    for label, other, other_rule, chosen_on in alternative_rules(runs, tag, rule):
        values = [other_rule.read(run, other, goal, chosen_on) for run in runs]
        found[label] = pd.Series([math.nan if value is None else value for value in values], dtype=float)
    return found
