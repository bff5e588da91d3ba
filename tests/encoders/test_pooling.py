from collections import OrderedDict

import pytest
import torch
from torch import nn

import relax
from relax.encoders.pooling import Pooling, has_class_token

SPATIAL = torch.arange(2 * 3 * 2 * 2.0).view(2, 3, 2, 2)
TOKENS = torch.arange(2 * 4 * 3.0).view(2, 4, 3)
FLAT = torch.arange(6.0).view(2, 3)


@pytest.mark.parametrize(
    ("pooling", "output", "expected"),
    [
        (Pooling(), FLAT, FLAT),
        (Pooling(), SPATIAL, SPATIAL.mean((2, 3))),
        (Pooling(), TOKENS, TOKENS.mean(1)),
        (Pooling(has_class_token=True), TOKENS, TOKENS[:, 0]),
        (Pooling("cls"), TOKENS, TOKENS[:, 0]),
        (Pooling("mean", has_class_token=True), TOKENS, TOKENS.mean(1)),
        (Pooling(), (None, TOKENS, FLAT), TOKENS.mean(1)),
        (Pooling(), [FLAT, SPATIAL], FLAT),
        (Pooling(), {"pooler_output": FLAT, "last_hidden_state": TOKENS}, FLAT),
        (Pooling(), {"image_embeds": FLAT, "text_embeds": -FLAT}, FLAT),
        (Pooling("mean"), {"pooler_output": FLAT, "last_hidden_state": TOKENS}, TOKENS.mean(1)),
        (Pooling("text_embeds"), {"image_embeds": FLAT, "text_embeds": -FLAT}, -FLAT),
        (Pooling(), OrderedDict(whatever=SPATIAL), SPATIAL.mean((2, 3))),
        (Pooling(), {"pooler_output": FLAT[:, :, None, None]}, FLAT),
        (Pooling(lambda x: x["a"] + 1), {"a": FLAT}, FLAT + 1),
    ],
)
def test_the_stated_rules(pooling, output, expected):
    torch.testing.assert_close(pooling(output, 2), expected)


def test_model_outputs_of_transformers():
    outputs = pytest.importorskip("transformers.modeling_outputs")
    output = outputs.BaseModelOutputWithPooling(last_hidden_state=TOKENS, pooler_output=FLAT)
    torch.testing.assert_close(Pooling()(output, 2), FLAT)


@pytest.mark.parametrize(
    ("rule", "output", "words"),
    [
        ("auto", {"a": FLAT, "b": FLAT}, r"several tensors \(a, b\); choose one with pool=NAME"),
        ("c", {"a": FLAT, "b": FLAT}, "has no 'c'; it has: a, b"),
        ("auto", None, "got NoneType"),
        ("auto", (), "got tuple"),
        ("auto", torch.zeros(3, 4), r"one representation for each of 2 inputs, got an output of shape \(3, 4\)"),
        ("auto", torch.zeros(2), r"expected representations of shape \(N, D\).*got \(2,\)"),
        ("auto", torch.zeros(2, 0), r"got \(2, 0\)"),
    ],
)
def test_outputs_that_cannot_be_pooled(rule, output, words):
    with pytest.raises(relax.EncoderError, match=words):
        Pooling(rule)(output, 2)


def test_class_tokens_are_found_by_their_names():
    model = nn.Sequential(nn.Linear(2, 2))
    assert not has_class_token(model)
    model[0].cls_token = nn.Parameter(torch.zeros(1, 1, 2))
    assert has_class_token(model)
    assert not has_class_token(lambda x: x)
