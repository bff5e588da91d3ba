"""Losses of deep multi-view clustering.

Deep divergence-based clustering: Kampffmeyer et al., "Deep divergence-based approach to clustering", Neural Networks,
2019. Contrastive alignment: Trosten et al., "Reconsidering Representation Alignment for Multi-view Clustering", CVPR
2021.
"""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional as F

TINY = 1e-9


def gaussian_kernel(hidden: Tensor, width: float = 0.15) -> Tensor:
    """``exp(−‖h_i − h_j‖² / (2 σ²))`` with ``σ²`` a share of the median squared distance, without gradient.

    Args:
        hidden: ``(N, D)``.
        width: that share.

    Returns:
        ``(N, N)``.
    """
    lengths = hidden.square().sum(1)
    squared = (lengths[:, None] + lengths[None] - 2 * hidden @ hidden.T).clamp_min(0)
    variance = (width * squared.detach().median()).clamp_min(TINY)
    return torch.exp(-squared / (2 * variance))


def cauchy_schwarz(assignments: Tensor, kernel: Tensor) -> Tensor:
    """Mean over pairs of clusters of ``α_iᵀ K α_j / √(α_iᵀ K α_i · α_jᵀ K α_j)``: how much they overlap, in [0, 1].

    Args:
        assignments: ``(N, K)``.
        kernel: ``(N, N)``.
    """
    products = assignments.T @ kernel @ assignments
    sizes = products.diagonal()
    overlap = products / (sizes[:, None] * sizes[None]).clamp_min(TINY**2).sqrt()
    k = assignments.shape[1]
    return overlap.triu(diagonal=1).sum() * 2 / (k * (k - 1))


def clustering_loss(assignments: Tensor, hidden: Tensor, width: float = 0.15) -> Tensor:
    """Sum of the three losses of DDC: clusters are apart in ``hidden``, assignments orthogonal, and near the corners.

    Args:
        assignments: ``(N, K)`` soft assignments, rows that add up to 1.
        hidden: ``(N, D)`` that they were computed from.
        width: of :func:`gaussian_kernel`.
    """
    n, k = assignments.shape
    kernel = gaussian_kernel(hidden, width)
    apart = cauchy_schwarz(assignments, kernel)
    orthogonal = (assignments @ assignments.T).triu(diagonal=1).sum() * 2 / (n * (n - 1))
    corners = torch.eye(k, dtype=assignments.dtype, device=assignments.device)
    nearness = torch.exp(-(assignments[:, None] - corners[None]).square().sum(-1))
    return apart + orthogonal + cauchy_schwarz(nearness, kernel)


def contrastive_loss(views: list[Tensor], assignments: Tensor, temperature: float = 0.1) -> Tensor:
    """Views of one object are drawn together, away from views of objects in other clusters.

    For a pair of views v, u of object i: ``−log exp(s_ii^vu / τ) / Σ exp(s' / τ)`` with cosine similarities ``s``, the
    sum over all similarities of i's views v and u to views v and u of objects of other clusters (the paper samples a
    quarter of them). Mean over objects and pairs of views; 0 where there is one cluster only.

    Args:
        views: ``(N, D)`` each.
        assignments: ``(N, K)``; the largest says which cluster an object is in.
        temperature: τ.
    """
    cluster = assignments.detach().argmax(1)
    other = cluster[:, None] != cluster[None]
    directions = [F.normalize(view, dim=1) for view in views]

    def negatives(similarities: Tensor) -> Tensor:
        return torch.where(other, similarities, similarities.new_full((), -torch.inf)).logsumexp(1)

    own = [negatives(v @ v.T / temperature) for v in directions]
    losses = []
    for i, j in combinations(range(len(directions)), 2):
        across = directions[i] @ directions[j].T / temperature
        # i's view v with v and u of the others, and i's view u with them
        apart = torch.stack([own[i], negatives(across), negatives(across.T), own[j]]).logsumexp(0)
        losses.append(torch.where(other.any(1), apart - across.diagonal(), across.new_zeros(())))
    return torch.stack(losses).mean()
