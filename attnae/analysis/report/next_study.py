"""The next search as a study file, where the settings are options of this program's own runs."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping
from typing import Any

from attnae.analysis.audit.audit import Audit
from attnae.analysis.report.report import SearchReport
from attnae.analysis.search.next import DROP, NextSearch, next_search
from attnae.analysis.search.result import SearchResult
from attnae.config import RunConfig, check_options, option_names
from attnae.errors import UserError

NEXT_STUDY = "next.yaml"
# Resolved from the data set, which is an option itself.
RESOLVED = ("data_dir", "image_size", "channels", "limit_test")
HEADING = (
    "# The next search, suggested by the analysis. Each setting has a range or its levels; the rest is as before.\n"
    "# Copy this file, change what you know better, and run: python train.py --study {name}\n"
)


def next_study(report: SearchReport) -> str | None:
    """The text of the study file; None unless all settings are options of the model or of training.

    It has the keys `sample` (the number of runs), `factors` (a list of levels, or one of `uniform`, `loguniform` and
    `int` with the ends of a range) and `options`, what all runs of this search shared and what it fixed.
    """
    found = next_search(report.result)
    allowed = set(option_names("model", "training")) - {"seed"}
    names = [str(name) for name in found.table["factor"]]
    if not names or not allowed.issuperset(names):
        return None
    shared = _shared(report.audit)
    try:
        factors = _factors(found, report.result, shared)
    except UserError:
        return None
    fixed = {name: levels[0] for name, levels in factors.items() if isinstance(levels, list) and len(levels) == 1}
    factors = {name: levels for name, levels in factors.items() if name not in fixed}
    if not factors:
        return None
    import yaml

    content = {"sample": found.runs, "factors": factors, "options": {**shared, **fixed}}
    if not content["options"]:
        del content["options"]
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None)
    return HEADING.format(name=NEXT_STUDY) + text


def _factors(found: NextSearch, result: SearchResult, shared: Mapping[str, Any]) -> dict[str, Any]:
    """By setting, its levels or its range.

    Raises:
        UserError: a level is no value of the option.
    """
    rows = {row["factor"]: row for row in result.settings.to_dict("records")}
    factors: dict[str, Any] = {}
    for step in found.table.to_dict("records"):
        name, row = step["factor"], rows[step["factor"]]
        if not math.isfinite(step["low"]):
            factors[name] = [_level(name, text) for text in str(step["levels"]).split(";")]
        elif step["action"] == DROP:
            factors[name] = [_number(step["low"], row)]
        else:
            low, high = float(step["low"]), float(step["high"])
            if not (_possible(name, low, row, shared) and _possible(name, high, row, shared)):
                low, high = float(row["tried_low"]), float(row["tried_high"])
            kind = (
                "int"
                if row["kind"] == "integer"
                else "loguniform"
                if row["scale"] == "log10" and low > 0
                else "uniform"
            )
            factors[name] = {kind: [_number(low, row), _number(high, row)]}
    return factors


def _shared(audit: Audit) -> dict[str, Any]:
    """The options that all runs share and that differ from the defaults."""
    found = {}
    for name, value in audit.constants.items():
        if name not in option_names("model", "training", "data") or name in (*RESOLVED, "seed"):
            continue
        try:
            level = _level(name, value)
        except UserError:
            continue
        if level != _plain(getattr(RunConfig, name)):
            found[name] = level
    return found


def _level(name: str, value: Any) -> Any:
    """A level as YAML holds it, from what the logs record: numbers may be text, and a list is text such as 35 25 5.

    Raises:
        UserError: it is no value of the option.
    """
    default = getattr(RunConfig, name)
    text = str(value)
    if isinstance(default, tuple):
        value = [int(number) for number in re.findall(r"\d+", text)]
    elif isinstance(default, bool):
        value = {"true": True, "false": False}.get(text.lower(), text)
    elif isinstance(default, int) and re.fullmatch(r"\d+", text):
        value = int(text)
    elif isinstance(default, float):
        value = float(text) if re.fullmatch(r"[-+.\deE]+", text) else text
    return _plain(check_options({name: value}, NEXT_STUDY)[name])


def _possible(name: str, value: float, row: Mapping[Hashable, Any], shared: Mapping[str, Any]) -> bool:
    """Whether runs with this value can be trained at all."""
    try:
        RunConfig(**{**check_options(dict(shared), NEXT_STUDY), name: _number(value, row)})
    except UserError:
        return False
    return True


def _number(value: float, row: Mapping[Hashable, Any]) -> int | float:
    return round(value) if row["kind"] == "integer" else float(f"{value:.6g}")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
