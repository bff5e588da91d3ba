"""Import of optional dependencies."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from relax.errors import MissingExtraError


def require(module: str, extra: str) -> ModuleType:
    """Import a module of an optional dependency.

    Args:
        module: dotted name of the module.
        extra: extra of this package that installs the dependency.

    Raises:
        MissingExtraError: the dependency is not installed; the message names the extra.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise MissingExtraError(
            f"this needs {module}, which is not installed: pip install 'relax-representations[{extra}]'"
        ) from error
