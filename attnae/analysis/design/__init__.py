"""Factors, and the one linear model that they make."""
