"""Find the inputs and name their results."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from relax.errors import ArgumentError, InputError
from relax.modalities import Modality
from relax.modalities.parts import Part, chosen, numbered

ENDINGS = (".png", ".npz")
"""Suffixes of the files written for an explained input; the archive comes last."""

SLUG = 40
"""Maximum number of characters of a text in a file name."""


@dataclass(frozen=True)
class Target:
    """An input and where its results go.

    Attributes:
        source: the input file, a part of one, or a text.
        stem: path of the results, without suffix.
        endings: suffixes of the result files; that of the archive comes last.
    """

    source: Path | Part | str
    stem: Path
    endings: tuple[str, ...] = ENDINGS

    @property
    def files(self) -> tuple[Path, ...]:
        """Paths of the result files, the archive last."""
        return tuple(self.stem.with_name(self.stem.name + ending) for ending in self.endings)

    @property
    def name(self) -> str:
        """Display name: the path, or the text on one line."""
        return " ".join(self.source.split()) if isinstance(self.source, str) else str(self.source)

    @property
    def done(self) -> bool:
        """Whether all result files exist."""
        return all(file.exists() for file in self.files)


def inputs_of(paths: Sequence[Path], modality: Modality, recursive: bool = False) -> list[Path | Part]:
    """List the named inputs, with folders, and files of several inputs, expanded.

    Args:
        paths: files, ``FILE#N`` for one of several inputs in a file, and folders.
        modality: recognises its files in a folder.
        recursive: also search subfolders.

    Raises:
        InputError: a folder contains no inputs, or a file of several cannot be read.
    """
    inputs: list[Path | Part] = []
    for path in paths:
        if path.is_dir():
            files = modality.files_below(path) if recursive else modality.files_in(path)
            if not files:
                where = "in this folder or its subfolders" if recursive else "in this folder (see --recursive)"
                raise InputError(f"{path}: no {modality.name} files {where}")
            inputs += files
            continue
        file, row = numbered(path)
        parts = modality.parts_of(file)
        inputs += (parts or [path]) if row is None else [chosen(parts, file, row, modality.name)]
    return list(dict.fromkeys(inputs))


def targets_of(sources: Sequence[Path | Part], out: Path, endings: tuple[str, ...] = ENDINGS) -> list[Target]:
    """Name each input's results after the input, prefixed with the folders that distinguish equal names.

    Args:
        sources: the input files, and parts of files.
        out: the output folder.
        endings: suffixes of the result files; that of the archive comes last.

    Raises:
        ArgumentError: a result would overwrite an input.
    """
    inputs = {_resolved(source.path if isinstance(source, Part) else source) for source in sources}
    names = _names([place_of(source) for source in sources])
    targets = [Target(source, out / name, endings) for source, name in zip(sources, names, strict=True)]
    for target in targets:
        for file in target.files:
            if _resolved(file) in inputs:
                raise ArgumentError(f"{file} is an input and would be overwritten; choose another --out")
    return targets


def place_of(source: Path | Part) -> Path:
    """What results are named after: the file, or ``table-3.csv`` for row 3 of a table."""
    if not isinstance(source, Part):
        return source
    return source.path.with_name(f"{source.path.stem}-{source.row}{source.path.suffix}")


def text_targets(texts: Sequence[tuple[str, str]], out: Path, endings: tuple[str, ...] = ENDINGS) -> list[Target]:
    """Name each text's results, numbered where two have the same name.

    Args:
        texts: a name, such as the text's :func:`slug`, and a text.
        out: the output folder.
        endings: suffixes of the result files; that of the archive comes last.
    """
    names: list[str] = []
    for name, _ in texts:
        number, candidate = 1, name
        while candidate in names:
            number += 1
            candidate = f"{name}-{number}"
        names.append(candidate)
    return [Target(text, out / name, endings) for (_, text), name in zip(texts, names, strict=True)]


def slug(text: str) -> str:
    """File name of a text: its first words."""
    return re.sub(r"[^\w]+", "-", text.casefold()).strip("-")[:SLUG].strip("-") or "text"


def _resolved(path: Path) -> Path:
    """The path with links followed; a link to itself stays as it is, and fails when it is read."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path.absolute()


def _names(sources: Sequence[Path]) -> list[str]:
    """File names without suffix; equal names keep as many parent folders as needed to differ, or else their suffix."""
    depths = [1] * len(sources)
    parts = [(*source.absolute().parent.parts[1:], source.stem) for source in sources]
    while True:
        names = ["/".join(part[-n:]) for part, n in zip(parts, depths, strict=True)]
        count = Counter(names)
        ambiguous = [k for k, name in enumerate(names) if count[name] > 1 and depths[k] < len(parts[k])]
        if not ambiguous:
            break
        for k in ambiguous:
            depths[k] += 1
    unique: list[str] = []
    used: set[str] = set()
    for name, source in zip(names, sources, strict=True):
        # the same folder and stem with two suffixes, such as a.png and a.jpg
        base = name if count[name] == 1 else f"{Path(name).name}{source.suffix.replace('.', '-')}"
        candidate, number = base, 1
        while candidate in used:
            number += 1
            candidate = f"{base}-{number}"
        used.add(candidate)
        unique.append(candidate)
    return unique
