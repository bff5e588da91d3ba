import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

import relax


def test_every_pair_is_explained_and_compared(tiny, image, tmp_path):
    black_box = relax.Encoder(lambda x: torch.from_numpy(tiny(x).detach().numpy()), name="black box")
    result = relax.compare({"tiny": tiny, "black box": black_box}, image, ["relax", "lafam", "hsic"], n_masks=256)
    assert list(result.explanations) == [
        ("tiny", "relax"),
        ("tiny", "lafam"),
        ("tiny", "hsic"),
        ("black box", "relax"),
        ("black box", "hsic"),
    ]
    assert "need forwards only" in result.refused["black box", "lafam"]
    np.testing.assert_allclose(
        result.explanations["tiny", "relax"].importance,
        relax.explain(tiny, image, method="relax", n_masks=256).importance,
        atol=1e-6,
    )
    assert [row["forwards"] for row in result.table() if row["method"] == "relax"] == [257, 257]
    pairs = {(r["encoder"], r["method"], r["other encoder"], r["other method"]): r for r in result.agreement()}
    assert len(pairs) == 10
    same = pairs["tiny", "relax", "black box", "relax"]  # the same function, so the same map
    assert same["spearman"] == pytest.approx(1, abs=1e-4)
    assert same["top 20 % overlap"] == pytest.approx(1, abs=0.01)
    result.plot(tmp_path / "c.png")


def test_agreement_is_spearman_and_overlap(tiny, image):
    result = relax.compare([tiny], image, ["relax", "saliency"], n_masks=256)
    (row,) = result.agreement()
    maps = [result._at_one_size(e).ravel() for e in result.explanations.values()]
    assert row["spearman"] == pytest.approx(spearmanr(*maps).statistic)
    tops = [set(np.argsort(m)[-len(m) // 5 :]) for m in maps]
    assert row["top 20 % overlap"] == pytest.approx(len(tops[0] & tops[1]) / len(tops[0]), abs=0.01)


def test_what_cannot_be_compared(tiny, image):
    with pytest.raises(relax.ArgumentError, match="at least one encoder"):
        relax.compare([], image)
    with pytest.raises(relax.ArgumentError, match="unknown method"):
        relax.compare([tiny], image, ["reluxe"])
    with pytest.raises(relax.ArgumentError, match="need forwards only"):
        relax.compare([lambda x: x.detach().mean((2, 3))], image, ["lafam"])


def test_names_that_are_taken_are_numbered(tiny, image):
    result = relax.compare([tiny, tiny], image, ["relax"], n_masks=256)
    assert [encoder for encoder, _ in result.explanations] == ["TinyEncoder", "TinyEncoder-2"]


def test_configurations_of_one_method_are_kept_apart(tiny):
    from relax.methods.gradients import SmoothGrad

    x = torch.rand(3, 28, 28, generator=torch.Generator().manual_seed(0))
    found = relax.compare([tiny], x, methods=[SmoothGrad(n_samples=4), SmoothGrad(n_samples=6)]).explanations
    assert {method: e.n_masks for (_, method), e in found.items()} == {"smoothgrad": 4, "smoothgrad-2": 6}


def test_a_sequential_module_is_one_encoder_and_not_its_layers(image):
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Tanh())
    found = relax.compare(layers, image, n_masks=8).explanations
    assert [encoder for encoder, _ in found] == ["Sequential"]
    assert [encoder for encoder, _ in relax.compare(lambda x: x.mean((2, 3)), image, n_masks=8).explanations] == [
        "<lambda>"
    ]
