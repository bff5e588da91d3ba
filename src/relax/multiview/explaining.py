"""Explain an encoder of several views: masks on all views at once, or on one while the others are whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from relax import fills
from relax import masks as masks_
from relax.atomic import atomic_write
from relax.designs import DESIGNS
from relax.encoders import Encoder, Key, Prepared
from relax.errors import ArgumentError, InputError, NothingSeenError
from relax.explanation import MAPS, Explanation
from relax.masks import ColumnMasks, GridMasks, Masks
from relax.multiview.packing import Alone, Packing, Unpacked, ViewFill, ViewMasks
from relax.multiview.shares import Shares
from relax.provenance import thumbnail
from relax.references import Recorded, ensure

JOINT, ALONE = "joint", "one-at-a-time"

METHODS = (
    *("relax", "u-relax", "repeat", "repeat-weighted"),
    *("kernel-shap", "lime", "shapley-sampling", "sobol", "hsic"),
)
"""Those that only remove units, whatever the units are."""


@dataclass(frozen=True, eq=False)
class ViewExplanations(Mapping[Key, Explanation]):
    """An explanation for each view of one object.

    Attributes:
        explanations: by the view's key.
        shares: how much of what removing parts does to the score belongs to each view, with its error; ``None`` for
            methods whose masks are not those of a design.
    """

    explanations: dict[Key, Explanation]
    shares: Shares | None

    def __getitem__(self, key: Key) -> Explanation:
        return self.explanations[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self.explanations)

    def __len__(self) -> int:
        return len(self.explanations)

    def save(self, stem: str | PathLike[str]) -> list[Path]:
        """Write ``STEM-VIEW.png`` and ``STEM-VIEW.npz`` for each view, ``STEM-shares.json``; returns the files."""
        target = Path(stem)
        files = []
        for key, e in self.explanations.items():
            picture, archive = (target.with_name(f"{target.name}-{key}{ending}") for ending in (".png", ".npz"))
            e.plot(picture)
            e.save(archive)
            files += [picture, archive]
        if self.shares is not None:
            table = target.with_name(f"{target.name}-shares.json")
            with atomic_write(table) as file:
                file.write(json.dumps(self.shares.described(), indent=1).encode())
            files.append(table)
        return files

    def __repr__(self) -> str:
        return f"ViewExplanations({', '.join(map(str, self.explanations))}; shares: {self.shares})"


def explain_views(
    explain: Callable[..., Explanation],
    encoder: Encoder,
    inputs: Mapping[Key, Any],
    against: Any,
    *,
    method: str | None = None,
    views: str = JOINT,
    masks: Any = None,
    fill: Any = None,
    **arguments: Any,
) -> ViewExplanations:
    """As :func:`relax.explain` for one object of several views.

    Args:
        explain: :func:`relax.explain`, for packed views.
        encoder: its model is called with a mapping of batches, or a tuple if the keys are numbers.
        inputs: the views.
        against: as for one view; another object is a mapping with the same keys.
        method: one of ``METHODS``, by default ``"relax"``. One view alone, a picture, is explained as a picture is.
        views: ``"joint"``: masks on all views at once; ``"one-at-a-time"``: on one, the others whole.
        masks: for all views, or a mapping; a grid means columns for vectors.
        fill: for all views, or a mapping. Vectors have ``"mean"``, which is zero: scale their columns to mean 0.
        arguments: of :func:`relax.explain`.
    """
    if views not in (JOINT, ALONE):
        raise ArgumentError(f"expected `views` to be {JOINT!r} or {ALONE!r}, got {views!r}")
    prepared = prepare_views(encoder, inputs)
    if len(prepared) == 1 and next(iter(prepared.values())).tensor.ndim == 3:
        return _explain_only(explain, encoder, prepared, against, method=method, masks=masks, fill=fill, **arguments)
    method, masks, fill = method or "relax", masks or "grid", "mean" if fill is None else fill
    if method not in METHODS:
        raise ArgumentError(f"method {method!r} does not know of views; those that do: {', '.join(METHODS)}")
    packing = Packing({key: tuple(item.tensor.shape) for key, item in prepared.items()})
    recipes = {key: _recipe(_of(masks, key, "masks"), item.tensor, encoder.patch) for key, item in prepared.items()}
    alone = {key: Encoder(encoder.model, encoder.transform_of(key), patch=encoder.patch) for key in prepared}
    for key, item in prepared.items():
        if item.tensor.ndim == 1:
            _check_vector(key, recipes[key], fills.ensure(_of(fill, key, "fill")))
    filled = ViewFill(packing, {key: fills.ensure(_of(fill, key, "fill")) for key in prepared}, alone)
    packed_encoder = Encoder(
        Unpacked(encoder.model, packing), name=encoder.name, pool=encoder.pooling.rule, origin=encoder.origin
    )
    packed_encoder.batch_sizes = encoder.batch_sizes
    packed = Prepared(packing.pack({key: item.tensor for key, item in prepared.items()}), source={"source": "views"})
    reference = against
    if isinstance(against, Mapping):
        others = prepare_views(encoder, against)
        if {key: tuple(item.tensor.shape) for key, item in others.items()} != packing.shapes:
            raise InputError("expected the other object to have the same views, of the same shapes")
        reference = Prepared(packing.pack({k: v.tensor for k, v in others.items()}), source={"source": "views"})
    groups: list[tuple[Key, ...]] = [tuple(prepared)] if views == JOINT else [(key,) for key in prepared]
    explanations: dict[Key, Explanation] = {}
    contributions = []
    for group in groups:
        recipe = ViewMasks(packing, recipes, group)
        recorded = Recorded(ensure(reference, packed_encoder))
        try:
            e = explain(packed_encoder, packed, recorded, method=method, masks=recipe, fill=filled, **arguments)
        except NothingSeenError as error:
            named = ", ".join(map(repr, group))
            raise NothingSeenError(f"view {named} makes no difference to the score: {error}") from error
        units = recipe.over(packed.tensor)
        maps = {name: units.maps(values) for name in MAPS if (values := getattr(e, name)) is not None}
        for key in group:
            explanations[key] = replace(
                e,
                **{name: values[key] for name, values in maps.items()},
                input=prepared[key].tensor.float().cpu().numpy(),
                picture=thumbnail(prepared[key].picture),
                settings={**e.settings, "input": prepared[key].source, "view": str(key), "views": views},
            )
        if e.n_blocks:
            design = DESIGNS[e.settings["design"]].sized(e.n_masks // e.n_blocks)
            blocks = [design.block(i, units, recipe.keep, e.settings["seed"]) for i in range(e.n_blocks)]
            n_units = {key: units.units[key].n_units for key in group}
            contributions.append(Shares.contributions(recorded.scores(), blocks, n_units, design.group))
    return ViewExplanations(explanations, Shares.of(contributions) if contributions else None)


def _explain_only(
    explain: Callable[..., Explanation],
    encoder: Encoder,
    prepared: dict[Key, Prepared],
    against: Any,
    *,
    masks: Any,
    fill: Any,
    **arguments: Any,
) -> ViewExplanations:
    """An object of one view that is a picture: what a picture gives, by any method."""
    ((key, only),) = prepared.items()
    alone = Encoder(
        Alone(encoder.model, key),
        encoder.transform_of(key),
        name=encoder.name,
        pool=encoder.pooling.rule,
        patch=encoder.patch,
        origin=encoder.origin,
    )
    if isinstance(against, Mapping):
        against = prepare_views(encoder, against)[key]
    e = explain(alone, only, against, masks=_of(masks, key, "masks"), fill=_of(fill, key, "fill"), **arguments)
    return ViewExplanations(
        {key: replace(e, settings={**e.settings, "view": str(key), "views": JOINT})}, Shares({key: 1.0}, {key: 0.0})
    )


def prepare_views(encoder: Encoder, inputs: Any) -> dict[Key, Prepared]:
    """Each view as the encoder sees it: pictures by the view's transform, arrays of one dimension as vectors."""
    known = encoder.views
    if isinstance(inputs, tuple) and known is not None and len(inputs) == len(known):
        inputs = dict(zip(known, inputs, strict=True))
    if not isinstance(inputs, Mapping) or not inputs:
        count = "several" if known is None else str(len(known))
        got = f"{len(inputs)} of them" if isinstance(inputs, tuple) else type(inputs).__name__
        raise InputError(f"expected {count} views, as a mapping or a tuple, got {got}")
    if known is not None and set(inputs) != set(known):
        unknown = [str(key) for key in inputs if key not in known]
        missing = [str(key) for key in known if key not in inputs]
        what = f"does not know {', '.join(unknown)}" if unknown else f"needs {', '.join(missing)} too"
        raise InputError(f"encoder {encoder.name!r} {what}; its views: {', '.join(map(str, known))}")
    order = known or tuple(inputs)
    return {key: _prepare(encoder, key, inputs[key]) for key in order}


