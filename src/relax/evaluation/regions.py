"""Metrics on regions: maps are pooled to common regions before anything is ranked, so that edges alone win nothing.

Pixel curves reward a map for outlining what a blur removes, whatever the encoder sees. Here every map is averaged over
the cells of two grids and over superpixels, and regions are removed whole:

* *symmetric relevance gain* (Blücher et al., TMLR 2024, arXiv 2401.06654): the area between the curve of removing the
  least important regions first and that of removing the most important first. It is 0 for a random map, changes its
  sign with the map, and ranks methods alike over many ways to remove;
* *single-deletion correlation* (after IDSDS, NeurIPS 2024): Spearman's rank correlation between the fall of the
  similarity when one region is removed and the region's mean attribution.

Both use the cosine similarity to the representation of the whole picture, scaled so that the filled picture is 0 and
the whole one is 1. What replaces a region is a fill; a map that was made with a fill may be favoured by it, so that
each comes with several: blur, the mean colour, noisy linear imputation (ROAD, Rong et al., ICML 2022, arXiv
2202.00449) and another picture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from math import nan
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from scipy.ndimage import mean as mean_over
from scipy.stats import spearmanr
from skimage import data
from torch import Tensor

from relax.encoders import Session
from relax.errors import ArgumentError
from relax.evaluation.base import Metric
from relax.evaluation.curves import LEAST, filled
from relax.evaluation.road import Remove, road
from relax.evaluation.subject import Subject
from relax.modalities.image.superpixels import SuperpixelMasks
from relax.references import Vectors
from relax.references.similarity import SIMILARITIES

FILLS = ("blur", "mean", "road", "other")
SINGLE_FILLS = ("blur", "mean")

STEPS = 6
"""Shares of the regions that are removed: 1/7, 2/7, ..., 6/7."""

_last_falls: tuple[tuple[Any, ...], list[np.ndarray]] | None = None

_scales: WeakKeyDictionary[Subject, dict[str, Any]] = WeakKeyDictionary()


def partitions(subject: Subject) -> dict[str, np.ndarray]:
    """``(H, W)`` integer labels of 7x7 cells, of 14x14 cells and of about 180 superpixels of the input."""
    known = _scales.setdefault(subject, {})
    if "partitions" not in known:
        x = subject.tensor
        height, width = x.shape[-2:]
        found = {f"{n}x{n}": _cells(height, width, n) for n in (7, 14) if min(height, width) >= n}
        with suppress(ArgumentError):  # a picture with a single superpixel still has cells
            found["slic"] = SuperpixelMasks(n_segments=180).over(x).labels.cpu().numpy()
        known["partitions"] = found
    return known["partitions"]  # type: ignore[no-any-return]


def pooled(importance: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean of a map over each region, ``(R,)``.

    Args:
        importance: ``(H, W)``.
        labels: ``(H, W)`` integers from 0 to R - 1.
    """
    return np.asarray(mean_over(importance.astype(np.float64), labels, np.arange(labels.max() + 1)))


def relevance_gain(subject: Subject, fill: str) -> float:
    """Symmetric relevance gain, mean over the partitions.

    Args:
        subject: the explanation.
        fill: one of ``FILLS``.

    Returns:
        In [-1, 1]; NaN where the fill costs the picture next to nothing.
    """
    found = _scales.setdefault(subject, {})
    if fill not in found:
        with subject.encoder.session() as session:
            scale = _Scale(subject, session, fill)
            gains = [_gain(subject, scale, labels) for labels in partitions(subject).values()]
            session.check_finite()
        found[fill] = float(np.mean(gains)) if scale.usable else nan
    return float(found[fill])


def mean_relevance_gain(subject: Subject) -> float:
    """Symmetric relevance gain, mean over fills and partitions."""
    return float(np.mean([relevance_gain(subject, fill) for fill in FILLS]))


def single_deletion(subject: Subject, fills: Sequence[str] = SINGLE_FILLS) -> float:
    """Rank correlation of 7x7 cells' attributions with what removing each alone costs; mean over fills, in [-1, 1]."""
    labels = partitions(subject).get("7x7")
    if labels is None:
        return nan
    attribution = pooled(subject.explanation.importance, labels)
    found = []
    for falls in _falls(subject, labels, tuple(fills)):
        flat = np.ptp(attribution) == 0 or np.ptp(falls) == 0 or np.isnan(falls).any()
        found.append(nan if flat else float(spearmanr(attribution, falls).statistic))
    return float(np.mean(found))


