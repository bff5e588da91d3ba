"""Sentences as references, for encoders with a text tower."""

from __future__ import annotations

from typing import Any

from relax.errors import ArgumentError
from relax.references.base import Against, Context, Reference, differing


class Text(Against):
    """A sentence, optionally contrasted with foils.

    The score is the similarity to the sentence minus the mean similarity to the foils.

    Args:
        sentence: a sentence, or several, whose mean similarity is used.
        foil: a sentence or several to contrast with; ``None`` for no contrast.

    Raises:
        ArgumentError: a sentence is empty or not a string.
    """

    def __init__(self, sentence: str | list[str], foil: str | list[str] | None = None) -> None:
        self.sentences = _sentences(sentence)
        self.foils = [] if foil is None else _sentences(foil)

    def reference(self, context: Context) -> Reference:
        vectors = context.encoder.encode_text([*self.sentences, *self.foils]).to(context.own)
        n = len(self.sentences)
        return differing(vectors[:n], vectors[n:], context.similarity)

    def settings(self) -> dict[str, Any]:
        contrast = f" rather than {_quoted(self.foils)}" if self.foils else ""
        return {"kind": "text", "source": _quoted(self.sentences) + contrast}


def _sentences(text: str | list[str]) -> list[str]:
    sentences = list(text) if isinstance(text, (list, tuple)) else [text]
    if not sentences or not all(isinstance(sentence, str) and sentence.strip() for sentence in sentences):
        raise ArgumentError(f"expected a sentence or a list of sentences, got {text!r}")
    return sentences


def _quoted(sentences: list[str]) -> str:
    return ", ".join(f'"{sentence}"' for sentence in sentences)
