"""Objects of several views: a modality over others, one for each view."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image as Pillow
from torch import Tensor

from relax.encoders import Key
from relax.errors import ArgumentError, InputError, NothingSeenError
from relax.explanation import Explanation
from relax.modalities.base import Modality, Run, Shown
from relax.modalities.batches import Batch
from relax.modalities.fills import Fill
from relax.modalities.image.modality import Image
from relax.modalities.prepared import Prepared
from relax.modalities.units import Masks
from relax.modalities.vector.modality import Vector
from relax.multiview.masks import PreparedViews, ViewFill, ViewMasks, modality_of, setting_of
from relax.multiview.results import ViewExplanations
from relax.multiview.shares import Contributions, Shares

if TYPE_CHECKING:
    from matplotlib.figure import Figure

JOINT = "joint"
MAPS = ("importance", "uncertainty", "standard_error")


class Views(Modality):
    """A mapping of views (or a tuple, where the encoder numbers them), each a picture or a vector.

    Masks are laid on all views at once (``"joint"``), or on one while the others are whole (``"one-at-a-time"``).

    Args:
        transform: of pictures; a mapping gives each view its own.
        patch: side of the encoder's patches, where it has patches.
        keys: the views that the encoder knows; ``None`` for those of the input.
    """

    name = "views"

    def __init__(self, transform: Any = None, *, patch: int | None = None, keys: tuple[Key, ...] | None = None) -> None:
        super().__init__(transform, patch=patch)
        self.keys = keys

    def of(self, key: Key, part: Prepared | None = None) -> Modality:
        """The modality of a view; before it is prepared, that of a picture."""
        transform = self._transform(key)
        return Image(transform, patch=self.patch) if part is None else modality_of(part, transform, self.patch)

    def prepare(self, source: Any) -> Prepared:
        if isinstance(source, Prepared):
            return source
        inputs = self._named(source)
        return PreparedViews.of({key: self._prepared(key, inputs[key]) for key in self.keys or tuple(inputs)})

    def split(self, inputs: Any) -> list[Any] | None:
        """A list of objects; a tuple is one object where the encoder numbers its views."""
        return list(inputs) if isinstance(inputs, list) else None

    def for_inputs(self, inputs: Any) -> Modality:
        """An object of one view that is a picture is explained as a picture is."""
        first = inputs[0] if isinstance(inputs, list) and inputs else inputs
        if isinstance(first, Mapping) and len(first) == 1 and self.keys in (None, tuple(first)):
            ((key, source),) = first.items()
            if len(self._prepared(key, source).tensor.shape) == 3:
                return OneView(self._transform(key), patch=self.patch, key=key)
        return self

    def call(self, model: Any, batch: Batch) -> Any:
        """With a mapping of batches, or with a tuple where the views have no names."""
        if not isinstance(batch, Mapping):
            raise ArgumentError("an encoder of several views is called with all of them")
        named = all(isinstance(key, str) for key in batch)
        return model(dict(batch) if named else tuple(batch.values()))

    def collate(self, inputs: Any) -> Batch:
        batch = super().collate(inputs)
        if isinstance(batch, Tensor):  # an object of one view
            return {next(iter(inputs[0].inputs)): batch}
        return batch

    def masks(self, recipe: Any) -> Masks:
        return recipe if isinstance(recipe, ViewMasks) else ViewMasks(recipe, self.patch)

    def fill(self, fill: Any) -> Fill:
        return fill if isinstance(fill, ViewFill) else ViewFill(fill)

    def map_shape(self, prepared: Prepared) -> tuple[int, ...]:
        return ViewMasks(None, self.patch).over(prepared).shape

    def explain(self, run: Run, prepared: Prepared, views: str) -> Any:
        if not isinstance(prepared, PreparedViews):
            raise InputError(f"expected an object of several views, got {type(prepared).__name__}")
        groups = [tuple(prepared.parts)] if views == JOINT else [(key,) for key in prepared.parts]
        explanations: dict[Key, Explanation] = {}
        contributions: list[Contributions] = []
        for group in groups:
            watch = Contributions()
            try:
                e = run(prepared.only(group), watch=(watch,))
            except NothingSeenError as error:
                named = ", ".join(map(repr, group))
                raise NothingSeenError(f"view {named} makes no difference to the score: {error}") from error
            explanations |= _apart(e, prepared, group, views)
            if len(watch):
                contributions.append(watch)
        return ViewExplanations(explanations, Shares.of(contributions) if contributions else None)

    @staticmethod
    def show(explanation: Shown) -> Figure:
        raise ArgumentError("an object of several views has a picture for each: plot the explanations by view")

    def _named(self, source: Any) -> Mapping[Key, Any]:
        """The views by key, all of those that the encoder knows."""
        known = self.keys
        if isinstance(source, tuple) and known is not None and len(source) == len(known):
            source = dict(zip(known, source, strict=True))
        if not isinstance(source, Mapping) or not source:
            count = "several" if known is None else str(len(known))
            got = f"{len(source)} of them" if isinstance(source, tuple) else type(source).__name__
            raise InputError(f"expected {count} views, as a mapping or a tuple, got {got}")
        if known is not None and set(source) != set(known):
            unknown = [str(key) for key in source if key not in known]
            missing = [str(key) for key in known if key not in source]
            what = f"does not know {', '.join(unknown)}" if unknown else f"needs {', '.join(missing)} too"
            raise InputError(f"the encoder {what}; its views: {', '.join(map(str, known))}")
        return source

    def _prepared(self, key: Key, source: Any) -> Prepared:
        if isinstance(source, Prepared):
            return source
        try:
            return _prepared(self.of(key), source)
        except InputError as error:
            raise InputError(f"view {key!r}: {error}") from error

    def _transform(self, key: Key) -> Any:
        return self.transform.get(key) if isinstance(self.transform, Mapping) else self.transform


class OneView(Image):
    """An object of one view, which is a picture.

    Args:
        transform: of the view.
        patch: side of the encoder's patches, where it has patches.
        key: of the view.
    """

    def __init__(self, transform: Any = None, *, patch: int | None = None, key: Key = 0) -> None:
        super().__init__(transform, patch=patch)
        self.key = key

    def prepare(self, source: Any) -> Prepared:
        if isinstance(source, Mapping) and set(source) == {self.key}:
            try:
                return _prepared(Image(self.transform), source[self.key])
            except InputError as error:
                raise InputError(f"view {self.key!r}: {error}") from error
        return super().prepare(source)

    def call(self, model: Any, batch: Batch) -> Any:
        return model({self.key: batch} if isinstance(self.key, str) else (batch,))

    def masks(self, recipe: Any) -> Masks:
        return super().masks(setting_of(recipe, self.key, "masks"))

    def fill(self, fill: Any) -> Fill:
        return super().fill(setting_of(fill, self.key, "fill"))

    def explain(self, run: Run, prepared: Prepared, views: str) -> Any:
        e = run(prepared)
        e = replace(e, settings={**e.settings, "view": str(self.key), "views": JOINT})
        return ViewExplanations({self.key: e}, Shares({self.key: 1.0}, {self.key: 0.0}))


def _apart(e: Explanation, prepared: PreparedViews, group: tuple[Key, ...], views: str) -> dict[Key, Explanation]:
    """An explanation for each view that was masked, from the one with all their maps end to end."""
    shapes = {key: _map_shape(prepared.parts[key]) for key in group}
    maps: dict[str, Any] = {name: _pieces(values, shapes) for name in MAPS if (values := getattr(e, name)) is not None}
    found = {}
    for key in group:
        part = prepared.parts[key]
        modality = modality_of(part)
        own: dict[str, Any] = {"kind": type(modality), **{name: values[key] for name, values in maps.items()}}
        found[key] = replace(
            e,
            **own,
            inputs={modality.name: part.tensor.float().cpu().numpy()},
            presentation=modality.kept(part.presentation),
            settings={
                **e.settings,
                "modality": modality.name,
                "input": modality.described(part),
                "view": str(key),
                "views": views,
            },
        )
    return found


def _map_shape(part: Prepared) -> tuple[int, ...]:
    """Of the maps of one view: the plane of a picture, the columns of a vector."""
    return tuple(part.tensor.shape[-2:])


def _pieces(flat: np.ndarray, shapes: dict[Key, tuple[int, ...]]) -> dict[Key, np.ndarray]:
    """Maps laid end to end, taken apart."""
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
    pieces = np.split(flat, ends[:-1])
    return {key: piece.reshape(shape) for (key, shape), piece in zip(shapes.items(), pieces, strict=True)}


def _prepared(modality: Modality, source: Any) -> Prepared:
    """A view as the encoder sees it: pictures by the transform, arrays of one dimension as vectors."""
    if isinstance(source, Prepared):
        return source
    if isinstance(source, (str, PathLike)) and Path(source).suffix == ".npy":
        source = _read_array(Path(source))
    if isinstance(source, np.ndarray) and source.ndim == 3 and source.shape[-1] not in (3, 4):
        source = torch.from_numpy(source)  # (C, H, W), such as one object of an array of them
        if source.dtype == torch.uint8:
            source = source / 255
    if isinstance(source, (str, PathLike, Pillow.Image)) or (isinstance(source, np.ndarray) and source.ndim > 1):
        return modality.prepare(source)
    try:
        tensor = torch.as_tensor(source).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"expected a picture, an array or a tensor, got {type(source).__name__}") from error
    if tensor.ndim not in (1, 3) or 0 in tensor.shape:
        raise InputError(f"expected a vector or a (C, H, W) tensor, got shape {tuple(tensor.shape)}")
    return Vector().prepare(tensor) if tensor.ndim == 1 else modality.prepare(_finite(tensor))


def _finite(tensor: Tensor) -> Tensor:
    tensor = tensor.float()
    if not torch.isfinite(tensor).all():
        raise InputError("has NaN or infinite values")
    return tensor


def _read_array(path: Path) -> np.ndarray:
    try:
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: no array of numbers") from error
