"""Baselines, and budgets: what a method costs is what it was allowed."""

import numpy as np
import pytest

import relax
from relax.methods import METHODS


def test_random_depends_on_the_seed_alone(tiny, image):
    a, b, c = (relax.explain(tiny, x, method="random", seed=s) for x, s in ((image, 0), (1 - image, 0), (image, 1)))
    assert np.array_equal(a.importance, b.importance)
    assert not np.array_equal(a.importance, c.importance)
    assert a.importance.mean() == pytest.approx(0.5, abs=0.03)


def test_center_is_a_gaussian(tiny, image):
    e = relax.explain(tiny, image[:, :27, :27], method="center", width=0.25)
    assert e.importance[13, 13] == 1
    assert e.importance[13, 0] == pytest.approx(np.exp(-(0.5**2) / (2 * 0.25**2)), rel=1e-6)
    assert np.allclose(e.importance, e.importance.T)


BUDGETED = (
    *("relax", "u-relax", "repeat", "kernel-shap", "lime", "shapley-sampling", "sobol", "hsic"),
    *("smoothgrad", "vargrad", "integrated-gradients", "gradient-shap"),
)


@pytest.mark.parametrize("name", BUDGETED)
def test_budgets_are_kept(name, tiny, image):
    method, arguments = METHODS[name]().within(512, 49)
    e = relax.explain(tiny, image, method=method, **arguments)
    cost = e.settings["cost"]
    assert 0.45 * 512 <= cost["forwards"] + 2 * cost["backwards"] <= 512 + 4


def test_methods_without_a_choice_have_no_budget():
    saliency = METHODS["saliency"]()
    assert saliency.within(512, 49) == (saliency, {})
