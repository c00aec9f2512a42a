"""Which runs there are, which response is analysed, and the article's own table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from attnae.analysis.audit.audit import Audit
from attnae.analysis.audit.provenance import IMAGES, Provenance
from attnae.analysis.audit.responses import EpochRule
from attnae.analysis.design.aliases import exact_aliases
from attnae.analysis.estimates.article import READING
from attnae.analysis.report.blocks import Blocks, Table, Text, Verbatim
from attnae.analysis.report.columns import Column
from attnae.analysis.report.report import AnyReport, StudyReport
from attnae.analysis.report.sentences.study import MAX_VALUE, level_name
from attnae.analysis.result import StudyResult
from attnae.text import clean, counted, listed, number

DESIGNS = {
    "factorial": "factorial design",
    "fraction": "fraction of a factorial design",
    "one-at-a-time": "one setting changed at a time",
}
KINDS = {
    "two-level": "two levels",
    "many-level": "more than two levels",
    "continuous": "continuous",
}


def audit(report: StudyReport) -> Blocks:
    """Runs, factors, and what is unusual about them."""
    found = report.audit
    taken = f"Taken as: {DESIGNS[found.design.kind]}: {clean(found.design.reason)}. --design search overrules this."
    return [
        Text(f"{_runs(found, report.result)}."),
        Text(taken),
        *remarks(report),
        Table("Factors", _factors(report.result), ("factor", "kind", "levels")),
        *details(report),
    ]


def remarks(report: AnyReport) -> Blocks:
    """The warnings of the audit, and what the analysis and the command decided by themselves."""
    warnings: Blocks = [Text(f"{line}.", warning=True) for line in report.audit.warnings]
    return warnings + [Text(f"{line}.") for line in (*report.result.notes, *report.remarks)]


def details(report: AnyReport, compared: Sequence[str] = ()) -> Blocks:
    """What is the same in all runs, which runs are not used, and where the runs come from.

    Args:
        compared: the statuses of runs that are used although they have no final value.
    """
    found = report.audit
    excluded = found.excluded[~found.excluded["status"].isin(compared)]
    blocks: Blocks = []
    if found.constants:
        settings = listed((f"{name} = {value}" for name, value in found.constants.items()), 40)
        blocks.append(Text(f"The same in all runs, hence not factors: {settings}."))
    if found.identifiers:
        names = listed(f"{name} ({reason})" for name, reason in found.identifiers.items())
        blocks.append(Text(f"Not taken as factors: {names}."))
    if len(excluded):
        blocks.append(Table("Runs that are not used", excluded, ("run", "status", "reason"), "runs.csv"))
    if len(found.missing):
        named = tuple(Column(str(name), clean(name, 40)) for name in found.missing)
        blocks.append(Table("Runs that are missing", found.missing.astype(str), named))
    blocks += [Text(f"Not read: {clean(note)}.") for note in found.unread]
    if found.dropped:
        lines = [(run, line) for run, dropped in found.dropped.items() for line in dropped]
        frame = pd.DataFrame(lines, columns=["run", "dropped"])
        blocks.append(Table("Unreadable parts of runs that are used", frame, ("run", "dropped")))
    if found.divergence_tests.empty:
        blocks.append(Text("No run diverged."))
    else:
        shown = ("factor", "level", "diverged", "runs", "diverged_elsewhere", "runs_elsewhere", "p", "p_holm")
        blocks.append(
            Table(
                "Diverged runs at each level (Fisher's exact test; numeric settings: Mann-Whitney)",
                found.divergence_tests,
                shown,
            )
        )
    blocks.append(Text(f"{_origin(report.provenance)}."))
    return blocks


def rule_text(rule: EpochRule) -> str:
    """Which value of a run is its response."""
    rules = {
        "last": "the last value of each run",
        "best": "the value at the best epoch by the validation tag",
        "common": f"the value at step {rule.length}, the last that all finished runs reached",
    }
    return rules.get(rule.kind, f"the mean of the last {rule.length} values of each run")


def response(report: StudyReport) -> Blocks:
    """The number that is analysed, and model M."""
    result = report.result
    reading, model = result.reading, result.model
    better = "smaller is better" if reading.goal == "min" else "larger is better"
    scale = "its natural logarithm is analysed" if reading.log else "not transformed"
    lines = [
        f"{clean(result.response)}: {rule_text(report.audit.rule)}; {better} (--goal); {scale}",
        f"Model M: {clean(model.formula)}",
        f"The design determines the terms of M; p-values are never used to choose them: {model.reason}",
        f"{counted(model.runs, 'run')} in {counted(model.cells, 'cell')}; rank {model.rank} of "
        f"{counted(model.parameters, 'parameter')}, condition number {number(model.condition_number)}; "
        f"{model.residual_df} residual degrees of freedom, residual SD {number(model.residual_sd) or 'unknown'}, "
        f"R² {number(model.r_squared)}",
    ]
    if model.rank < model.parameters:
        lines.append(
            "The rank is below the number of parameters, so some terms are aliased: see the notes on effects and ANOVA"
        )
    if not result.design.has_interactions and (aliases := exact_aliases(result.design)):
        lines.append(f"M has no interactions. If there are any, they cannot be separated: {_alias_text(aliases)}")
    return [Text(f"{line}.") for line in lines]


def _alias_text(aliases: Mapping[str, Sequence[str]], most: int = 8) -> str:
    """The aliases of main effects, then of interactions; each pair of interactions once."""
    lines: dict[frozenset[str], str] = {}
    for term, others in aliases.items():
        lines.setdefault(frozenset([term, *others]), f"{clean(term)} is aliased with {listed(others)}")
    more = len(lines) - most
    return "; ".join(list(lines.values())[:most]) + (f"; and {more} more" if more > 0 else "")


def article(report: StudyReport) -> Blocks:
    """The article's regression, without an intercept."""
    table = report.result.article
    if table is None:
        return [Text("Not shown: it needs exactly one factor of three or more levels, and two levels in all others.")]
    shown = ("term", "estimate", "std_error", "t", "p", "interval")
    return [
        Text(READING, warning=True),
        Table("Least squares without an intercept", table.coefficients, shown, "coefficients.csv"),
        Verbatim("\n".join(clean(line) for line in table.summary.split("\n"))),
    ]


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
        kind, levels = KINDS[factor.kind], listed(_levels(factor.labels), 6)
        if factor.kind == "continuous":
            kind = f"{kind} ({factor.scale})"
            levels = f"{len(factor.levels):,} from {factor.levels[0]:.4g} to {factor.levels[-1]:.4g}"
        rows.append((factor.name, kind, levels))
    return pd.DataFrame(rows, columns=["factor", "kind", "levels"])


def _levels(labels: Sequence[str]) -> list[str]:
    """The levels as sentences name them; those that are too long for a sentence with their start and their end."""
    names = [level_name(label, labels) for label in labels]
    return [
        f"{name}: {clean(label, 60)}" if len(label) > MAX_VALUE else label
        for name, label in zip(names, labels, strict=True)
    ]


def _origin(provenance: Provenance) -> str:
    if not provenance.runs:
        return "The runs do not record versions, commit or data set"
    if provenance.mixed:
        # The seed draws the validation images, and the audit warns if the checksum differs for another reason.
        drawn = f"{IMAGES} (each seed holds out images of its own)"
        names = [drawn if name == IMAGES else name for name in provenance.mixed]
        return f"The runs record their versions, commit and data set, and differ in {listed(names)}"
    known = {name: next(iter(values)) for name, values in provenance.runs.items()}
    shown = [f"{name.rpartition('/')[2]} {value[:12]}" for name, value in known.items() if name != "dataset/sizes"]
    return f"All runs record the same versions, commit and data set: {listed(shown, 12)}"
