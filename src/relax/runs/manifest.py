"""The manifest of a store: what is done to every input, by which encoder, with which versions."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from relax._support.atomic import replacing
from relax._support.provenance import versions
from relax.encoders import Encoder
from relax.errors import ArgumentError, InputError
from relax.explainer import Explainer
from relax.references import Context

SCHEMA = 1
"""Version of the store's format; other versions are refused."""

CLOSE = 1e-4
"""Largest relative distance between the probe's scores at which two references count as the same."""

FILE = "manifest.json"
"""Name of the manifest."""

SAME = 5e-3
"""Largest distance between the probe's representations at which two encoders count as the same, relative to their
length."""

ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""The part of an object's name that is another one in every process."""

Manifest = dict[str, Any]
"""Entries ``schema, settings, hash, encoder, probe, score, weights, source, versions``."""


def manifest_of(explainer: Explainer, source: str) -> Manifest:
    """Describe a run.

    Args:
        explainer: explains the inputs.
        source: name of the source.
    """
    settings = _plain(explainer.settings())
    return {
        "schema": SCHEMA,
        "settings": settings,
        "hash": hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest(),
        "encoder": _plain(explainer.encoder.settings()),
        **_fingerprint(explainer),
        "source": source,
        "versions": versions(),
    }


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a store; ``None`` if there is none.

    Raises:
        InputError: it is damaged, or of another schema.
    """
    path = folder / FILE
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: is damaged ({error}); restore it, or choose another --out") from error
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if schema != SCHEMA:
        raise InputError(
            f"{folder}: expected a store of schema {SCHEMA}, got schema {schema!r}; use the version of relax that "
            "made it, or choose another --out"
        )
    missing = {"settings", "hash", "encoder", "probe", "weights", "source", "versions"} - set(manifest)
    if missing:
        raise InputError(f"{path}: is damaged (it lacks {', '.join(sorted(missing))}); choose another --out")
    return dict(manifest)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest atomically."""
    with replacing(folder / FILE) as file:
        file.write(json.dumps(manifest, indent=1).encode())


def check_same(folder: Path, saved: Manifest, asked: Manifest) -> None:
    """Check that a run may go on in a store.

    Args:
        folder: the store, for messages.
        saved: its manifest.
        asked: manifest of the run.

    Raises:
        ArgumentError: the settings, the encoder or the reference differ.
    """
    for part in ("settings", "encoder"):
        for name in sorted({*saved[part], *asked[part]}):
            before, now = saved[part].get(name), asked[part].get(name)
            if name == "against" and before and now and asked["score"]:
                continue  # told apart by their scores; a folder is described in other words once it has been read
            if before != now:
                what = name if part == "settings" else f"the encoder's {name}"
                raise ArgumentError(
                    f"{folder}: holds a run with {what} = {before!r}, not {now!r}; give the same settings to continue "
                    "it, or choose another --out"
                )
    if not _alike(saved["probe"], asked["probe"]) or saved["weights"] != asked["weights"]:
        raise ArgumentError(
            f"{folder}: was made with another encoder of the name {saved['encoder'].get('name')!r} (other weights); "
            "use the same one, or choose another --out"
        )
    if not _alike(saved.get("score"), asked["score"], CLOSE):
        raise ArgumentError(f"{folder}: was made against another reference; use the same one, or choose another --out")


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as they come back from JSON; objects are named without their addresses, which differ from run to run."""
    return dict(json.loads(ADDRESS.sub("", json.dumps(settings, default=repr))))


def _fingerprint(explainer: Explainer) -> dict[str, Any]:
    """Representation of a fixed input and its score; a checksum of the weights for modalities without such an input."""
    encoder = explainer.encoder
    probe = encoder.modality.probe()
    if probe is None:
        return {"probe": None, "score": None, "weights": _checksum(encoder)}
    representation = encoder.encode(probe)
    return {"probe": representation[0].tolist(), "score": _score(explainer, probe), "weights": None}


def _score(explainer: Explainer, probe: Any) -> list[float]:
    """Score of a fixed input, by which references are told apart."""
    configuration, prepared = explainer.prepared(probe)
    with configuration.setup.session() as session:
        own = session.encode(configuration.encoder.modality.collate([prepared.to(session.device)]))
        similarity = configuration.similarity or configuration.against.similarity
        context = Context(configuration.encoder, session, own[0], similarity or configuration.method.score_similarity)
        return [float(configuration.against.reference(context).score(own))]


def _checksum(encoder: Encoder) -> str:
    """SHA-256 of a module's weights; of the name of any other model."""
    digest = hashlib.sha256(str(encoder.name).encode())
    if isinstance(encoder.model, nn.Module):
        for name, tensor in encoder.model.state_dict().items():
            digest.update(name.encode())
            if isinstance(tensor, Tensor):
                digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _alike(saved: list[float] | None, asked: list[float] | None, tolerance: float = SAME) -> bool:
    if saved is None or asked is None or len(saved) != len(asked):
        return saved is None and asked is None
    before, now = (torch.tensor(values, dtype=torch.float64) for values in (saved, asked))
    return bool((before - now).norm() <= tolerance * max(float(before.norm()), 1e-12))
