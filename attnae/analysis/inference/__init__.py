"""Contrasts of the model: estimates, errors, tests, verdicts. Arrays in, arrays out."""
