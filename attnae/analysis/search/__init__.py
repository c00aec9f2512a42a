"""Random and adaptive searches: which settings matter, in which direction, and where the best value lies."""

from attnae.analysis.design.kind import Kind, design_kind
from attnae.analysis.search.fit import fit_search
from attnae.analysis.search.result import Detail, SearchResult, Step

__all__ = ["Detail", "Kind", "SearchResult", "Step", "design_kind", "fit_search"]
