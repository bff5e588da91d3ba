"""A folder of real pictures, from two Debian packages."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from relax.datasets.cache import STAMPS, Package, fetch

CLIPART = Package(
    "clipart",
    "openclipart-png",
    "usr/share/openclipart/png",
    "**/*.png",
    8000,
    "131 MB, public domain",
    "openclipart.org",
)


def pictures(n: int, folder: Path) -> Path:
    """A folder of links to ``n`` pictures: all stamps, then clip art at even steps."""
    stamps, clipart = (
        sorted(
            path
            for path in fetch(package, lambda line: print(line, file=sys.stderr)).rglob("*.png")
            if not path.is_symlink()
        )
        for package in (STAMPS, CLIPART)
    )
    wanted = max(n - len(stamps), 0)
    chosen = stamps[:n] + clipart[:: max(len(clipart) // max(wanted, 1), 1)][:wanted]
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(chosen):
        link = folder / f"{number:05d}-{path.name}"
        if not link.exists():
            os.link(path, link) if path.stat().st_dev == folder.stat().st_dev else link.write_bytes(path.read_bytes())
    return folder
