"""What the command line explains: pictures, texts or recordings, and the encoder for them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from relax.errors import ArgumentError, InputError

if TYPE_CHECKING:
    from relax.encoders import Encoder
    from relax.runs.naming import Target
    from relax.runs.sources import Source

DEFAULTS = {"image": "efficientnet-lite0", "text": "text:minilm", "sound": "sound:resemblyzer"}
"""Default encoder of each kind of input."""

TEXT_FAMILIES = ("text:", "sentence-transformers:")
"""Prefixes of encoders that only read texts."""

SOUND_FAMILIES = ("sound:",)
"""Prefixes of encoders that only read recordings."""

LOOKED_AT = 100
"""Number of cells of a table that say what kind of inputs it holds."""

ENDINGS = {"image": (".png", ".npz"), "text": (".png", ".html", ".npz"), "sound": (".png", ".html", ".npz")}
"""Suffixes of the result files of each kind of input."""


def kind_of(files: Sequence[Path], texts: Sequence[str], encoder: str | None) -> str:
    """Kind of the inputs, by their names: ``"text"``, ``"sound"`` or ``"image"``.

    Args:
        files: files and folders.
        texts: texts given on the command line.
        encoder: name of the encoder; ``None`` for the default.
    """
    from relax.modalities.sound.reading import SUFFIXES as SOUNDS
    from relax.modalities.text.modality import SUFFIXES

    if texts or (encoder or "").startswith(TEXT_FAMILIES):
        return "text"
    suffixes = {file.suffix.lower() for file in files}
    if (encoder or "").startswith(SOUND_FAMILIES) or (encoder is None and suffixes & set(SOUNDS)):
        return "sound"
    of_texts = any(file.is_dir() and kind_in(file, None, None) == "text" for file in files)
    return "text" if suffixes & set(SUFFIXES) or of_texts else "image"


def kind_in(source: Path, column: str | None, encoder: str | None) -> str:
    """Kind of the inputs of a source: text for a folder of text files alone, and for a table without pictures' paths.

    Args:
        source: a folder, a file or a table.
        column: column of a table.
        encoder: name of the encoder; ``None`` for the default.
    """
    from relax.modalities import MODALITIES
    from relax.modalities.text.modality import SUFFIXES
    from relax.runs.sources import TABLES, source_of

    if encoder is not None:
        return "text" if encoder.startswith(TEXT_FAMILIES) else "image"
    if source.is_dir():
        return "image" if MODALITIES["image"]().files_below(source) or not _texts_below(source) else "text"
    if source.suffix.lower() in TABLES and source.is_file():
        return _kind_of_cells(source, source_of(source, MODALITIES["text"](), column))
    return "text" if source.suffix.lower() in SUFFIXES else "image"


def _kind_of_cells(table: Path, cells: Source) -> str:
    """Kind of the inputs in a column of a table, by the first cells that hold something.

    Raises:
        InputError: they hold numbers, of which no encoder is the default.
    """
    first = [cells[row].value for row in range(min(len(cells), LOOKED_AT))]
    held = [value for value in first if value is not None and value != ""]
    texts = [value for value in held if isinstance(value, str)]
    if texts:
        return "image" if is_file(str(table.parent / texts[0])) else "text"
    if held and all(isinstance(value, (bool, int, float)) for value in held):
        raise InputError(
            f"{cells.name}: expected texts or paths, got numbers, such as {held[0]!r}; choose another --column"
        )
    return "image"


def _texts_below(folder: Path) -> bool:
    from relax.modalities import MODALITIES

    return bool(MODALITIES["text"]().files_below(folder))


def is_file(name: str) -> bool:
    """Whether there is a file or folder of this name; a text may be too long to be one."""
    try:
        return bool(name.strip()) and Path(name).exists()
    except (OSError, ValueError):
        return False


def is_path(name: str) -> bool:
    """Whether a name looks like a path: one word with a slash or the suffix of a file, or a start such as ``./``."""
    from relax.modalities.image.pictures import SUFFIXES as PICTURES
    from relax.modalities.sound.reading import SUFFIXES as SOUNDS
    from relax.modalities.text.modality import SUFFIXES

    suffix = Path(name).suffix.lower() in {*PICTURES, *SOUNDS, *SUFFIXES}
    slash = any(separator in name for separator in {"/", os.sep})
    started = name.startswith(("/", "./", "../", "~/"))
    return started or (slash and suffix) or (len(name.split()) == 1 and (slash or suffix))


def targets_for(
    kind: str, files: Sequence[Path], texts: Sequence[str], out: Path, recursive: bool
) -> tuple[list[Target], list[str]]:
    """The inputs and their result files, with folders expanded, and a line for each folder without inputs.

    Args:
        kind: kind of the inputs.
        files: files and folders.
        texts: texts given on the command line.
        out: folder for the results; created if needed.
        recursive: also search subfolders.

    Raises:
        InputError: there are no inputs at all.
        ArgumentError: the results cannot be written there.
    """
    from relax.modalities import MODALITIES
    from relax.runs.naming import inputs_of, targets_of, text_targets, writable_folder

    modality, sources, empty = MODALITIES[kind](), [], []
    for file in files:
        try:
            _check_no_table(file)
            sources += inputs_of([file], modality, recursive)
        except InputError as error:
            if len(files) == 1 and not texts:
                raise
            empty.append(str(error))
    if empty and not sources and not texts:
        raise InputError("; ".join(empty))
    folder = writable_folder(out)
    targets = targets_of(list(dict.fromkeys(sources)), folder, ENDINGS[kind])
    return [*text_targets(texts, folder, ENDINGS[kind]), *targets], empty


def _check_no_table(file: Path) -> None:
    from relax.runs.sources import TABLES

    if file.suffix.lower() in TABLES and file.is_file():
        raise InputError(f"{file}: is a table; explain its rows by: relax run {file} --column NAME --out STORE")


def fitting(encoder: Encoder, kind: str) -> Encoder:
    """The encoder, or its text tower for texts.

    Raises:
        ArgumentError: the encoder does not read inputs of this kind.
    """
    if kind != "text" or encoder.modality.name == "text":
        return encoder
    if encoder.text is None:
        raise ArgumentError(
            f"encoder {encoder.name!r} explains {encoder.modality.name} inputs, not texts; use --encoder "
            f"{DEFAULTS['text']}, or one with a text tower"
        )
    return encoder.text_tower()
