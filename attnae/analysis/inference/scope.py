"""For which seeds a statement holds: the seeds of a study as a sample of all seeds, or these seeds alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from attnae.analysis.design.model import Design
from attnae.analysis.inference.contrasts import Contrasts, Estimates, contrasts, two_sided_p

NEW_SEEDS, THESE_SEEDS, THESE_RUNS = "new seeds", "these seeds", "these runs"
# With fewer shared seeds than this, the variation between seeds cannot be estimated.
MIN_SHARED_SEEDS = 3


def seeds_shared(design: Design) -> bool:
    """Whether some seed occurs in several cells."""
    return design.blocks is not None


def seeds_recur(design: Design) -> bool:
    """Whether some seed has several runs, in several cells or in one: these runs are a cluster."""
    return design.seeds is not None and bool(np.bincount(design.seeds).max() > 1)


def seed_count(design: Design) -> int:
    """Number of different seeds; 0 if they are not recorded in all runs."""
    return 0 if design.seeds is None else int(design.seeds.max()) + 1


def study_scope(design: Design) -> str:
    """What the intervals of a study can be about.

    `new seeds` if each run has a seed of its own, or if there are three seeds or more. `these seeds` with one or two
    seeds of several runs, and with one run per cell and no recorded seed. `these runs` with several runs per cell whose
    seeds are not recorded.
    """
    if design.seeds is None:
        return THESE_RUNS if np.bincount(design.cells).max() > 1 else THESE_SEEDS
    enough = MIN_SHARED_SEEDS if seeds_recur(design) else 2
    return NEW_SEEDS if seed_count(design) >= enough else THESE_SEEDS


@dataclass(frozen=True)
class ScopedContrasts:
    """Contrasts with the errors of the widest statement that the study allows, and with those of its own seeds.

    Attributes:
        here: HC2: valid for the seeds of the study.
        new: valid for new seeds: CR2 by seed where a seed has several runs, else the same as `here`; None where the
            study says nothing about new seeds.
        scope: (contrasts,) what the scoped inference of each is about.
    """

    here: Contrasts
    new: Contrasts | None
    scope: np.ndarray

    @property
    def for_new(self) -> np.ndarray:
        """(contrasts,), whether the inference is about new seeds."""
        return self.scope == NEW_SEEDS

    @property
    def chosen(self) -> list[Contrasts]:
        """For each contrast, the one whose errors count."""
        return [self.new if self.new is not None and wide else self.here for wide in self.for_new]

    @property
    def df(self) -> np.ndarray:
        return self.here.df if self.new is None else np.where(self.for_new, self.new.df, self.here.df)

    def fit(self, y: np.ndarray) -> tuple[Estimates, Estimates]:
        """The scoped estimates, and those for these seeds; y is (runs,) or (runs, studies)."""
        here = self.here.fit(y)
        if self.new is None or self.new is self.here:
            return here, here
        new = self.new.fit(y)
        wide = self.for_new if y.ndim == 1 else self.for_new[:, None]
        std_error = np.where(wide, new.std_error, here.std_error)
        df = np.where(wide, new.df, here.df)
        return replace(here, std_error=std_error, df=df, p=two_sided_p(here.estimate, std_error, df)), here


def scoped_contrasts(design: Design, rows: np.ndarray) -> ScopedContrasts:
    """Contrasts given as rows over the design's columns, shape (contrasts, columns)."""
    here = contrasts(design, rows)
    scope = study_scope(design)
    if scope != NEW_SEEDS:
        return ScopedContrasts(here, None, np.full(len(here.df), scope))
    if not seeds_recur(design):
        return ScopedContrasts(here, here, np.full(len(here.df), NEW_SEEDS))
    new = contrasts(design, rows, clusters=design.seeds)
    # A contrast that some seed does not support is about these seeds; one that is not estimable has no scope to lose.
    lost = np.isnan(new.df) & np.isfinite(here.df)
    return ScopedContrasts(here, new, np.where(lost, THESE_SEEDS, NEW_SEEDS))


def error_names(rows: ScopedContrasts) -> list[str]:
    """Which standard error each contrast has: CR2 by seed, HC2, pooled, or none."""
    names = []
    for i, fitted in enumerate(rows.chosen):
        kind = "pooled" if fitted.pooled[i] else "HC2" if fitted.clusters is None else "CR2"
        names.append(kind if np.isfinite(fitted.df[i]) else "")
    return names
