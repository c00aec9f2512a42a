"""The result of a search: the object whose tables are the files of the report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from attnae.analysis.goal import Goal

SETTING_COLUMNS = (
    *("factor", "kind", "parent", "scale", "n", "df", "share", "share_low", "share_high", "p", "p_holm", "verdict"),
    *("effect", "effect_low", "effect_high", "low_end", "high_end", "best", "best_low", "best_high"),
    *("tried_low", "tried_high", "at_edge", "worse", "tied", "mde_share", "runs_for_this", "runs_for_10pct", "note"),
)
LEVEL_COLUMNS = ("factor", "level", "n", "mean", "difference", "ci_low", "ci_high", "p_holm", "verdict")
CURVE_COLUMNS = ("factor", "value", "fitted", "ci_low", "ci_high")
PAIR_COLUMNS = ("first", "second", "statistic", "p")
SENSITIVITY_COLUMNS = ("analysis", "factor", "p", "p_holm", "verdict", "primary", "reverses")


@dataclass(frozen=True)
class Step:
    """A jump of the response between two neighbouring tried values of a numeric setting.

    Attributes:
        value: the last tried value on the good side of the jump.
        above: whether the response is worse above the value; otherwise it is worse below it.
    """

    value: float
    above: bool


@dataclass(frozen=True)
class Detail:
    """What the sentences and pictures of one setting need beyond its row in `SearchResult.settings`.

    Attributes:
        values: (configurations,) the tried values: numbers of a numeric setting, otherwise labels; NaN or None where
            the setting is not active.
        active: (configurations,) whether the setting has a value that counts.
        z: (configurations,) the scores that its numbers are about: those of all configurations, or, where only the
            configurations that did not diverge show an effect, scores among these, and NaN for the others.
        decides: whether only the configurations that did not diverge show an effect, while the setting seems to decide
            which ones diverge. No direction is given then.
        low_value, high_value: the tried values at 5% and 95% of the runs, or the two levels, between which `effect`
            is measured; None for more than two words.
        located: whether the interval of the best value is narrower than 80% of the tried runs. If not, `best_low` and
            `best_high` are the tried range and nothing can be said about where the best value lies.
        step: a jump that the interval of the best value was extended to, for which there is evidence; None if there is
            none.
        rough: whether the interval of the best value is only rough, and must not be called a 95% interval: there are
            fewer than 40 configurations, or the interval was extended to a possible jump.
    """

    values: np.ndarray
    active: np.ndarray
    z: np.ndarray
    decides: bool
    low_value: float | str | None
    high_value: float | str | None
    located: bool
    step: Step | None
    rough: bool


@dataclass(frozen=True)
class SearchResult:
    """All results of a search, in the order of the report.

    A *configuration* is a distinct combination of the settings; its seeds are averaged. `z`, shape (configurations,),
    is the normal score of the response, centred, lower is better whatever the goal; diverged runs have the worst rank.

    Attributes:
        response: name of the response.
        goal, alpha: as given to `fit_search`.
        runs: number of runs used, diverged ones included.
        n: number of configurations.
        diverged: number of configurations without a finite response.
        budgets: whether runs of unequal lengths, pruned and unfinished ones among them, are compared at the last step
            that both of two runs reached.
        reason: why the table is read as a search, as a clause for "Read as a random search: ...".
        adaptive: whether later runs were chosen from the results of earlier ones; adaptive_reason says why.
        adjusted: whether each setting is tested with all other settings in the model. Otherwise there are too few runs,
            and the model holds those that a forward selection by BIC chose.
        r_squared: share of the variance of z that the settings explain together, adjusted for their number.
        settings: `settings.csv`, one row a setting in the order of p_holm, then share. Columns: SETTING_COLUMNS.
            Effects, low_end and high_end are in units of the response, and keep its sign.
        levels: `setting_levels.csv`, settings with two levels or with words. `mean` is the adjusted mean in units of
            the response, `difference` that of the level minus the best level, with its interval.
        curves: `setting_curves.csv`, numeric settings with more than two values; z scale, lower is better, relative to
            the mean of the runs. The interval is pointwise.
        pairs: `pairs.csv`, all pairs of settings that can be tested, the smallest `statistic` first, which is the
            parametric p of the pair's F test. `p`, on the first row only, is that of the smallest over all pairs.
        left_out: settings without a row, with the reason.
        details: by setting.
        configurations: one row a configuration, in the order of the first run: run (name of its first run), runs,
            one column a setting, response (median over its seeds; NaN if diverged or stopped), diverged, z, and, if the
            order of the runs is known, order (0, 1, ...). A setting that is called like one of the other columns is
            named `hparams/` and its name.
        sensitivity: the same tests on winsorised raw responses, and without the diverged runs.
        reversals: one line for each verdict that another analysis turns into its opposite.
        notes: what was left out, pooled or could not be done; one line each.
    """

    response: str
    goal: Goal
    alpha: float
    runs: int
    n: int
    diverged: int
    budgets: bool
    reason: str
    adaptive: bool
    adaptive_reason: str
    adjusted: bool
    r_squared: float
    settings: pd.DataFrame
    levels: pd.DataFrame
    curves: pd.DataFrame
    pairs: pd.DataFrame
    left_out: dict[str, str]
    details: dict[str, Detail]
    configurations: pd.DataFrame
    sensitivity: pd.DataFrame
    reversals: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def unit(self) -> str:
        """What `n` counts: runs, unless a configuration has several."""
        return "configuration" if self.runs > self.n else "run"

    @property
    def kind(self) -> str:
        """`search`, the kind of table as which it was read."""
        return "search"

    @property
    def pairs_p(self) -> float:
        """The p-value of the hypothesis that the settings act one at a time; NaN if no pair can be tested."""
        return float(self.pairs["p"].iloc[0]) if len(self.pairs) else float("nan")
