"""Import paths of earlier versions, which keep working: ``from relax.captum import Relax``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "relax.captum": "relax.integrations.captum",
    "relax.designs": "relax.estimation.designs",
    "relax.fills": "relax.modalities.fills",
    "relax.gradcam": "relax.integrations.gradcam",
    "relax.masks": "relax.modalities.masks",
    "relax.quantus": "relax.integrations.quantus",
    "relax.similarity": "relax.references.similarity",
}
"""Paths that were public, and where their modules are today."""


class _Finder(MetaPathFinder, Loader):
    """Gives the module of today's path for one of yesterday's."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(MOVED[spec.name])
        self._own = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._own  # the import system has put the earlier path in its place


def keep_earlier_paths() -> None:
    """Make the earlier paths importable."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
