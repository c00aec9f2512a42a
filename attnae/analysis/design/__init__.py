"""Factors, and the one linear model of a study, which depends on its design alone."""

from attnae.analysis.design.factors import Factor
from attnae.analysis.design.model import Design
from attnae.analysis.design.prepare import Columns, Prepared, prepare

__all__ = ["Columns", "Design", "Factor", "Prepared", "prepare"]
