"""Why do these two match? Pairs of inputs, interactions of their regions, and nearest neighbours in an index."""

from __future__ import annotations

from relax.retrieval.differing import Difference, difference
from relax.retrieval.index import Index
from relax.retrieval.interactions import Interactions
from relax.retrieval.pairs import Match, Matcher, match
from relax.retrieval.results import Neighbour

__all__ = ["Difference", "Index", "Interactions", "Match", "Matcher", "Neighbour", "difference", "match"]
