"""Losses against hand-worked values and finite differences."""

import math

import numpy as np
import pytest
import torch

from relax.multiview.losses import cauchy_schwarz, clustering_loss, contrastive_loss, gaussian_kernel


def test_the_kernel_by_hand():
    hidden = torch.tensor([[0.0], [1.0], [3.0]])
    # squared distances 0 1 9 / 1 0 4 / 9 4 0: the median of the nine is 1, so that 2 σ² = 2 · 0.5 · 1
    expected = [[1, math.exp(-1), math.exp(-9)], [math.exp(-1), 1, math.exp(-4)], [math.exp(-9), math.exp(-4), 1]]
    np.testing.assert_allclose(gaussian_kernel(hidden, width=0.5), expected, rtol=1e-5)


def test_overlap_of_clusters_by_hand():
    corners = torch.eye(2)[[0, 0, 1]]
    kernel = torch.eye(3) + 0.1 * (1 - torch.eye(3))
    # α₁ᵀKα₂ = 0.2, α₁ᵀKα₁ = 2.2, α₂ᵀKα₂ = 1
    assert float(cauchy_schwarz(corners, kernel)) == pytest.approx(0.2 / math.sqrt(2.2))
    assert float(cauchy_schwarz(torch.full((3, 2), 0.5), kernel)) == pytest.approx(1)
    assert float(cauchy_schwarz(corners, torch.eye(3))) == 0


def test_the_clustering_loss_is_lowest_for_clusters_that_are_apart():
    hidden = torch.tensor([[0.0, 0], [0.1, 0], [5, 5], [5.1, 5]])
    right, wrong = torch.eye(2)[[0, 0, 1, 1]], torch.eye(2)[[0, 1, 0, 1]]
    losses = [float(clustering_loss(assignments, hidden)) for assignments in (right, wrong, torch.full((4, 2), 0.5))]
    assert losses[0] < losses[1] < losses[2]
    # four objects in two corners: two of six pairs share one, the kernel between clusters is nothing
    assert losses[0] == pytest.approx(2 / 6 + math.exp(-2) * 2 / (1 + math.exp(-4)), rel=1e-3)


def test_the_contrastive_loss_by_hand():
    a = torch.tensor([[1.0, 0], [0, 1]])
    b = torch.tensor([[1.0, 0], [0, 2]])
    clusters = torch.eye(2)
    # positives have cosine 1, each object has four negatives of cosine 0
    assert float(contrastive_loss([a, b], clusters, temperature=0.5)) == pytest.approx(math.log(4) - 2)
    assert float(contrastive_loss([a, b], torch.eye(2)[[0, 0]])) == 0  # nothing in another cluster


@pytest.mark.parametrize("which", ["clustering", "contrastive"])
def test_gradients_equal_finite_differences(which):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    values = torch.randn(6, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    other = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    if which == "contrastive":
        assert torch.autograd.gradcheck(lambda v: contrastive_loss([v, other], logits.softmax(1)), values)
        return
    # the width of the kernel is a median without gradient, so that assignments are what is checked
    hidden = values.detach()
    assert torch.autograd.gradcheck(lambda x: clustering_loss(x.softmax(1), hidden), logits.requires_grad_())
