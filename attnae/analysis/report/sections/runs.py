"""Sections 1 to 3: which runs there are, what is explained, and the article's own table."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from attnae.analysis.audit.audit import Audit
from attnae.analysis.audit.provenance import Provenance
from attnae.analysis.estimates.article import READING
from attnae.analysis.report.blocks import Block, Blocks, Section, Table, Text, Verbatim, columns
from attnae.analysis.result import StudyResult
from attnae.text import clean, counted, listed, number

KINDS = {
    "two-level": "two levels",
    "many-level": "levels",
    "continuous": "curve",
}


def audit(found: Audit, result: StudyResult, provenance: Provenance, remarks: tuple[str, ...]) -> Section:
    """Section 1: runs, factors, and what does not fit."""
    blocks: Blocks = [Text(f"{_runs(found, result)}.")]
    blocks += [Text(f"{line}.", warning=True) for line in found.warnings]
    blocks += [Text(f"{line}.") for line in (*result.notes, *remarks)]
    blocks.append(Table("Factors", _factors(result), columns("factor", ("kind", "taken as"), "levels")))
    blocks += [Text(f"{line}.") for line in _set_aside(found)]
    if len(found.excluded):
        blocks.append(
            Table("Runs that are not used", found.excluded, columns("run", "status", ("reason", "why")), "runs.csv")
        )
    if len(found.missing):
        heads = columns(*(str(name) for name in found.missing))
        blocks.append(Table("Runs that are missing", found.missing.astype(str), heads))
    if found.dropped:
        frame = pd.DataFrame(
            [(run, line) for run, lines in found.dropped.items() for line in lines], columns=["run", "dropped"]
        )
        blocks.append(
            Table("Unreadable parts of runs that are used", frame, columns("run", ("dropped", "what was dropped")))
        )
    blocks += _divergence(found)
    blocks.append(Text(f"{_origin(provenance)}."))
    reading = "What was found in the logs, what of it is used, and what to know before the numbers."
    return Section(1, "Audit", reading, blocks)


def response(found: Audit, result: StudyResult) -> Section:
    """Section 2: the number that is explained, and the model that explains it."""
    reading, model = result.reading, result.model
    better = "less is better" if reading.goal == "min" else "more is better"
    scale = "its natural logarithm" if reading.log else "not transformed"
    rule = {"last": "the last value of each run", "best": "the value at the best epoch by the validation tag"}
    at = rule.get(found.rule.kind, f"the mean of the last {found.rule.length} values of each run")
    lines = [
        f"{clean(result.response)}: {at}; {better} (--goal); {scale}",
        f"Model M: {clean(model.formula)}",
        f"M is fixed by the design, never chosen by p-values: {model.reason}",
        f"{counted(model.runs, 'run')} in {counted(model.cells, 'cell')}; rank {model.rank} of "
        f"{counted(model.parameters, 'parameter')}, condition number {number(model.condition_number)}; "
        f"{model.residual_df} residual degrees of freedom, residual SD {number(model.residual_sd) or 'unknown'}, "
        f"R² {number(model.r_squared)}",
    ]
    if model.rank < model.parameters:
        lines.append("Rank below the number of parameters: some terms are aliased, see the notes on effects and ANOVA")
    return Section(2, "Response", "What is explained, and by which model.", [Text(f"{line}.") for line in lines])


def article(result: StudyResult) -> Section:
    """Section 3: the article's regression without an intercept."""
    table = result.article
    reading = "The regression that the article reports, as it reports it; the effects below answer the question better."
    if table is None:
        line = "Not shown: it needs exactly one factor of three or more levels, and two levels in all others."
        return Section(3, "The article's table", reading, [Text(line)])
    shown = columns(
        "term", ("estimate", "estimate", "response"), ("std_error", "std. error", "response"), ("t", "t", "number"),
        ("p", "p", "p"), ("interval", "interval", "interval"),
    )  # fmt: skip
    coefficients = Table("Least squares without an intercept", table.coefficients, shown, "coefficients.csv")
    blocks: Blocks = [Text(READING, warning=True), coefficients, Verbatim(clean_lines(table.summary))]
    return Section(3, "The article's table", reading, blocks)


def clean_lines(text: str) -> str:
    """Text whose lines stay, without other control characters."""
    return "\n".join(clean(line) for line in text.split("\n"))


def _runs(found: Audit, result: StudyResult) -> str:
    expected = "" if found.expected is None else f", {found.expected:,} expected for the complete design"
    cells = ", ".join(
        f"{counted(cells, 'cell')} with {counted(runs, 'run')}" for runs, cells in found.seeds_per_cell.items()
    )
    seeds = result.noise.seeds
    used = f"{counted(len(found.table), 'run')} found{expected}, {result.model.runs:,} used; {cells}"
    return f"{used}; seeds: {listed(seeds, 8)}" if seeds else f"{used}; no seeds recorded"


def _factors(result: StudyResult) -> pd.DataFrame:
    rows = []
    for factor in result.factors:
        kind, levels = KINDS[factor.kind], listed(factor.labels, 6)
        if factor.kind == "continuous":
            kind = f"{kind} ({factor.scale})"
            levels = f"{len(factor.levels):,} from {factor.levels[0]:.4g} to {factor.levels[-1]:.4g}"
        rows.append((factor.name, kind, levels))
    return pd.DataFrame(rows, columns=["factor", "kind", "levels"])


def _set_aside(found: Audit) -> Iterator[str]:
    if found.constants:
        yield f"Constant, and dropped: {listed((f'{name} = {value}' for name, value in found.constants.items()), 40)}"
    if found.identifiers:
        yield f"No factors: {listed(f'{name} ({reason})' for name, reason in found.identifiers.items())}"


def _divergence(found: Audit) -> list[Block]:
    if found.divergence_tests.empty:
        return [Text("No run diverged.")]
    shown = columns(
        "factor", "level", ("diverged", "diverged", "count"), ("runs", "of runs", "count"),
        ("diverged_elsewhere", "elsewhere", "count"), ("runs_elsewhere", "of runs", "count"),
        ("p", "p", "p", 1), ("p_holm", "Holm p", "p"),
    )  # fmt: skip
    return [Table("Diverged runs, by level (Fisher's exact test)", found.divergence_tests, shown)]


def _origin(provenance: Provenance) -> str:
    if not provenance.runs:
        return "The runs record no versions, commit or data set"
    if provenance.mixed:
        return f"The runs record where they come from, and differ in {listed(provenance.mixed)}"
    known = {name: next(iter(values)) for name, values in provenance.runs.items()}
    shown = [f"{name.rpartition('/')[2]} {value[:12]}" for name, value in known.items() if name != "dataset/sizes"]
    return f"All runs come from one origin: {listed(shown, 12)}"
