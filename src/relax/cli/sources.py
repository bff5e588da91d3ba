"""What the command line explains: pictures, texts, recordings, series or rows of tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from relax.cli.encoders import OWN
from relax.errors import InputError

if TYPE_CHECKING:
    from relax.runs.naming import Target
    from relax.runs.sources import Source

LOOKED_AT = 100
"""Number of cells of a table that say what kind of inputs it holds."""

ENDINGS = (".png", ".html", ".npz")
"""Suffixes of the result files of an input; pictures have no page."""

KINDS = ("image", "text", "sound", "series")
"""Kinds of files that a folder is searched for, in this order."""


def endings_of(kind: str) -> tuple[str, ...]:
    """Suffixes of the result files of a kind of input."""
    return (".png", ".npz") if kind == "image" else ENDINGS


def kind_of(files: Sequence[Path], texts: Sequence[object], encoder: str | None) -> str:
    """Kind of the inputs, by the encoder or their names: ``"image"``, ``"text"``, ``"sound"``, ``"series"``, ...

    Args:
        files: files and folders.
        texts: texts given on the command line.
        encoder: name of the encoder; ``None`` for the default.
    """
    if texts or not files:
        return "text" if texts else "image"
    read = _read_by(encoder)
    if read is not None:
        return read
    named = [kind_named(str(file)) for file in files]
    if encoder is None or encoder.startswith(OWN):
        folders = [kind_in(file, None, None) for file in files if file.is_dir()]
        return next((kind for kind in (*named, *folders) if kind is not None), "image")
    of_texts = any(file.is_dir() and kind_in(file, None, None) == "text" for file in files)
    return "text" if "text" in named or of_texts else "image"


def kind_in(source: Path, column: str | None, encoder: str | None) -> str:
    """Kind of the inputs of a source: that of the files in a folder, and text for a table without paths of pictures.

    Args:
        source: a folder, a file or a table.
        column: column of a table.
        encoder: name of the encoder; ``None`` for the default.
    """
    from relax.modalities import MODALITIES
    from relax.runs.sources import TABLES, source_of

    read = _read_by(encoder)
    if read is not None:
        return read
    own = (encoder or "").startswith(OWN)
    if encoder is not None and not own:
        return "image"
    if source.is_dir():
        return next((kind for kind in KINDS if MODALITIES[kind]().files_below(source)), "image")
    if source.suffix.lower() in TABLES and source.is_file() and not (own and column is None):
        return _kind_of_cells(source, source_of(source, MODALITIES["text"](), column))
    return kind_named(str(source)) or "image"


def kind_named(name: str) -> str | None:
    """Kind of a file by its suffix; ``None`` for any other name."""
    from relax.modalities import MODALITIES
    from relax.modalities.parts import numbered

    suffix = numbered(Path(name))[0].suffix.lower() if is_short(name) else ""
    kinds = ("text", "sound", "table", "series", "image")  # a CSV file is a table rather than a series
    return next((kind for kind in kinds if suffix in MODALITIES[kind].suffixes), None)


def _read_by(encoder: str | None) -> str | None:
    """The only kind of inputs that an encoder reads; ``None`` if its name does not say."""
    from relax.encoders.loading import read_by

    return None if encoder is None else read_by(encoder)


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


def is_file(name: str) -> bool:
    """Whether there is a file or folder of this name, perhaps with the number of a row."""
    from relax.modalities.parts import numbered

    return bool(name.strip()) and is_short(name) and numbered(Path(name))[0].exists()


def is_short(name: str) -> bool:
    """Whether a text may be the name of a file: it may be too long, or have a null character."""
    try:
        Path(name).exists()
    except (OSError, ValueError):
        return False
    return True


def is_path(name: str) -> bool:
    """Whether a name looks like a path: one word with a slash or the suffix of a file, or a start such as ``./``."""
    known = kind_named(name) is not None
    slash = any(separator in name for separator in {"/", os.sep})
    started = name.startswith(("/", "./", "../", "~/"))
    return started or (slash and known) or (len(name.split()) == 1 and (slash or known))


def targets_for(
    kind: str, files: Sequence[Path], texts: Sequence[tuple[str, str]], out: Path, recursive: bool
) -> tuple[list[Target], list[str]]:
    """The inputs and their result files, with folders expanded, and a line for each folder without inputs.

    Args:
        kind: kind of the inputs.
        files: files and folders.
        texts: names of results, and texts.
        out: folder for the results; created if needed.
        recursive: also search subfolders.

    Raises:
        InputError: there are no inputs at all.
        ArgumentError: the results cannot be written there.
    """
    from relax._support.atomic import writable_folder
    from relax.modalities import MODALITIES
    from relax.runs.naming import inputs_of, targets_of, text_targets

    modality, sources, empty = MODALITIES[kind](), [], []
    for file in files:
        try:
            sources += inputs_of([file], modality, recursive)
        except InputError as error:
            if len(files) == 1 and not texts:
                raise
            empty.append(str(error))
    if empty and not sources and not texts:
        raise InputError("; ".join(empty))
    folder = writable_folder(out)
    targets = targets_of(list(dict.fromkeys(sources)), folder, endings_of(kind))
    return [*text_targets(texts, folder, endings_of(kind)), *targets], empty
