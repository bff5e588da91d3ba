"""Many inputs: explained into a folder of pictures, or into a store that resumes."""

from relax.runs.running import Progress, Ran, run
from relax.runs.store import Store

__all__ = ["Progress", "Ran", "Store", "run"]
