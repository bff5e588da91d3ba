"""Intervals hold the converged map as often as they say, for every method that has a standard error."""

from __future__ import annotations

import numpy as np
import pytest

import relax

CASES = {
    # what is tried, what is converged, least and most share of pixels: 93-97 % is exact, more is conservative
    "independent": ({"method": "relax", "design": "independent", "n_masks": 512}, {"n_masks": 40_000}, 0.93, 0.98),
    "fold-over": ({"method": "relax", "n_masks": 512}, {"n_masks": 20_000}, 0.96, 1.0),  # conservative: few groups
    "the default": ({"n_masks": 512}, {"n_masks": 8000}, 0.9, 1.0),
    "smoothgrad": ({"method": "smoothgrad", "n_samples": 32}, {"n_samples": 3000}, 0.9, 0.97),
    "sobol": ({"method": "sobol", "n_designs": 64}, {"n_designs": 1024}, 0.93, 1.0),
}


@pytest.mark.parametrize("case", CASES)
def test_95_percent_intervals_hold_the_converged_map(case, tiny, image):
    pytest.importorskip("captum")
    how, many, least, most = CASES[case]
    encoder = relax.Encoder(tiny)
    common = {"precision": "float32", "batch_size": 128}
    converged = relax.explain(encoder, image, seed=10_000, **common, **{**how, **many})
    held = []
    for seed in range(12):
        low, high = relax.explain(encoder, image, seed=seed, **common, **how).confidence_interval(0.95)
        held.append(np.mean((low <= converged.importance) & (converged.importance <= high)))
    assert least <= np.mean(held) <= most
