"""One run, and many: data, the Lightning module, what a run shows and saves."""
