"""Why do these two match? Pairs, their regions, and the neighbours that a search finds."""

from __future__ import annotations

from relax.matching.differing import Difference, difference
from relax.matching.index import Index, Neighbour
from relax.matching.interactions import Interactions
from relax.matching.pairs import Match, match

__all__ = ["Difference", "Index", "Interactions", "Match", "Neighbour", "difference", "match"]
