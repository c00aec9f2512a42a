"""From a table of runs to all results of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from attnae.analysis.design.model import Interactions
from attnae.analysis.design.prepare import Columns, Prepared, prepare
from attnae.analysis.estimates.article import article_table
from attnae.analysis.estimates.best import baseline_table, cells_table
from attnae.analysis.estimates.curvature import curvature_note
from attnae.analysis.estimates.diagnostics import diagnose
from attnae.analysis.estimates.effects import factors_table, interactions_table, judged_effects
from attnae.analysis.estimates.family import MainEffects, Reading
from attnae.analysis.estimates.fit import summarise_model
from attnae.analysis.estimates.means import marginal_means_table, pairwise_table, simple_effects_table
from attnae.analysis.estimates.noise import assess_noise
from attnae.analysis.estimates.planned import judge_replicates
from attnae.analysis.estimates.sensitivity import reversals, sensitivity_table
from attnae.analysis.inference.anova import anova_table
from attnae.analysis.inference.looks import Replicates
from attnae.analysis.inference.permutation import permutation_table
from attnae.analysis.inference.power import next_steps_table
from attnae.analysis.inference.verdicts import Goal
from attnae.analysis.result import StudyResult
from attnae.analysis.statistics import compute_statistics
from attnae.errors import UserError


def fit_study(
    table: pd.DataFrame,
    factors: Sequence[str],
    *,
    response: str = "response",
    response_name: str | None = None,
    seed: str | None = "seed",
    status: str = "status",
    run: str = "run",
    log: bool = False,
    goal: Goal = "min",
    alpha: float = 0.05,
    interactions: Interactions = "auto",
    baseline: Mapping[str, object] | None = None,
    negligible: float | None = None,
    target: float | None = None,
    alternatives: Mapping[str, pd.Series] | None = None,
    replicates: Replicates | None = None,
    strata: Sequence[str] = (),
    permutations: int = 9999,
    random_seed: int = 0,
) -> StudyResult:
    """Which factors change the response, by how much, and how certain that is.

    Args:
        table: one row for each run, with columns for the response and each factor, and optionally for seed, status
            and run. Runs that diverged, are unfinished, unreadable or duplicates, and runs without a finite response
            are left out; the notes say how many.
        factors: columns whose levels are compared.
        response, seed, status, run: names of columns; all but the response may be missing from the table.
        response_name: what the report and messages call the response, such as `test/loss`; None: as its column.
        log: analyse the natural logarithm of the response.
        goal: whether small or large responses are better.
        alpha: 1 - confidence of intervals, and familywise error of verdicts.
        interactions: two-way interactions in model M: as the design allows, never, or always.
        baseline: factor -> level; the other combinations of these factors are compared with it.
        negligible: an effect that is shown to be smaller than this is negligible. On the scale of the analysis: with
            `log`, 0.05 is a change of about 5%.
        target: the effect that more seeds should detect, on the scale of the analysis; by default `negligible`, else
            each row's own estimate.
        alternatives: the response under other epoch rules, by name, on the table's index.
        replicates: the replicate of each run, for a study that looked at its results after each replicate and could
            stop: verdicts, adjusted p-values and the planned intervals are then valid at that stop.
        strata: factors that are no choice, such as the data set: they are in the model, and have an effect but no
            verdict.
        permutations: draws of the permutation tests; 0 for none.
        random_seed: seed of the permutation tests.

    Returns:
        One attribute for each table of the report.

    Raises:
        UserError: nothing can be estimated, or an option does not fit the table.
    """
    _check_options(goal, alpha, interactions, negligible, target, permutations)
    reading = Reading(goal, alpha, log, negligible)
    columns = Columns(response, seed, status, run, response_name)
    data = prepare(table, factors, table.get(response, pd.Series(dtype=float)), columns, interactions)
    y = _logarithm(data, columns.shown_response) if log else data.y
    design = data.design
    notes = data.notes
    if data.centre is not None:
        notes = (*notes, curvature_note(design, y, data.centre, data.seeds, reading))
    # First of all, so that a mistake in the baseline is reported before anything slow.
    compared = baseline_table(design, y, baseline, reading) if baseline else None
    family = MainEffects.of(design)
    judged = family.judge(y, reading)
    looks = None if replicates is None else judge_replicates(data, y, replicates, reading)
    if looks is not None:
        judged = looks.instead_of(judged)
    effects = judged_effects(family, judged, y, reading, strata)
    if looks is not None:
        # A test at a single look would have the power of `mde`.
        effects = effects.assign(mde=np.nan, **looks.columns())
    anova = anova_table(design, y)
    pairs = interactions_table(design, y, reading)
    sensitivity, problems = sensitivity_table(
        effects, table, factors, columns, interactions, reading, alternatives or {}, replicates
    )
    if replicates is not None and looks is None:
        problems = (
            *problems,
            "the planned looks cannot be used, because the runs are not at least three whole replicates of the same "
            "cells: the p-values and intervals are those of a number of runs fixed beforehand",
        )
    return StudyResult(
        response=columns.shown_response,
        reading=reading,
        factors=design.factors,
        dropped_factors=data.dropped_factors,
        notes=(*notes, *problems),
        design=design,
        y=y,
        model=summarise_model(design, y, interactions),
        article=article_table(design.factors, design.codes, y, alpha=alpha),
        effects=effects,
        factor_tests=factors_table(family, judged, reading, strata),
        anova=anova,
        interactions=pairs,
        noise=assess_noise(family, y, data.seeds, alpha=alpha),
        marginal_means=marginal_means_table(design, y, alpha=alpha),
        pairwise=pairwise_table(family, judged, y, alpha=alpha),
        simple_effects=simple_effects_table(design, anova, pairs, y, alpha=alpha),
        diagnostics=diagnose(design, y, data.y, data.runs, alpha=alpha),
        sensitivity=sensitivity,
        reversals=reversals(sensitivity, alpha=alpha),
        permutation=permutation_table(design, y, draws=permutations, seed=random_seed) if permutations else None,
        cells=cells_table(design, y, reading),
        baseline=compared,
        next_steps=next_steps_table(
            design, effects, target=target, negligible=negligible, family=family.hypotheses, alpha=alpha
        ),
        statistics=compute_statistics(design, y, reading),
        looks=looks,
    )


def _logarithm(data: Prepared, response: str) -> np.ndarray:
    if (data.y <= 0).any():
        run = data.runs[int(data.y.argmin())]
        raise UserError(f"{response} has no logarithm in run {run} ({data.y.min():g}): leave out --log-response")
    return np.log(data.y)


def _check_options(
    goal: str,
    alpha: float,
    interactions: str,
    negligible: float | None,
    target: float | None,
    permutations: int,
) -> None:
    choices: dict[str, tuple[Any, tuple[str, ...]]] = {
        "goal": (goal, ("min", "max")),
        "interactions": (interactions, ("auto", "none", "two-way")),
    }
    for name, (value, valid) in choices.items():
        if value not in valid:
            raise UserError(f"--{name} {value!r}: choose from {', '.join(valid)}")
    if not 0 < alpha < 1:
        raise UserError(f"--alpha {alpha}: choose a number between 0 and 1, such as 0.05")
    for name, size in (("negligible", negligible), ("target", target)):
        if size is not None and not size > 0:
            raise UserError(f"--{name} {size}: choose a positive number, in units of the response")
    if permutations < 0:
        raise UserError(f"--permutations {permutations}: choose 0 (none) or more")
