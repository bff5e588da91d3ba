"""Methods: every way to explain a representation, by name. One file a family."""

from __future__ import annotations

from relax.methods.base import Maps, Method, Problem
from relax.methods.relax import RELAX, U_RELAX
from relax.registry import Registry

METHODS: Registry[Method] = Registry("method")
for _method in (RELAX, U_RELAX):
    METHODS.add(_method.name, _method)

__all__ = ["METHODS", "Maps", "Method", "Problem"]