def _prepare(encoder: Encoder, key: Key, source: Any) -> Prepared:
    if isinstance(source, Prepared):
        return source
    if isinstance(source, (str, PathLike)) and Path(source).suffix == ".npy":
        source = _read_array(key, Path(source))
    if isinstance(source, np.ndarray) and source.ndim == 3 and source.shape[-1] not in (3, 4):
        source = torch.from_numpy(source)  # (C, H, W), such as one object of an array of them
        if source.dtype == torch.uint8:
            source = source / 255
    if isinstance(source, (str, PathLike, Image.Image)) or (isinstance(source, np.ndarray) and source.ndim > 1):
        try:
            return Encoder(encoder.model, encoder.transform_of(key), name=encoder.name).prepare(source)
        except InputError as error:
            raise InputError(f"view {key!r}: {error}") from error
    try:
        tensor = torch.as_tensor(source).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        got = type(source).__name__
        raise InputError(f"view {key!r}: expected a picture, an array or a tensor, got {got}") from error
    if tensor.ndim not in (1, 3) or 0 in tensor.shape:
        raise InputError(f"view {key!r}: expected a vector or a (C, H, W) tensor, got shape {tuple(tensor.shape)}")
    tensor = tensor.float()
    if not torch.isfinite(tensor).all():
        raise InputError(f"view {key!r}: has NaN or infinite values")
    return Prepared(tensor, source={"source": "tensor"})


