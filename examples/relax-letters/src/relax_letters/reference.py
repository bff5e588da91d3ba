"""The reference: how near a text is to vowels."""

from __future__ import annotations

from typing import Any

import relax
from relax.references import Context, Point, Reference


class Vowels(relax.Against):
    """What the encoder makes of the vowels, once each: words that bring the text nearer to them are important.

    Args:
        letters: that count as vowels.
    """

    def __init__(self, letters: str = "aeiou") -> None:
        if not letters.isalpha():
            raise relax.ArgumentError(f"expected letters, got {letters!r}")
        self.letters = letters

    def reference(self, context: Context) -> Reference:
        vector = context.encoder.encode_in(context.session, [self.letters])[0]
        return Point(vector, self.letters).reference(context)

    def settings(self) -> dict[str, Any]:
        return {"kind": "vowels", "source": f"the vowels {self.letters}", "letters": self.letters}
