"""The explainer: all arguments checked once, the encoder held ready, applied to any number of inputs."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Number
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from relax import encoders, methods, references
from relax._support.arguments import integer, seed_of
from relax._support.provenance import versions
from relax._support.reading import read_ahead
from relax.encoders import Encoder, Session, Setup
from relax.errors import ArgumentError, InputError, RelaxError, RelaxWarning
from relax.estimation import designs
from relax.estimation.designs import Design
from relax.estimation.loop import OnBlock, Watch
from relax.estimation.maps import Maps
from relax.estimation.progress import progress_bar
from relax.estimation.stopping import FixedNumber, Stopping, UntilReliable
from relax.explanation import Explanation
from relax.methods import Method, Problem
from relax.modalities import Modality, Prepared
from relax.modalities.fills import Fill
from relax.modalities.units import Masks
from relax.references import Against, Context
from relax.references import similarity as similarity_
from relax.references.base import Unset
from relax.references.similarity import Similarity

VIEWS = ("joint", "one-at-a-time")


@dataclass(frozen=True, eq=False)
class Failed:
    """An input that could not be explained, in the place of its explanation.

    Attributes:
        source: the input as it was given.
        error: why.
    """

    source: Any
    error: RelaxError


class Explainer:
    """Explains what an encoder's representations of inputs are made of.

    Built once from the arguments that :func:`relax.explain` takes, which are all checked then; device, precision and
    batch size are settled with the first input and kept. May be shared by threads.

    Args:
        encoder: an :class:`Encoder`, a name for :func:`load_encoder`, an ``nn.Module`` or any callable.
        against: what masked representations are compared with, instead of the input's own: another input, a
            :class:`Corpus` (and a foil), a :class:`Cluster`, a :class:`Class`, a :class:`Text`, a :class:`Point`, a
            :class:`Direction` or a :class:`Dimension`.
        method: a name from ``relax list methods``, or a method with its parameters, such as
            ``SmoothGrad(n_samples=16)``. ``None``: the modality's own (``"relax-fine"`` for images, ``"relax"`` for
            others), and ``"relax"`` where ``masks=`` names one kind. The paper's own setting is ``"relax"``.
        n_masks: at least that many masks, rounded up to whole blocks, for methods that take a number of masks (RELAX,
            U-RELAX, REPEAT; others have options of their own, such as ``n_samples=``); ``"relax-fine"`` tries its kinds
            of masks and fills in turn, from coarse to fine, a photograph's all from 1280 masks on. ``None``: as many as
            it takes for the reliability to reach ``reliability``, at most ``max_masks``.
        max_masks: limit of an adaptive run, but for its first block. ``"relax-fine"`` mostly ends there: few
            photographs are 0.98 reliable at its resolution with 3000 masks; ``e.reliability`` says how far it came.
        reliability: target of an adaptive run: estimated correlation with the fully converged map, in (0, 1).
        seed: of the masks; the same seed gives the same masks for any batch size, device and number of inputs.
        masks: ``"grid"`` (7x7, keep 0.5), ``"patches"`` (those of the encoder), or Masks; several of them for
            ``"relax-fine"``, which has its own unless they are given. All others have the grid, or the modality's own.
        fill: what stands in for what is removed, also called the baseline: ``"mean"``, ``"black"``, ``"blur"``,
            ``"noise"``, a colour, another input, or a Fill; a list of names for ``"relax-fine"``, which has blur and
            mean unless it is given. All others have the mean.
        similarity: ``"cosine"``, ``"dot"``, ``"rbf"``, ``"euclidean"``, or any callable ``(N, D), (D,) -> (N,)``;
            by default the reference's own, else cosine, and the dot product for gradient methods.
        design: ``"foldover"``, ``"independent"``, or a design.
        batch_size: rows in a forward; ``"auto"`` measures on a CPU and halves on a GPU that runs out of memory.
        precision: ``"auto"`` (bfloat16 where there are instructions for it and representations agree with float32),
            ``"float32"``, ``"bfloat16"`` or ``"float16"``.
        device: ``"auto"`` for where the encoder is.
        progress: show a progress bar on stderr.
        views: of an object of several views: ``"joint"`` masks all of them at once, ``"one-at-a-time"`` one while the
            others are whole.
        options: of a method that is given by name, such as ``threshold=`` of ``"u-relax"``.

    Raises:
        ArgumentError: an argument is out of range, or unknown by name.

    Example:
        >>> import torch, relax
        >>> explainer = relax.Explainer(torch.nn.Conv2d(3, 8, 3), n_masks=512)
        >>> explainer(torch.rand(3, 28, 28)).importance.shape
        (28, 28)
        >>> [e.n_masks for e in explainer.stream(torch.rand(2, 3, 28, 28))]
        [512, 512]
    """

    def __init__(
        self,
        encoder: Encoder | nn.Module | Callable[..., Any] | str,
        against: Any = None,
        *,
        method: str | Method | None = None,
        n_masks: int | None = None,
        max_masks: int = 3000,
        reliability: float = 0.98,
        seed: int = 0,
        masks: Any = None,
        fill: Any = None,
        similarity: str | Similarity | None = None,
        design: str | Design = "foldover",
        batch_size: int | str = "auto",
        precision: str = "auto",
        device: str | torch.device = "auto",
        progress: bool = False,
        views: str = "joint",
        **options: Any,
    ) -> None:
        self.encoder = encoders.ensure(encoder)
        if views not in VIEWS:
            raise ArgumentError(f"expected `views` to be {VIEWS[0]!r} or {VIEWS[1]!r}, got {views!r}")
        self.views = views
        self.against = against
        self.stopping = _stopping(n_masks, max_masks, reliability)
        self.seed = seed_of(seed)
        self.similarity = similarity
        if similarity is not None:
            similarity_.ensure(similarity)
        self.design = designs.ensure(design)
        self.progress = progress
        self._running = (device, precision, batch_size)
        self._setup = self.encoder.setup(*self._running)
        self._asked = (method, masks, fill, options)
        self._plans: dict[Any, _Plan] = {}
        if isinstance(masks, Mapping) or isinstance(fill, Mapping):
            return  # of views, which are known with the first object
        plan = self._plan(self.encoder)
        if n_masks is not None and not plan.method.takes_masks:
            own = ", ".join(plan.method.options()) or "it has none"
            _warn(
                f"method {plan.method.name!r} does not take n_masks, its own options say how much work it does: {own}"
            )
        self._check_against(plan.method, plan.against)

    @property
    def method(self) -> Method:
        """The method, as the encoder's own modality understands the arguments."""
        return self._plan(self.encoder).method

    def __call__(self, source: Any, against: Any = None, *, seed: int | None = None) -> Any:
        """Explain one input.

        Args:
            source: what the encoder's modality takes: for images a path, PIL image or ``(H, W, C)`` numpy array (uint8,
                or float in [0, 1]), or a model-ready ``(C, H, W)`` tensor. A mapping is an object of several views.
            against: what to compare it with, instead of what the explainer was built with.
            seed: of the masks, instead of the explainer's.

        Returns:
            An :class:`Explanation`; for an object of several views :class:`relax.multiview.ViewExplanations`.

        Raises:
            InputError: the input cannot be read or encoded.
            EncoderError: the encoder returned something that is not one finite representation an input.
        """
        return self._explained(*self.prepared(source), against, seed)

    def run(
        self, source: Any, against: Any = None, *, seed: int | None = None, watch: Sequence[Watch] = ()
    ) -> Explanation:
        """As a call, for an input of one view, with every block of masks handed to whoever asks.

        Args:
            source: the input.
            against: what to compare it with.
            seed: of the masks.
            watch: called with each :class:`relax.estimation.strata.Tried`.
        """
        plan, prepared = self.prepared(source)
        return self._run(plan, prepared, against, seed, watch=watch)

    def stream(self, sources: Iterable[Any], *, errors: str = "raise", ahead: int = 2) -> Iterator[Any]:
        """Explain any number of inputs, one after the other; memory does not grow with their number.

        The next inputs are read while one is explained. Results come in the order of the inputs.

        Args:
            sources: any iterable, asked for as results are taken.
            errors: ``"raise"`` ends the stream at an input that cannot be explained, ``"return"`` yields a
                :class:`Failed` in its place.
            ahead: inputs that are read before their turn.

        Raises:
            RelaxError: of an input, with ``errors="raise"``.
        """
        if errors not in ("raise", "return"):
            raise ArgumentError(f"expected `errors` to be 'raise' or 'return', got {errors!r}")
        with self._setup.placed():
            for source, read in read_ahead(self.prepared, sources, ahead):
                try:
                    result = self._explained(*read())
                except RelaxError as error:
                    if errors == "raise":
                        raise
                    result = Failed(source, error)
                yield result

    def progressive(self, source: Any, against: Any = None, *, seed: int | None = None) -> Iterator[Explanation]:
        """Ever better explanations of one input, one after every round of masks; the last one equals a call's.

        Args:
            source: the input, of one view.
            against: what to compare it with.
            seed: of the masks.
        """
        plan, prepared = self.prepared(source)
        session = Session(plan.setup)
        with plan.setup.placed():
            with plan.setup.ready():
                problem, finished = self._opened(plan, session, prepared, against, seed)
                maps = plan.method.progressive(problem)
            while True:
                with plan.setup.ready():  # the caller's own mode and gradients are back between two rounds
                    better = next(maps, None)
                if better is None:
                    return
                yield finished(better)

    def prepared(self, source: Any) -> tuple[_Plan, Prepared]:
        """How an input of this kind is explained, and the input as the encoder sees it.

        Raises:
            InputError: the input cannot be read, or is several.
        """
        if isinstance(source, Prepared):
            return self._plan(self.encoder), source
        plan = self._plan(self.encoder.for_inputs(source))
        if plan.encoder.split(source) is not None:
            raise InputError("expected one input, got several; give them to stream(), or to relax.explain()")
        return plan, plan.encoder.prepare(source)

    def _explained(self, plan: _Plan, prepared: Prepared, against: Any = None, seed: int | None = None) -> Any:
        """What the modality makes of one run or several."""

        def run(prepared: Prepared, **changes: Any) -> Explanation:
            return self._run(plan, prepared, against, seed, **changes)

        return plan.encoder.modality.explain(run, prepared, self.views)

    def _run(
        self,
        plan: _Plan,
        prepared: Prepared,
        against: Any,
        seed: int | None,
        *,
        masks: Masks | None = None,
        watch: Sequence[Watch] = (),
    ) -> Explanation:
        """One run over one input."""
        name = Path(str(prepared.source.get("source", "input"))).name
        with plan.setup.session() as session, progress_bar(self.progress, name) as on_block:
            problem, finished = self._opened(plan, session, prepared, against, seed, masks, watch, on_block)
            return finished(plan.method.run(problem))

    def _opened(
        self,
        plan: _Plan,
        session: Session,
        prepared: Prepared,
        against: Any,
        seed: int | None,
        masks: Masks | None = None,
        watch: Sequence[Watch] = (),
        on_block: OnBlock | None = None,
    ) -> tuple[Problem, Callable[[Maps], Explanation]]:
        """One input as methods want it, and what makes an Explanation of their maps."""
        began = time.perf_counter()
        chosen = self._reference(plan, against)
        problem = Problem(
            encoder=plan.encoder,
            session=session,
            prepared=prepared.to(session.device),
            reference=Unset(),
            design=self.design,
            stopping=self.stopping,
            seed=self.seed if seed is None else seed_of(seed),
            masks=plan.masks if masks is None else (masks,),
            fills=plan.fills,
            on_block=on_block,
            signed=chosen.signed,
            watch=tuple(watch),
        )
        session.settle(lambda n: plan.method.probe(problem, n))
        own = session.encode(problem.whole())
        similarity = self.similarity or chosen.similarity or plan.method.score_similarity
        problem = replace(problem, reference=chosen.reference(Context(plan.encoder, session, own[0], similarity)))

        def finished(maps: Maps) -> Explanation:
            settings = self._settings(plan, problem, chosen, similarity, time.perf_counter() - began)
            return _explanation(problem, maps, prepared, float(problem.reference.score(own)), settings)

        return problem, finished

    def _plan(self, encoder: Encoder) -> _Plan:
        """The arguments as one modality understands them; made once."""
        modality = encoder.modality
        key = (type(modality), getattr(modality, "key", None))
        if key not in self._plans:
            method, masks, fill, options = self._asked
            if method is None:
                one_kind = masks is not None and not isinstance(masks, (list, tuple))
                method = "relax" if one_kind else modality.method
            made = methods.ensure(method, options)
            _check_modality(made, modality)
            self._plans[key] = _Plan(
                encoder,
                encoder.setup(*self._running),
                made,
                _kinds_of(masks, made, modality),
                _fills_of(fill, made, modality),
                references.ensure(self.against, encoder),
            )
        return self._plans[key]

    def _reference(self, plan: _Plan, against: Any) -> Against:
        """What to compare one input with."""
        if against is None:
            return plan.against
        chosen = references.ensure(against, plan.encoder)
        self._check_against(plan.method, chosen)
        return chosen

    def _check_against(self, method: Method, against: Against) -> None:
        """Warn of arguments that play no part beside what the input is compared with."""
        if not method.compares and not against.itself:
            _warn(
                f"method {method.name!r} does not look at what the input is compared with: its map is the same for any "
                "against="
            )
        if self.similarity is not None and against.similarity not in (None, self.similarity):
            _warn(
                f"similarity={similarity_.name_of(self.similarity)!r} plays no part: {against.settings()['source']} has "
                "a score of its own"
            )

    def _settings(
        self, plan: _Plan, problem: Problem, against: Against, similarity: str | Similarity, seconds: float
    ) -> dict[str, Any]:
        """Everything that is needed to make the maps again."""
        session, method = problem.session, plan.method
        fills = [fill.settings() for fill in problem.fills]
        masks = [kind.settings() for kind in method.kinds(problem)]
        options = method.options()
        return {
            "method": method.name,
            "encoder": plan.encoder.settings(),
            "modality": plan.encoder.modality.name,
            "input": plan.encoder.modality.described(problem.prepared),
            "against": None if against.itself else against.settings(),
            "masks": masks[0] if len(masks) == 1 else masks,
            "fill": fills[0] if len(fills) == 1 else fills,
            "similarity": similarity_.name_of(similarity),
            "design": designs.name_of(self.design),
            "stopping": self.stopping.settings() if method.takes_masks else None,
            "seed": problem.seed,
            "options": {name: value if _plain(value) else repr(value) for name, value in options.items()},
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
                "similarity": isinstance(similarity, str),
                "fill": all(fill.reproducible for fill in problem.fills),
                "against": against.itself,
                "options": all(_plain(value) for value in options.values()),
            },
            "versions": versions(),
        }


