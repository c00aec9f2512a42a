"""Data sets: where their images come from, and the batches that a run trains on."""
