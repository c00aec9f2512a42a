"""`report.json`: the whole report in plain values; docs/report.md describes every key."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pandas as pd

from attnae.analysis.report.contents import contents_of
from attnae.analysis.report.report import AnyReport
from attnae.text import UNPRINTABLE

SCHEMA = "attnae-report"
SCHEMA_VERSION = 2
# The report of more runs than this is written in one line: indenting takes ten times as long.
MOST_INDENTED = 1000


def json_text(report: AnyReport) -> str:
    """Strict JSON: no NaN, no infinity; null stands for what is unknown or does not apply."""
    indent = 2 if len(report.audit.table) <= MOST_INDENTED else None
    return json.dumps(plain(report_values(report)), indent=indent, allow_nan=False, ensure_ascii=False) + "\n"


def report_values(report: AnyReport) -> dict[str, Any]:
    """Everything in report.json, by key; the values may still be frames, arrays and NaN."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "summary": {"overview": report.overview, "headlines": report.headlines, "sentences": report.sentences},
        "audit": report.audit.to_dict(),
        **contents_of(report).values(report),
        "provenance": report.provenance,
    }


def plain(value: Any) -> Any:
    """The value as lists, dictionaries with text keys, text, numbers, booleans and None, and nothing else."""
    if isinstance(value, pd.DataFrame):
        names = [_text(name) for name in value]
        columns = (plain(value.iloc[:, place].to_numpy()) for place in range(len(names)))
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int)):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {_text(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":  # at once, for the columns of many runs
        cells = value.astype(object)
        cells[~np.isfinite(value)] = None
        return cells.tolist()
    if isinstance(value, (Sequence, np.ndarray)):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    return None if value is pd.NA else _text(value)


def _text(value: object) -> str:
    # Lone surrogates, as in file names that are not valid UTF-8, cannot be written.
    if isinstance(value, str) and value.isprintable():
        return value
    return "\n".join(UNPRINTABLE.sub(" ", line) for line in str(value).split("\n"))
