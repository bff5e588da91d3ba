"""explain(): the explainer for one call."""

from __future__ import annotations

import inspect
from typing import Any

from relax.errors import InputError
from relax.explainer import Explainer


def explain(encoder: Any, inputs: Any, against: Any = None, **arguments: Any) -> Any:
    """Explain what an encoder's representation of an input is made of.

    Args:
        encoder: an :class:`Encoder`, a name for :func:`load_encoder`, an ``nn.Module`` or any callable.
        inputs: one input or several. For images a path, PIL image or ``(H, W, C)`` numpy array (uint8, or float in
            [0, 1]) is a picture and goes through the encoder's transform; a ``(C, H, W)`` tensor is model-ready. A
            list, or one more dimension in front, is several. A mapping is one object of several views, each a
            picture or a vector; for an encoder made with ``views=`` a tuple is one too.
        against: what masked representations are compared with, instead of the input's own: another input, a
            :class:`Corpus` (and a foil), a :class:`Cluster`, a :class:`Class`, a :class:`Text`, a :class:`Point`, a
            :class:`Direction` or a :class:`Dimension`.
        arguments: of :class:`Explainer`, which describes them all: ``method=``, ``n_masks=``, ``seed=``, ``masks=``,
            ``fill=``, ``similarity=``, ..., and the options of a method that is given by name.

    Returns:
        An :class:`Explanation`, or a list of them for several inputs, each equal to its single result. For an object
        of several views a mapping of them, :class:`relax.multiview.ViewExplanations`.

    Raises:
        InputError: an input cannot be read or encoded.
        EncoderError: the encoder returned something that is not one finite representation an input.
        ArgumentError: an argument is out of range, or unknown by name.

    Example:
        >>> import torch, relax
        >>> _ = torch.manual_seed(0)
        >>> e = relax.explain(torch.nn.Conv2d(3, 8, 3), torch.rand(3, 28, 28), n_masks=512)
        >>> e.importance.shape, e.n_masks
        ((28, 28), 512)
    """
    explainer = Explainer(encoder, against, **arguments)
    several = explainer.encoder.for_inputs(inputs).split(inputs)
    if several is None:
        return explainer(inputs)
    if not several:
        raise InputError("expected at least one input, got an empty list")
    return list(explainer.stream(several))


_own, _all = inspect.signature(explain), inspect.signature(Explainer)
explain.__signature__ = _own.replace(  # type: ignore[attr-defined]
    parameters=[
        *(p for p in _own.parameters.values() if p.kind is not p.VAR_KEYWORD),
        *(p for name, p in _all.parameters.items() if name not in _own.parameters),
    ]
)
