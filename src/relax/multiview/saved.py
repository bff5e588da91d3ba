"""A clustering in a folder: ``weights.safetensors`` and ``about.json``."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.torch import save as to_bytes

from relax._support.atomic import atomic_write
from relax.encoders.zoo.weights import load_weights
from relax.errors import ArgumentError, InputError
from relax.multiview.networks import MultiViewNetwork

if TYPE_CHECKING:
    from relax.multiview.clustering import CoMVC

SCHEMA = 2
"""1 had no ``network``: widths of 256, nothing limited."""

ABOUT, WEIGHTS = "about.json", "weights.safetensors"


def write(made: CoMVC, folder: str | PathLike[str]) -> None:
    """Keep a fitted clustering."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    about = {
        "schema": SCHEMA,
        "parameters": {name: _plain(name, value) for name, value in made.get_params().items()},
        "keys": list(made.keys_),
        "shapes": made.shapes_,
        "network": made.network_.sizes,
        "labels": made.labels_.tolist(),
        "centers": made.cluster_centers_.tolist(),
        "loss": made.loss_,
        "agreement": made.agreement_,
        "steps": made.n_steps_,
    }
    with atomic_write(target / WEIGHTS) as file:
        file.write(to_bytes(made.network_.state_dict()))
    with atomic_write(target / ABOUT) as file:
        file.write(json.dumps(about).encode())


def read(cls: type[CoMVC], folder: str | PathLike[str]) -> CoMVC:
    """What :func:`write` kept, by this version or by the one before."""
    path = Path(folder) / ABOUT
    try:
        about = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a saved clustering: {error}") from error
    if about.get("schema") not in (1, SCHEMA):
        raise InputError(f"{path}: has schema {about.get('schema')}, this version of relax reads 1 and {SCHEMA}")
    made = cls(**about["parameters"])
    made.keys_ = tuple(about["keys"])
    made.shapes_ = [tuple(shape) for shape in about["shapes"]]
    made.labels_ = np.array(about["labels"])
    made.cluster_centers_ = np.array(about["centers"], dtype=np.float32)
    made.loss_ = about["loss"]
    made.agreement_, made.n_steps_ = about.get("agreement"), about.get("steps")
    sizes = about.get("network") or {name: about["parameters"][name] for name in ("dimensions", "hidden")}
    made.network_ = MultiViewNetwork(made.shapes_, made.n_clusters, **sizes)
    load_weights(made.network_, Path(folder) / WEIGHTS)
    made.network_.eval()
    return made


def _plain(name: str, value: Any) -> Any:
    """A parameter as JSON holds it."""
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ArgumentError(f"expected `{name}` to be a number, to be written into a file, got {value!r}")
