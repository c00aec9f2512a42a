"""Adaptive searches: whether later runs were chosen from the results of earlier ones."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence

import numpy as np

from attnae.analysis.search.model.settings import Setting

ADAPTIVE_WORDS = frozenset({"tpe", "motpe", "bohb", "gp", "cma", "cmaes", "asha", "pbt"})
ADAPTIVE_PARTS = ("bayes", "hyperband")
# The order shows that a search is adaptive if the smallest p-value times the number of tests is below this.
EVIDENCE = 0.01


def sampler_is_adaptive(name: str) -> bool:
    """Whether a sampler or scheduler is called like an adaptive one: TPESampler, BayesOptSearch, gp_minimize."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return any(word.lower() in ADAPTIVE_WORDS for word in words) or any(part in name.lower() for part in ADAPTIVE_PARTS)


def find_adaptive(settings: Sequence[Setting], order: np.ndarray | None, sampler: str | None) -> tuple[bool, str]:
    """Whether the search is adaptive, and why, as a clause; the reason is empty if it is not.

    The first half of the runs is compared with the second half: Mann-Whitney's and Ansari-Bradley's test for each
    numeric setting, chi-square for the others.

    Args:
        order: (configurations,) the time or number of each, if known.
        sampler: what the logs say about how runs were chosen.
    """
    if sampler is not None and sampler_is_adaptive(sampler):
        return True, f"the logs name {sampler}"
    if order is None:
        return False, ""
    late = np.argsort(np.argsort(order, kind="stable"), kind="stable") >= len(order) / 2
    found = {setting.name: _smallest(setting, late) for setting in settings}
    tests = sum(count for _, count in found.values())
    if not tests:
        return False, ""
    name = min(found, key=lambda name: found[name][0])
    if found[name][0] * tests >= EVIDENCE:
        return False, ""
    return True, f"{name} was chosen differently in the second half of the runs (p = {found[name][0]:.2g})"


def _smallest(setting: Setting, late: np.ndarray) -> tuple[float, int]:
    """The smallest p-value of the tests of one setting, and their number."""
    from scipy.stats import ansari, chi2_contingency, mannwhitneyu  # half a second

    late = late[setting.active]
    if late.all() or not late.any():
        return 1.0, 0
    if not setting.numeric:
        table = np.zeros((len(setting.levels), 2))
        np.add.at(table, (setting.codes[setting.active], late.astype(int)), 1)
        return float(chi2_contingency(table, correction=False).pvalue), 1
    values = setting.values[setting.active]
    first, second = values[~late], values[late]
    with warnings.catch_warnings():
        # With ties, scipy uses the normal approximation and warns about it.
        warnings.filterwarnings("ignore", message="Ties preclude use of exact statistic")
        spread = float(ansari(first, second).pvalue)
    place = float(mannwhitneyu(first, second).pvalue)
    return min(value for value in (place, spread, 1.0) if np.isfinite(value)), 2
