"""The report of a designed study in report.json: its values and its tables by name."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd

from attnae.analysis.estimates.noise import Noise
from attnae.analysis.report.report import StudyReport
from attnae.analysis.report.sentences.cost import NO_TIMES, cost_sentences
from attnae.analysis.result import StudyResult


def study_values(report: StudyReport) -> dict[str, Any]:
    """What only report.json of a designed study has, by key; the values may still be frames, arrays and NaN."""
    result, audit = report.result, report.audit
    return {
        "design": {**asdict(audit.design), "adaptive": False, "adaptive_reason": ""},
        "response": {
            "tag": result.response,
            "rule": str(audit.rule),
            "goal": result.reading.goal,
            "transform": "log" if result.reading.log else "none",
            "alpha": result.reading.alpha,
            "negligible": result.reading.negligible,
        },
        "model": result.model,
        "factors": [
            {"name": factor.name, "kind": factor.kind, "levels": list(factor.levels), "scale": factor.scale}
            for factor in result.factors
        ],
        "dropped_factors": result.dropped_factors,
        "tables": tables(report),
        "article_summary": result.article.summary if result.article is not None else None,
        "noise": noise_values(result.noise),
        "verdicts": verdicts(result),
        "diagnostics": {
            "largest_residual": result.diagnostics.largest,
            "box_cox": _box_cox(result),
        },
        "cost": {
            "sentences": cost_sentences(result),
            "reason": result.cost.reason if result.cost is not None else NO_TIMES,
            "at_once": result.cost.at_once if result.cost is not None else 0,
        },
        "reversals": result.reversals,
        "notes": (*result.notes, *report.remarks),
    }


def tables(report: StudyReport) -> dict[str, pd.DataFrame | None]:
    """Every table, by name; None where it does not apply. Those that are also CSV files come first.

    Raises:
        ValueError: a statistic has the name of another table.
    """
    result = report.result
    found = {
        **csv_tables(report),
        "pairwise": result.pairwise,
        "simple_effects": result.simple_effects,
        "seed_interactions": result.noise.seed_interactions,
        "seed_effects": result.noise.seed_effects,
        "effects_by_seed": result.noise.effects_by_seed,
        "residuals": result.diagnostics.residuals,
        "spread": result.diagnostics.spread,
        "brown_forsythe": result.diagnostics.brown_forsythe,
        "box_cox_profile": result.diagnostics.box_cox.profile if result.diagnostics.box_cox is not None else None,
        "sensitivity": result.sensitivity,
        "permutation": result.permutation,
        "cells": result.cells,
        "baseline": result.baseline,
        "next_steps": result.next_steps,
        "times": result.cost.effects if result.cost is not None else None,
        "cost_cells": result.cost.cells if result.cost is not None else None,
    }
    if taken := found.keys() & result.statistics.keys():
        raise ValueError(f"the statistic {min(taken)!r} has the name of another table of report.json: rename it")
    return {**found, **result.statistics}


def csv_tables(report: StudyReport) -> dict[str, pd.DataFrame | None]:
    """The tables that are CSV files, by the file's stem."""
    result = report.result
    return {
        "runs": report.audit.table,
        "coefficients": result.coefficients,
        "effects": result.effects,
        "factors": result.factor_tests,
        "anova": result.anova,
        "interactions": result.interactions,
        "marginal_means": result.marginal_means,
        "lenth": result.lenth,
        "learning_curves": result.curves.means if result.curves is not None else None,
    }


def noise_values(noise: Noise) -> dict[str, Any]:
    """The noise of the runs, with the numbers of Lenth's method and of pure error; None where they do not apply."""
    screening, pure = noise.lenth, noise.pure_error
    fit = None
    if pure is not None and pure.lack_of_fit_df:
        fit = {
            "sum_sq": pure.lack_of_fit_sum_sq,
            "df": pure.lack_of_fit_df,
            "F": pure.lack_of_fit_f,
            "p": pure.lack_of_fit_p,
        }
    return {
        "method": noise.method,
        "statement": noise.statement,
        "seeds": noise.seeds,
        "blocks": noise.blocks,
        "runs_per_cell": noise.runs_per_cell,
        "pse": screening.pse if screening is not None else None,
        "me": screening.me if screening is not None else None,
        "sme": screening.sme if screening is not None else None,
        "pure_error_sd": pure.sd if pure is not None else None,
        "pure_error_df": pure.df if pure is not None else None,
        "pure_error_sum_sq": pure.sum_sq if pure is not None else None,
        "lack_of_fit": fit,
    }


def verdicts(result: StudyResult) -> dict[str, dict[str, str]]:
    """The verdicts: factor -> level -> word."""
    found: dict[str, dict[str, str]] = {}
    for row in result.effects.itertuples():
        found.setdefault(str(row.factor), {})[str(row.level)] = str(row.verdict)
    return found


def _box_cox(result: StudyResult) -> dict[str, float] | None:
    found = result.diagnostics.box_cox
    return None if found is None else {"best": found.best, "low": found.low, "high": found.high}
