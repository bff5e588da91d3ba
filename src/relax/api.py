"""The one-call interface: :func:`explain` builds an :class:`Explainer` and applies it once."""

from __future__ import annotations

import inspect
from typing import Any

from relax.errors import InputError
from relax.explainer import Explainer
from relax.explanation import Failed


def explain(encoder: Any, inputs: Any, against: Any = None, **arguments: Any) -> Any:
    """Attribute an encoder's representation of an input to the parts of that input.

    Args:
        encoder: an :class:`Encoder`, a name for :func:`load_encoder`, an ``nn.Module`` or any callable.
        inputs: one input or several. An image given as a path, a PIL image or an ``(H, W, C)`` numpy array (uint8, or
            float in [0, 1]) goes through the encoder's transform; a ``(C, H, W)`` tensor is taken as model-ready. A
            list, or an array or tensor with a leading batch dimension, is several inputs. A mapping is one object of
            several views, each a picture or a vector; so is a tuple for an encoder built with ``views=``.
        against: what to compare masked representations with, instead of the input's own representation: another
            input, a :class:`Corpus` (and a foil), a :class:`Cluster`, a :class:`Class`, a :class:`Text`, a
            :class:`Point`, a :class:`Direction` or a :class:`Dimension`.
        arguments: keyword arguments of :class:`Explainer` (``method=``, ``n_masks=``, ``seed=``, ``masks=``,
            ``fill=``, ``similarity=``, ...), and the options of a method given by name.

    Returns:
        An :class:`Explanation`, or a list of them for several inputs; batching does not change any result. An object
        of several views yields a :class:`relax.multiview.ViewExplanations` mapping.

    Raises:
        InputError: an input cannot be read or encoded.
        EncoderError: the encoder did not return one finite representation per input.
        ArgumentError: an argument is out of range, or a name is unknown.

    Example:
        >>> import torch, relax
        >>> _ = torch.manual_seed(0)
        >>> e = relax.explain(torch.nn.Conv2d(3, 8, 3), torch.rand(3, 28, 28), n_masks=512)
        >>> e.importance.shape, e.n_masks
        ((28, 28), 512)
    """
    explainer = Explainer(encoder, against, **arguments)
    items = explainer.encoder.for_inputs(inputs).split(inputs)
    if items is None:
        return explainer(inputs)
    if not items:
        raise InputError("expected at least one input, got an empty list")
    return [_of_several(number, result) for number, result in enumerate(explainer.stream(items, errors="return"))]


def _of_several(number: int, result: Any) -> Any:
    """The result of one of several inputs.

    Raises:
        RelaxError: the input cannot be explained; the message has its index.
    """
    if not isinstance(result, Failed):
        return result
    raise type(result.error)(f"inputs[{number}]: {result.error}") from result.error


_explain_signature, _explainer_signature = inspect.signature(explain), inspect.signature(Explainer)
explain.__signature__ = _explain_signature.replace(  # type: ignore[attr-defined]
    parameters=[
        *(p for p in _explain_signature.parameters.values() if p.kind is not p.VAR_KEYWORD),
        *(p for name, p in _explainer_signature.parameters.items() if name not in _explain_signature.parameters),
    ]
)
