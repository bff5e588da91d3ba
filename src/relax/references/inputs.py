"""References that are inputs: the input itself, another one, a corpus against a foil."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from relax.encoders import Encoder, Prepared, split
from relax.errors import InputError
from relax.pictures import pictures_below
from relax.references.base import Against, Context, Reference, contrast, weighted


class Itself(Against):
    """The input's own representation (RELAX)."""

    signed = False
    itself = True

    def reference(self, context: Context) -> Reference:
        return weighted(context.own[None], None, context.similarity)

    def settings(self) -> dict[str, Any]:
        return {"source": "itself"}


class Pair(Against):
    """Another input: what makes this one similar to that one.

    Args:
        other: as the encoder sees it.
    """

    def __init__(self, other: Prepared) -> None:
        self.other = other

    def reference(self, context: Context) -> Reference:
        tensor = self.other.tensor.to(context.session.device, torch.float32)
        return weighted(context.session.encode(tensor[None]), None, context.similarity)

    def settings(self) -> dict[str, Any]:
        return {"kind": "input", **self.other.source}


class Corpus(Against):
    """Many inputs, and others that they are contrasted with (COCOA, Lin et al., ICLR 2023, arXiv 2210.00107).

    The score is the mean similarity to the corpus less the mean similarity to the foil: what makes the input like
    these rather than like those. Both are encoded once for an encoder and kept; for cosine and dot product one mean
    vector each is enough, so that a large corpus costs a mask no more than a small one.

    Args:
        inputs: what :func:`relax.explain` takes, several; or a folder of pictures.
        foil: the same; ``None`` for no contrast.

    Example:
        >>> import torch, relax
        >>> encoder = relax.Encoder(torch.nn.Conv2d(3, 8, 3))
        >>> these, those = torch.rand(4, 3, 16, 16), torch.rand(6, 3, 16, 16)
        >>> e = relax.explain(encoder, torch.rand(3, 16, 16), relax.Corpus(these, foil=those), n_masks=256)
        >>> e.signed, e.settings["against"]["source"]
        (True, '4 inputs rather than 6 others')
    """

    def __init__(self, inputs: Any, foil: Any = None) -> None:
        self.inputs = _several(inputs, "corpus")
        self.foil = None if foil is None else _several(foil, "foil")
        self._encoded: WeakKeyDictionary[Encoder, tuple[Tensor, Tensor]] = WeakKeyDictionary()

    def reference(self, context: Context) -> Reference:
        if context.encoder not in self._encoded:
            corpus = context.encoder.encode_in(context.session, self.inputs)
            foil = context.encoder.encode_in(context.session, self.foil) if self.foil else corpus[:0]
            self._encoded[context.encoder] = (corpus.cpu(), foil.cpu())
        corpus, foil = self._encoded[context.encoder]
        return contrast(corpus.to(context.own), foil.to(context.own), context.similarity)

    def settings(self) -> dict[str, Any]:
        n = len(self.inputs)
        n_foil = len(self.foil) if self.foil else 0
        rather = f" rather than {n_foil} other{'s' if n_foil > 1 else ''}" if n_foil else ""
        return {"kind": "corpus", "source": f"{n} input{'s' if n > 1 else ''}{rather}", "n_foil": n_foil}


def _several(inputs: Any, what: str) -> list[Any]:
    if isinstance(inputs, (str, PathLike)) and Path(inputs).is_dir():
        folder, inputs = inputs, pictures_below(Path(inputs))
        if not inputs:
            raise InputError(f"{folder}: no pictures in this folder, which is the {what}")
    several = split(inputs)
    several = [inputs] if several is None else several
    if not several:
        raise InputError(f"expected at least one input in the {what}, got none")
    return several