def _falls(subject: Subject, labels: np.ndarray, fills: tuple[str, ...]) -> list[np.ndarray]:
    """What removing each region alone costs, by fill; they depend on no map, so those of the last input are kept."""
    global _last_falls
    x = subject.tensor.numpy()
    key = (hashlib.sha256(x.tobytes()).hexdigest(), id(subject.encoder), subject.seed, fills)
    if _last_falls is None or _last_falls[0] != key:
        found = []
        with subject.encoder.session() as session:
            for fill in fills:
                scale = _Scale(subject, session, fill)
                without = np.stack([labels != region for region in range(int(labels.max()) + 1)])
                falls = 1 - scale.scores(torch.from_numpy(without))
                found.append(falls if scale.usable else np.full_like(falls, nan))
            session.check_finite()
        _last_falls = key, found
    return _last_falls[1]


class _Scale:
    """Similarities between the filled picture, 0, and the whole one, 1.

    Args:
        subject: the explanation.
        session: its encoder at work.
        fill: what replaces removed regions.
    """

    def __init__(self, subject: Subject, session: Session, fill: str) -> None:
        self.session = session
        self.x = subject.tensor.to(session.device)
        session.settle(lambda n: self.x[None].clone())
        self.remove: Remove = road(subject.tensor, subject.seed) if fill == "road" else _blend(subject, fill, session)
        own = session.encode(self.x[None].clone())
        self.score = Vectors(own, SIMILARITIES["cosine"]).score
        nothing = torch.zeros(1, *self.x.shape[-2:], dtype=torch.bool)
        self.high = float(self.score(own)[0])
        self.low = float(self.score(session.encode(self.remove(nothing)))[0])

    @property
    def usable(self) -> bool:
        """Whether the fill costs the picture more than noise."""
        return self.high - self.low > LEAST

    def scores(self, kept: Tensor) -> np.ndarray:
        """``(B,)`` for masks ``(B, H, W)`` that are true where the picture is kept."""
        key = tuple(self.x.shape)
        found = self.session.run(len(kept), key, lambda rows: self.session(self.remove(kept[rows])))
        return np.asarray((self.score(found).cpu().numpy() - self.low) / max(self.high - self.low, 1e-12))


def _gain(subject: Subject, scale: _Scale, labels: np.ndarray) -> float:
    """Mean over the steps of similarity without the least important regions less that without the most important."""
    order = _order(pooled(subject.explanation.importance, labels), subject.seed)
    place = np.empty(len(order), dtype=int)
    place[order] = np.arange(len(order))
    numbers = [round(k * len(order) / (STEPS + 1)) for k in range(1, STEPS + 1)]
    rank = place[labels]  # of each pixel's region, the most important first
    without_most = np.stack([rank >= n for n in numbers])
    without_least = np.stack([rank < len(order) - n for n in numbers])
    scores = scale.scores(torch.from_numpy(np.concatenate([without_least, without_most])))
    return float(scores[:STEPS].mean() - scores[STEPS:].mean())


def _order(values: np.ndarray, seed: int) -> np.ndarray:
    """Indices of regions, the most important first, equal ones in random order."""
    shuffled = np.random.default_rng([seed, 0x726567]).permutation(len(values))
    return np.asarray(shuffled[np.argsort(-values[shuffled], kind="stable")])


def _cells(height: int, width: int, n: int) -> np.ndarray:
    rows, columns = (np.arange(size) * n // size for size in (height, width))
    return np.asarray(rows[:, None] * n + columns[None])


def _blend(subject: Subject, fill: str, session: Session) -> Remove:
    x = subject.tensor.to(session.device)
    background = (_another(subject) if fill == "other" else filled(subject, fill)).to(session.device)
    return lambda kept: torch.where(kept[:, None].to(x.device), x, background)


def _another(subject: Subject) -> Tensor:
    """A photograph, as the encoder sees it; upside down where the encoder takes tensors only."""
    if subject.encoder.transform is None:
        return subject.tensor.flip(-2)
    return subject.encoder.prepare(data.astronaut()).tensor.to(subject.tensor)


def _metrics() -> tuple[Metric, ...]:
    source = "Blücher et al., TMLR 2024, arXiv 2401.06654"
    by_fill = [
        Metric(
            f"relevance-gain:{fill}",
            f"symmetric relevance gain on regions, fill {fill}; 0 for a random map, in [-1, 1]",
            "higher",
            "forwards",
            source,
            lambda subject, fill=fill: relevance_gain(subject, fill),  # type: ignore[misc]
        )
        for fill in FILLS
    ]
    return (
        Metric(
            "relevance-gain",
            f"symmetric relevance gain on regions, mean over the fills {', '.join(FILLS)}; 0 for a random map",
            "higher",
            "forwards",
            source,
            mean_relevance_gain,
        ),
        *by_fill,
        Metric(
            "single-deletion",
            "rank correlation of a region's attribution with the similarity lost without it, in [-1, 1]",
            "higher",
            "forwards",
            "after IDSDS, NeurIPS 2024",
            single_deletion,
        ),
    )


REGION_METRICS = _metrics()
