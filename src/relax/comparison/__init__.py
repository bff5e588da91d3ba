"""Several encoders and methods side by side."""

from relax.comparison.comparing import compare
from relax.comparison.results import Comparison

__all__ = ["Comparison", "compare"]
