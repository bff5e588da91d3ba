"""Backward-compatible import paths, such as ``from relax.captum import Relax``."""

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
"""Earlier public module paths, and their current ones."""


class _Finder(MetaPathFinder, Loader):
    """Resolves earlier module paths to current modules."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(MOVED[spec.name])
        self._current_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._current_spec  # the import system replaced it


def keep_earlier_paths() -> None:
    """Install the import hook for earlier module paths, once."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
