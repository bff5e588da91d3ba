"""x"""

from typing import Any


class Cluster:
    def __init__(self, recipe: Any, workers: int) -> None: ...
    def rows(self, items: Any) -> Any: ...
