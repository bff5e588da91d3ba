"""What an encoder looks at over many inputs: a report on a store, and its export to viewers of embeddings."""

from __future__ import annotations

from relax.insight.comparing import Comparison
from relax.insight.exporting import export
from relax.insight.groups import Group
from relax.insight.report import Insight, insight
from relax.insight.summary import Summary

__all__ = ["Comparison", "Group", "Insight", "Summary", "export", "insight"]
