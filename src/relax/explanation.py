"""The result of a run: maps, and the provenance needed to reproduce them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from relax._support.archives import read_archive
from relax._support.atomic import atomic_write
from relax._support.figures import save_figure
from relax._support.saved import MAPS, NUMBERS, SCHEMA, checked
from relax._support.thresholds import Threshold, where_certain
from relax.errors import ArgumentError, InputError, RelaxError
from relax.modalities import MODALITIES, Modality, fills, masks
from relax.modalities.showing import as_png, called, page_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Explanation:
    """Attribution of an encoder's representation of one input.

    Attributes:
        importance: float32 of the map's shape, ``(H, W)`` at the encoder's input resolution for images: the mean score
            given that the part with a pixel is kept, in units of the score: a large constant, its mean, and the signal.
        uncertainty: float32 of the map's shape, in squared units of the score: the variance of the score given
            the same. It does not shrink with more masks.
        standard_error: float32 of the map's shape, in units of the score: the error of the importance, which falls as
            masks are added. Of moments, as of ``method="relax"``, it is NaN with fewer than two blocks of masks.
        n_masks: number of masks evaluated; ``settings["stopping"]`` has the number, or the reliability, asked for.
        n_blocks: number of blocks the masks were drawn in.
        degrees_of_freedom: degrees of freedom of the standard error, one less than the number of independent parts of
            the masks.
        reliability: estimated correlation of the importance with the fully converged map, in [0, 1].
        score: score of the unmasked input; 1 for the cosine similarity to itself.
        inputs: model-ready input tensors as float32 arrays by name: ``{"image": (C, H, W)}``.
        presentation: the input as shown to people: for images the upright picture, ``(h, w, 3)`` uint8, downsized if it
            is large; a text; ``None`` for bare tensors.
        measures: quantity that each map measures: ``{"importance": "cosine similarity", ...}``.
        signed: whether to read the importance relative to its neutral value: a pixel above it pulls towards the
            reference, a pixel below it pushes away.
        settings: JSON-serialisable provenance: encoder, modality, input, method, masks, fill, similarity, design, seed,
            precision, device, cost, versions.
        neutral: importance of a pixel that has no effect: the mean score of all masks for RELAX, 0 for signed
            attributions.
        labels: name of each unit, such as a word; ``None`` where units have no names.
        spans: position ``(start, stop)`` of each labelled unit in the source.
        kind: the modality class, for modalities without a registered name; not saved.
        representation: ``(D,)`` float32, the encoder's representation of the unmasked input; not saved.
    """

    importance: np.ndarray
    uncertainty: np.ndarray | None
    standard_error: np.ndarray | None
    n_masks: int
    n_blocks: int
    degrees_of_freedom: int
    reliability: float
    score: float
    inputs: dict[str, np.ndarray]
    presentation: Any
    measures: dict[str, str]
    signed: bool
    settings: dict[str, Any]
    neutral: float = 0.0
    labels: tuple[str, ...] | None = None
    spans: tuple[tuple[int, int], ...] | None = None
    kind: type[Modality] | None = field(default=None, repr=False)
    representation: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in MAPS:
            values = getattr(self, name)
            if values is None:
                continue
            array = np.ascontiguousarray(values, dtype=np.float32)
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def effect(self) -> np.ndarray:
        """Importance minus its neutral value, float32 of the map's shape: how much keeping a unit changes the score."""
        return self.importance - np.float32(self.neutral)

    @property
    def input(self) -> np.ndarray:
        """The model-ready input tensor, float32, ``(C, H, W)`` for images.

        Raises:
            ArgumentError: the input consists of several tensors.
        """
        if len(self.inputs) != 1:
            raise ArgumentError(
                f"expected one input tensor, got {len(self.inputs)} ({', '.join(self.inputs)}); use `inputs`"
            )
        return next(iter(self.inputs.values()))

    @property
    def picture(self) -> np.ndarray | None:
        """The explained picture, ``(h, w, 3)`` uint8; ``None`` for anything else."""
        return self.presentation if isinstance(self.presentation, np.ndarray) else None

    @property
    def modality(self) -> type[Modality]:
        """The modality class of the input."""
        name = self.settings.get("modality", "image" if self.importance.ndim == 2 else "vector")
        return self.kind or MODALITIES[name]

    def u_relax(self, threshold: Threshold = "median") -> np.ndarray:
        """Importance where the uncertainty is at most the threshold, 0 elsewhere.

        Args:
            threshold: ``"median"``, ``"mean"``, ``"quantile:Q"`` with Q in [0, 1], or a number in units of the
                uncertainty.

        Returns:
            Float32 of the map's shape: U-RELAX, ``R · 1[U ≤ γ]`` (Wickstrøm et al. 2023).

        Raises:
            ArgumentError: the method gives no uncertainty, or the threshold is invalid.
        """
        return where_certain(self.importance, self._map("uncertainty"), threshold)

    def confidence_interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Pointwise Student's t interval for the converged importance.

        docs/reliability.md says how often intervals hold; those of short runs of ``method="relax"`` are conservative.

        Args:
            level: nominal coverage, in (0, 1).

        Returns:
            Lower and upper bounds, each of the map's shape, in units of the score.

        Raises:
            ArgumentError: ``level`` is out of range, or the method gives no standard error.
        """
        if not 0.0 < level < 1.0:
            raise ArgumentError(f"expected `level` between 0 and 1 (both excluded), got {level!r}")
        from scipy.stats import t as student_t  # takes half a second, and most runs end without

        half = student_t.ppf((1 + level) / 2, max(self.degrees_of_freedom, 1)) * self._map("standard_error")
        return self.importance - half, self.importance + half

    def at_picture_size(self, values: str | np.ndarray = "importance") -> np.ndarray:
        """Resize a map to the original input, such as the picture's own resolution.

        Args:
            values: name of a map, or an array of the map's shape.

        Returns:
            ``(height, width)`` float32 for images, resized bilinearly; NaN outside the encoder's crop.

        Raises:
            ArgumentError: there is no map of this name, or the method does not give it.
        """
        array = self._map(values) if isinstance(values, str) and values in MAPS else values
        if isinstance(array, str):
            raise ArgumentError(f"unknown map {array!r}; available: {', '.join(MAPS)}")
        return self.modality.at_presentation(array, self.settings["input"])

    def _map(self, name: str) -> np.ndarray:
        values = getattr(self, name)
        if values is None:
            raise ArgumentError(f"method {self.settings['method']!r} gives no {name.replace('_', ' ')}")
        return np.asarray(values)

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments that reproduce these maps: ``relax.explain(encoder, tensor, **explanation.arguments())``.

        Here ``tensor`` is ``torch.from_numpy(explanation.input)`` and ``encoder`` is the one in ``settings``; of one
        view, it is the whole object with all its views. An adaptive run is repeated as one, and ends where it did.

        Raises:
            ArgumentError: the run used a callable, another picture or another input, which is not saved.
        """
        settings = self.settings
        for name in ("similarity", "fill", "against", "options"):
            if not settings["reproducible"][name]:
                raise ArgumentError(
                    f"the {name} of this explanation is not saved with it; pass it to relax.explain() yourself"
                )
        return {
            "method": settings["method"],
            **({} if settings["design"] == "exhaustive" else settings["stopping"] or {}),
            "seed": settings["seed"],
            "masks": _recreated(masks.create, settings["masks"]),
            "fill": _recreated(fills.create, settings["fill"]),
            "similarity": settings["similarity"],
            "design": settings["design"],
            "precision": settings["precision"],
            "engine": settings.get("engine", "torch"),  # files of earlier versions do not say
            **({"views": settings["views"]} if "views" in settings else {}),
            **settings["options"],
        }

    def save(self, path: str | PathLike[str]) -> None:
        """Write maps and provenance to a ``.npz`` file atomically, without pickle.

        Args:
            path: destination; an existing file is replaced.

        Raises:
            ArgumentError: the file cannot be written; the message says why.
        """
        arrays = {name: values for name in MAPS if (values := getattr(self, name)) is not None}
        arrays |= {f"input {name}": values for name, values in self.inputs.items()}
        text = self.presentation if isinstance(self.presentation, str) else None
        if isinstance(self.presentation, np.ndarray):
            arrays["presentation"] = self.presentation
        numbers = {name: getattr(self, name) for name in (*NUMBERS, "labels", "spans")}
        metadata = json.dumps({"schema": SCHEMA, "text": text, **numbers})
        with atomic_write(path) as file:
            np.savez_compressed(file, about=np.array(metadata), **arrays)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Explanation:
        """Read a file written by :meth:`save`; validates its contents and unpickles nothing.

        Args:
            path: the ``.npz`` file.

        Raises:
            InputError: the file is missing, damaged, not an explanation, or of a later schema.
        """
        arrays, metadata = read_archive(path, "a saved explanation")
        try:
            return cls(**checked(arrays, metadata))
        except (ValueError, KeyError, TypeError) as error:
            reason = error.args[0] if error.args else type(error).__name__
            raise InputError(f"{path}: not a saved explanation: {reason}") from error

    def plot(self, path: str | PathLike[str] | None = None) -> Figure:
        """Plot the input and its maps side by side, with colour bars and units.

        Args:
            path: file to write the figure to (``.png``, ``.pdf``, ``.svg`` or ``.jpg``); ``None`` only returns it.

        Raises:
            ArgumentError: the file extension is not supported, or the file cannot be written.
        """
        figure = self.modality.show(self)
        if path is not None:
            save_figure(figure, path)
        return figure

    def html(self) -> str:
        """Self-contained HTML, for notebooks and pages: shaded words for texts, the figure for anything else."""
        return self.modality.page(self)

    _repr_html_ = html

    def _repr_png_(self) -> bytes:
        return as_png(self.plot())

    def page(self, path: str | PathLike[str]) -> None:
        """Write a self-contained HTML page atomically.

        Args:
            path: destination; an existing file is replaced.

        Raises:
            ArgumentError: the file cannot be written; the message says why.
        """
        page = page_of(called(self.settings["input"]), [self.html()])
        with atomic_write(path) as file:
            file.write(page.encode("utf-8", "replace"))

    def __repr__(self) -> str:
        size = "x".join(map(str, self.importance.shape))
        name = self.settings["encoder"].get("name")
        return (
            f"Explanation({self.settings['method']} of {name}, {size}, "
            f"n_masks={self.n_masks}, reliability={self.reliability:.3f})"
        )


def _recreated(create: Callable[..., Any], settings: Any) -> Any:
    """Recreate masks or fills from their settings: one object, or a list of them."""
    return [create(**one) for one in settings] if isinstance(settings, list) else create(**settings)


@dataclass(frozen=True, eq=False)
class Failed:
    """Result for an input that could not be explained.

    Attributes:
        source: the input as given.
        error: the error that it raised.
    """

    source: Any = field(repr=False)
    error: RelaxError
