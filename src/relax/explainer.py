"""The explainer: validates its arguments once, then explains any number of inputs with one encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from torch import nn

from relax import encoders, references
from relax._support.arguments import seed_of
from relax._support.reading import check_stream, read_ahead
from relax.encoders import Encoder, Session
from relax.errors import ArgumentError, InputError, RelaxError
from relax.estimation import designs
from relax.estimation.designs import Design
from relax.estimation.loop import OnBlock, Watch
from relax.estimation.progress import progress_bar
from relax.explanation import Explanation, Failed
from relax.methods import Method
from relax.methods.configuration import (
    Configuration,
    design_of,
    fills_of,
    kinds_of,
    method_of,
    note_unused,
    stopping_of,
)
from relax.methods.opening import Opened
from relax.modalities import Prepared
from relax.modalities.showing import called
from relax.references import similarity as similarity_
from relax.references.similarity import Similarity

VIEWS = ("joint", "one-at-a-time")


class Explainer:
    """Attributes an encoder's representations of inputs to the parts of those inputs.

    Takes the same arguments as :func:`relax.explain` and validates them up front. Chooses device, precision and batch
    size with the first input and keeps them. Threads may share one explainer.

    Args:
        encoder: an :class:`Encoder`, a name for :func:`load_encoder`, an ``nn.Module`` or any callable.
        against: what to compare masked representations with, instead of the input's own representation: another
            input, a :class:`Corpus` (and a foil), a :class:`Cluster`, a :class:`Class`, a :class:`Text`, a
            :class:`Point`, a :class:`Direction` or a :class:`Dimension`.
        method: a name from ``relax list methods``, or a configured method such as ``SmoothGrad(n_samples=16)``.
            ``None``: the modality's default, ``"relax-regression"``.
        n_masks: minimum number of masks, rounded up to whole blocks, for methods that take one (RELAX by regression,
            RELAX, U-RELAX, REPEAT; others have their own options, such as ``n_samples=``). ``None``: as many masks as
            it takes to reach ``reliability``, at most ``max_masks``.
        max_masks: limit of an adaptive run; the first block may exceed it. Default: 512 for ``"relax-regression"`` and
            ``"relax-crossfit"``, 128 for ``"relax-gradient"``, 3000 for other methods.
        reliability: target of an adaptive run, in (0, 1): estimated correlation with the fully converged map. Default:
            0.95 for these three methods, 0.98 for others.
        seed: random seed of the masks; the masks do not depend on batch size, device or number of inputs.
        masks: ``"grid"`` (7x7 cells, keep probability 0.5), ``"patches"`` (the encoder's), or Masks; a list of them
            for ``"relax-regression"``. Default: the method's own, else the modality's.
        fill: what replaces removed parts, also called the baseline: ``"mean"``, ``"zero"``, ``"black"``, ``"blur"``,
            ``"noise"``, a colour, another input, or a Fill; a list of them for ``"relax-regression"``, which defaults
            to blur and mean for images. Other methods default to the mean.
        similarity: ``"cosine"``, ``"dot"``, ``"rbf"``, ``"euclidean"``, or any callable ``(N, D), (D,) -> (N,)``.
            Default: the reference's own, else the dot product for gradient methods and cosine for all others.
        design: ``"foldover"``, ``"independent"``, ``"all-sizes"`` (for regressions), or a design.
        batch_size: rows per forward; ``"auto"`` measures on a CPU, and halves on a GPU that runs out of memory.
        precision: ``"auto"`` (bfloat16 where fast and close to float32), ``"float32"``, ``"bfloat16"``, ``"float16"``.
        device: where to run; ``"auto"`` uses the encoder's device.
        engine: what encodes on a CPU: ``"auto"``, ``"torch"``, ``"onnxruntime"`` or ``"openvino"``; see docs/speed.md.
        progress: whether to show a progress bar on stderr.
        views: how to mask an object of several views: ``"joint"``, or ``"one-at-a-time"`` with the others unmasked.
        options: options of a method given by name, such as ``threshold=`` of ``"u-relax"``.

    Raises:
        ArgumentError: an argument is out of range, or a name is unknown.

    Example:
        >>> import torch, relax
        >>> explainer = relax.Explainer(torch.nn.Conv2d(3, 8, 3), n_masks=512)
        >>> explainer(torch.rand(3, 28, 28)).importance.shape
        (28, 28)
    """

    def __init__(
        self,
        encoder: Encoder | nn.Module | Callable[..., Any] | str,
        against: Any = None,
        *,
        method: str | Method | None = None,
        n_masks: int | None = None,
        max_masks: int | None = None,
        reliability: float | None = None,
        seed: int = 0,
        masks: Any = None,
        fill: Any = None,
        similarity: str | Similarity | None = None,
        design: str | Design = "foldover",
        batch_size: int | str = "auto",
        precision: str = "auto",
        device: str | torch.device = "auto",
        engine: str = "auto",
        progress: bool = False,
        views: str = "joint",
        **options: Any,
    ) -> None:
        self.encoder = encoders.ensure(encoder)
        if views not in VIEWS:
            raise ArgumentError(f"expected `views` to be {VIEWS[0]!r} or {VIEWS[1]!r}, got {views!r}")
        self.views = views
        self.against = against
        self._home = self.encoder.for_inputs(against)
        self._amount = (n_masks, max_masks, reliability)
        stopping_of(*self._amount, Method)  # validates them
        self.seed = seed_of(seed)
        self.similarity = similarity
        if similarity is not None:
            similarity_.ensure(similarity)
        self.design = designs.ensure(design)
        self.progress = progress
        self._execution = (device, precision, batch_size, engine)
        self._setup = self.encoder.setup(*self._execution)
        self._requested = (method, masks, fill, options)
        self._configurations: dict[Any, Configuration] = {}
        if isinstance(masks, Mapping) or isinstance(fill, Mapping):
            return  # per view; validated with the first object
        configuration = self._configured(self._home)
        note_unused(configuration.method, *self._amount)
        configuration.check(configuration.against)

    @property
    def method(self) -> Method:
        """The method used for inputs of the modality of ``against``, by default the encoder's own."""
        return self._configured(self._home).method

    def settings(self) -> dict[str, Any]:
        """JSON-able description of what is done to every input: method, masks, fill, reference, ..., seed."""
        return {**self._configured(self._home).settings(), "seed": self.seed, "precision": self._execution[1]}

    def placed(self) -> AbstractContextManager[None]:
        """Hold the model on the explainer's device, over several calls."""
        return self._setup.placed()

    def held(self) -> AbstractContextManager[None]:
        """Hold a model that nobody changes over many calls; an engine is compared with it at every 64th input."""
        return self._setup.held()

    def __call__(self, source: Any, against: Any = None, *, seed: int | None = None) -> Any:
        """Explain one input.

        Args:
            source: the input, as in :func:`relax.explain`.
            against: what to compare it with; overrides the explainer's.
            seed: random seed of the masks; overrides the explainer's.

        Returns:
            An :class:`Explanation`; for an object of several views a :class:`relax.multiview.ViewExplanations`.

        Raises:
            InputError: the input cannot be read or encoded.
            EncoderError: the encoder did not return one finite representation per input.
        """
        return self._explained(*self.prepared(source), against, seed)

    def run(
        self, source: Any, against: Any = None, *, seed: int | None = None, watch: Sequence[Watch] = ()
    ) -> Explanation:
        """Explain one input of one view, and pass every block of masks to callbacks.

        Args:
            source: the input.
            against: what to compare it with; overrides the explainer's.
            seed: random seed of the masks; overrides the explainer's.
            watch: callbacks, called with each :class:`relax.estimation.strata.Tried`.

        Raises:
            RelaxError: the input cannot be read or encoded.
        """
        configuration, prepared = self.prepared(source)
        return self._run(configuration, prepared, against, seed, watch=watch)

    def stream(self, sources: Iterable[Any], *, errors: str = "raise", ahead: int = 2) -> Iterator[Any]:
        """Explain any number of inputs in order, in constant memory; a background thread reads ahead.

        Args:
            sources: any iterable of inputs; consumed lazily.
            errors: for an input that cannot be explained, ``"raise"`` its error or ``"return"`` a :class:`Failed`.
            ahead: number of inputs to read ahead.

        Raises:
            ArgumentError: an argument is out of range.
            RelaxError: an input cannot be explained and ``errors`` is ``"raise"``.
        """
        check_stream(sources, errors, ahead)
        return self._streamed(sources, errors, ahead)

    def _streamed(self, sources: Iterable[Any], errors: str, ahead: int) -> Iterator[Any]:
        with self.placed():
            for source, read in read_ahead(self.prepared, sources, ahead):
                try:
                    result = self._explained(*read())
                except RelaxError as error:
                    if errors == "raise":
                        raise
                    result = Failed(source, error)
                yield result

    def progressive(self, source: Any, against: Any = None, *, seed: int | None = None) -> Iterator[Explanation]:
        """Yield increasingly accurate explanations of one input of one view; the last equals that of a call.

        Args:
            source: the input.
            against: what to compare it with; overrides the explainer's.
            seed: random seed of the masks; overrides the explainer's.
        """
        configuration, prepared = self.prepared(source)
        if not configuration.encoder.modality.one_map:
            raise ArgumentError("expected an input of one view, got an object of several; call the explainer on it")
        session = Session(configuration.setup)
        with configuration.setup.placed():
            with configuration.setup.ready():
                opened = self._opened(configuration, session, prepared, against, seed)
                maps = configuration.method.progressive(opened.problem)
            while True:
                with configuration.setup.ready():  # restores the model's mode before every yield
                    current = next(maps, None)
                if current is None:
                    return
                yield opened.explanation(current)

    def prepared(self, source: Any) -> tuple[Configuration, Prepared]:
        """Read one input, and choose the configuration for its modality.

        Raises:
            InputError: the input cannot be read, or several inputs were given.
        """
        if isinstance(source, Prepared):
            return self._configured(self.encoder), source
        configuration = self._configured(self.encoder.for_inputs(source))
        if configuration.encoder.split(source) is not None:
            raise InputError("expected one input, got several; give them to stream(), or to relax.explain()")
        return configuration, configuration.encoder.prepare(source)

    def _explained(
        self, configuration: Configuration, prepared: Prepared, against: Any = None, seed: int | None = None
    ) -> Any:
        """Explain a prepared input; the modality decides how many runs that takes."""
        run = partial(self._run, configuration, against=against, seed=seed)
        return configuration.encoder.modality.explain(run, prepared, self.views)

    def _run(
        self,
        configuration: Configuration,
        prepared: Prepared,
        against: Any,
        seed: int | None,
        watch: Sequence[Watch] = (),
    ) -> Explanation:
        """Run the method once on one input."""
        with configuration.setup.session() as session, progress_bar(self.progress, called(prepared.source)) as on_block:
            opened = self._opened(configuration, session, prepared, against, seed, watch, on_block)
            return opened.explanation(configuration.method.run(opened.problem))

    def _configured(self, encoder: Encoder) -> Configuration:
        """The configuration for an encoder's modality, built on first use."""
        modality = encoder.modality
        key = (type(modality), getattr(modality, "key", None))
        if key not in self._configurations:
            method, masks, fill, options = self._requested
            resolved = method_of(method, options, modality)
            self._configurations[key] = Configuration(
                encoder,
                self._setup if encoder is self.encoder else encoder.setup(*self._execution),
                resolved,
                kinds_of(masks, resolved, modality),
                fills_of(fill, resolved, modality),
                references.ensure(self.against, encoder),
                design_of(self.design, resolved),
                stopping_of(*self._amount, resolved, modality.enumerated),
                self.similarity,
            )
        return self._configurations[key]

    def _opened(
        self,
        configuration: Configuration,
        session: Session,
        prepared: Prepared,
        against: Any,
        seed: int | None,
        watch: Sequence[Watch] = (),
        on_block: OnBlock | None = None,
    ) -> Opened:
        """One input bound to a configuration."""
        resolved = configuration.against
        if against is not None:
            resolved = references.ensure(against, configuration.encoder)
            configuration.check(resolved)
        seed = self.seed if seed is None else seed_of(seed)
        return Opened(configuration, session, prepared, resolved, seed, tuple(watch), on_block)