@dataclass(frozen=True, eq=False)
class _Plan:
    """The arguments of an explainer, as they apply to one modality.

    Attributes:
        encoder: for inputs of that modality.
        setup: how it is run.
        method: with its parameters.
        masks: kinds of masks that were asked for; ``None`` for the method's own.
        fills: what replaces removed units.
        against: what inputs are compared with unless a call says otherwise.
    """

    encoder: Encoder
    setup: Setup
    method: Method
    masks: tuple[Masks, ...] | None
    fills: tuple[Fill, ...]
    against: Against


def _explanation(
    problem: Problem, maps: Maps, prepared: Prepared, score: float, settings: dict[str, Any]
) -> Explanation:
    measure = problem.reference.measure
    named = {"importance": measure, "uncertainty": f"variance of the {measure}", "standard_error": measure}
    tensors = {str(name): value for name, value in prepared.inputs.items() if isinstance(value, Tensor)}
    return Explanation(
        importance=maps.importance,
        uncertainty=maps.uncertainty,
        standard_error=maps.standard_error,
        n_masks=maps.n_masks,
        n_blocks=maps.n_blocks,
        degrees_of_freedom=maps.degrees_of_freedom,
        reliability=maps.reliability,
        score=score,
        inputs={name: value.float().cpu().numpy().copy() for name, value in tensors.items()},
        presentation=problem.modality.kept(prepared.presentation),
        measures={**named, **maps.measures},
        signed=maps.signed,
        neutral=maps.neutral,
        labels=prepared.labels,
        spans=prepared.spans,
        settings=settings,
    )


