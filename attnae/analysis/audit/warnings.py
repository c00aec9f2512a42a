"""What the audit found, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from attnae.analysis.audit.cells import Cells
from attnae.analysis.audit.provenance import mixed_versions
from attnae.analysis.audit.responses import EpochRule, has_one_point
from attnae.analysis.audit.roles import UNSET, Roles
from attnae.reading.run import UNKNOWN, Run

DIVERGENCE_ALPHA = 0.05


def warn(
    runs: Sequence[Run],
    table: pd.DataFrame,
    roles: Roles,
    cells: Cells,
    later: Mapping[int, int],
    tests: pd.DataFrame,
    tag: str,
    rule: EpochRule,
    chosen_on: str | None,
) -> tuple[str | None, list[str]]:
    """The headline, if diverged runs bias the comparison, and the warnings, the most serious first."""
    headline = _divergence(tests)
    warnings = [headline] if headline else []
    if chosen_on == tag:
        warnings.append(
            f"the best epoch is chosen on {tag} itself: noisier settings look better than they are; "
            "compare with --at last"
        )
    for group in roles.confounded:
        warnings.append(f"{' and '.join(group)} change together in every run: their effects cannot be separated")
    for name, sources in roles.derived.items():
        warnings.append(
            f"{name} is not treated as a factor (determined by {', '.join(sources)}); --factors overrules this"
        )
    for name in roles.doubtful:
        reason = roles.identifiers[name]
        warnings.append(f"{name} is not treated as a factor ({reason}); --factors overrules this")
    if roles.ignored:
        warnings.append(f"{', '.join(roles.ignored)} also vary, which counts as noise: they are not in --factors")
    for name in roles.incomplete:
        warnings.append(f"{name} is not recorded in some runs: these get the level {UNSET!r}")
    if later:
        values = table["response"].to_numpy()
        differ = sum(bool(values[index] != values[by]) for index, by in later.items())
        hint = f"; {differ} of them have a different response: log a replicate number to keep them" if differ else ""
        warnings.append(f"{len(later)} runs have the settings and seed of a later run and are left out{hint}")
    if len(cells.missing):
        first = ", ".join(f"{name}={value}" for name, value in cells.missing.iloc[0].items())
        warnings.append(f"{len(cells.missing)} of {cells.expected} runs are missing; the first is {first}")
    used = [index for index, status in enumerate(table["status"]) if status in (UNKNOWN, "finished")]
    warnings += _lengths([runs[index] for index in used], tag, rule)
    rows = table.loc[used]
    seeds = rows.get("seed")
    warnings += mixed_versions([runs[index] for index in used], rows[list(roles.factors)], seeds)
    return headline, warnings


def _divergence(tests: pd.DataFrame) -> str | None:
    significant = tests[tests["p_holm"] < DIVERGENCE_ALPHA]
    if significant.empty:
        return None
    worst = significant.sort_values("p_holm").iloc[0]
    more = worst["diverged"] / worst["runs"] > worst["diverged_elsewhere"] / worst["runs_elsewhere"]
    return (
        f"{worst['factor']}={worst['level']} diverged in {worst['diverged']} of {worst['runs']} runs, "
        f"the others in {worst['diverged_elsewhere']} of {worst['runs_elsewhere']} "
        f"(p = {worst['p_holm']:.2g} after Holm): effects are among finished runs, "
        f"which makes {'it' if more else 'the others'} look better than {'it is' if more else 'they are'}"
    )


def _lengths(runs: Sequence[Run], tag: str, rule: EpochRule) -> list[str]:
    """Runs that end before the others, and runs that are too short for `tail:k`."""
    if has_one_point(runs, tag):
        return []
    found = []
    ends = {run.name: int(run.scalars[tag].steps[-1]) for run in runs}
    last = max(ends.values())
    early = [name for name, end in ends.items() if end < last]
    if early:
        found.append(
            f"{len(early)} of {len(runs)} runs end before step {last}, where {tag} ends in the others, and may be "
            f"unfinished; the first is {early[0]} (step {ends[early[0]]})"
        )
    if rule.kind == "tail":
        short = sum(len(run.scalars[tag].steps) < rule.length for run in runs)
        if short:
            found.append(
                f"{short} of {len(runs)} runs have fewer than {rule.length} values of {tag}: their means are over those"
            )
    return found
