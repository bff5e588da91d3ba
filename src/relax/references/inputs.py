"""References that are inputs: the input itself, another one, a corpus against a foil."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor

from relax.encoders import Encoder, Prepared
from relax.errors import InputError
from relax.references.base import Against, Context, Reference, differing, weighted


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
        representation: ``(D,)``, where it is known, so that it is not encoded again.
    """

    def __init__(self, other: Prepared, representation: Tensor | None = None) -> None:
        self.other = other
        self.representation = representation

    def reference(self, context: Context) -> Reference:
        vector = self.representation
        if vector is None:
            vector = context.session.encode(context.encoder.modality.collate([self.other]))[0]
        return weighted(vector[None].to(context.own), None, context.similarity)

    def settings(self) -> dict[str, Any]:
        return {"kind": "input", **self.other.source}


class Corpus(Against):
    """Many inputs, and others that they are contrasted with (COCOA, Lin et al., ICLR 2023, arXiv 2210.00107).

    The score is the mean similarity to the corpus less the mean similarity to the foil: what makes the input like
    these rather than like those. Both are encoded once for an encoder and kept; for cosine and dot product one mean
    vector each is enough, so that a large corpus costs a mask no more than a small one.

    Args:
        inputs: what :func:`relax.explain` takes, several; or a folder of such inputs.
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
        self._sizes = (_size(self.inputs), _size(self.foil))
        self._encoded: WeakKeyDictionary[Encoder, tuple[Tensor, Tensor]] = WeakKeyDictionary()

    def reference(self, context: Context) -> Reference:
        if context.encoder not in self._encoded:
            corpus = context.encoder.encode_in(context.session, _sources(self.inputs, context.encoder, "corpus"))
            foil = corpus[:0]
            if self.foil is not None:
                foil = context.encoder.encode_in(context.session, _sources(self.foil, context.encoder, "foil"))
            self._sizes = (len(corpus), len(foil))
            self._encoded[context.encoder] = (corpus.cpu(), foil.cpu())
        corpus, foil = self._encoded[context.encoder]
        return differing(corpus.to(context.own), foil.to(context.own), context.similarity)

    def settings(self) -> dict[str, Any]:
        n, n_foil = self._sizes
        known = self._encoded or not isinstance(self.inputs, Path)
        corpus = f"{n} input{'s' if n > 1 else ''}" if known else f"the inputs in {self.inputs}"
        rather = f" rather than {n_foil} other{'s' if n_foil > 1 else ''}" if n_foil else ""
        return {"kind": "corpus", "source": f"{corpus}{rather}", "n_foil": n_foil}


def _several(inputs: Any, what: str) -> Any:
    """A folder, or something that holds at least one input."""
    if isinstance(inputs, (str, PathLike)) and Path(inputs).is_dir():
        return Path(inputs)
    if isinstance(inputs, (list, tuple)) and not inputs:
        raise InputError(f"expected at least one input in the {what}, got none")
    return inputs


def _size(inputs: Any) -> int:
    """How many there are, as far as that is known without an encoder."""
    if inputs is None or isinstance(inputs, Path):
        return 0
    return len(inputs) if isinstance(inputs, (list, tuple)) or getattr(inputs, "ndim", 0) > 3 else 1


def _sources(inputs: Any, encoder: Encoder, what: str) -> list[Any]:
    """The single inputs that an encoder is to encode."""
    if isinstance(inputs, Path):
        found = encoder.modality.files_below(inputs)
        if not found:
            raise InputError(f"{inputs}: no inputs of {encoder.name!r} in this folder, which is the {what}")
        return found
    several = encoder.split(inputs)
    return [inputs] if several is None else several
