"""What an encoder looks at over many inputs: a report on a store, and its export to viewers of embeddings."""

from __future__ import annotations

from relax.insights.comparing import Comparison
from relax.insights.exporting import export
from relax.insights.groups import Group
from relax.insights.report import Insight, insight
from relax.insights.summary import Summary

__all__ = ["Comparison", "Group", "Insight", "Summary", "export", "insight"]
