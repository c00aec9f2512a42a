"""What the audit found, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from attnae.analysis.audit.cells import Cells
from attnae.analysis.audit.names import CROWDED, MAX_SETTINGS, names_data
from attnae.analysis.audit.provenance import changed_runs, mixed_versions
from attnae.analysis.audit.responses import EpochRule, common_step, has_one_point, validation_twin
from attnae.analysis.audit.roles import Roles
from attnae.analysis.audit.selection import Selection
from attnae.analysis.design.kind import Kind
from attnae.reading.run import FINISHED, PRUNED, UNKNOWN, Run
from attnae.text import clean, counted, listed

DIVERGENCE_ALPHA = 0.05


def warn(
    runs: Sequence[Run],
    table: pd.DataFrame,
    roles: Roles,
    selection: Selection,
    cells: Cells,
    later: Mapping[int, int],
    tests: pd.DataFrame,
    tag: str,
    rule: EpochRule,
    chosen_on: str | None,
    kind: Kind,
) -> tuple[str | None, list[str]]:
    """The headline, if diverged runs bias the comparison, and the warnings, the most serious first."""
    # In a search the diverged runs are compared with the others, as the worst.
    headline = None if kind.is_search else _divergence(tests)
    warnings = [headline] if headline else []
    if chosen_on == tag:
        warnings.append(
            f"the best epoch is chosen on {tag} itself: noisier settings look better than they are; "
            "compare with --at last"
        )
    warnings += _settings(table, roles, selection)
    if assumed := _assumed(runs, roles, tag):
        warnings.append(assumed)
    if lacking := _lacking(runs, tag):
        warnings.append(lacking)
    if not kind.is_search and (pruned := int((table["status"] == PRUNED).sum())):
        warnings.append(
            f"{pruned} of {counted(len(table), 'run')} {'was' if pruned == 1 else 'were'} pruned (stopped early) "
            "because of bad results: effects are among the other runs, which makes settings that were often pruned "
            "look better than they are"
        )
    if later:
        values = table["response"].to_numpy()
        differ = sum(bool(values[index] != values[by]) for index, by in later.items())
        hint = f"; {differ} of them have a different response: log a replicate number to keep them" if differ else ""
        warnings.append(f"{len(later)} runs have the settings and seed of a later run and are left out{hint}")
    if len(cells.missing):
        first = ", ".join(f"{name}={value}" for name, value in cells.missing.iloc[0].items())
        warnings.append(f"{len(cells.missing)} of {cells.expected} runs are missing; the first is {first}")
    used = [index for index, status in enumerate(table["status"]) if status in (UNKNOWN, FINISHED)]
    if not kind.is_search or rule.kind != "last":
        warnings += _lengths([runs[index] for index in used], tag, rule)
    rows = table.loc[used]
    warnings += changed_runs([runs[index] for index in used])
    seeds = rows.get("seed")
    warnings += mixed_versions([runs[index] for index in used], rows[list(selection.factors)], seeds)
    return headline, warnings


def _settings(table: pd.DataFrame, roles: Roles, selection: Selection) -> list[str]:
    """What is not compared although it varies, and why."""
    found = []
    for name, kept in roles.aliases.items():
        found.append(
            f"{_name(name)} cannot be distinguished from {_name(kept)}: they split the runs alike, so an effect of one "
            "may be that of the other"
        )
    for name, sources in roles.derived.items():
        found.append(
            f"{_name(name)} is not treated as a factor (determined by {listed(sources)}); --factors overrules this"
        )
    if CROWDED in roles.identifiers.values():
        crowd = sum(reason == CROWDED for reason in roles.identifiers.values())
        found.append(
            f"{MAX_SETTINGS + crowd} settings vary, of which the {MAX_SETTINGS} that most runs record are compared, "
            "the first in the logs; --factors chooses others"
        )
    for name in roles.doubtful:
        found.append(f"{_name(name)} is not treated as a factor ({roles.identifiers[name]}); --factors overrules this")
    for reason in dict.fromkeys(selection.set_aside.values()):
        names = [_name(name) for name, given in selection.set_aside.items() if given == reason]
        are = "is not treated as a factor:" if len(names) == 1 else "are not treated as factors, each because"
        found.append(f"{listed(names, 12)} {are} {reason}; --factors overrules this")
    for name in selection.factors:
        if names_data(name):
            found.append(
                f"{_name(name)} names the data or the task: it is part of the model, and its effect says how their "
                "results differ"
            )
    if roles.partial:
        found.append(
            f"{listed(roles.partial, 6)} {'is' if len(roles.partial) == 1 else 'are'} not recorded by some runs, and "
            "the same in all others: whether this differs between the runs is unknown"
        )
    if roles.ignored:
        found.append(f"{listed(roles.ignored)} also vary, which counts as noise: they are not in --factors")
    for name, runs in selection.unrecorded.items():
        found.append(
            f"{_name(name)} is not recorded by {counted(runs, 'run')} of {len(table)}, which are not compared; "
            "to compare them, leave it out of --factors"
        )
    return found


def _assumed(runs: Sequence[Run], roles: Roles, tag: str) -> str | None:
    """What was assumed, where a column of a table may be a setting as well as a result."""
    rows = (run for run in runs if run.directory is None)  # Logs say themselves what was set and what was measured.
    if not any(name in run.scalars for run in rows for name in run.hparams):
        return None
    used = {*roles.settings, tag, roles.seed}
    reasons = dict.fromkeys((name for name in roles.constants if name not in used), "constant")
    reasons |= {name: "measured" for run in runs for name in run.scalars if name not in run.hparams and name != tag}
    reasons |= {name: reason for name, reason in roles.identifiers.items() if name not in roles.doubtful}
    example = ",".join(map(_name, roles.settings[:2]))
    unused = listed((f"{_name(name)} ({reason})" for name, reason in reasons.items()), 6)
    return (
        f"assumed: settings {listed(roles.settings, 8)}; response {_name(tag)}"
        f"{f'; not used: {unused}' if unused else ''}. Overrule with --factors {example} and --response NAME"
    )


def _lacking(runs: Sequence[Run], tag: str) -> str | None:
    """Runs that logged other results instead, as after the response was renamed."""
    without = [run for run in runs if run.scalars and tag not in run.scalars and run.status in (FINISHED, UNKNOWN)]
    if not without:
        return None
    others = listed(dict.fromkeys(name for run in without for name in run.scalars if name not in run.hparams), 4)
    count = f"{len(without)} of {counted(len(runs), 'run')}"
    are = "is" if len(without) == 1 else "are"
    return f"{count} logged no {_name(tag)} and {are} not compared; what was logged there is {others}"


def _name(name: str) -> str:
    return clean(name, 80)


def _divergence(tests: pd.DataFrame) -> str | None:
    significant = tests[tests["p_holm"] < DIVERGENCE_ALPHA]
    if significant.empty:
        return None
    worst = significant.sort_values("p_holm").iloc[0]
    more = worst["diverged"] / worst["runs"] > worst["diverged_elsewhere"] / worst["runs_elsewhere"]
    level = str(worst["level"])
    where = f"{worst['factor']} {level}" if level.startswith(("> ", "<= ")) else f"{worst['factor']}={clean(level, 80)}"
    return (
        f"{where} diverged in {worst['diverged']} of {worst['runs']} runs, "
        f"the others in {worst['diverged_elsewhere']} of {worst['runs_elsewhere']} "
        f"(p = {worst['p_holm']:.2g} after Holm): effects are among finished runs, "
        f"which makes {'it' if more else 'the others'} look better than {'it is' if more else 'they are'}"
    )


def _unequal(tag: str, twin: str, step: int) -> str:
    return (
        f"finished runs have different lengths, and {tag} compares each at its own end; the sensitivity analysis "
        f"compares {twin} at step {step}, the last that all of them reached (--response {twin} makes it the response)"
    )


def _lengths(runs: Sequence[Run], tag: str, rule: EpochRule) -> list[str]:
    """Runs that end before the others, and runs that are too short for `tail:k`."""
    if has_one_point(runs, tag):
        # A single value of the test set has no steps: the same metric on the validation set shows how long a run was.
        twin = validation_twin(tag, {name for run in runs for name in run.scalars})
        step = None if twin is None else common_step(runs, twin)
        return [] if step is None else [_unequal(tag, str(twin), step)]
    found = []
    ends = {run.name: int(run.scalars[tag].steps[-1]) for run in runs}
    last = max(ends.values())
    early = [name for name, end in ends.items() if end < last]
    if rule.kind == "common":
        found.append(
            f"{len(early)} of {len(runs)} finished runs end before step {last}: {tag} is compared at step "
            f"{rule.length}, the last that all of them reached (--at tail:1 takes the last value of each run)"
        )
    elif early:
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
