"""The result: maps, and everything that is needed to make them again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import t as student_t

from relax._support.archives import read_archive
from relax._support.atomic import atomic_write
from relax._support.figures import save_figure
from relax._support.saved import MAPS, NUMBERS, SCHEMA, checked
from relax._support.thresholds import Threshold, where_certain
from relax.errors import ArgumentError, InputError, RelaxError
from relax.modalities import MODALITIES, Modality, fills, masks

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Explanation:
    """What an encoder's representation of one input is made of.

    Attributes:
        importance: float32 of the shape of the input's units, ``(H, W)`` at the encoder's input resolution for images:
            the mean score of the masks that show a pixel, in units of the score. A large constant (the mean score) plus
            the signal.
        uncertainty: float32 of the same shape, in squared units of the score: the spread (variance) of the score while
            a pixel is visible. It does not shrink with more masks.
        standard_error: float32 of the same shape, in units of the score: the Monte-Carlo error of the importance, which
            falls as one over the square root of the number of masks. NaN with fewer than two blocks of masks.
        n_masks: masks that were tried.
        n_blocks: number of blocks the masks were drawn in.
        degrees_of_freedom: of the standard error, one less than the parts of the masks it was estimated from.
        reliability: estimated correlation of the importance with the fully converged map, in [0, 1].
        score: the score of the unmasked input: 1 for the cosine similarity to itself.
        inputs: the model-ready tensors that were explained, float32 arrays by name; ``{"image": (C, H, W)}``.
        presentation: what a person is shown: for images ``(h, w, 3)`` uint8, the upright picture, made smaller if it is
            large; a text; ``None`` for bare tensors.
        measures: what each map measures: ``{"importance": "cosine similarity", ...}``.
        signed: whether the importance is to be read from its neutral value: above it a pixel pulls towards what
            the input is compared with, below it pushes away.
        settings: JSON-able provenance: encoder, modality, input, method, masks, fill, similarity, design, seed,
            precision, device, cost, versions.
        neutral: importance of a pixel that makes no difference: the mean score of all masks for RELAX, 0 for signed
            attributions.
        labels: what each unit is called, such as a word; ``None`` where units have no names.
        spans: where each of these units stands in the source, ``(start, stop)``.
        kind: the modality, for one that has no registered name; not saved.
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
        """Float32: importance less its neutral value, what a unit's visibility does to the score."""
        return self.importance - np.float32(self.neutral)

    @property
    def input(self) -> np.ndarray:
        """The model-ready input where it is one tensor: ``(C, H, W)`` float32 for images."""
        if len(self.inputs) != 1:
            raise ArgumentError(f"this input has several tensors ({', '.join(self.inputs)}); see `inputs`")
        return next(iter(self.inputs.values()))

    @property
    def picture(self) -> np.ndarray | None:
        """``(h, w, 3)`` uint8: the picture that was explained; ``None`` for anything else."""
        return self.presentation if isinstance(self.presentation, np.ndarray) else None

    @property
    def modality(self) -> type[Modality]:
        """The kind of input, which knows how to show it."""
        name = self.settings.get("modality", "image" if self.importance.ndim == 2 else "vector")
        return self.kind or MODALITIES[name]

    def u_relax(self, threshold: Threshold = "median") -> np.ndarray:
        """Importance where the uncertainty is at most the threshold, 0 elsewhere.

        Args:
            threshold: ``"median"``, ``"mean"``, ``"quantile:Q"`` with Q in [0, 1], or a number in the units of
                the uncertainty.
        """
        return where_certain(self.importance, self._map("uncertainty"), threshold)

    def confidence_interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds for the converged importance, unit by unit, of the importance's shape.

        Student's t with the degrees of freedom of the standard error. Under the fold-over design the intervals
        of a run of few masks are too wide rather than too narrow (see :mod:`relax.estimation.moments`).

        Args:
            level: nominal coverage, in (0, 1).
        """
        if not 0.0 < level < 1.0:
            raise ArgumentError(f"expected `level` between 0 and 1 (both excluded), got {level!r}")
        half = student_t.ppf((1 + level) / 2, max(self.degrees_of_freedom, 1)) * self._map("standard_error")
        return self.importance - half, self.importance + half

    def at_picture_size(self, values: str | np.ndarray = "importance") -> np.ndarray:
        """A map in the geometry of what was given: at a picture's own size, ``(height, width)`` float32.

        Args:
            values: the name of a map, or an array of the maps' shape.

        Returns:
            Bilinearly resized values; NaN where the encoder's transform cropped the picture away.
        """
        array = self._map(values) if isinstance(values, str) and values in MAPS else values
        if isinstance(array, str):
            raise ArgumentError(f"expected the name of a map to be one of {', '.join(MAPS)}, got {array!r}")
        return self.modality.at_presentation(array, self.settings["input"])

    def _map(self, name: str) -> np.ndarray:
        values = getattr(self, name)
        if values is None:
            raise ArgumentError(f"method {self.settings['method']!r} gives no {name.replace('_', ' ')}")
        return np.asarray(values)

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments with which ``relax.explain(encoder, tensor, **arguments)`` makes these maps again.

        ``tensor`` is ``torch.from_numpy(explanation.input)``, ``encoder`` the one that the settings describe. An
        adaptive run is repeated with the number of masks that it took.

        Raises:
            ArgumentError: a callable, another picture or another input took part, which no file can hold.
        """
        settings = self.settings
        for name in ("similarity", "fill", "against", "options"):
            if not settings["reproducible"][name]:
                raise ArgumentError(
                    f"the {name} of this explanation is not saved with it; give it to relax.explain() yourself"
                )
        return {
            "method": settings["method"],
            "n_masks": self.n_masks if settings["stopping"] else None,
            "seed": settings["seed"],
            "masks": _recreated(masks.create, settings["masks"]),
            "fill": _recreated(fills.create, settings["fill"]),
            "similarity": settings["similarity"],
            "design": settings["design"],
            "precision": settings["precision"],
            **settings["options"],
        }

    def save(self, path: str | PathLike[str]) -> None:
        """Write maps and provenance to a ``.npz`` file, without pickle; the file is there whole or not at all.

        Raises:
            ArgumentError: the path is a folder.
            OSError: the file cannot be written.
        """
        arrays = {name: values for name in MAPS if (values := getattr(self, name)) is not None}
        arrays |= {f"input {name}": values for name, values in self.inputs.items()}
        text = self.presentation if isinstance(self.presentation, str) else None
        if isinstance(self.presentation, np.ndarray):
            arrays["presentation"] = self.presentation
        numbers = {name: getattr(self, name) for name in (*NUMBERS, "labels", "spans")}
        about = json.dumps({"schema": SCHEMA, "text": text, **numbers})
        with atomic_write(path) as file:
            np.savez_compressed(file, about=np.array(about), **arrays)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Explanation:
        """Read what :meth:`save` wrote; everything is checked, and nothing is unpickled.

        Raises:
            InputError: no such file, damaged, not an explanation, or one of a later schema.
        """
        arrays, about = read_archive(path, "a saved explanation")
        try:
            return cls(**checked(arrays, about))
        except (ValueError, KeyError, TypeError) as error:
            reason = error.args[0] if error.args else type(error).__name__
            raise InputError(f"{path}: not a saved explanation: {reason}") from error

    def plot(self, path: str | PathLike[str] | None = None) -> Figure:
        """The input and its maps side by side, with colour bars and units, as the modality shows them.

        Args:
            path: where to write the figure (png, pdf, svg or jpg, by the name's ending); ``None`` to only return it.
        """
        figure = self.modality.show(self)
        if path is not None:
            save_figure(figure, path)
        return figure

    def __repr__(self) -> str:
        size = "x".join(map(str, self.importance.shape))
        name = self.settings["encoder"].get("name")
        return (
            f"Explanation({self.settings['method']} of {name}, {size}, "
            f"n_masks={self.n_masks}, reliability={self.reliability:.3f})"
        )


def _recreated(create: Callable[..., Any], settings: Any) -> Any:
    """What settings describe: one thing or several."""
    return [create(**one) for one in settings] if isinstance(settings, list) else create(**settings)


@dataclass(frozen=True, eq=False)
class Failed:
    """An input that could not be explained, in the place of its explanation.

    Attributes:
        source: the input as it was given.
        error: why.
    """

    source: Any
    error: RelaxError
