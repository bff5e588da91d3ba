"""Which pictures were meant, and where results go."""

from __future__ import annotations

import os
from pathlib import Path

from relax.errors import ArgumentError, InputError


def pictures_of(paths: list[Path]) -> list[Path]:
    """The pictures that were named, those in folders included."""
    from relax.pictures import files_in

    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = files_in(path)
            if not inside:
                raise InputError(f"{path}: no pictures in this folder")
            found += inside
        else:
            found.append(path)
    return found


def targets_of(pictures: list[Path], out: Path) -> list[tuple[Path, Path]]:
    """Where each picture's results go (without ending); equal names are numbered, inputs are never overwritten."""
    make_folder(out)
    if not os.access(out, os.W_OK):
        raise ArgumentError(f"{out}: cannot write to this folder; choose another --out")
    inputs = {picture.resolve() for picture in pictures}
    taken: set[str] = set()
    targets = []
    for picture in pictures:
        name, number = picture.stem, 1
        while name in taken:
            number += 1
            name = f"{picture.stem}-{number}"
        taken.add(name)
        if (out / f"{name}.png").resolve() in inputs:
            raise ArgumentError(f"{out / name}.png is an input and would be overwritten; choose another --out")
        targets.append((picture, out / name))
    return targets


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(f"{folder}: cannot make this folder: {error.strerror}; choose another --out") from error