def _read_array(key: Key, path: Path) -> np.ndarray:
    try:
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
    except FileNotFoundError:
        raise InputError(f"view {key!r}: {path}: no such file") from None
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"view {key!r}: {path}: no array of numbers") from error


def _recipe(recipe: Any, tensor: Tensor, patch: int | None) -> Masks:
    recipe = masks_.ensure(recipe, patch)
    return ColumnMasks(keep=recipe.keep) if isinstance(recipe, GridMasks) and tensor.ndim == 1 else recipe


def _check_vector(key: Key, recipe: Masks, fill: Any) -> None:
    """Raise if a vector is to be treated as a picture."""
    if not isinstance(recipe, ColumnMasks):
        kind = recipe.settings()["name"]
        raise ArgumentError(f"view {key!r} is a vector, which masks {kind!r} do not fit; use 'grid' or 'columns'")
    if fill.settings().get("name") in ("solid", "blur", "noise", "drop"):
        raise ArgumentError(
            f"view {key!r} is a vector, which fill {fill.settings()['name']!r} does not fit; use 'mean' (zero)"
        )


def _of(setting: Any, key: Key, what: str) -> Any:
    """A setting of one view."""
    if not isinstance(setting, Mapping):
        return setting
    if key not in setting:
        raise ArgumentError(f"expected `{what}` to have an entry for every view, got none for {key!r}")
    return setting[key]
