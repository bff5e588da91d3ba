"""The result for an object of several views: an explanation for each, and their shares."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from relax._support.atomic import atomic_write
from relax.encoders import Key
from relax.explanation import Explanation
from relax.multiview.shares import Shares


@dataclass(frozen=True, eq=False)
class ViewExplanations(Mapping[Key, Explanation]):
    """An explanation for each view of one object.

    Attributes:
        explanations: by the view's key.
        shares: how much of what removing parts does to the score belongs to each view, with its error; ``None`` for
            methods whose masks are not those of a design.
    """

    explanations: dict[Key, Explanation]
    shares: Shares | None

    def __getitem__(self, key: Key) -> Explanation:
        return self.explanations[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self.explanations)

    def __len__(self) -> int:
        return len(self.explanations)

    def save(self, stem: str | PathLike[str]) -> list[Path]:
        """Write ``STEM-VIEW.png`` and ``STEM-VIEW.npz`` for each view, ``STEM-shares.json``; returns the files."""
        target = Path(stem)
        files = []
        for key, e in self.explanations.items():
            picture, archive = (target.with_name(f"{target.name}-{key}{ending}") for ending in (".png", ".npz"))
            e.plot(picture)
            e.save(archive)
            files += [picture, archive]
        if self.shares is not None:
            table = target.with_name(f"{target.name}-shares.json")
            with atomic_write(table) as file:
                file.write(json.dumps(self.shares.described(), indent=1).encode())
            files.append(table)
        return files

    def __repr__(self) -> str:
        return f"ViewExplanations({', '.join(map(str, self.explanations))}; shares: {self.shares})"
