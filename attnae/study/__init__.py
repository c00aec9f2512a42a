"""Studies: many runs, their design, their state on disk, and the launchers that train them."""
