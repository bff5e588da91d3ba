"""Why do these two match? Pairs, their regions, and the neighbours that a search finds."""

from __future__ import annotations

from relax.retrieval.differing import Difference, difference
from relax.retrieval.index import Index, Neighbour
from relax.retrieval.interactions import Interactions
from relax.retrieval.pairs import Match, Matcher, match

__all__ = ["Difference", "Index", "Interactions", "Match", "Matcher", "Neighbour", "difference", "match"]
