"""Modality of multi-view objects, made of one modality per view."""

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
from relax.modalities.base import Modality, Run
from relax.modalities.batches import Batch
from relax.modalities.files import not_found
from relax.modalities.fills import Fill
from relax.modalities.image.modality import Image
from relax.modalities.prepared import Prepared
from relax.modalities.resolution import Resolution
from relax.modalities.shown import Shown
from relax.modalities.units import Masks, Units
from relax.modalities.vector.modality import Vector
from relax.multiview.cells import ViewCells
from relax.multiview.contributions import Contributions, Totals
from relax.multiview.masks import PreparedViews, ViewFill, ViewMasks, ViewUnits, modality_of, setting_of, views_of
from relax.multiview.results import ViewExplanations
from relax.multiview.shares import Shares

if TYPE_CHECKING:
    from matplotlib.figure import Figure

JOINT = "joint"
MAPS = ("importance", "uncertainty", "standard_error")


class Views(Modality):
    """A mapping of views (or a tuple, if the encoder numbers them), each an image or a vector.

    All views are masked at once (``"joint"``), or one at a time with the others shown in full (``"one-at-a-time"``).

    Args:
        transform: preprocessing of images, or a mapping of views to preprocessing.
        patch: patch side of the encoder in pixels, if it has patches.
        keys: views that the encoder expects; ``None`` for the views of the input.
    """

    name = "views"
    method = "relax-regression"
    several_fills = (None,)
    one_map = False

    def __init__(self, transform: Any = None, *, patch: int | None = None, keys: tuple[Key, ...] | None = None) -> None:
        super().__init__(transform, patch=patch)
        self.keys = keys

    def of(self, key: Key, part: Prepared | None = None) -> Modality:
        """Modality of a view; Image if the prepared view is not given."""
        transform = self._transform(key)
        return Image(transform, patch=self.patch) if part is None else modality_of(part, transform, self.patch)

    def prepare(self, source: Any) -> Prepared:
        if isinstance(source, Prepared):
            return source
        inputs = self._by_key(source)
        return PreparedViews.of({key: self._prepare_view(key, inputs[key]) for key in self.keys or tuple(inputs)})

    def split(self, inputs: Any) -> list[Any] | None:
        """Split a list of objects; a tuple is one object with numbered views."""
        return list(inputs) if isinstance(inputs, list) else None

    def for_inputs(self, inputs: Any) -> Modality:
        """OneView for objects whose only view is an image, which are explained like images; else this modality."""
        first = inputs[0] if isinstance(inputs, list) and inputs else inputs
        if isinstance(first, Mapping) and len(first) == 1 and self.keys in (None, tuple(first)):
            ((key, source),) = first.items()
            if len(self._prepare_view(key, source).tensor.shape) == 3:
                return OneView(self._transform(key), patch=self.patch, key=key)
        return self

    def call(self, model: Any, batch: Batch) -> Any:
        """Call the model with a mapping of batches, or with a tuple if the views are numbered."""
        if not isinstance(batch, Mapping):
            raise ArgumentError(
                f"expected a batch of several views, got {type(batch).__name__}; pass all views of an object"
            )
        named = all(isinstance(key, str) for key in batch)
        return model(dict(batch) if named else tuple(batch.values()))

    def collate(self, inputs: Any) -> Batch:
        batch = super().collate(inputs)
        if isinstance(batch, Tensor):  # a single view
            return {next(iter(inputs[0].inputs)): batch}
        return batch

    def masks(self, recipe: Any) -> Masks:
        return recipe if isinstance(recipe, ViewMasks) else ViewMasks(recipe, self.patch)

    def fill(self, fill: Any) -> Fill:
        return fill if isinstance(fill, ViewFill) else ViewFill(fill)

    def regressed(self, prepared: Prepared, units: Units, fixed: bool) -> Resolution:
        """Cells of each masked view, by its own modality; views whose units do not move have these as cells."""
        parts = views_of(prepared).parts
        each = units.units.items() if isinstance(units, ViewUnits) else ()
        return ViewCells({key: self.of(key, parts[key]).regressed(parts[key], own, fixed) for key, own in each})

    def map_shape(self, prepared: Prepared) -> tuple[int, ...]:
        return ViewMasks(None, self.patch).over(prepared).shape

    def explain(self, run: Run, prepared: Prepared, views: str) -> Any:
        if not isinstance(prepared, PreparedViews):
            raise InputError(f"expected an object of several views, got {type(prepared).__name__}")
        groups = [tuple(prepared.parts)] if views == JOINT else [(key,) for key in prepared.parts]
        explanations: dict[Key, Explanation] = {}
        totals: list[Totals] = []
        for group in groups:
            watcher = Contributions()
            try:
                explanation = run(prepared.only(group), watch=(watcher,))
            except NothingSeenError as error:
                named = " and ".join(map(repr, group))
                what = f"view {named} makes" if len(group) == 1 else f"views {named} make"
                raise NothingSeenError(f"{what} no difference to the score: {error}") from error
            split = _split_by_view(explanation, prepared, group, views)
            if len(watcher):
                totals.append(watcher.totals())
                for key, reliability in totals[-1].reliabilities.items():
                    split[key] = replace(split[key], reliability=reliability)
            explanations |= split
        return ViewExplanations(explanations, Shares.of(totals) if totals else None)

    @staticmethod
    def show(explanation: Shown) -> Figure:
        raise ArgumentError("expected the explanation of one view, got several views; plot each view's explanation")

    def _by_key(self, source: Any) -> Mapping[Key, Any]:
        """Views by key; an InputError if they are not the ones that the encoder expects."""
        expected = self.keys
        if isinstance(source, tuple) and expected is not None and len(source) == len(expected):
            source = dict(zip(expected, source, strict=True))
        if isinstance(source, Mapping) and expected is not None:  # on a command line, numbers of views are strings
            known = {str(key): key for key in expected}
            source = {known.get(str(key), key): value for key, value in source.items()}
        if not isinstance(source, Mapping) or not source:
            count = "several" if expected is None else str(len(expected))
            got = f"{len(source)} of them" if isinstance(source, tuple) else type(source).__name__
            raise InputError(f"expected {count} views, as a mapping or a tuple, got {got}")
        if expected is not None and set(source) != set(expected):
            unknown = [str(key) for key in source if key not in expected]
            missing = [str(key) for key in expected if key not in source]
            problem = f"does not know {', '.join(unknown)}" if unknown else f"needs {', '.join(missing)} too"
            raise InputError(f"the encoder {problem}; its views: {', '.join(map(str, expected))}")
        return source

    def _prepare_view(self, key: Key, source: Any) -> Prepared:
        if isinstance(source, Prepared):
            return source
        try:
            return _prepare(self.of(key), source)
        except InputError as error:
            raise InputError(f"view {key!r}: {error}") from error

    def _transform(self, key: Key) -> Any:
        return self.transform.get(key) if isinstance(self.transform, Mapping) else self.transform


