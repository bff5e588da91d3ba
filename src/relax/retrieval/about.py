"""The description of an index: format, modality, encoder, and how the encoder represents a fixed input, the probe."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from relax.encoders import Encoder
from relax.errors import ArgumentError, InputError

SCHEMA = 2
"""Version of the index format; other versions are refused."""

ABOUT = "about.json"
"""File that describes the index."""

SAME = 1e-3
"""Largest cosine distance between representations of the probe at which two encoders count as the same."""


def about_of(encoder: Encoder, example: Any = None) -> dict[str, Any]:
    """Description of a new index.

    Args:
        encoder: the encoder of its inputs.
        example: one input, whose shape the probe takes where inputs have no size of their own; ``None`` without.

    Raises:
        ArgumentError: there is no fixed input for the encoder.
    """
    shape = None
    if example is not None and encoder.modality.probe() is None:
        tensors = [value for value in encoder.prepare(example).inputs.values() if isinstance(value, torch.Tensor)]
        shape = tuple(tensors[0].shape) if tensors else None
    about = {
        "schema": SCHEMA,
        "modality": encoder.modality.name,
        "encoder": encoder.settings(),
        "probe": encoder.encode(_probe(encoder, shape))[0].tolist(),
    }
    return about if shape is None else {**about, "shape": shape}


def check(folder: Path, about: Mapping[str, Any], encoder: Encoder) -> None:
    """Check that an index was made with this encoder and preprocessing.

    Args:
        folder: folder of the index, for messages.
        about: its description.
        encoder: the encoder to compare with the index's.

    Raises:
        ArgumentError: the settings differ, or the encoder represents the probe differently.
    """
    saved, current = about["encoder"], encoder.settings()
    if current != saved:
        different = sorted(name for name in {*saved, *current} if saved.get(name) != current.get(name))
        raise ArgumentError(
            f"{folder}: made with encoder {saved.get('name')!r}, got {encoder.name!r} with different "
            f"settings (different: {', '.join(different)}); use the same encoder and preprocessing, or create "
            "another index"
        )
    probe = torch.tensor(about["probe"])
    again = encoder.encode(_probe(encoder, about.get("shape")))[0]
    distance = 1 - float(torch.cosine_similarity(probe, again, dim=0))
    if not distance <= SAME:
        raise ArgumentError(
            f"{folder}: encoder {encoder.name!r} no longer represents the probe as it did when the "
            f"index was made (cosine distance {distance:.3g}); its weights have changed: create another index"
        )


def read_about(folder: Path) -> dict[str, Any]:
    """Read and check the description of an index."""
    try:
        about = json.loads((folder / ABOUT).read_text())
    except FileNotFoundError:
        raise InputError(f"{folder}: no index here; create one with `relax index FOLDER --out {folder}`") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / ABOUT}: cannot be read: {error}") from error
    schema = about.get("schema") if isinstance(about, dict) else None
    if schema != SCHEMA:
        raise InputError(
            f"{folder}: expected an index of schema {SCHEMA}, got schema {schema}; build the index again with this "
            "version of relax"
        )
    if not {"encoder", "probe", "modality"} <= set(about):
        raise InputError(f"{folder / ABOUT}: is damaged; build the index again in another folder")
    return dict(about)


def _probe(encoder: Encoder, shape: Sequence[int] | None = None) -> Any:
    """The input by which encoders are told apart."""
    probe = encoder.modality.probe(None if shape is None else tuple(shape))
    if probe is None:
        kind = encoder.modality.name
        hint = {
            "series": "; give one of the series as `example`",
            "table": "; give the modality its reference data: relax.Table(reference_data=frame)",
            "image": "; give the encoder a transform",
        }.get(kind, "")
        raise ArgumentError(f"an index needs a fixed input by which to know its encoder, a {kind} has none{hint}")
    return probe
