"""References made of inputs: the input itself, another input, or a corpus and a foil."""

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
    """Another input: the score is the similarity to its representation.

    Args:
        other: the other input, prepared by the encoder.
        representation: ``(D,)``, its representation if already available; otherwise it is encoded when needed.
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
    """A corpus of inputs, contrasted with a foil (COCOA, Lin et al., ICLR 2023, arXiv 2210.00107).

    The score is the mean similarity to the corpus minus the mean similarity to the foil: what makes the input similar
    to the corpus rather than to the foil. Both are encoded once per encoder and cached. For the cosine and the dot
    product they reduce to one vector, so the cost per mask does not depend on the size of the corpus.

    Args:
        inputs: several inputs, as for :func:`relax.explain`, or a folder of inputs.
        foil: inputs to contrast with, in the same form; ``None`` for no contrast.

    Raises:
        InputError: the corpus or the foil is empty.

    Example:
        >>> import torch, relax
        >>> encoder = relax.Encoder(torch.nn.Conv2d(3, 8, 3))
        >>> these, those = torch.rand(4, 3, 16, 16), torch.rand(6, 3, 16, 16)
        >>> e = relax.explain(encoder, torch.rand(3, 16, 16), relax.Corpus(these, foil=those), n_masks=256)
        >>> e.signed, e.settings["against"]["source"]
        (True, '4 inputs rather than 6 others')
    """

    def __init__(self, inputs: Any, foil: Any = None) -> None:
        self.inputs = _check_inputs(inputs, "corpus")
        self.foil = None if foil is None else _check_inputs(foil, "foil")
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

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_encoded": None}  # another process encodes them again

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _encoded=WeakKeyDictionary())

    def settings(self) -> dict[str, Any]:
        n, n_foil = self._sizes
        counted = self._encoded or not isinstance(self.inputs, Path)
        corpus = f"{n} input{'s' if n > 1 else ''}" if counted else f"the inputs in {self.inputs}"
        contrast = f" rather than {n_foil} other{'s' if n_foil > 1 else ''}" if n_foil else ""
        return {"kind": "corpus", "source": f"{corpus}{contrast}", "n_foil": n_foil}


def _check_inputs(inputs: Any, what: str) -> Any:
    """Convert a folder to a path, and refuse empty lists."""
    try:
        if isinstance(inputs, (str, PathLike)) and Path(inputs).is_dir():
            return Path(inputs)
    except (OSError, ValueError):  # a text is too long for a path, or has a null character
        return inputs
    if isinstance(inputs, (list, tuple)) and not inputs:
        raise InputError(f"expected at least one input in the {what}, got none")
    return inputs


def _size(inputs: Any) -> int:
    """Number of inputs; 0 for a folder, whose inputs only an encoder can count."""
    if inputs is None or isinstance(inputs, Path):
        return 0
    return len(inputs) if isinstance(inputs, (list, tuple)) or getattr(inputs, "ndim", 0) > 3 else 1


def _sources(inputs: Any, encoder: Encoder, what: str) -> list[Any]:
    """The single inputs of a corpus or foil; those of a folder are the files that the encoder can read."""
    if isinstance(inputs, Path):
        files = encoder.modality.files_below(inputs)
        if not files:
            raise InputError(f"{inputs}: expected inputs for {encoder.name!r} in this folder as the {what}, got none")
        return files
    sources = encoder.split(inputs)
    return [inputs] if sources is None else sources
