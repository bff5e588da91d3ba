"""The masks that the options of a command describe."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from relax.cli.parsing import cells_of, names_of
from relax.errors import ArgumentError

if TYPE_CHECKING:
    from relax.encoders import Encoder
    from relax.modalities.units import Masks

COUNTS = ("bands", "segments")
"""Options of masks that are numbers of units; of both, ``--cells`` gives both."""


def masks_of(
    encoder: Encoder,
    kind: str | None,
    cells: str | None,
    keep: float | None,
    pattern: str | None = None,
    groups: Mapping[str, list[str]] | None = None,
) -> Any:
    """Masks from the command-line options; patch masks take the encoder's patch size.

    Args:
        encoder: its modality knows short names of masks.
        kind: names of masks; ``None`` for the default.
        cells: ``N`` or ``ROWSxCOLUMNS``.
        keep: probability of keeping a unit.
        pattern: regular expression of the parts of a text.
        groups: groups of columns of a table.

    Raises:
        ArgumentError: the options do not go together.
    """
    options: dict[str, Any] = {"keep": keep, "pattern": pattern, "groups": dict(groups) if groups else None}
    options = {name: value for name, value in options.items() if value is not None}
    if kind is None and groups:
        kind = "features"
    if kind is None:
        if cells is not None or options:
            raise ArgumentError(
                "--cells, --keep and --pattern need a kind of masks; name it by --kind, such as --kind grid"
            )
        return None
    from relax.modalities import masks as masks_

    if "," in kind:
        return [masks_of(encoder, one, cells, keep, pattern, groups) for one in names_of("--kind", kind)]
    if not options and cells is None and not (kind == "patches" and encoder.modality.name == "image"):
        return kind
    if kind == "patches" and encoder.modality.name == "image":
        options["patch"] = masks_.patch_size(encoder.patch)
        name = kind
    else:
        # of an object of several views, each has masks of its own by this name
        name = _named(encoder.modality.masks(kind)) if encoder.modality.one_map else kind
    return masks_.create(name, **options, **_counts(name, cells))


def _named(masks: Masks) -> str:
    return str(masks.settings()["name"])


def _counts(name: str, cells: str | None) -> dict[str, Any]:
    """The number of units as the masks call it: cells, segments, bands, or bands and segments."""
    from relax.modalities import masks as masks_

    if cells is None:
        return {}
    counts = [count for count in COUNTS if count in inspect.signature(masks_.MASKS[name]).parameters]
    given = cells_of(cells)
    if not counts:
        return {"cells": given}
    if isinstance(given, int) and len(counts) == 1:
        return {counts[0]: given}
    if isinstance(given, tuple) and len(counts) == 2:
        return dict(zip(counts, given, strict=True))
    form = "a number" if len(counts) == 1 else "BANDSxSEGMENTS"
    raise ArgumentError(f"expected --cells as {form} for --kind {name}, got {cells!r}")
