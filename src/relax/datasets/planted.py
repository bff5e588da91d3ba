"""Passages with a planted sentence that answers a query: real texts whose explanation is known.

The passages are prose of the Python manual (PSF licence), the sentences are definitions of WordNet (WordNet licence),
both from Debian packages that ``relax data`` fetches. The query asks for the defined word, which the passage does not
contain: what makes the passage match the query is the planted sentence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from relax.datasets.cache import PYTHON_DOCS, WORDNET, find
from relax.errors import InputError
from relax.modalities import Prepared

LENGTHS = (50, 110)
"""Number of words of a passage."""

GLOSS = (5, 16)
"""Number of words of a definition."""

SAMPLES = 1000
"""Number of scenes."""

_ROLE = re.compile(r":[a-z:]+:`~?!?([^`<]+?)(?:\s*<[^`]+>)?`")
_MARKUP = re.compile(r"\.\. |::|>>>|\^{3}|={3}|[|{}\\_#]{2}|`{2}|--+|^\s*[-*] ", re.MULTILINE)
_SYNSET = re.compile(r"^\d{8} \d\d n [0-9a-f]{2} ([a-z]{4,12}) \d .*\| (.+)$")


@dataclass(frozen=True, eq=False)
class TextSample:
    """One text of a data set.

    Attributes:
        id: name, unique in the data set.
        text: the text.
        against: the text that it is compared with; ``None`` for itself.
        planted: span of the planted sentence; ``None`` without one.
        category: name of the kind of text.
    """

    id: str
    text: str
    against: str | None = None
    planted: tuple[int, int] | None = None
    category: str = ""

    @property
    def source(self) -> str:
        """The text, as the input of an encoder."""
        return self.text

    @property
    def mask(self) -> Any:
        """The planted span; ``None`` without one."""
        return self.planted

    def seen(self, prepared: Prepared) -> np.ndarray | None:
        """Whether each unit of the prepared text is planted, ``(units,)`` bool; ``None`` without a planted sentence."""
        if self.planted is None or prepared.spans is None:
            return None
        start, stop = self.planted
        return np.array([start <= (left + right) / 2 < stop for left, right in prepared.spans])


class Planted:
    """Passages of the Python manual, each with a definition of WordNet planted in it.

    Args:
        seed: random seed of the scenes.

    Raises:
        InputError: the data are missing; the message says how to get them.
    """

    name = "planted"

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._folders = find(PYTHON_DOCS), find(WORDNET)

    def __len__(self) -> int:
        return SAMPLES

    def id(self, index: int) -> str:
        """Name of a sample."""
        return f"planted-{index:04d}"

    def __getitem__(self, index: int) -> TextSample:
        """Build one scene."""
        draw = np.random.default_rng([self.seed, index])
        passage = self._passages[int(draw.integers(len(self._passages)))]
        found = set(re.findall(r"[a-z]+", passage.lower()))
        for _ in range(1000):
            word, gloss = self._definitions[int(draw.integers(len(self._definitions)))]
            if word not in found:
                break
        article = "an" if word[0] in "aeiou" else "a"
        sentence = f"{article.capitalize()} {word} is {gloss}."
        ends = [match.end() for match in re.finditer(r"(?<=[.!?])\s+(?=[A-Z])|\Z", passage)]
        place = int(draw.choice([0, *ends]))
        before = passage[:place] + ("" if not place or passage[place - 1].isspace() else " ")
        text = f"{before}{sentence} {passage[place:]}".strip()
        span = (len(before), len(before) + len(sentence))
        return TextSample(self.id(index), text, f"what is {article} {word}?", span, "definition")

    @cached_property
    def _passages(self) -> list[str]:
        """Prose of the manual without markup."""
        from relax.modalities.text.passages import passages_of

        found = []
        for part in ("tutorial", "howto", "faq", "library"):
            for file in sorted((self._folders[0] / part).glob("*.txt")):
                text = file.read_text(encoding="utf-8", errors="replace")
                for start, stop in passages_of(text, LENGTHS[1]):
                    passage = " ".join(_ROLE.sub(r"\1", text[start:stop]).split())
                    if not _MARKUP.search(text[start:stop]) and len(passage.split()) >= LENGTHS[0]:
                        found.append(passage.replace("``", "").replace("`", ""))
        if not found:
            raise InputError(f"{self._folders[0]}: has no prose; get it with: relax data {PYTHON_DOCS.name}")
        return found

    @cached_property
    def _definitions(self) -> list[tuple[str, str]]:
        """Nouns of WordNet with their definitions, which do not contain them."""
        return _nouns(self._folders[1] / "data.noun")


def _nouns(file: Path) -> list[tuple[str, str]]:
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        match = _SYNSET.match(line.strip())
        if match is None:
            continue
        gloss = re.sub(r"\([^)]*\)", "", match[2].split(";")[0].split('"')[0]).strip(" :.")
        n_words = len(gloss.split())
        if GLOSS[0] <= n_words <= GLOSS[1] and match[1] not in gloss.lower() and gloss.split()[0] in ("a", "an", "the"):
            found.append((match[1], gloss))
    if not found:
        raise InputError(f"{file}: has no definitions; get it with: relax data {WORDNET.name}")
    return found
