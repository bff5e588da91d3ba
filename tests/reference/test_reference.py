"""The maps that were made before the structure was rebuilt are made today."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from cases import EVERY, FILE, arrays, explanations, photograph

KEPT = np.load(FILE)


@pytest.fixture(scope="module")
def made():
    pytest.importorskip("captum")
    from conftest import TinyEncoder

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return arrays(explanations(TinyEncoder().eval()))


@pytest.mark.parametrize("name", [name for name in KEPT.files if not name.startswith("photograph")])
def test_maps_are_what_they_were(made, name):
    expected = KEPT[name]
    scale = max(float(np.nanmax(np.abs(expected))), 0.01)  # a spread of next to nothing is rounding of the scores
    np.testing.assert_allclose(made[name], expected, atol=2e-6 * scale, rtol=0)


def test_the_map_of_a_photograph_is_what_it_was(lite0):
    for name, values in arrays({"photograph": photograph(lite0)}, EVERY).items():
        np.testing.assert_allclose(values, KEPT[name], atol=2e-5, rtol=0)
