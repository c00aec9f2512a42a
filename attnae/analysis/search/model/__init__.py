"""Settings as columns of a linear model, and what that model explains."""
