"""explain(): from an encoder and an input to an Explanation; the one place that knows the order."""

from __future__ import annotations

import operator
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from relax import encoders, fills, references
from relax import masks as masks_
from relax import similarity as similarity_
from relax.designs import DESIGNS, Design
from relax.encoders import Encoder, Prepared, Session, check_precision
from relax.encoders.tokens import token_stage
from relax.errors import ArgumentError, InputError, RelaxWarning
from relax.explanation import Explanation
from relax.fills import Fill
from relax.loop import Dropped, Masked
from relax.masks import Masks
from relax.methods import METHODS, Maps, Method, Problem
from relax.progress import progress_bar
from relax.provenance import thumbnail, versions
from relax.references import Against, Context, Reference
from relax.similarity import Similarity
from relax.stopping import FixedNumber, Stopping, UntilReliable


def explain(
    encoder: Encoder | nn.Module | Callable[..., Any] | str,
    inputs: Any,
    against: Any = None,
    *,
    method: str | None = None,
    n_masks: int | None = None,
    max_masks: int = 3000,
    reliability: float = 0.98,
    seed: int = 0,
    masks: Masks | str | Sequence[Masks] | None = None,
    fill: Fill | Any = None,
    similarity: str | Similarity | None = None,
    design: str = "foldover",
    batch_size: int | str = "auto",
    precision: str = "auto",
    device: str | torch.device = "auto",
    progress: bool = False,
    views: str = "joint",
    **options: Any,
) -> Any:
    """Explain what an encoder's representation of an input is made of.

    Args:
        encoder: an :class:`Encoder`, a name for :func:`load_encoder`, an ``nn.Module`` or any callable.
        inputs: one input or several. A path, PIL image or ``(H, W, C)`` numpy array (uint8, or float in [0, 1])
            is a picture and goes through the encoder's transform; a ``(C, H, W)`` tensor is model-ready. A
            list, or one more dimension in front, is several. A mapping is one object of several views, each a
            picture or a vector; for an encoder made with ``views=`` a tuple is one too.
        against: what masked representations are compared with, instead of the input's own: another input, a
            :class:`Corpus` (and a foil), a :class:`Cluster`, a :class:`Class`, a :class:`Text`, a :class:`Point`, a
            :class:`Direction` or a :class:`Dimension`.
        method: a name from ``relax list methods``. ``None``: ``"relax-fine"`` for pictures, ``"relax"`` for objects
            of several views and where ``masks=`` names one kind. The paper's own setting is ``"relax"``.
        n_masks: at least that many masks, rounded up to whole blocks, for methods that take a number of masks (RELAX,
            U-RELAX, REPEAT; others have options of their own, such as ``n_samples=``); ``"relax-fine"`` tries its kinds
            of masks and fills in turn, from coarse to fine, a photograph's all from 1280 masks on. ``None``: as many as
            it takes for the reliability to reach ``reliability``, at most ``max_masks``.
        max_masks: limit of an adaptive run, but for its first block. ``"relax-fine"`` mostly ends there: few
            photographs are 0.98 reliable at its resolution with 3000 masks; ``e.reliability`` says how far it came.
        reliability: target of an adaptive run: estimated correlation with the fully converged map, in (0, 1).
        seed: of the masks; the same seed gives the same masks for any batch size, device and number of inputs.
        masks: ``"grid"`` (7x7, keep 0.5), ``"patches"`` (those of the encoder), or Masks; several of them for
            ``"relax-fine"``, which has its own unless they are given. All others have the grid.
        fill: what stands in for what is removed: ``"mean"``, ``"black"``, ``"blur"``, ``"noise"``, a colour, a
            picture, or a Fill; a list of names for ``"relax-fine"``, which has blur and mean unless it is given. All
            others have the mean.
        similarity: ``"cosine"``, ``"dot"``, ``"rbf"``, ``"euclidean"``, or any callable ``(N, D), (D,) -> (N,)``;
            by default the reference's own, else cosine, and the dot product for gradient methods.
        design: ``"foldover"`` or ``"independent"``.
        batch_size: rows in a forward; ``"auto"`` measures on a CPU and halves on a GPU that runs out of memory.
        precision: ``"auto"`` (bfloat16 where there are instructions for it and representations agree with float32),
            ``"float32"``, ``"bfloat16"`` or ``"float16"``.
        device: ``"auto"`` for where the encoder is.
        progress: show a progress bar on stderr.
        views: of an object of several views: ``"joint"`` masks all of them at once, ``"one-at-a-time"`` one while the
            others are whole.
        options: of the method, such as ``threshold=`` of ``"u-relax"``.

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
    encoder = encoders.ensure(encoder)
    if encoder.views is not None or isinstance(inputs, Mapping) or _are_mappings(inputs):
        return _explain_views(
            encoder,
            inputs,
            against,
            method=method,
            n_masks=n_masks,
            max_masks=max_masks,
            reliability=reliability,
            seed=seed,
            masks=masks,
            fill=fill,
            similarity=similarity,
            design=design,
            batch_size=batch_size,
            precision=precision,
            device=device,
            progress=progress,
            views=views,
            **options,
        )
    if method is None:
        method = "relax-fine" if masks is None or isinstance(masks, (list, tuple)) else "relax"
    if n_masks is not None and not METHODS[method].takes_masks:
        warnings.warn(
            f"method {method!r} does not take n_masks, its own options say how much work it does: "
            f"{', '.join(METHODS[method].options({})) or 'it has none'}",
            RelaxWarning,
            stacklevel=2,
        )
    against = references.ensure(against, encoder)
    if not METHODS[method].compares and not against.itself:
        warnings.warn(
            f"method {method!r} does not look at what the input is compared with: its map is the same for any against=",
            RelaxWarning,
            stacklevel=2,
        )
    if similarity is not None and against.similarity not in (None, similarity):
        warnings.warn(
            f"similarity={similarity_.name_of(similarity)!r} plays no part: {against.settings()['source']} has a "
            "score of its own",
            RelaxWarning,
            stacklevel=2,
        )
    if similarity is None:
        similarity = against.similarity or METHODS[options.get("base", method)].similarity
    plan = _Plan(
        encoder=encoder,
        against=against,
        method=METHODS[method],
        options=METHODS[method].options(options),
        kinds=_kinds(masks, METHODS[method]),
        fills=_fills(fill, METHODS[method]),
        similarity=similarity,
        design=design,
        stopping=_stopping(n_masks, max_masks, reliability),
        seed=_seed(seed),
        batch_size=batch_size,
        precision=precision,
        device=device,
    )
    sources = encoders.split(inputs)
    if sources is None:
        return plan.explain(inputs, progress)
    if not sources:
        raise InputError("expected at least one input, got an empty list")
    return [plan.explain(source, progress) for source in sources]


def _are_mappings(inputs: Any) -> bool:
    return isinstance(inputs, list) and bool(inputs) and isinstance(inputs[0], Mapping)


def _explain_views(encoder: Encoder, inputs: Any, against: Any, **arguments: Any) -> Any:
    """One object of several views, or a list of them."""
    from relax.multiview import explain_views

    if isinstance(inputs, list):
        return [explain_views(explain, encoder, views, against, **arguments) for views in inputs]
    return explain_views(explain, encoder, inputs, against, **arguments)


@dataclass(frozen=True, eq=False)
class _Plan:
    """The arguments of explain(), checked and turned into the nouns; applied to one input at a time."""

    encoder: Encoder
    against: Against
    method: Method
    options: dict[str, Any]
    kinds: tuple[Masks | str, ...] | None
    fills: tuple[Fill, ...]
    similarity: str | Similarity
    design: str
    stopping: Stopping
    seed: int
    batch_size: int | str
    precision: str
    device: str | torch.device

    def __post_init__(self) -> None:
        check_precision(self.precision)
        DESIGNS[self.design]
        similarity_.ensure(self.similarity)

    def explain(self, source: Any, progress: bool) -> Explanation:
        began = time.perf_counter()
        prepared = self.encoder.prepare(source)
        with self.encoder.session(self.device, self.precision, self.batch_size) as session:
            tensor = prepared.tensor.to(session.device, torch.float32)
            kinds = self._kinds(tensor)
            masked, *others = (self._masked(tensor, fill, kinds[0]) for fill in self.fills)
            design = DESIGNS[self.design]
            session.settle(lambda n: self._first(n, masked, design))
            own = session.encode(tensor[None])
            reference = self.against.reference(Context(self.encoder, session, own[0], self.similarity))
            with progress_bar(progress, Path(prepared.source["source"]).name) as on_block:
                problem = Problem(
                    session,
                    masked,
                    reference,
                    design,
                    self.stopping,
                    self.seed,
                    on_block,
                    self.against.signed,
                    tuple(others),
                    kinds,
                )
                maps = self.method.run(problem, **self.options)
            return Explanation(
                importance=maps.importance,
                uncertainty=maps.uncertainty,
                standard_error=maps.standard_error,
                n_masks=maps.n_masks,
                n_blocks=maps.n_blocks,
                degrees_of_freedom=maps.degrees_of_freedom,
                reliability=maps.reliability,
                score=float(reference.score(own)),
                input=prepared.tensor.float().cpu().numpy(),
                picture=thumbnail(prepared.picture),
                units=_units(maps, reference),
                signed=maps.signed,
                neutral=maps.neutral,
                settings=self._settings(prepared, kinds, session, time.perf_counter() - began),
            )

    def _first(self, n: int, masked: Masked, design: Design) -> Tensor:
        """At most ``n`` rows of what the method will encode, for the choice of a precision."""
        if self.method.needs != "forwards":
            return masked.tensor[None]
        block = design.block(0, masked.units, masked.masks.keep, self.seed)
        return masked(block[:n].to(masked.tensor.device))

    def _kinds(self, tensor: Tensor) -> tuple[Masks, ...]:
        """The masks that were asked for, or the method's own."""
        if self.kinds is None and self.method.kinds is not None:
            return self.method.kinds(tensor)
        return tuple(masks_.ensure(masks, self.encoder.patch) for masks in self.kinds or ("grid",))

    def _masked(self, tensor: Tensor, fill: Fill, masks: Masks) -> Masked:
        background = fill.background(tensor, self.encoder, self.seed)
        if not isinstance(fill, fills.Drop):
            return Masked(tensor, background, masks)
        stage, patch = token_stage(self.encoder), self.encoder.patch
        if not isinstance(masks, masks_.PatchMasks) or patch is None or masks.patch % patch:
            raise ArgumentError("fill='drop' drops whole patches of the encoder: it needs masks='patches'")
        return Dropped(tensor, background, masks, stage, patch)

    def _settings(
        self, prepared: Prepared, kinds: tuple[Masks, ...], session: Session, seconds: float
    ) -> dict[str, Any]:
        fill, masks = [fill.settings() for fill in self.fills], [masks.settings() for masks in kinds]
        return {
            "method": self.method.name,
            "encoder": self.encoder.settings(),
            "input": prepared.source,
            "against": None if self.against.itself else self.against.settings(),
            "masks": masks[0] if len(masks) == 1 else masks,
            "fill": fill[0] if len(fill) == 1 else fill,
            "similarity": similarity_.name_of(self.similarity),
            "design": self.design,
            "stopping": self.stopping.settings() if self.method.takes_masks else None,
            "seed": self.seed,
            "options": {name: v if _plain(v) else repr(v) for name, v in self.options.items()},
            "precision": session.precision,
            "device": str(session.device),
            "batch_size": session.batch_size,
            "cost": {
                "forwards": session.forwards,
                "backwards": session.backwards,
                "probes": session.probes,
                "seconds": seconds,
            },
            "reproducible": {
                "similarity": isinstance(self.similarity, str),
                "fill": all(one.get("name") in ("mean", "solid", "blur", "noise", "drop") for one in fill),
                "against": self.against.itself,
                "options": all(_plain(v) for v in self.options.values()),
            },
            "versions": versions(),
        }


