"""Check every link of a built site that stays within it: ``python docs/_extensions/links.py docs/_build/html``.

A link is good if its file exists and, where it names a place, the file has an element of that name. Scripts, styles and
pictures must come from the site itself, so that it works without a network.
"""

from __future__ import annotations

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(HTMLParser):
    """The links, the loaded files and the named places of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.places: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if "src" in given:
            self.loaded.append(given["src"])
        if tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload"):
            self.loaded.append(given["href"])


@cache
def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def problems(site: Path) -> list[str]:
    """One line for every link that leads nowhere, and for every file that is loaded from elsewhere."""
    found = []
    for path in sorted(set(site.rglob("*.html")) - set(site.glob("_static/**/*"))):
        page = _read(path)
        for link in dict.fromkeys([*page.links, *page.loaded]):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.loaded and parts.scheme != "data":
                    found.append(f"{path.relative_to(site)}: loads {link}")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
            if not target.is_file():
                found.append(f"{path.relative_to(site)}: {link}: no such file")
            elif parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in _read(target).places:
                found.append(f"{path.relative_to(site)}: {link}: no such place")
    return found


if __name__ == "__main__":
    lines = problems(Path(sys.argv[1]).resolve())
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    sys.exit(bool(lines))
