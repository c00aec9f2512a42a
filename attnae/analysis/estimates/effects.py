"""Effects: contrasts of model M with a verdict each.

Main effects, interactions and trends are three families of hypotheses: p-values are adjusted within each. The main
effects have one hypothesis for each factor (`family`), the two others one for each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from attnae.analysis.design.aliases import assumptions, why_not_estimable
from attnae.analysis.design.model import Design
from attnae.analysis.estimates.family import Judged, Key, MainEffects, Reading, main_rows, negligible_p
from attnae.analysis.inference.contrasts import Estimates, point_estimates
from attnae.analysis.inference.families import holm
from attnae.analysis.inference.power import detectable
from attnae.analysis.inference.scope import ScopedContrasts, error_names, scoped_contrasts, seed_count
from attnae.analysis.inference.verdicts import MATTERS, MIN_VERDICT_DF, UNDETERMINED, effect_verdicts

# The note of a data set or task, which differs from run to run but is nobody's choice.
NO_CHOICE = "no verdict: it names the data or the task, and is no choice that helps or hurts"


def effects_table(family: MainEffects, y: np.ndarray, reading: Reading) -> pd.DataFrame:
    """`effects.csv`: one row for a two-level factor, one for each level of a many-level factor, and rows `linear` and
    `quadratic` for a continuous one."""
    return judged_effects(family, family.judge(y, reading), y, reading)


def judged_effects(
    family: MainEffects, judged: Judged, y: np.ndarray, reading: Reading, strata: Sequence[str] = ()
) -> pd.DataFrame:
    """`effects.csv` of responses that are judged already; the factors of `strata` have no verdict."""
    design = family.design
    two_level = {factor.name for factor in design.factors if factor.kind == "two-level"}
    off = [design.mean_contrast({name: 0} if name in two_level else {}) for name, _ in family.keys]
    reference = point_estimates(design, np.array(off), y)
    estimates = judged.estimates
    table = contrast_frame(family.keys, family.rows, estimates, reading.alpha, judged.adjusted.rows)
    mde = detectable(estimates.std_error, estimates.df, family=family.hypotheses, alpha=reading.alpha)
    # The verdicts on levels come from tests of several levels: no t test of a single row has their power.
    mde[[name in family.levels for name, _ in family.keys]] = np.nan
    notes = _notes(design, family.rows, family.keys, main_rows(design))
    given = np.array([name in strata for name, _ in family.keys])
    return table.assign(
        percent_change=percent_change(estimates, reference, y, reading),
        verdict=np.where(given, "", judged.verdicts),
        mde=mde,
        error=error_names(family.rows),
        note=np.where(given & np.isfinite(estimates.estimate), NO_CHOICE, notes),
        **_scope_columns(design, family.rows, judged.here, judged.adjusted_here.rows, reading.alpha),
        p_negligible=judged.p_negligible[0],
        p_negligible_holm=judged.p_negligible[1],
    )


def factors_table(family: MainEffects, judged: Judged, reading: Reading, strata: Sequence[str] = ()) -> pd.DataFrame:
    """`factors.csv`: factor, kind, F, df1, df2, p, p_holm, verdict, scope: one row for each factor.

    Two levels: F is the squared t of the effect. Many levels: the omnibus test. A curve has two hypotheses and no F;
    its p is twice the smaller one. The verdict is `matters` if the adjusted p is below alpha, else `undetermined`; the
    factors of `strata` have none.
    """
    rows = []
    for factor in family.design.factors:
        mine = family.of_factor(factor.name)
        f = df1 = df2 = np.nan
        if factor.name in family.levels:
            test = judged.adjusted.omnibus[factor.name]
            f, df1, df2 = float(test.f), float(test.df1), float(test.df2)
        elif factor.kind == "two-level":
            error, df = judged.estimates.std_error[mine][0], judged.estimates.df[mine][0]
            if np.isfinite(df) and error > 0:
                f, df1, df2 = float((judged.estimates.estimate[mine][0] / error) ** 2), 1.0, float(df)
        p, p_holm = (float(value) for value in judged.adjusted.factors[factor.name])
        word = MATTERS if p_holm < reading.alpha else UNDETERMINED
        scope = str(family.rows.scope[mine][0])
        verdict = word if np.isfinite(p) and family.judged and factor.name not in strata else ""
        rows.append((factor.name, factor.kind, f, df1, df2, p, p_holm, verdict, scope))
    columns = ["factor", "kind", "F", "df1", "df2", "p", "p_holm", "verdict", "scope"]
    return pd.DataFrame(rows, columns=columns)


def contrast_frame(
    keys: Sequence[Key],
    fitted: ScopedContrasts,
    estimates: Estimates,
    alpha: float,
    p_holm: np.ndarray | None = None,
) -> pd.DataFrame:
    """factor, level, estimate, std_error, df, unadjusted interval, p and adjusted p (Holm's unless given) of one
    study."""
    low, high = estimates.interval(1 - alpha)
    return pd.DataFrame(
        {
            "factor": [factor for factor, _ in keys],
            "level": [level for _, level in keys],
            "estimate": estimates.estimate,
            "std_error": estimates.std_error,
            "df": estimates.df,
            "ci_low": low,
            "ci_high": high,
            "p": estimates.p,
            "p_holm": holm(estimates.p) if p_holm is None else p_holm,
        }
    )


def percent_change(estimates: Estimates, reference: np.ndarray, y: np.ndarray, reading: Reading) -> np.ndarray:
    """Percent of the reference mean; blank unless all responses are positive; exact for log responses."""
    if reading.log:
        return 100 * np.expm1(estimates.estimate)
    if (y <= 0).any():
        return np.full(len(estimates.estimate), np.nan)
    return 100 * estimates.estimate / reference


def judged_table(
    design: Design, keys: Sequence[Key], rows: np.ndarray, y: np.ndarray, reading: Reading
) -> pd.DataFrame:
    """Rows like those of `effects.csv`, a Holm family of their own, judged as single differences."""
    fitted = scoped_contrasts(design, rows)
    estimates, here = fitted.fit(y)
    p_holm, p_holm_here = holm(estimates.p), holm(here.p)
    small = np.full(len(rows), np.nan) if reading.negligible is None else negligible_p(estimates, reading.negligible)
    small_holm = holm(small)
    grand = point_estimates(design, design.mean_contrast({})[None], y)
    words = effect_verdicts(
        estimates.estimate,
        p_holm,
        p_holm_here,
        small_holm,
        estimates.interval(1 - reading.alpha),
        fitted.for_new,
        goal=reading.goal,
        alpha=reading.alpha,
    )
    family = int(np.isfinite(estimates.p).sum())
    return contrast_frame(keys, fitted, estimates, reading.alpha, p_holm).assign(
        percent_change=percent_change(estimates, grand, y, reading),
        verdict=words if design.residual_df >= MIN_VERDICT_DF else "",
        mde=detectable(estimates.std_error, estimates.df, family=family, alpha=reading.alpha),
        error=error_names(fitted),
        note=_notes(design, fitted, keys, rows),
        **_scope_columns(design, fitted, here, p_holm_here, reading.alpha),
        p_negligible=small,
        p_negligible_holm=small_holm,
    )


def trends_table(design: Design, y: np.ndarray, reading: Reading) -> pd.DataFrame | None:
    """The line through the level means of each numeric factor of three to six levels, lowest to highest value."""
    lines = [(factor, weights) for factor in design.factors if (weights := factor.trend()) is not None]
    if not lines:
        return None
    keys = [(f.name, f"{f.labels[0]} to {f.labels[-1]}{' (log10)' * (f.scale == 'log10')}") for f, _ in lines]
    rows = np.array([design.place(factor.name, weights) for factor, weights in lines])
    return judged_table(design, keys, rows, y, reading)


def interactions_table(design: Design, y: np.ndarray, reading: Reading) -> pd.DataFrame | None:
    """`interactions.csv`, None where model M has no interactions.

    Two single effects: half the difference of differences. A single effect and a level: the effect at that
    level minus the mean effect. Two levels: the cell mean minus what both main effects give.
    """
    keys, rows = [], []
    for a, b in combinations(design.factors, 2):
        term = f"{a.name}:{b.name}"
        if term not in design.terms:
            continue
        half = 0.5 if a.single_effect and b.single_effect else 1.0
        for label_a, weights_a in a.interaction_rows():
            for label_b, weights_b in b.interaction_rows():
                keys.append((term, f"{label_a}:{label_b}"))
                rows.append(design.place(term, half * np.kron(weights_a, weights_b)))
    return judged_table(design, keys, np.array(rows), y, reading) if keys else None


def _scope_columns(
    design: Design, fitted: ScopedContrasts, here: Estimates, p_holm_here: np.ndarray, alpha: float
) -> dict[str, np.ndarray | int]:
    """What the rows are about, and the inference for the seeds of the study alone."""
    low, high = here.interval(1 - alpha)
    return {
        "scope": fitted.scope,
        "seeds": seed_count(design),
        "std_error_here": here.std_error,
        "df_here": here.df,
        "ci_low_here": low,
        "ci_high_here": high,
        "p_here": here.p,
        "p_holm_here": p_holm_here,
    }


def _notes(design: Design, fitted: ScopedContrasts, keys: Sequence[Key], rows: np.ndarray) -> list[str]:
    """Why a row has no estimate, no verdict, or says nothing about new seeds although others do, or what it assumes."""
    left = design.residual_df
    too_few = (
        f"no verdict: model M leaves {left} residual degree{'' if left == 1 else 's'} of freedom, and a verdict needs "
        f"{MIN_VERDICT_DF}: train the same combinations with more seeds"
    )
    mixed = fitted.for_new.any()
    notes = []
    assumed = assumptions(design, [term for term, _ in keys], rows)
    for i, (known, wide, (term, _), row) in enumerate(
        zip(fitted.here.estimable, fitted.for_new, keys, rows, strict=True)
    ):
        if not known:
            notes.append(why_not_estimable(design, term, row))
        elif left < MIN_VERDICT_DF:
            notes.append(too_few)
        elif mixed and not wide:
            notes.append("holds for these seeds only: the runs of some seed do not determine it")
        else:
            notes.append(assumed[i])
    return notes
