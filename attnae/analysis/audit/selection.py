"""Which of the settings are factors of a designed study, where some are not recorded, or cannot be told apart."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from attnae.analysis.audit.roles import Roles
from attnae.analysis.design.dependence import recorded
from attnae.analysis.design.separable import separable_factors
from attnae.text import counted, listed


@dataclass(frozen=True)
class Selection:
    """The factors, and why the other settings are none.

    Attributes:
        factors: in the order of the settings.
        set_aside: setting -> the reason that it is no factor.
        unrecorded: factor -> number of runs without it, which are not compared.
    """

    factors: tuple[str, ...]
    set_aside: dict[str, str]
    unrecorded: dict[str, int]


def select_factors(runs: pd.DataFrame, roles: Roles, seed: str | None) -> Selection:
    """Decide by the design alone, never by the responses.

    A setting that only applies at some values of another is no factor. Of a setting that only some runs record, either
    the runs without it or the setting is set aside, whichever leaves more runs that can be compared. Of the others, the
    largest set whose main effects can be told apart is kept.

    Args:
        runs: the runs that are compared, one column per setting, None where it is not recorded.
    """
    kept = list(roles.settings)
    aside: dict[str, str] = {}
    if not roles.chosen:
        aside = {
            name: f"it only applies at some values of {parent}"
            for name, parent in roles.conditional.items()
            if parent in kept and len(kept) > 1
        }
        kept = [name for name in kept if name not in aside]
    known = pd.Series(True, index=runs.index)
    unrecorded = {}
    here = {name: pd.Series(recorded(runs[name]), index=runs.index) for name in kept}
    for name in sorted(kept, key=lambda name: -int(here[name].sum())):
        both = known & here[name]
        lost = len(runs) - int(here[name].sum())
        if lost and 2 * both.sum() <= len(runs) and not roles.chosen:
            aside[name] = f"{counted(lost, 'run')} of {len(runs)} {'does' if lost == 1 else 'do'} not record it"
        elif lost and runs.loc[both, name].nunique() < 2 and not roles.chosen:
            aside[name] = "it does not vary among the runs that record it"
        else:
            known = both
            if lost:
                unrecorded[name] = lost
    if unable := [name for name in kept if name in aside]:
        if len(unable) == len(kept):  # then nothing would be left: better some runs of one setting
            most = max(unable, key=lambda name: int(here[name].sum()))
            del aside[most]
            known, unrecorded = here[most], {most: len(runs) - int(here[most].sum())}
        kept = [name for name in kept if name not in aside]
    rows = runs[known]
    varying = [name for name in kept if rows[name].nunique() > 1]
    seeds = rows[seed] if seed is not None else None
    separable = separable_factors(rows, varying, seeds, keep_aliased=roles.chosen)
    others = listed([name for name in varying if name in separable], 6)
    reason = f"its effect cannot be told apart from those of {others} with {counted(len(rows), 'run')}"
    aside |= dict.fromkeys((name for name in varying if name not in separable), reason)
    factors = tuple(name for name in kept if name not in aside)
    return Selection(factors, {name: aside[name] for name in roles.settings if name in aside}, unrecorded)