def _check_modality(method: Method, modality: Modality) -> None:
    if method.modalities is not None and modality.name not in method.modalities:
        fitting = [
            name
            for name, kind in methods.METHODS.items()
            if kind.modalities is None or modality.name in kind.modalities
        ]
        raise ArgumentError(
            f"method {method.name!r} explains {' and '.join(method.modalities)} inputs, not {modality.name}; methods "
            f"that do: {', '.join(fitting)}"
        )


def _kinds_of(masks: Any, method: Method, modality: Modality) -> tuple[Masks, ...] | None:
    """One kind of masks, several, or ``None`` for the method's own."""
    if masks is None:
        return None
    several = tuple(masks) if isinstance(masks, (list, tuple)) else (masks,)
    if not several:
        raise ArgumentError("expected at least one kind of masks, got an empty list")
    if len(several) > 1 and not method.takes_several:
        raise ArgumentError(
            f"method {method.name!r} takes one kind of masks, got {len(several)}; 'relax-fine' takes several"
        )
    return tuple(modality.masks(one) for one in several)


def _fills_of(fill: Any, method: Method, modality: Modality) -> tuple[Fill, ...]:
    """One fill, several, or those of the method; a list of three numbers is a colour."""
    if fill is None:
        return tuple(modality.fill(name) for name in method.fills)
    if isinstance(fill, (list, tuple)) and not fill:
        raise ArgumentError("expected at least one fill, got an empty list; leave fill= out for the method's own")
    if isinstance(fill, (list, tuple)) and not all(isinstance(item, int) for item in fill):
        if any(not isinstance(item, str) and isinstance(item, Number) for item in fill):
            raise ArgumentError(f"expected a colour of three integers in 0-255 or a list of fills, got {fill!r}")
        if len(fill) > 1 and not method.takes_several:
            raise ArgumentError(f"method {method.name!r} takes one fill, got {len(fill)}; 'relax-fine' takes several")
        return tuple(modality.fill(item) for item in fill)
    return (modality.fill(fill),)


def _stopping(n_masks: int | None, max_masks: int, reliability: float) -> Stopping:
    if n_masks is None:
        return UntilReliable(reliability, integer("max_masks", max_masks))
    return FixedNumber(integer("n_masks", n_masks))


def _plain(value: Any) -> bool:
    """Whether a file can hold an option."""
    return value is None or isinstance(value, (str, int, float))


def _warn(message: str) -> None:
    warnings.warn(message, RelaxWarning, stacklevel=4)
