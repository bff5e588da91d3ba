"""Data that comes in Debian's packages: fetched when asked for, kept in a cache folder, checked."""

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


@dataclass(frozen=True)
class Package:
    """A Debian package that holds data.

    Attributes:
        name: what ``relax data`` calls it.
        debian: the package's name.
        folder: where its files are inside it.
        pattern: which files are counted, below ``folder``.
        at_least: how many of them there must be.
        about: size and licence.
        elsewhere: where the files can be had on other systems.
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
PACKAGES = {package.name: package for package in (STAMPS, FASHION_MNIST)}


def cache_folder() -> Path:
    """Where data is kept: ``$RELAX_DATA``, or the user's cache folder."""
    return Path(os.environ.get("RELAX_DATA") or platformdirs.user_cache_dir("relax"))


def find(package: Package) -> Path:
    """The folder with a package's files, in the cache or installed on the system.

    Raises:
        InputError: it is not there; the message says how to get it.
    """
    for root in (cache_folder() / package.debian, Path("/")):
        if _count(root / package.folder, package) >= package.at_least:
            return root / package.folder
    raise InputError(f"the data {package.name!r} ({package.about}) is not here; get it with: relax data {package.name}")


def fetch(package: Package, say: Say) -> Path:
    """Download and unpack a package into the cache, unless it is there; returns its folder.

    Uses ``apt-get download``, which checks the package's signature (after ``apt-get update`` if its lists are missing
    or old), and ``dpkg-deb -x``; nothing is installed.
    """
    home = cache_folder() / package.debian
    try:
        folder = find(package)
    except InputError:
        say(f"fetching Debian's package {package.debian} ({package.about}) into {home}")
        _download(package, home)
        folder = find(package)
    say(f"{package.name}: {_count(folder, package)} files in {folder}")
    return folder


def _download(package: Package, home: Path) -> None:
    manually = f"unpack it so that its files are under {home / package.folder} (elsewhere: {package.elsewhere})"
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise InputError(
                f"{package.name}: there is no {tool} here; get Debian's package {package.debian}, {manually}"
            )
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        _run(
            ["apt-get", "download", package.debian],
            Path(scratch),
            "try `apt-get update` first, or get it and " + manually,
        )
        (archive,) = Path(scratch).glob("*.deb")
        _run(["dpkg-deb", "-x", str(archive), "files"], Path(scratch), "the download is damaged; try again")
        unpacked = Path(scratch) / "files"
        found = _count(unpacked / package.folder, package)
        if found < package.at_least:
            raise InputError(f"{package.debian}: expected {package.at_least} files {package.pattern}, got {found}")
        if home.exists():
            shutil.rmtree(home)
        unpacked.rename(home)


def _run(command: list[str], folder: Path, advice: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InputError(f"{' '.join(command[:2])} failed: {reason}; {advice}")


def _count(folder: Path, package: Package) -> int:
    return sum(1 for _ in folder.glob(package.pattern)) if folder.is_dir() else 0
