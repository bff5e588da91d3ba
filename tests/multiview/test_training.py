"""What follows from the data: sizes, steps, the beginning, and which training is kept."""

import json

import numpy as np
import pytest
import torch

pytest.importorskip("sklearn", reason="scikit-learn (extra: methods) is not installed")
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix

from relax.multiview import training
from relax.multiview.clustering import CoMVC
from relax.multiview.networks import MultiViewNetwork, ViewScale


@pytest.fixture
def views():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(3), 30)
    return [truth[:, None] * 3 + rng.normal(size=(90, d)) for d in (6, 12)], truth


def counted(monkeypatch):
    """The sizes of the batches that the clustering losses see."""
    sizes = []
    whole = training.clustering_loss
    monkeypatch.setattr(training, "clustering_loss", lambda a, h: sizes.append(len(a)) or whole(a, h))
    return sizes


@pytest.mark.parametrize(
    ("given", "steps", "size"),
    [
        ({}, training.STEPS, 64),
        ({"steps": 7}, 7, 64),
        ({"epochs": 4}, 4, 64),
        ({"epochs": 4, "batch_size": 20}, 16, 20),
        ({"batch_size": 500, "epochs": 2}, 2, 90),
    ],
)
def test_as_many_steps_as_were_asked_for(views, monkeypatch, given, steps, size):
    sizes = counted(monkeypatch)
    fitted = CoMVC(3, n_init=1, pretrain=0, random_state=0, **given).fit(views[0])
    assert sizes == [size] * steps
    assert fitted.n_steps_ == steps


def test_sizes_follow_from_shapes_and_clusters():
    small = training.plan(CoMVC(3), [(6,), (12,)], 90)
    assert small.sizes == {"dimensions": 96, "hidden": 64, "widths": [96, 192], "limit": 2.0}
    large = training.plan(CoMVC(30), [(1, 28, 28), (1000,)], 5000)
    assert large.sizes == {"dimensions": 128, "hidden": 300, "widths": [256, 512], "limit": 2.0}
    assert (small.batch_size, large.batch_size) == (64, 300)
    given = training.plan(CoMVC(3, dimensions=5, hidden=7, batch_size=9), [(6,)], 90)
    assert (given.sizes["dimensions"], given.sizes["hidden"], given.batch_size) == (5, 7, 9)


def test_each_pass_sees_an_object_once():
    rows = torch.stack(list(training.batches(10, 4, 5)))
    assert len(set(rows[:2].flatten().tolist())) == len(set(rows[2:4].flatten().tolist())) == 8


def test_the_training_that_agrees_most_is_kept():
    one, near, far = np.array([0, 0, 1, 1, 2, 2]), np.array([1, 1, 0, 0, 2, 0]), np.array([0, 1, 2, 0, 1, 2])
    kept, agreement = training.choose([far, one, near], [0.1, 0.9, 0.5])
    expected = {
        i: (adjusted_rand_score(a, b) + adjusted_rand_score(a, c)) / 2
        for i, (a, b, c) in enumerate([(far, one, near), (one, far, near), (near, far, one)])
    }
    assert kept == max(expected, key=expected.get) != 0
    assert agreement == pytest.approx(expected[kept])
    assert training.choose([far, one], [0.2, 0.1])[0] == 1  # both agree as much: the lower loss
    assert training.choose([far, one, near], [float("nan"), 0.9, 0.5])[0] == 2
    assert training.choose([one], [3.0]) == (0, 1.0)


def test_columns_are_cut_off_at_the_limit_and_pictures_are_not():
    values = torch.randn(500, 3) * torch.tensor([1.0, 10.0, 0.1])
    values[0] = 1000
    scale = ViewScale((3,), limit=1.5)
    scale.fit(values)
    whole = (values - values.mean(0)) / values.std(0)
    torch.testing.assert_close(scale(values), whole.clamp(-1.5, 1.5))
    assert ViewScale((1, 4, 4), limit=1.5).limit is None


def test_the_head_starts_with_the_clusters_of_k_means(views):
    """Clusters far apart: k-means finds them, and the head has learned them before any clustering loss."""
    arrays = [torch.as_tensor(view, dtype=torch.float32) for view in views[0]]
    plan = training.plan(CoMVC(3), [(6,), (12,)], 90)
    torch.manual_seed(0)
    network = MultiViewNetwork([(6,), (12,)], 3, **plan.sizes)
    network.fit_scales(arrays)
    training._pretrain(network, arrays, plan)
    training._start_head(network, arrays, plan)
    found = training.apply(network.eval(), arrays)[1].argmax(1)
    assert adjusted_rand_score(views[1], found) > 0.95


def test_clusterings_of_the_version_before_are_read(views, tmp_path):
    """Schema 1: no sizes of the network, columns not cut off."""
    fitted = CoMVC(3, dimensions=8, hidden=9, epochs=1, n_init=1, limit=None, random_state=0).fit(views[0])
    old = MultiViewNetwork(fitted.shapes_, 3, 8, 9).eval()
    old.fit_scales([torch.as_tensor(view, dtype=torch.float32) for view in views[0]])
    fitted.network_ = old
    fitted.save(tmp_path)
    about = json.loads((tmp_path / "about.json").read_text())
    for name in ("network", "agreement", "steps"):
        del about[name]
    for name in ("steps", "pretrain", "limit"):
        del about["parameters"][name]
    (tmp_path / "about.json").write_text(json.dumps({**about, "schema": 1}))
    again = CoMVC.load(tmp_path)
    np.testing.assert_array_equal(again.transform(views[0]), fitted.transform(views[0]))
    assert again.limit == CoMVC().limit
    assert again.network_.sizes["limit"] is None
    again.save(tmp_path)
    np.testing.assert_array_equal(CoMVC.load(tmp_path).transform(views[0]), fitted.transform(views[0]))


@pytest.mark.slow
def test_digits_in_halves_are_clustered_as_well_as_by_k_means():
    """k-means on all 64 columns, standardised or as they are, whichever is better."""
    pixels, digits = load_digits(return_X_y=True)
    scaled = (pixels - pixels.mean(0)) / pixels.std(0).clip(1e-9)

    def accuracy(clusters):
        table = contingency_matrix(digits, clusters)
        return table[linear_sum_assignment(-table)].sum() / len(digits)

    kmeans = [accuracy(KMeans(10, n_init=10, random_state=0).fit_predict(x)) for x in (scaled, pixels)]
    found = CoMVC(10, random_state=0).fit_predict({"upper": scaled[:, :32], "lower": scaled[:, 32:]})
    assert accuracy(found) >= max(kmeans)
