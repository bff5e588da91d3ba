"""The hub library's own notes, which are hidden while a model is loaded: an error of ours has the reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


@contextmanager
def without_notes() -> Iterator[None]:
    """Hide the notes of ``huggingface_hub``, such as a line for every try without a network; its errors are shown.

    Changes its verbosity for as long as this lasts, unless it is not the library's default: whoever sets
    ``HF_HUB_VERBOSITY=info`` sees everything. Also a decorator.
    """
    try:
        logging: Any = import_module("huggingface_hub.utils.logging")
    except ImportError:  # a folder is loaded without it, or an extra is missing, which the loader says
        yield
        return
    verbosity = logging.get_verbosity()
    if verbosity == logging.WARNING:
        logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
