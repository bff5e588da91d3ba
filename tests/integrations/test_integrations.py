"""The interfaces of Captum, Quantus and pytorch-grad-cam."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import relax


def test_captum_attribution_keeps_the_shape_and_is_relax(tiny, image):
    attr = pytest.importorskip("captum.attr")
    from relax.integrations.captum import Relax

    inputs = torch.stack([image, image.flip(1)])
    method = Relax(tiny)
    assert isinstance(method, attr.Attribution)
    attribution = method.attribute(inputs, n_samples=256, perturbations_per_eval=32)
    assert attribution.shape == inputs.shape
    for row, x in zip(attribution, inputs, strict=True):
        e = relax.explain(tiny, x, n_masks=256)
        for channel in row:
            np.testing.assert_allclose(channel, e.importance, atol=1e-6)
    uncertainty = method.attribute(inputs, n_samples=256, map="uncertainty")
    np.testing.assert_allclose(uncertainty[0, 0], relax.explain(tiny, image, n_masks=256).uncertainty, atol=1e-6)
    with pytest.raises(relax.InputError, match=r"\(N, C, H, W\), got \(3, 28, 28\)"):
        method.attribute(image)
    with pytest.raises(relax.ArgumentError, match="expected `n_samples`, Captum's name for `n_masks`"):
        method.attribute(inputs, n_masks=64)


def test_quantus_evaluates_every_kind_of_method(tiny, image):
    quantus = pytest.importorskip("quantus", reason="quantus (extra: evaluate) is not installed")
    from relax.integrations.quantus import explain_func

    model = nn.Sequential(tiny, nn.Linear(12, 3)).eval()
    x = torch.stack([image, image.flip(1)]).numpy()
    y = np.zeros(2, dtype=int)
    results = quantus.evaluate(
        metrics={
            "Sparseness": quantus.Sparseness(disable_warnings=True),
            "Complexity": quantus.Complexity(disable_warnings=True),
        },
        xai_methods={
            name: explain_func(name, **o) for name, o in (("relax", {"n_masks": 256}), ("saliency", {}), ("lafam", {}))
        },
        model=model,
        x_batch=x,
        y_batch=y,
        s_batch=None,
        explain_func_kwargs={"device": "cpu"},
    )
    assert set(results) == {"relax", "saliency", "lafam"}
    direct = quantus.Sparseness(disable_warnings=True)(
        model=model, x_batch=x, y_batch=y, a_batch=explain_func("saliency")(model, x, y), device="cpu"
    )
    np.testing.assert_allclose(results["saliency"]["Sparseness"], direct, rtol=1e-6)
    with pytest.raises(relax.UnknownNameError):
        explain_func("reluxe")


def test_the_target_of_pytorch_grad_cam_is_the_score(tiny, image):
    from relax.integrations.gradcam import SimilarityTarget

    target = SimilarityTarget(tiny, image)
    batch = torch.stack([image.flip(1), image])
    expected = relax.similarity_forward(tiny, image)(batch)
    for output, score in zip(tiny(batch), expected, strict=True):
        torch.testing.assert_close(target(output), score, atol=1e-5, rtol=1e-5)


def test_the_how_to_of_pytorch_grad_cam_runs_where_it_is_installed():
    pytest.importorskip("pytorch_grad_cam")
    page = (Path(__file__).parents[2] / "docs" / "howto" / "ecosystem.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict = {}
    for block in (blocks[0], *blocks[-2:]):
        exec(block, names)
    assert names["cam"].shape == (1, 28, 28)
