"""Which cells a study trains: all combinations of levels, a fraction of them, a sample of ranges, or a list."""

from attnae.study.designs.cells import MOST_LISTED, Cell, all_cells, cell_key, cell_name, level_text
from attnae.study.designs.distributions import Distribution, Space
from attnae.study.designs.fraction import advice
from attnae.study.designs.plan import EVERYTHING, Plan, choose_cells, levels_of

__all__ = [
    "EVERYTHING",
    "MOST_LISTED",
    "Cell",
    "Distribution",
    "Plan",
    "Space",
    "advice",
    "all_cells",
    "cell_key",
    "cell_name",
    "choose_cells",
    "level_text",
    "levels_of",
]
