"""Which inputs were meant, and where their results go."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from relax.errors import ArgumentError, InputError
from relax.modalities import Modality

ENDINGS = (".png", ".npz")
"""Of the files that an explained input leaves."""


@dataclass(frozen=True)
class Target:
    """An input and where its results go.

    Attributes:
        source: the file.
        stem: path of the results without their ending.
    """

    source: Path
    stem: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The picture and the archive."""
        return tuple(self.stem.with_name(self.stem.name + ending) for ending in ENDINGS)

    @property
    def done(self) -> bool:
        """Whether all files are there."""
        return all(file.exists() for file in self.files)


def inputs_of(paths: Sequence[Path], modality: Modality, recursive: bool = False) -> list[Path]:
    """The inputs that were named, those in folders included.

    Args:
        paths: files and folders.
        modality: that knows its files.
        recursive: also those in folders below.

    Raises:
        InputError: a folder without inputs.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = modality.files_below(path) if recursive else modality.files_in(path)
        if not inside:
            below = "in this folder or below it" if recursive else "in this folder (see --recursive)"
            raise InputError(f"{path}: no {modality.name} files {below}")
        found += inside
    return list(dict.fromkeys(found))


def targets_of(sources: Sequence[Path], out: Path) -> list[Target]:
    """Where each input's results go: named after it; where names are equal, with the folders that tell them apart.

    Raises:
        ArgumentError: an input would be overwritten.
    """
    inputs = {_real(source) for source in sources}
    names = _names(sources)
    targets = [Target(source, out / name) for source, name in zip(sources, names, strict=True)]
    for target in targets:
        for file in target.files:
            if _real(file) in inputs:
                raise ArgumentError(f"{file} is an input and would be overwritten; choose another --out")
    return targets


def usable(folder: Path) -> Path:
    """A folder that can be written to, made if need be.

    Raises:
        ArgumentError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(f"{folder}: cannot make this folder: {error.strerror}; choose another --out") from error
    if not os.access(folder, os.W_OK):
        raise ArgumentError(f"{folder}: cannot write to this folder; choose another --out")
    return folder


def _real(path: Path) -> Path:
    """Where a path leads; a link to itself leads nowhere, and reading it will say so."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path.absolute()


def _names(sources: Sequence[Path]) -> list[str]:
    """File names without endings; equal ones keep as much of their folders as tells them apart, or their ending."""
    depth = [1] * len(sources)
    parts = [(*source.absolute().parent.parts[1:], source.stem) for source in sources]
    while True:
        names = ["/".join(part[-n:]) for part, n in zip(parts, depth, strict=True)]
        twice = [k for k, name in enumerate(names) if names.count(name) > 1 and depth[k] < len(parts[k])]
        if not twice:
            break
        for k in twice:
            depth[k] += 1
    taken: dict[str, int] = {}
    unique = []
    for name, source in zip(names, sources, strict=True):
        # one folder, two endings: a.png and a.jpg
        chosen = name if names.count(name) == 1 else f"{Path(name).name}{source.suffix.replace('.', '-')}"
        taken[chosen] = taken.get(chosen, 0) + 1
        unique.append(chosen if taken[chosen] == 1 else f"{chosen}-{taken[chosen]}")
    return unique
