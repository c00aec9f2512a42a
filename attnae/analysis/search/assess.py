"""What is said about each setting of a search: its test, its share, its shape and its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from attnae.analysis.inference.families import holm
from attnae.analysis.inference.verdicts import HELPS, HURTS, MATTERS, NEGLIGIBLE, SUGGESTIVE, UNDETERMINED
from attnae.analysis.search.estimates.curve import Curve, fit_curve
from attnae.analysis.search.estimates.levels import Levels, compare_levels
from attnae.analysis.search.estimates.share import Share, share_of
from attnae.analysis.search.model.nuisance import Nuisance
from attnae.analysis.search.model.partial import Partial
from attnae.analysis.search.model.settings import Setting
from attnae.analysis.search.permutation import permutation_p

OPTIMUM = "optimum"
FINDINGS = (OPTIMUM, HELPS, HURTS, MATTERS)
# Fewer configurations, or fewer with a value of a setting, give no verdict.
FEWEST_RUNS = 6
NEGLIGIBLE_SHARE = 0.02


@dataclass(frozen=True)
class Assessment:
    """What the scores say about one setting.

    Attributes:
        nuisance: (n, rank) orthonormal basis of what it is adjusted for.
        share: None if the setting cannot be separated from what it is adjusted for.
        shape: the curve of a numeric setting, or the levels; None if it cannot be estimated.
        p, p_holm: of the permutation test; NaN without a test.
        verdict: "optimum", "helps", "hurts", "matters", "suggestive", "undetermined" or "negligible"; empty without a
            test.
        worse: indices of the levels that are worse than the best one.
    """

    setting: Setting
    nuisance: np.ndarray
    share: Share | None
    shape: Curve | Levels | None
    p: float
    p_holm: float = np.nan
    verdict: str = ""
    worse: tuple[int, ...] = ()


def assess(
    settings: Sequence[Setting],
    base: np.ndarray,
    strata: np.ndarray,
    z: np.ndarray,
    *,
    adaptive: bool,
    alpha: float,
    draws: int,
    seed: int,
) -> tuple[list[Assessment], Nuisance]:
    """Test every setting, adjusted for the others, with Holm's correction over all settings that can be tested.

    Args:
        base: (n, columns) that are in every model.
        strata: (n,) index of the group within which values are permuted.
        z: (n,) the response, lower is better.

    Returns:
        The assessments, in the order of the settings, and the model.
    """
    tests, nuisance = settings_tests(settings, base, strata, z, adaptive=adaptive, draws=draws, seed=seed)
    found = []
    for setting, basis, p in tests:
        shape = fit_curve(setting, z, basis, alpha) if setting.numeric else compare_levels(setting, z, basis)
        found.append(Assessment(setting, basis, share_of(Partial(basis, setting.columns), z, alpha), shape, p))
    adjusted = holm(np.array([p for _, _, p in tests]))
    return [_judge(one, float(p_holm), alpha) for one, p_holm in zip(found, adjusted, strict=True)], nuisance


def settings_tests(
    settings: Sequence[Setting],
    base: np.ndarray,
    strata: np.ndarray,
    z: np.ndarray,
    *,
    adaptive: bool,
    draws: int,
    seed: int,
) -> tuple[list[tuple[Setting, np.ndarray, float]], Nuisance]:
    """Each setting with the orthonormal basis, (n, rank), of what it is adjusted for, and its p-value; and the model.

    The arguments are those of `assess`. A setting with fewer than 6 active configurations has no p-value (NaN).
    """
    nuisance = Nuisance(base, [setting.columns for setting in settings], z, adaptive=adaptive)
    tests = []
    for position, setting in enumerate(settings):
        basis = nuisance.without(position)
        enough = min(len(z), setting.runs) >= FEWEST_RUNS
        rng = np.random.default_rng([seed, position])
        tests.append((setting, basis, permutation_p(setting, z, basis, strata, draws, rng) if enough else np.nan))
    return tests, nuisance


def _judge(one: Assessment, p_holm: float, alpha: float) -> Assessment:
    if np.isnan(one.p):
        return one
    if p_holm >= alpha:
        negligible = one.share is not None and one.share.high < NEGLIGIBLE_SHARE
        word = SUGGESTIVE if one.p < alpha else NEGLIGIBLE if negligible else UNDETERMINED
        return replace(one, p_holm=p_holm, verdict=word)
    if isinstance(one.shape, Curve):
        return replace(one, p_holm=p_holm, verdict=_curve_verdict(one.shape, alpha))
    if one.shape is None:
        return replace(one, p_holm=p_holm, verdict=MATTERS)
    worse = tuple(int(i) for i in np.flatnonzero(one.shape.p_holm < alpha))
    word = MATTERS
    if one.setting.kind == "two-level" and np.isfinite(one.shape.fitted).all():
        word = HELPS if one.shape.fitted[1] < one.shape.fitted[0] else HURTS
        worse = (1 - one.shape.best,)
    return replace(one, p_holm=p_holm, verdict=word, worse=worse)


def _curve_verdict(curve: Curve, alpha: float) -> str:
    if curve.inside:
        return OPTIMUM
    if curve.rise_p < alpha:
        return HELPS if curve.rise < 0 else HURTS
    return MATTERS