class OneView(Image):
    """A multi-view object whose only view is an image.

    Args:
        transform: preprocessing of the view.
        patch: patch side of the encoder in pixels, if it has patches.
        key: key of the view.
    """

    def __init__(self, transform: Any = None, *, patch: int | None = None, key: Key = 0) -> None:
        super().__init__(transform, patch=patch)
        self.key = key

    def prepare(self, source: Any) -> Prepared:
        if isinstance(source, Mapping) and set(source) == {self.key}:
            try:
                return _prepare(Image(self.transform), source[self.key])
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
        explanation = run(prepared)
        settings = {**explanation.settings, "view": str(self.key), "views": JOINT}
        explanation = replace(explanation, settings=settings)
        return ViewExplanations({self.key: explanation}, Shares({self.key: 1.0}, {self.key: 0.0}))


def _split_by_view(
    explanation: Explanation, prepared: PreparedViews, group: tuple[Key, ...], views: str
) -> dict[Key, Explanation]:
    """Split an explanation with the concatenated maps of the masked views into one explanation per view."""
    shapes = {key: _map_shape(prepared.parts[key]) for key in group}
    maps: dict[str, Any] = {
        name: _split_maps(values, shapes) for name in MAPS if (values := getattr(explanation, name)) is not None
    }
    explanations = {}
    for key in group:
        part = prepared.parts[key]
        modality = modality_of(part)
        fields: dict[str, Any] = {"kind": type(modality), **{name: values[key] for name, values in maps.items()}}
        explanations[key] = replace(
            explanation,
            **fields,
            inputs={modality.name: part.tensor.float().cpu().numpy()},
            presentation=modality.kept(part.presentation),
            settings={
                **explanation.settings,
                "modality": modality.name,
                "input": modality.described(part),
                "view": str(key),
                "views": views,
            },
        )
    return explanations


def _map_shape(part: Prepared) -> tuple[int, ...]:
    """Shape of the maps of one view: ``(H, W)`` of an image, ``(D,)`` of a vector."""
    return tuple(part.tensor.shape[-2:])


def _split_maps(flat: np.ndarray, shapes: dict[Key, tuple[int, ...]]) -> dict[Key, np.ndarray]:
    """Split concatenated maps by view."""
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
    parts = np.split(flat, ends[:-1])
    return {key: part.reshape(shape) for (key, shape), part in zip(shapes.items(), parts, strict=True)}


def _prepare(modality: Modality, source: Any) -> Prepared:
    """Prepare one view: images with the modality, one-dimensional arrays as vectors."""
    if isinstance(source, Prepared):
        return source
    if isinstance(source, (str, PathLike)) and Path(source).suffix == ".npy":
        source = _read_array(Path(source))
    if isinstance(source, np.ndarray) and source.ndim == 3 and source.shape[-1] not in (3, 4):
        source = torch.from_numpy(source)  # (C, H, W), such as a row of a batch
        if source.dtype == torch.uint8:
            source = source / 255
    if isinstance(source, (str, PathLike, Pillow.Image)) or (isinstance(source, np.ndarray) and source.ndim > 1):
        return modality.prepare(source)
    try:
        tensor = torch.as_tensor(source).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"expected an image, an array or a tensor, got {type(source).__name__}") from error
    if tensor.ndim not in (1, 3) or 0 in tensor.shape:
        raise InputError(f"expected a vector or a (C, H, W) tensor, got shape {tuple(tensor.shape)}")
    return Vector().prepare(tensor) if tensor.ndim == 1 else modality.prepare(_finite(tensor))


def _finite(tensor: Tensor) -> Tensor:
    tensor = tensor.float()
    if not torch.isfinite(tensor).all():
        raise InputError("the tensor has NaN or infinite values")
    return tensor


def _read_array(path: Path) -> np.ndarray:
    try:
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
    except FileNotFoundError:
        raise not_found(path) from None
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: expected a .npy file with an array of numbers") from error
