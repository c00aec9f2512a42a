"""The tables of the report, each computed from the design and the responses."""

from attnae.analysis.estimates.article import article_table
from attnae.analysis.estimates.best import baseline_table, cells_table
from attnae.analysis.estimates.diagnostics import diagnose
from attnae.analysis.estimates.effects import effects_table, interactions_table, trends_table
from attnae.analysis.estimates.family import MainEffects, Reading
from attnae.analysis.estimates.means import marginal_means_table, pairwise_table, simple_effects_table
from attnae.analysis.estimates.noise import assess_noise
from attnae.analysis.estimates.sensitivity import sensitivity_table

__all__ = [
    "MainEffects",
    "Reading",
    "article_table",
    "assess_noise",
    "baseline_table",
    "cells_table",
    "diagnose",
    "effects_table",
    "interactions_table",
    "marginal_means_table",
    "pairwise_table",
    "sensitivity_table",
    "simple_effects_table",
    "trends_table",
]
