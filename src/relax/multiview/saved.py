"""A clustering in a folder: ``weights.safetensors`` and ``about.json``."""

from __future__ import annotations

import json
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save as to_bytes

from relax._support.atomic import atomic_write, writable_folder
from relax.encoders.zoo.weights import load_weights
from relax.errors import ArgumentError, InputError, first_line
from relax.multiview.networks import MultiViewNetwork

SCHEMA = 2
"""1 had no ``network``: widths of 256, nothing limited."""

ABOUT, WEIGHTS = "about.json", "weights.safetensors"


def write(clustering: Any, folder: str | PathLike[str]) -> None:
    """Save a fitted clustering.

    Args:
        clustering: a fitted :class:`relax.multiview.CoMVC`.
        folder: created if needed.

    Raises:
        ArgumentError: a parameter cannot be written as JSON, or the folder cannot be written to.
    """
    target = writable_folder(folder)
    about = {
        "schema": SCHEMA,
        "parameters": {name: _plain(name, value) for name, value in clustering.get_params().items()},
        "keys": list(clustering.keys_),
        "shapes": clustering.shapes_,
        "network": clustering.network_.sizes,
        "labels": clustering.labels_.tolist(),
        "centers": clustering.cluster_centers_.tolist(),
        "loss": clustering.loss_,
        "agreement": clustering.agreement_,
        "steps": clustering.n_steps_,
    }
    with atomic_write(target / WEIGHTS) as file:
        file.write(to_bytes(clustering.network_.state_dict()))
    with atomic_write(target / ABOUT) as file:
        file.write(json.dumps(about).encode())


def read(kind: Callable[..., Any], folder: str | PathLike[str]) -> Any:
    """Read a clustering that this version or the one before saved.

    Args:
        kind: the class of the clustering.
        folder: the folder.

    Raises:
        InputError: the files are missing, damaged, or of a later schema.
    """
    path = Path(folder) / ABOUT
    try:
        about = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a saved clustering: {error}") from error
    if not isinstance(about, dict) or about.get("schema") not in (1, SCHEMA):
        found = about.get("schema") if isinstance(about, dict) else None
        raise InputError(f"{path}: has schema {found}, this version of relax reads 1 and {SCHEMA}")
    try:
        clustering = _restored(kind(**about["parameters"]), about)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(f"{path}: not a saved clustering: {first_line(error)}") from error
    load_weights(clustering.network_, Path(folder) / WEIGHTS)
    clustering.network_.eval()
    return clustering


def _restored(clustering: Any, about: dict[str, Any]) -> Any:
    """Set the fitted attributes of a clustering, with an untrained network."""
    clustering.keys_ = tuple(about["keys"])
    clustering.shapes_ = [tuple(shape) for shape in about["shapes"]]
    clustering.labels_ = np.array(about["labels"])
    clustering.cluster_centers_ = np.array(about["centers"], dtype=np.float32)
    clustering.loss_ = about["loss"]
    clustering.agreement_, clustering.n_steps_ = about.get("agreement"), about.get("steps")
    sizes = about.get("network") or {name: about["parameters"][name] for name in ("dimensions", "hidden")}
    clustering.network_ = MultiViewNetwork(clustering.shapes_, clustering.n_clusters, **sizes)
    return clustering


def _plain(name: str, value: Any) -> Any:
    """A parameter in JSON-serialisable form."""
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ArgumentError(f"expected `{name}` to be a number, to be written into a file, got {value!r}")
