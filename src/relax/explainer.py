"""The explainer: all arguments checked once, the encoder held ready, applied to any number of inputs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from relax import encoders, references
from relax._support.arguments import seed_of
from relax._support.reading import read_ahead
from relax.encoders import Encoder, Session
from relax.errors import ArgumentError, InputError, RelaxError, RelaxWarning
from relax.estimation import designs
from relax.estimation.designs import Design
from relax.estimation.loop import OnBlock, Watch
from relax.estimation.progress import progress_bar
from relax.explanation import Explanation, Failed
from relax.methods import Method
from relax.methods.configuration import Configuration, fills_of, kinds_of, method_of, stopping_of
from relax.methods.opening import Opened
from relax.modalities import Prepared
from relax.modalities.showing import called
from relax.references import Against
from relax.references import similarity as similarity_
from relax.references.similarity import Similarity

VIEWS = ("joint", "one-at-a-time")


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
            others), and ``"relax"``, the paper's, where ``masks=`` names one kind.
        n_masks: at least that many masks, rounded up to whole blocks, for methods that take a number of masks (RELAX,
            U-RELAX, REPEAT; others have options of their own, such as ``n_samples=``); ``"relax-fine"`` tries its kinds
            of masks and fills in turn, from coarse to fine, a photograph's all from 1280 masks on. ``None``: as many as
            it takes for the reliability to reach ``reliability``, at most ``max_masks``.
        max_masks: limit of an adaptive run, but for its first block; ``"relax-fine"`` mostly ends there.
        reliability: target of an adaptive run, in (0, 1): estimated correlation with the fully converged map.
        seed: of the masks; the same seed gives the same masks for any batch size, device and number of inputs.
        masks: ``"grid"`` (7x7, keep 0.5), ``"patches"`` (those of the encoder), or Masks; several for
            ``"relax-fine"``, which has its own. All others have the grid, or the modality's own.
        fill: what stands in for what is removed, also called the baseline: ``"mean"``, ``"zero"``, ``"black"``,
            ``"blur"``, ``"noise"``, a colour, another input, or a Fill; a list of them for ``"relax-fine"``, which has
            blur and mean. All others have the mean.
        similarity: ``"cosine"``, ``"dot"``, ``"rbf"``, ``"euclidean"``, or any callable ``(N, D), (D,) -> (N,)``;
            by default the reference's own, else cosine, and the dot product for gradient methods.
        design: ``"foldover"``, ``"independent"``, or a design.
        batch_size: rows in a forward; ``"auto"`` measures on a CPU and halves on a GPU that runs out of memory.
        precision: ``"auto"`` (bfloat16 where it is fast and agrees with float32), ``"float32"``, ``"bfloat16"`` or
            ``"float16"``.
        device: ``"auto"`` for where the encoder is.
        progress: show a progress bar on stderr.
        views: of an object of several views: mask them ``"joint"``, or ``"one-at-a-time"`` while the others are whole.
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
        self.stopping = stopping_of(n_masks, max_masks, reliability)
        self.seed = seed_of(seed)
        self.similarity = similarity
        if similarity is not None:
            similarity_.ensure(similarity)
        self.design = designs.ensure(design)
        self.progress = progress
        self._running = (device, precision, batch_size)
        self._setup = self.encoder.setup(*self._running)
        self._asked = (method, masks, fill, options)
        self._configurations: dict[Any, Configuration] = {}
        if isinstance(masks, Mapping) or isinstance(fill, Mapping):
            return  # of views, which are known with the first object
        configuration = self._configured(self.encoder)
        if n_masks is not None and not configuration.method.takes_masks:
            name, own = configuration.method.name, ", ".join(configuration.method.options()) or "it has none"
            _warn(f"method {name!r} does not take n_masks; its own options say how much work it does: {own}")
        self._check_against(configuration.method, configuration.against)

    @property
    def method(self) -> Method:
        """The method for inputs of the encoder's own modality."""
        return self._configured(self.encoder).method

    def __call__(self, source: Any, against: Any = None, *, seed: int | None = None) -> Any:
        """Explain one input.

        Args:
            source: what the encoder's modality takes; see :func:`relax.explain`.
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
        configuration, prepared = self.prepared(source)
        return self._run(configuration, prepared, against, seed, watch=watch)

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
        configuration, prepared = self.prepared(source)
        session = Session(configuration.setup)
        with configuration.setup.placed():
            with configuration.setup.ready():
                opened = self._opened(configuration, session, prepared, against, seed)
                maps = configuration.method.progressive(opened.problem)
            while True:
                with configuration.setup.ready():  # the caller's own mode and gradients are back between two rounds
                    better = next(maps, None)
                if better is None:
                    return
                yield opened.explanation(better)

    def prepared(self, source: Any) -> tuple[Configuration, Prepared]:
        """How an input of this kind is explained, and the input as the encoder sees it.

        Raises:
            InputError: the input cannot be read, or is several.
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
        """What the modality makes of one run or several."""

        def run(prepared: Prepared, **changes: Any) -> Explanation:
            return self._run(configuration, prepared, against, seed, **changes)

        return configuration.encoder.modality.explain(run, prepared, self.views)

    def _run(
        self,
        configuration: Configuration,
        prepared: Prepared,
        against: Any,
        seed: int | None,
        *,
        watch: Sequence[Watch] = (),
    ) -> Explanation:
        """One run over one input."""
        with configuration.setup.session() as session, progress_bar(self.progress, called(prepared.source)) as on_block:
            opened = self._opened(configuration, session, prepared, against, seed, watch, on_block)
            return opened.explanation(configuration.method.run(opened.problem))

    def _configured(self, encoder: Encoder) -> Configuration:
        """The arguments as the encoder's modality understands them; made once."""
        modality = encoder.modality
        key = (type(modality), getattr(modality, "key", None))
        if key not in self._configurations:
            method, masks, fill, options = self._asked
            made = method_of(method, masks, options, modality)
            self._configurations[key] = Configuration(
                encoder,
                self._setup if encoder is self.encoder else encoder.setup(*self._running),
                made,
                kinds_of(masks, made, modality),
                fills_of(fill, made, modality),
                references.ensure(self.against, encoder),
                self.design,
                self.stopping,
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
        """One input as methods want it."""
        chosen = configuration.against
        if against is not None:
            chosen = references.ensure(against, configuration.encoder)
            self._check_against(configuration.method, chosen)
        seed = self.seed if seed is None else seed_of(seed)
        return Opened(configuration, session, prepared, chosen, seed, tuple(watch), on_block)

    def _check_against(self, method: Method, against: Against) -> None:
        """Warn of arguments that play no part beside what the input is compared with."""
        if not method.compares and not against.itself:
            _warn(
                f"method {method.name!r} does not look at what the input is compared with: its map is the same for any "
                "against="
            )
        if self.similarity is not None and against.similarity not in (None, self.similarity):
            _warn(
                f"similarity={similarity_.name_of(self.similarity)!r} plays no part: {against.settings()['source']} "
                "has a score of its own"
            )


def _warn(message: str) -> None:
    warnings.warn(message, RelaxWarning, stacklevel=4)
