"""Arguments of an encoder that are not given: its modality, and the names of its views."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from relax import modalities
from relax.encoders.sentences import SentenceModel, prompt_of
from relax.errors import ArgumentError
from relax.modalities import Modality
from relax.modalities.text.tokenizer import TextTokenizer

Key = str | int
"""Name or index of a view."""


def adopted(model: Any, transform: Any, modality: Any) -> tuple[Any, Any, Any]:
    """The model, preprocessing and modality of an encoder; a ``SentenceTransformer`` brings its tokenizer and prompt.

    Args:
        model: any model.
        transform: preprocessing; ``None`` for the model's own.
        modality: modality; ``None`` for the model's own.
    """
    library = sys.modules.get("sentence_transformers")  # whoever has such a model has imported it
    if library is None or transform is not None or modality not in (None, "text"):
        return model, transform, modality
    if not isinstance(model, library.SentenceTransformer):
        return model, transform, modality
    tokenizer = TextTokenizer(model.tokenizer, max_length=model.max_seq_length, prompt=prompt_of(model))
    return SentenceModel(model), tokenizer, "text"


def modality_of(
    model: Any,
    transform: Any,
    modality: str | Modality | type[Modality] | None,
    patch: int | None,
    views: Sequence[str] | int | None,
) -> Modality:
    """The modality of an encoder, with its preprocessing.

    Args:
        model: the model.
        transform: the preprocessing.
        modality: name, class or instance; ``None`` for that of the model.
        patch: side of the encoder's patches in pixels.
        views: names or number of the views of a multi-view model.

    Raises:
        ArgumentError: an argument has the wrong type.
    """
    known = callable(transform) or isinstance(transform, Mapping) or hasattr(transform, "encode")
    if transform is not None and not known:
        raise ArgumentError(
            f"expected `transform` to be a callable, a mapping or a tokenizer, got {type(transform).__name__}"
        )
    if views is None:
        return modalities.ensure(modality or default_modality(model, transform), transform, patch)
    of_views: Any = modalities.MODALITIES["views"]
    found: Modality = of_views(transform, patch=patch, keys=keys_of(views))
    return found


def callable_of(model: Any) -> Any:
    """The model, if it can be called.

    Raises:
        ArgumentError: it cannot.
    """
    if not callable(model):
        raise ArgumentError(f"expected an nn.Module or a callable as encoder, got {type(model).__name__}")
    return model


def default_modality(model: Any, transform: Any) -> str:
    """``"array"`` for modules that convolve in one or three dimensions and not in two, ``"image"`` for all others."""
    if transform is not None or not isinstance(model, nn.Module):
        return "image"
    kinds = {type(module) for module in model.modules()}
    return "array" if kinds & {nn.Conv1d, nn.Conv3d} and nn.Conv2d not in kinds else "image"


def keys_of(views: Sequence[str] | int) -> tuple[Key, ...]:
    """Names of the views of a multi-view model: as given, or their numbers.

    Raises:
        ArgumentError: the names are not distinct, or there are none.
    """
    keys: tuple[Key, ...] = ()
    if not isinstance(views, bool):
        keys = tuple(range(views)) if isinstance(views, int) else tuple(views)
    if not keys or len(set(keys)) < len(keys):
        raise ArgumentError(f"expected `views` to be distinct names or a positive number, got {views!r}")
    return keys
