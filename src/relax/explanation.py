"""The result: maps, and everything that is needed to make them again."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, fields
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import t as student_t

from relax import fills, masks
from relax.atomic import atomic_write
from relax.errors import ArgumentError, InputError
from relax.thresholds import Threshold, where_certain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA = 2
"""Version of the saved form; a file with a higher one is refused."""

MAPS = ("importance", "uncertainty", "standard_error")
NUMBERS = (
    "n_masks",
    "n_blocks",
    "degrees_of_freedom",
    "reliability",
    "score",
    "units",
    "signed",
    "neutral",
    "settings",
)
OPTIONAL = ("uncertainty", "standard_error", "picture")


@dataclass(frozen=True, eq=False)
class Explanation:
    """What an encoder's representation of one input is made of.

    Attributes:
        importance: ``(H, W)`` float32 at the encoder's input resolution, in units of the score: the mean score
            of the masks that show a pixel. A large constant (the mean score) plus the signal.
        uncertainty: ``(H, W)`` float32, in squared units of the score: the spread (variance) of the score while
            a pixel is visible. It does not shrink with more masks.
        standard_error: ``(H, W)`` float32, in units of the score: the Monte-Carlo error of the importance, which
            falls as one over the square root of the number of masks. NaN with fewer than two blocks of masks.
        n_masks: masks that were tried.
        n_blocks: blocks that they came in.
        degrees_of_freedom: of the standard error, one less than the parts of the masks it was estimated from.
        reliability: estimated correlation of the importance with the fully converged map, in [0, 1].
        score: the score of the unmasked input: 1 for the cosine similarity to itself.
        input: ``(C, H, W)`` float32, the model-ready input that was explained.
        picture: ``(h, w, 3)`` uint8, the upright picture, made smaller if it is large; ``None`` for tensors.
        units: of each map.
        signed: whether the importance is to be read from its neutral value: above it a pixel pulls towards what
            the input is compared with, below it pushes away.
        settings: JSON-able provenance: encoder, input, method, masks, fill, similarity, design, seed, precision,
            device, cost, versions.
        neutral: importance of a pixel that makes no difference: the mean score of all masks for RELAX, 0 for signed
            attributions.
    """

    importance: np.ndarray
    uncertainty: np.ndarray | None
    standard_error: np.ndarray | None
    n_masks: int
    n_blocks: int
    degrees_of_freedom: int
    reliability: float
    score: float
    input: np.ndarray
    picture: np.ndarray | None
    units: dict[str, str]
    signed: bool
    settings: dict[str, Any]
    neutral: float = 0.0

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
        """``(H, W)`` float32: importance less its neutral value, what a pixel's visibility does to the score."""
        return self.importance - np.float32(self.neutral)

    def u_relax(self, threshold: Threshold = "median") -> np.ndarray:
        """Importance where the uncertainty is at most the threshold, 0 elsewhere.

        Args:
            threshold: ``"median"``, ``"mean"``, ``"quantile:Q"`` with Q in [0, 1], or a number in the units of
                the uncertainty.
        """
        return where_certain(self.importance, self._map("uncertainty"), threshold)

    def confidence_interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ``(H, W)`` bounds for the converged importance, pixel by pixel.

        Student's t with the degrees of freedom of the standard error. Under the fold-over design the intervals
        of a run of few masks are too wide rather than too narrow (see :mod:`relax.moments`).
        """
        if not 0.0 < level < 1.0:
            raise ArgumentError(f"expected `level` between 0 and 1 (both excluded), got {level!r}")
        half = student_t.ppf((1 + level) / 2, max(self.degrees_of_freedom, 1)) * self._map("standard_error")
        return self.importance - half, self.importance + half

    def at_picture_size(self, values: str | np.ndarray = "importance") -> np.ndarray:
        """A map at the size of the picture that was given, ``(height, width)`` float32.

        Args:
            values: the name of a map, or an array of the maps' shape.

        Returns:
            Bilinearly resized values; NaN where the encoder's transform cropped the picture away.
        """
        from skimage.transform import resize

        array = self._map(values) if isinstance(values, str) and values in MAPS else values
        if isinstance(array, str):
            raise ArgumentError(f"expected the name of a map to be one of {', '.join(MAPS)}, got {array!r}")
        if "picture_size" not in self.settings["input"]:
            return np.asarray(array, dtype=np.float32)
        width, height = self.settings["input"]["picture_size"]
        left, top, right, bottom = (round(edge) for edge in self.settings["input"]["view"])
        whole = np.full((height, width), np.nan, dtype=np.float32)
        view = resize(np.asarray(array, np.float64), (bottom - top, right - left), order=1, mode="edge", clip=False)
        rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
        whole[rows, columns] = view[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        return whole

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
            "masks": _made(masks.create, settings["masks"]),
            "fill": _made(fills.create, settings["fill"]),
            "similarity": settings["similarity"],
            "design": settings["design"],
            "precision": settings["precision"],
            **settings["options"],
        }

    def save(self, path: str | PathLike[str]) -> None:
        """Write maps and provenance to a ``.npz`` file, without pickle; the file is there whole or not at all."""
        arrays = {name: getattr(self, name) for name in (*MAPS, "input", "picture")}
        arrays = {name: values for name, values in arrays.items() if values is not None}
        numbers = {name: getattr(self, name) for name in NUMBERS}
        about = json.dumps({"schema": SCHEMA, **numbers})
        with atomic_write(path) as file:
            np.savez_compressed(file, about=np.array(about), **arrays)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Explanation:
        """Read what :meth:`save` wrote.

        Raises:
            InputError: no such file, not an explanation, or one of a later schema.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = dict(archive)
            about = json.loads(str(arrays.pop("about")))
        except FileNotFoundError:
            raise InputError(f"{path}: no such file") from None
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            EOFError,
            zipfile.BadZipFile,
        ) as error:
            reason = "no archive of arrays" if "pickle" in str(error) else error  # numpy advises to unpickle
            raise InputError(f"{path}: not a saved explanation: {reason}") from error
        schema = about.pop("schema", None)
        if not isinstance(schema, int) or schema > SCHEMA:
            raise InputError(f"{path}: has schema {schema}, this version of relax reads up to {SCHEMA}; update relax")
        about.setdefault("neutral", 0.0)  # schema 1 had none
        missing = {item.name for item in fields(cls)} - set(arrays) - set(about) - set(OPTIONAL)
        if missing:
            raise InputError(f"{path}: not a saved explanation: it lacks {', '.join(sorted(missing))}")
        return cls(**{**dict.fromkeys(OPTIONAL), **arrays, **about})

    def plot(self, path: str | PathLike[str] | None = None) -> Figure:
        """Input, importance, uncertainty and standard error side by side, with colour bars and units.

        Args:
            path: where to write the figure (png, pdf or svg, by the name's ending); ``None`` to only return it.
        """
        from relax.plotting import plot_explanation, save_figure

        figure = plot_explanation(self)
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


def _made(create: Callable[..., Any], settings: Any) -> Any:
    """What settings describe: one thing or several."""
    return [create(**one) for one in settings] if isinstance(settings, list) else create(**settings)
