"""Sanity metrics: a map that ignores the encoder must fail them, one that follows the weights must pass."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
import torch
from torch import nn

import relax
from relax.evaluation import randomised
from relax.evaluation.metrics import METRICS
from relax.evaluation.randomised import STAGES, shuffled
from relax.evaluation.subject import Subject

X = 1 + 0.5 * torch.rand(3, 28, 28, generator=torch.Generator().manual_seed(0))


class Weighted(nn.Module):
    """Brightness of 7x7 cells, each times a weight of its own: shuffled weights, shuffled map."""

    def __init__(self):
        super().__init__()
        self.weights = nn.Parameter(10 ** torch.linspace(-2, 1, 49))
        self.last = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return nn.functional.adaptive_avg_pool2d(x.mean(1, keepdim=True), 7).flatten(1) * self.weights * self.last


def subject(method, **options):
    explainer = relax.Explainer(relax.Encoder(Weighted()), method=method, **options)

    def again(encoder, x, seed):
        return relax.Explainer(encoder, method=method, seed=seed, **options)(x)

    return Subject(explainer.encoder, explainer(X), None, again, seed=0)


def measured(name, of):
    return METRICS[name].run(of)


def test_a_control_that_ignores_the_encoder_is_unchanged():
    edges = subject("edges")
    assert measured("randomisation", edges) == pytest.approx(1)
    assert measured("randomisation:cascade", edges) == pytest.approx(1)
    assert measured("randomisation:entropy", edges) == pytest.approx(0)


def test_a_map_of_the_weights_changes_only_where_they_are_shuffled():
    occlusion = subject("occlusion")
    whole = measured("randomisation", occlusion)
    assert whole < 0.8
    # the last tensor is a single number: the stages that shuffle it alone change nothing
    alone = sum(ceil(2 * share) < 2 for share in STAGES) / len(STAGES)
    assert measured("randomisation:cascade", occlusion) == pytest.approx(alone + (1 - alone) * whole)


def test_shuffling_keeps_the_numbers_and_leaves_the_encoder_alone():
    encoder = relax.Encoder(Weighted())
    before = encoder.model.weights.detach().clone()
    other = shuffled(encoder)
    assert torch.equal(encoder.model.weights, before)
    assert not torch.equal(other.model.weights, before)
    assert torch.equal(other.model.weights.sort().values, before.sort().values)


def test_an_encoder_without_weights_has_no_value():
    encoder = relax.Encoder(lambda x: nn.functional.adaptive_avg_pool2d(x.mean(1, keepdim=True), 7).flatten(1))
    e = relax.explain(encoder, X, method="edges")
    nothing = Subject(encoder, e, None, None, seed=0)
    assert all(np.isnan(measured(name, nothing)) for name in METRICS if name.startswith("randomisation"))


def test_a_map_that_is_constant_but_for_rounding_has_no_entropy():
    constant = np.full((28, 28), 0.7, dtype=np.float32)
    constant[::3, ::2] += np.float32(6e-8)  # too little for a hundred bins
    assert np.ptp(constant) > 0
    assert randomised._entropy(constant) == 0
    steps = np.repeat(np.arange(4.0), 196).reshape(28, 28)
    assert randomised._entropy(steps) == pytest.approx(np.log(4))
    assert np.isnan(randomised._entropy(np.full((2, 2), np.nan)))
