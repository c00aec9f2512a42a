"""`report.json`: the whole report in plain values; docs/report.md describes every key."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pandas as pd

from attnae.analysis.estimates.noise import Noise
from attnae.analysis.report.report import Report
from attnae.analysis.result import StudyResult
from attnae.text import UNPRINTABLE

SCHEMA = "attnae-report"
SCHEMA_VERSION = 2


def json_text(report: Report) -> str:
    """Strict JSON: no NaN, no infinity; null stands for what is unknown or does not apply."""
    return json.dumps(plain(report_values(report)), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def report_values(report: Report) -> dict[str, Any]:
    """Everything in report.json, by key; the values may still be frames, arrays and NaN."""
    result, audit = report.result, report.audit
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "summary": {"headlines": report.headlines, "sentences": report.sentences},
        "audit": audit.to_dict(),
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
        "reversals": result.reversals,
        "notes": (*result.notes, *report.remarks),
        "provenance": report.provenance,
    }


def tables(report: Report) -> dict[str, pd.DataFrame | None]:
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
    }
    if taken := found.keys() & result.statistics.keys():
        raise ValueError(f"the statistic {min(taken)!r} has the name of another table of report.json: rename it")
    return {**found, **result.statistics}


def csv_tables(report: Report) -> dict[str, pd.DataFrame | None]:
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


def plain(value: Any) -> Any:
    """The value as lists, dictionaries with text keys, text, numbers, booleans and None, and nothing else."""
    if isinstance(value, pd.DataFrame):
        names = [str(name) for name in value]
        rows = zip(*(value.iloc[:, place].tolist() for place in range(len(names))), strict=True)
        return [plain(dict(zip(names, row, strict=True))) for row in rows]
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {_text(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (Sequence, np.ndarray)):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int)):
        return value
    return None if value is pd.NA else _text(value)


def _text(value: object) -> str:
    # Lone surrogates, as in file names that are not valid UTF-8, cannot be written.
    return "\n".join(UNPRINTABLE.sub(" ", line) for line in str(value).split("\n"))


def _box_cox(result: StudyResult) -> dict[str, float] | None:
    found = result.diagnostics.box_cox
    return None if found is None else {"best": found.best, "low": found.low, "high": found.high}
