"""Groups of inputs whose maps are alike in place and in what is there, most suspicious first.

After SpRAy (Lapuschkin et al., Unmasking Clever Hans predictors, Nature Communications 2019), which clusters the heat
maps of a classifier by spectral clustering. A representation has no classes, and what it wrongly looks at may be
anywhere: groups are formed by the place of the importance and by the content under it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from relax._support.extras import require
from relax.errors import ArgumentError
from relax.insights.content import Content

PER_GROUP = 15
"""Inputs for each group, by which the number of groups is chosen."""

MOST_GROUPS = 12

SUSPICIOUS = 1.1
"""Suspicion from which a group is called suspicious. It lies between encoders of ``make insight`` with and
without a use for an artefact, of those by which it was chosen; docs/insight.md has the others."""

MOST = 1500
"""Most inputs that are grouped by themselves; the others join the group of the nearest of them."""

LEAST = 3
"""Fewest members of a group that can be suspicious."""

LEAST_SHARE = 0.02
"""Likewise, as a share of the inputs."""

CELLS = 7
"""Side to which the map of a picture is pooled before places are compared."""

CONNECTED = 1e-9
"""Similarity of inputs that have nothing in common, so that the graph of inputs is connected."""

NEARBY = 7
"""The neighbour whose distance is the width of an input's similarities (Zelnik-Manor and Perona, NIPS 2004)."""


@dataclass(frozen=True)
class Group:
    """Inputs with maps that are alike.

    Attributes:
        members: places of the inputs, the most typical first.
        place: how much of the group's importance lies where the other inputs have none, from 0 to 1: the total
            variation distance of mean maps; NaN where units differ from input to input.
        content: how much more alike is what lies under the members' own important units, than what lies in the same
            inputs where the others look; 0 is no difference, 1 is exactly alike; NaN if it cannot be seen.
        map: the mean map of shares; ``None`` where units differ.
    """

    members: list[int]
    place: float
    content: float
    map: np.ndarray | None

    @property
    def suspicion(self) -> float:
        """``place + content``; what is missing counts as 0."""
        return float(np.nansum([self.place, self.content]))


