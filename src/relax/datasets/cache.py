"""Fetch data from Debian packages on request, verify it, and keep it in a cache folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from relax.errors import InputError

Say = Callable[[str], None]
"""Receives one progress message."""


@dataclass(frozen=True)
class Package:
    """A Debian package that holds data.

    Attributes:
        name: name for ``relax data``.
        debian: name of the Debian package.
        folder: folder of the files inside the package.
        pattern: glob pattern of the data files below ``folder``.
        at_least: smallest number of files in a complete package.
        about: download size and licence.
        elsewhere: where to get the files on other systems.
    """

    name: str
    debian: str
    folder: str
    pattern: str
    at_least: int
    about: str
    elsewhere: str


STAMPS = Package(
    "stamps",
    "tuxpaint-stamps-default",
    "usr/share/tuxpaint/stamps",
    "**/*.png",
    400,
    "161 MB, GPL-2",
    "tuxpaint.org has the stamps as an archive",
)
FASHION_MNIST = Package(
    "fashion-mnist",
    "dataset-fashion-mnist",
    "usr/share/datasets/fashion-mnist",
    "*ubyte.gz",
    4,
    "31 MB, MIT",
    "torchvision.datasets.FashionMNIST(DIR, download=True) has the same files under DIR/FashionMNIST/raw",
)
PYTHON_DOCS = Package(
    "python-docs",
    "python3.11-doc",
    "usr/share/doc/python3.11/html/_sources",
    "**/*.txt",
    400,
    "13 MB, PSF licence",
    "docs.python.org/3/download has the texts as an archive",
)
WORDNET = Package(
    "wordnet",
    "wordnet-base",
    "usr/share/wordnet",
    "data.*",
    4,
    "6 MB, WordNet licence",
    "wordnet.princeton.edu has the files as an archive",
)
PACKAGES = {package.name: package for package in (STAMPS, FASHION_MNIST, PYTHON_DOCS, WORDNET)}
"""Data by name, in the order in which they are fetched."""


def cache_folder() -> Path:
    """Folder for downloaded data: ``$RELAX_DATA``, or the user's cache folder."""
    return Path(os.environ.get("RELAX_DATA") or platformdirs.user_cache_dir("relax"))


def find(package: Package) -> Path:
    """Find the files of a package in the cache or installed on the system.

    Returns:
        The folder of the files.

    Raises:
        InputError: the files are missing; the message says how to get them.
    """
    for root in (cache_folder() / package.debian, Path("/")):
        if _count(root / package.folder, package) >= package.at_least:
            return root / package.folder
    raise InputError(f"the data {package.name!r} ({package.about}) is missing; get it with: relax data {package.name}")


def fetch(package: Package, say: Say) -> Path:
    """Download and unpack a package into the cache, unless its files are available already.

    Uses ``apt-get download``, which verifies the package, and ``dpkg-deb -x``; nothing is installed.

    Args:
        package: the package.
        say: receives progress messages.

    Returns:
        The folder of the files.

    Raises:
        InputError: a tool is missing, or the download fails or is incomplete.
    """
    cached = cache_folder() / package.debian
    try:
        folder = find(package)
    except InputError:
        say(f"fetching the Debian package {package.debian} ({package.about}) into {cached}")
        _download(package, cached)
        folder = find(package)
    say(f"{package.name}: {_count(folder, package)} files in {folder}")
    return folder


def _download(package: Package, cached: Path) -> None:
    """Download a package and unpack it as the folder ``cached``."""
    instructions = f"unpack its files to {cached / package.folder} (on other systems: {package.elsewhere})"
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise InputError(
                f"{package.name}: there is no {tool} here; get Debian's package {package.debian} and {instructions}"
            )
    cached.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cached.parent) as scratch:
        _run(
            ["apt-get", "download", package.debian],
            Path(scratch),
            f"run `apt-get update` first, or download it yourself and {instructions}",
        )
        (archive,) = Path(scratch).glob("*.deb")
        _run(["dpkg-deb", "-x", str(archive), "files"], Path(scratch), "the download is damaged; try again")
        unpacked = Path(scratch) / "files"
        n_files = _count(unpacked / package.folder, package)
        if n_files < package.at_least:
            raise InputError(
                f"{package.debian}: expected at least {package.at_least} files {package.pattern}, got {n_files}"
            )
        if cached.exists():
            shutil.rmtree(cached)
        unpacked.rename(cached)


def _run(command: list[str], folder: Path, advice: str) -> None:
    """Run a command in a folder; an InputError with the last line of its output and the advice if it fails."""
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if process.returncode:
        reason = (process.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InputError(f"{' '.join(command[:2])} failed: {reason}; {advice}")


def _count(folder: Path, package: Package) -> int:
    """Number of data files of a package in a folder."""
    return sum(1 for _ in folder.glob(package.pattern)) if folder.is_dir() else 0
