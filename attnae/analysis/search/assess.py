"""What is said about each setting of a search: its test, its share, its shape and its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from attnae.analysis.inference.families import holm
from attnae.analysis.inference.verdicts import HELPS, HURTS, MATTERS, NEGLIGIBLE, SUGGESTIVE, UNDETERMINED
from attnae.analysis.search.estimates.curve import Curve, fit_curve
from attnae.analysis.search.estimates.levels import Levels, compare_levels
from attnae.analysis.search.estimates.share import Share, share_of
from attnae.analysis.search.model.nuisance import Nuisance
from attnae.analysis.search.model.partial import Partial
from attnae.analysis.search.model.regression import orthonormal
from attnae.analysis.search.model.settings import Setting
from attnae.analysis.search.permutation import Statistic, Tested, permutation_test
from attnae.analysis.search.prepare import Prepared

OPTIMUM = "optimum"
FINDINGS = (OPTIMUM, HELPS, HURTS, MATTERS)
# Fewer configurations, or fewer with a value of a setting, give no verdict.
FEWEST_RUNS = 6
NEGLIGIBLE_SHARE = 0.02


@dataclass(frozen=True)
class Assessment:
    """What the scores say about one setting.

    Attributes:
        whole: the setting in all configurations.
        setting: the setting in those that the numbers are about.
        counts: (n,) which configurations the numbers are about: all, or those that did not diverge.
        z: (counted,) their scores.
        nuisance: (counted, rank) orthonormal basis of what the setting is adjusted for.
        share: None if the setting cannot be separated from what it is adjusted for.
        shape: the curve of a numeric setting, or the levels; None if it cannot be estimated.
        decides: whether the numbers are about the configurations that did not diverge, and the setting seems to decide
            which ones did.
        p, p_holm: of the permutation test; NaN without a test.
        verdict: "optimum", "helps", "hurts", "matters", "suggestive", "undetermined" or "negligible"; empty without a
            test.
        worse: indices of the levels that are worse than the best one.
    """

    whole: Setting
    setting: Setting
    counts: np.ndarray
    z: np.ndarray
    nuisance: np.ndarray
    share: Share | None
    shape: Curve | Levels | None
    decides: bool
    p: float
    p_holm: float
    verdict: str = ""
    worse: tuple[int, ...] = ()


def assess(
    data: Prepared, finished: Prepared | None, *, adaptive: bool, alpha: float, draws: int, seed: int
) -> tuple[list[Assessment], Nuisance]:
    """Test every setting, adjusted for the others, with Holm's correction over all settings that can be tested.

    Args:
        finished: the configurations that did not diverge, if they are to be scored on their own, too. What is said
            about a setting is about them if they show it and all configurations together do not. If the setting seems
            to decide which ones diverge, too, no direction is given: what is best among the others may diverge most.

    Returns:
        The assessments, in the order of the settings, and the model of all configurations.
    """
    scorings = scorings_of(data, finished, adaptive=adaptive)
    tests = settings_tests(data, scorings, draws=draws, seed=seed)
    p_holm, first_holm = (holm(np.array(p)) for p in zip(*((one.p, one.first_p) for one, _ in tests), strict=True))
    lost, base = (~data.ended).astype(float), orthonormal(data.base)
    found = []
    for (one, bases), whole, p, first in zip(tests, data.settings, p_holm, first_holm, strict=True):
        shown = one.smallest if one.p < alpha <= first and whole.name in scorings[one.smallest].settings else 0
        decides = shown > 0 and Statistic(whole, lost, base).observed() < alpha
        scoring, basis = scorings[shown], bases[shown]
        setting, z = scoring.settings[whole.name], scoring.z
        shape = fit_curve(setting, z, basis, alpha) if setting.numeric else compare_levels(setting, z, basis)
        share = share_of(Partial(basis, setting.columns), z, alpha)
        if decides and isinstance(shape, Curve):
            shape = shape.not_located()
        judged = Assessment(whole, setting, scoring.counts, z, basis, share, shape, decides, one.p, float(p))
        found.append(_judge(judged, alpha))
    return found, scorings[0].nuisance


@dataclass(frozen=True)
class Scoring:
    """Scores of all configurations, or of those that did not diverge.

    Attributes:
        counts: (n,) which configurations these are.
        z: (counted,) their scores.
        settings: by name, the settings in these configurations, about which something could be said.
        nuisance: the model of the scores.
    """

    counts: np.ndarray
    z: np.ndarray
    settings: Mapping[str, Setting]
    nuisance: Nuisance


def scorings_of(data: Prepared, finished: Prepared | None, *, adaptive: bool) -> list[Scoring]:
    """The scores that the tests use.

    In an adaptive search, in which no test is exact, the configurations that did not diverge have no scores of their
    own.
    """
    blocks = [setting.columns for setting in data.settings]
    nuisance = Nuisance(data.base, blocks, data.z, adaptive=adaptive)
    everything = {setting.name: setting for setting in data.settings}
    scorings = [Scoring(np.ones(data.n, dtype=bool), data.z, everything, nuisance)]
    if finished is not None and finished.n >= FEWEST_RUNS and not adaptive:
        counts = data.ended
        # The columns of all configurations: what is chosen must not depend on where the values of a setting stand.
        nuisance = Nuisance(data.base[counts], [block[counts] for block in blocks], finished.z, adaptive=False)
        settings = {setting.name: setting for setting in finished.settings if setting.runs >= FEWEST_RUNS}
        scorings.append(Scoring(counts, finished.z, settings, nuisance))
    return scorings


def settings_tests(
    data: Prepared, scorings: Sequence[Scoring], *, draws: int, seed: int
) -> list[tuple[Tested, list[np.ndarray]]]:
    """The test of each setting, and, for each scoring, the orthonormal basis of what it is adjusted for.

    A setting with fewer than 6 active configurations has no p-value (NaN).
    """
    tests = []
    for position, setting in enumerate(data.settings):
        bases = [scoring.nuisance.without(position) for scoring in scorings]
        result = Tested()
        if min(data.n, setting.runs) >= FEWEST_RUNS:
            statistics = [
                Statistic(setting, scoring.z, basis, scoring.counts)
                for scoring, basis in zip(scorings, bases, strict=True)
            ]
            rng = np.random.default_rng([seed, position])
            result = permutation_test(setting, statistics, data.strata, draws, rng)
        tests.append((result, bases))
    return tests


def _judge(one: Assessment, alpha: float) -> Assessment:
    if np.isnan(one.p):
        return one
    if one.p_holm >= alpha:
        negligible = one.share is not None and one.share.high < NEGLIGIBLE_SHARE
        word = SUGGESTIVE if one.p < alpha else NEGLIGIBLE if negligible else UNDETERMINED
        return replace(one, verdict=word)
    if one.shape is None or one.decides:
        return replace(one, verdict=MATTERS)
    if isinstance(one.shape, Curve):
        return replace(one, verdict=_curve_verdict(one.shape, alpha))
    worse = tuple(int(i) for i in np.flatnonzero(one.shape.p_holm < alpha))
    word = MATTERS
    if one.setting.kind == "two-level" and np.isfinite(one.shape.fitted).all():
        word = HELPS if one.shape.fitted[1] < one.shape.fitted[0] else HURTS
        worse = (1 - one.shape.best,)
    return replace(one, verdict=word, worse=worse)


def _curve_verdict(curve: Curve, alpha: float) -> str:
    if curve.inside:
        return OPTIMUM
    if curve.rise_p < alpha:
        return HELPS if curve.rise < 0 else HURTS
    return MATTERS