def grouped(
    shares: Sequence[np.ndarray], content: Content | None, n_groups: int | None = None, seed: int = 0
) -> list[Group]:
    """Group inputs by spectral clustering, and rank the groups by how suspicious they are.

    Args:
        shares: shares of importance; of one shape if places are to be compared.
        content: what lies under the units; ``None`` if it cannot be seen.
        n_groups: number of groups; ``None`` for one in 15 inputs, from 2 to 12.
        seed: seed of the clustering.

    Returns:
        The groups, most suspicious first; empty if there is nothing by which they could be told apart.

    Raises:
        ArgumentError: there are fewer inputs than groups.
    """
    n = len(shares)
    if n_groups is not None and not 1 <= n_groups <= n:
        raise ArgumentError(f"expected from 1 to {n} groups, as many as inputs, got {n_groups}")
    aligned = len({one.shape for one in shares}) == 1 and not (content is not None and _unordered(content))
    place = np.stack([_placed(one) for one in shares]) if aligned else None
    read = None if content is None else content.under(shares)
    aspects = [aspect for aspect in (place, read) if aspect is not None]
    if not aspects or n < 2 * LEAST:
        return []
    number = n_groups or int(np.clip(n // PER_GROUP, 2, MOST_GROUPS))
    labels = _labels(aspects, number, seed)
    least = max(LEAST, LEAST_SHARE * n)
    found = []
    for label in range(number):
        members, others = np.flatnonzero(labels == label), np.flatnonzero(labels != label)
        if len(members) >= least and len(others):
            found.append(_group(members, others, shares, aligned, content, read, aspects))
    return sorted(found, key=lambda group: -group.suspicion)


def _unordered(content: Content) -> bool:
    from relax.insights.content import Words

    return isinstance(content, Words)


def _group(
    members: np.ndarray,
    others: np.ndarray,
    shares: Sequence[np.ndarray],
    aligned: bool,
    content: Content | None,
    read: np.ndarray | None,
    aspects: Sequence[np.ndarray],
) -> Group:
    own = np.mean([shares[place] for place in members], axis=0) if aligned else None
    apart = elsewhere = None
    if own is not None:
        elsewhere = np.mean([shares[place] for place in others], axis=0)
        apart = 0.5 * float(np.abs(own - elsewhere).sum())
    alike = np.nan
    if content is not None and read is not None:
        control = max(nearness(content.elsewhere(elsewhere), members, others), 0.0)
        alike = nearness(read, members, others) - control
    distance = np.sum([_from_mean(aspect, members) for aspect in aspects], axis=0)
    ordered = members[np.argsort(distance, kind="stable")]
    return Group([int(place) for place in ordered], np.nan if apart is None else apart, alike, own)


def nearness(features: np.ndarray, members: np.ndarray, others: np.ndarray) -> float:
    """How much nearer members are to each other than to others: one less the ratio of mean squared distances.

    Args:
        features: ``(N, F)``.
        members: places of the members, at least two.
        others: places of the others.

    Returns:
        1 if all members are equal, 0 if they are as far from each other as from others; negative if farther.
    """
    one, other = features[members], features[others]
    inner, outer = (float(((some - some.mean(0)) ** 2).sum(1).mean()) for some in (one, other))
    between = inner + outer + float(((one.mean(0) - other.mean(0)) ** 2).sum())
    return 1 - 2 * inner * len(members) / (len(members) - 1) / between if between > 1e-12 else 0.0


def _from_mean(aspect: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Squared distances of members from their mean, over the mean of these."""
    distance = ((aspect[members] - aspect[members].mean(0)) ** 2).sum(1)
    return np.asarray(distance / max(float(distance.mean()), 1e-12))


def _placed(shares: np.ndarray) -> np.ndarray:
    """Square roots of shares, pooled for pictures, so that squared distances are Hellinger's."""
    if shares.ndim == 2 and min(shares.shape) > CELLS:
        from relax._support.averaging import averaged

        pooled = averaged(shares, (CELLS, CELLS)).astype(np.float64)
        return np.asarray(np.sqrt(pooled.ravel() / pooled.sum()))
    return np.asarray(np.sqrt(shares.ravel()))


def _labels(aspects: Sequence[np.ndarray], number: int, seed: int) -> np.ndarray:
    """Group of each input; inputs beyond ``MOST`` join the nearest one that was grouped."""
    n = len(aspects[0])
    sample = np.arange(n) if n <= MOST else np.sort(np.random.default_rng(seed).choice(n, MOST, replace=False))
    scaled = np.concatenate([aspect / np.sqrt(_typical(aspect[sample])) for aspect in aspects], axis=1)
    distances = squared_distances(scaled[sample], scaled[sample])
    widths = np.sqrt(np.sort(distances, axis=1)[:, min(NEARBY, len(sample) - 1)])
    affinity = np.exp(-distances / np.maximum(np.outer(widths, widths), 1e-12)) + CONNECTED
    model = require("sklearn.cluster", extra="insight").SpectralClustering(
        number, affinity="precomputed", random_state=seed, assign_labels="cluster_qr"
    )
    found = model.fit_predict((affinity + affinity.T) / 2)
    if len(sample) == n:
        return np.asarray(found)
    parts = np.array_split(scaled, -(-n // MOST))
    nearest = np.concatenate([squared_distances(part, scaled[sample]).argmin(1) for part in parts])
    return np.asarray(found[nearest])


def _typical(aspect: np.ndarray) -> float:
    """Median squared distance of inputs."""
    return max(float(np.median(squared_distances(aspect, aspect))), 1e-12)


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances of all rows of ``a`` and ``b``, ``(N, M)``."""
    products = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.asarray(np.maximum(products, 0))


def suspicions(groups: Sequence[Group], n: int) -> np.ndarray:
    """Suspicion of each input, ``(n,)``: that of its group; 0 in groups that are too small."""
    found = np.zeros(n)
    for group in groups:
        found[group.members] = group.suspicion
    return found
