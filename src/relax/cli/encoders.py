"""The encoder that a command uses: a name, or the default for the kind of inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relax.errors import ArgumentError

if TYPE_CHECKING:
    from relax.encoders import Encoder

DEFAULTS = {
    "image": "efficientnet-lite0",
    "text": "text:minilm",
    "sound": "sound:resemblyzer",
    "series": "series:fracast",
}
"""Default encoder of each kind of input; tables have none."""

OWN = "python:"
"""Prefix of encoders of one's own, which are told the kind of their inputs."""

LOOSE = ("image", "views")
"""Kinds of inputs whose encoders may be of another modality."""


def loaded(name: str | None, kind: str, device: str, files: Sequence[Path] = (), **options: Any) -> Encoder:
    """Load the encoder for a kind of inputs.

    Args:
        name: name of the encoder; ``None`` for the default.
        kind: kind of the inputs.
        device: device to load it on.
        files: the inputs; the fills of a pipeline on tables are taken from the first one.
        options: options of the encoder; ``None`` for its own.

    Raises:
        ArgumentError: there is no default encoder, or the encoder does not read inputs of this kind.
    """
    from relax.encoders import load_encoder
    from relax.modalities.parts import numbered

    name = name or default_for(kind, files)
    given = {key: value for key, value in options.items() if value is not None}
    if name.startswith(OWN):
        given["modality"] = kind
        if kind == "table" and files:
            given.setdefault("data", str(numbered(Path(files[0]))[0]))
    return fitting(load_encoder(name, device=device, **given), kind)


def default_for(kind: str, files: Sequence[Path] = ()) -> str:
    """Name of the default encoder for a kind of inputs.

    Args:
        kind: kind of the inputs.
        files: the inputs, of which the first is named in the message.

    Raises:
        InputError: the first input is not there.
        ArgumentError: there is no default encoder.
    """
    from relax.cli.sources import is_file
    from relax.modalities.files import not_found

    if kind in DEFAULTS:
        return DEFAULTS[kind]
    if files and not is_file(str(files[0])):
        raise not_found(files[0])
    raise ArgumentError(
        f"{files[0] if files else 'tables'}: a {kind} has no default encoder; use --encoder python:FILE.py:NAME, "
        "such as a fitted pipeline of scikit-learn (--encoder series:fracast if its columns are series; --row N "
        "--column NAME if a column holds texts)"
    )


def fitting(encoder: Encoder, kind: str) -> Encoder:
    """The encoder, or its text tower for texts.

    Raises:
        ArgumentError: the encoder does not read inputs of this kind.
    """
    reads = encoder.modality.name
    if reads == kind or kind in LOOSE:
        return encoder
    if kind == "text" and encoder.text is not None:
        return encoder.text_tower()
    default = DEFAULTS.get(kind, "python:FILE.py:NAME")
    tower = ", or one with a text tower" if kind == "text" else ""
    inputs = {"text": "texts", "table": "rows of tables"}.get(kind, kind)
    raise ArgumentError(
        f"encoder {encoder.name!r} explains {reads} inputs, not {inputs}; use --encoder {default}{tower}"
    )
