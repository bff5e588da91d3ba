"""Metrics of explained texts.

Faithfulness is measured on the explained score, the similarity to what the text is compared with, scaled so that the
empty text is 0 and the whole one 1 (after Edin et al., arXiv 2408.08137, normalised so that encoders can be compared):

* *comprehensiveness*: what is lost when the most important units are removed; *sufficiency*: what is left when only
  they are kept (DeYoung et al., ERASER, ACL 2020), each a mean over 10, 20 and 50 % of the units;
* *symmetric relevance gain* (Blücher et al., TMLR 2024, arXiv 2401.06654): the area between the curve of removing the
  least important units first and that of removing the most important first, for three ways to remove words.

Where a sentence was planted that answers the query, localisation asks whether its units rank before all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import nan
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from relax.evaluation.base import Metric
from relax.evaluation.subject import Subject
from relax.modalities import Prepared
from relax.modalities.text.masks import PartUnits
from relax.modalities.units import Block

FILLS = ("dropped", "mask-token", "drawn")

SHARES = (0.1, 0.2, 0.5)
"""Shares of the units that are removed or kept for comprehensiveness and sufficiency."""

STEPS = 6
"""Shares of the units that are removed for the relevance gain: 1/7, 2/7, ..., 6/7."""

LEAST = 0.1
"""Smallest fall of the similarity from the whole to the empty text that the metrics are scaled by."""

_known: WeakKeyDictionary[Subject, dict[str, float]] = WeakKeyDictionary()

_ends: WeakKeyDictionary[Prepared, dict[Any, tuple[Tensor, float, float]]] = WeakKeyDictionary()
"""Target, and similarity of the whole and of the empty text, by input: the same for all methods."""


def comprehensiveness(subject: Subject) -> float:
    """Share of the similarity that is lost without the most important units; NaN where the text hardly matters."""
    orders = [_kept(subject, share, best=False) for share in SHARES]
    return _mean(1 - _scaled(subject, orders, "dropped"))


def sufficiency(subject: Subject) -> float:
    """Share of the similarity that the most important units alone have; NaN where the text hardly matters."""
    orders = [_kept(subject, share, best=True) for share in SHARES]
    return _mean(_scaled(subject, orders, "dropped"))


def gain(subject: Subject, fill: str) -> float:
    """Symmetric relevance gain with one fill, in about [-1, 1]."""
    known = _known.setdefault(subject, {})
    if fill not in known:
        shares = np.arange(1, STEPS + 1) / (STEPS + 1)
        least = [_kept(subject, 1 - share, best=True) for share in shares]  # least important removed first
        most = [_kept(subject, share, best=False) for share in shares]
        values = _scaled(subject, [*least, *most], fill)
        known[fill] = _mean(values[:STEPS] - values[STEPS:])
    return known[fill]


def mean_gain(subject: Subject) -> float:
    """Symmetric relevance gain, mean over the fills."""
    return _mean(np.array([gain(subject, fill) for fill in FILLS]))


def planted_auc(subject: Subject) -> float:
    """Probability that a planted unit ranks before another one, in [0, 1]; .5 at random."""
    mask = subject.mask
    if mask is None or mask.all() or not mask.any():
        return nan
    ranks, inside = rankdata(_values(subject)), int(mask.sum())
    return float((ranks[mask].sum() - inside * (inside + 1) / 2) / (inside * (len(mask) - inside)))


def planted_rank(subject: Subject) -> float:
    """Share of the k most important units that are planted, where k are planted, in [0, 1]."""
    mask = subject.mask
    return nan if mask is None or not mask.any() else float(mask[subject.ranking()[: int(mask.sum())]].mean())


def _values(subject: Subject) -> np.ndarray:
    return np.asarray(subject.explanation.importance, dtype=np.float64)


def _kept(subject: Subject, share: float, *, best: bool) -> np.ndarray:
    """Units that are kept: the most important share, or all but the most important share; ``(units,)`` bool."""
    order = subject.ranking()
    n = min(max(round(share * len(order)), 1), len(order))
    kept = np.zeros(len(order), dtype=bool)
    kept[order[:n]] = True
    return kept if best else ~kept


def _scaled(subject: Subject, kept: Sequence[np.ndarray], fill: str) -> np.ndarray:
    """Similarity with some units, scaled so that the empty text is 0 and the whole one 1; NaN if they are too close."""
    encoder, prepared = subject.encoder, subject.prepared
    if prepared is None:
        return np.full(len(kept), nan)
    n = len(_values(subject))
    units = PartUnits(torch.arange(n))
    bound = encoder.modality.fill(fill).bind(prepared, encoder.modality, subject.seed)
    with encoder.session() as session:

        def scores(bits: np.ndarray, target: Tensor) -> np.ndarray:
            block = Block(torch.from_numpy(bits).float(), torch.zeros(1, 1, dtype=torch.long))
            rows = bound.encode(session, prepared, units, block)
            session.check_finite()
            return np.asarray(torch.cosine_similarity(rows.double(), target.double()[None]).cpu().numpy())

        known = _ends.setdefault(prepared, {})
        key = (id(encoder), str(subject.against), fill, subject.seed)
        if key not in known:
            other = prepared if subject.against is None else encoder.prepare(subject.against)
            target = encoder.represent(session, [other])[0]
            whole, empty = scores(np.stack([np.ones(n, bool), np.zeros(n, bool)]), target)
            known[key] = (target, float(whole), float(empty))
        target, whole, empty = known[key]
        if whole - empty < LEAST:
            return np.full(len(kept), nan)
        return (scores(np.stack(kept), target) - empty) / (whole - empty)


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values))


TEXT_METRICS = (
    Metric("text-gain", "symmetric relevance gain of words, mean over three fills", "higher", "forwards",
           "Blücher et al., TMLR 2024", mean_gain),
    *(
        Metric(f"text-gain:{name}", f"symmetric relevance gain of words, fill {name}", "higher", "forwards",
               "Blücher et al., TMLR 2024", partial(gain, fill=name))
        for name in FILLS
    ),
    Metric("comprehensiveness", "similarity that is lost without the most important words", "higher", "forwards",
           "DeYoung et al., ACL 2020; Edin et al., arXiv 2408.08137", comprehensiveness),
    Metric("sufficiency", "similarity that the most important words alone have", "higher", "forwards",
           "DeYoung et al., ACL 2020; Edin et al., arXiv 2408.08137", sufficiency),
    Metric("planted-auc", "whether planted words rank before others, in [0, 1]", "higher", "mask",
           "this project", planted_auc),
    Metric("planted-rank", "share of planted words among as many most important ones", "higher", "mask",
           "this project", planted_rank),
)  # fmt: skip
