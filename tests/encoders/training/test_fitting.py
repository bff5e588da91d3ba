"""The small encoders: what the package ships, and how they are trained."""

import numpy as np
import pytest
import torch
from safetensors import safe_open

import relax
from relax.encoders.training import probe, scenes, train
from relax.encoders.zoo.small import SIZE, TRAINED, WAYS, WEIGHTS, network


@pytest.mark.parametrize("way", WAYS)
def test_shipped_encoders_load_and_are_small(way):
    encoder = relax.load_encoder(f"fashion:{way}", device="cpu")
    scene = np.random.default_rng(0).integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)
    assert torch.isfinite(encoder.encode(scene)).all()
    if way != "untrained":
        assert (WEIGHTS / f"fashion-{way}.safetensors").stat().st_size < 1_000_000


def test_unknown_ways_are_refused():
    with pytest.raises(relax.UnknownNameError, match="supervised, simclr, swav, autoencoder, pca, untrained"):
        relax.load_encoder("fashion:magic")
    with pytest.raises(relax.UnknownNameError):
        train("magic")


@pytest.mark.usefixtures("fashion_data")
def test_shipped_encoders_are_as_good_as_their_headers_say():
    encoder = relax.load_encoder("fashion:supervised", device="cpu")
    with safe_open(WEIGHTS / "fashion-supervised.safetensors", "pt") as file:
        claimed = {name: float(file.metadata()[name]) for name in ("knn", "linear")}
    measured = probe(encoder.model)
    assert measured["knn"] == pytest.approx(claimed["knn"], abs=0.01)
    assert measured["linear"] == pytest.approx(claimed["linear"], abs=0.01)


@pytest.mark.usefixtures("fashion_data")
@pytest.mark.parametrize("way", TRAINED)
def test_training_lowers_the_loss(way, monkeypatch, tmp_path):
    pytest.importorskip("lightly")
    monkeypatch.setattr("relax.encoders.training.fitting.SCENES", 64)
    monkeypatch.setattr("relax.encoders.training.fitting.PROBED", (60, 40))
    losses = []
    out = tmp_path / "weights.safetensors"
    result = train(way, out, steps=12, batch=32, on_step=lambda done, steps, loss: losses.append(loss))
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    assert 0 <= result["knn"] <= 1
    encoder = relax.load_encoder(f"fashion:{way}", weights=str(out), device="cpu")
    assert not torch.equal(encoder.model.stem[0].weight, network(way).stem[0].weight)


@pytest.mark.usefixtures("fashion_data")
def test_components_are_those_of_scikit_learn(monkeypatch, tmp_path):
    from sklearn.decomposition import PCA

    monkeypatch.setattr("relax.encoders.training.fitting.SCENES", 100)
    monkeypatch.setattr("relax.encoders.training.fitting.PROBED", (60, 40))
    train("pca", tmp_path / "pca.safetensors")
    encoder = relax.load_encoder("fashion:pca", weights=str(tmp_path / "pca.safetensors"), device="cpu")
    pictures, _ = scenes("train", 100)
    seen = torch.stack([encoder.prepare(picture).tensor for picture in pictures])
    small = torch.nn.functional.adaptive_avg_pool2d(seen, 32).flatten(1).numpy()
    expected = PCA(64, random_state=0).fit_transform(small)
    got = encoder.encode(seen).numpy()
    assert np.allclose(got, expected, atol=0.05 * np.abs(expected).max())  # weights are kept in half precision
