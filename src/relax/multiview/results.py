"""Result for a multi-view object: an explanation for each view, and the shares of the views."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from os import PathLike
from pathlib import Path

from relax._support.atomic import atomic_write
from relax.encoders import Key
from relax.explanation import Explanation
from relax.multiview.shares import Shares


@dataclass(frozen=True, eq=False)
class ViewExplanations(Mapping[Key, Explanation]):
    """Explanations of all views of one object, as a mapping by view.

    Attributes:
        explanations: explanation of each view.
        shares: share of each view in the importance, with standard errors; ``None`` for methods that do not draw
            their masks from a design.
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
        """Write ``STEM-VIEW.png`` and ``STEM-VIEW.npz`` for each view, and ``STEM-shares.json``.

        Args:
            stem: path of the files without suffix.

        Returns:
            The files written.

        Raises:
            ArgumentError: a file cannot be written.
        """
        target = Path(stem)
        files = []
        for key, explanation in self.explanations.items():
            picture, archive = files_of(target, key)
            explanation.plot(picture)
            explanation.save(archive)
            files += [picture, archive]
        if self.shares is not None:
            table = target.with_name(f"{target.name}-shares.json")
            with atomic_write(table) as file:
                file.write(json.dumps(self.shares.described(), indent=1).encode())
            files.append(table)
        return files

    def html(self) -> str:
        """Self-contained HTML for notebooks and pages: the shares, and each view's explanation."""
        shares = "" if self.shares is None else f"<p>{escape(str(self.shares))}</p>"
        return shares + "".join(f"<h4>{escape(str(key))}</h4>{e.html()}" for key, e in self.explanations.items())

    _repr_html_ = html

    def __repr__(self) -> str:
        return f"ViewExplanations({', '.join(map(str, self.explanations))}; shares: {self.shares})"


def files_of(stem: Path, key: Key) -> tuple[Path, Path]:
    """Picture and archive of a view: ``STEM-VIEW.png`` and ``.npz``."""
    view = re.sub(r"[\\/:]", "-", str(key))
    return stem.with_name(f"{stem.name}-{view}.png"), stem.with_name(f"{stem.name}-{view}.npz")