def _kinds(masks: Any, method: Method) -> tuple[Masks | str, ...] | None:
    """One kind of masks, several, or ``None`` for the method's own."""
    if masks is None:
        return None
    several = tuple(masks) if isinstance(masks, (list, tuple)) else (masks,)
    if not several:
        raise ArgumentError("expected at least one kind of masks, got an empty list")
    if len(several) > 1 and not method.kinds:
        raise ArgumentError(
            f"method {method.name!r} takes one kind of masks, got {len(several)}; 'relax-fine' takes several"
        )
    return several


def _fills(fill: Any, method: Method) -> tuple[Fill, ...]:
    """One fill, several, or those of the method; a list of three numbers is a colour."""
    if fill is None:
        return tuple(fills.ensure(name) for name in method.fills)
    if isinstance(fill, (list, tuple)) and not fill:
        raise ArgumentError("expected at least one fill, got an empty list; leave fill= out for the method's own")
    if isinstance(fill, (list, tuple)) and not all(isinstance(item, int) for item in fill):
        if any(not isinstance(item, str) and isinstance(item, Number) for item in fill):
            raise ArgumentError(f"expected a colour of three integers in 0-255 or a list of fills, got {fill!r}")
        if len(fill) > 1 and not method.kinds:
            raise ArgumentError(f"method {method.name!r} takes one fill, got {len(fill)}; 'relax-fine' takes several")
        return tuple(fills.ensure(item) for item in fill)
    return (fills.ensure(fill),)


def _units(maps: Maps, reference: Reference) -> dict[str, str]:
    """Of each map: the method's own, or those of the score."""
    score = reference.units
    return {"importance": score, "uncertainty": f"variance of the {score}", "standard_error": score, **maps.units}


def _stopping(n_masks: int | None, max_masks: int, reliability: float) -> Stopping:
    if n_masks is None:
        return UntilReliable(reliability, _integer("max_masks", max_masks))
    return FixedNumber(_integer("n_masks", n_masks))


def _plain(value: Any) -> bool:
    """Whether a file can hold an option."""
    return value is None or isinstance(value, (str, int, float))


def _seed(seed: int) -> int:
    seed = _integer("seed", seed)
    if seed < 0:
        raise ArgumentError(f"expected `seed` to be a non-negative integer, got {seed}")
    return seed


def _integer(name: str, value: int) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise ArgumentError(f"expected `{name}` to be an integer, got {value!r}") from None
