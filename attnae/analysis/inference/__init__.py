"""Tests, intervals and verdicts, from a design and its responses."""

from attnae.analysis.inference.anova import anova_table
from attnae.analysis.inference.contrasts import Contrasts, Estimates
from attnae.analysis.inference.families import holm, step_down
from attnae.analysis.inference.permutation import permutation_table
from attnae.analysis.inference.power import next_steps_table
from attnae.analysis.inference.verdicts import effect_verdicts, level_verdicts

__all__ = [
    "Contrasts",
    "Estimates",
    "anova_table",
    "effect_verdicts",
    "holm",
    "level_verdicts",
    "next_steps_table",
    "permutation_table",
    "step_down",
]
