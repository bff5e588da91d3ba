"""Encoders with a text tower: sentences land where the model itself puts them."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import relax

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 40, 3), dtype=np.uint8))
SENTENCES = ["a cat", "two dogs in the snow"]


def small_clip(folder, family):
    """A randomly initialised model with its image processor and a tokeniser that knows letters."""
    transformers = pytest.importorskip("transformers")
    letters = "abcdefghijklmnopqrstuvwxyz "
    names = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({name: number for number, name in enumerate(names)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    size = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    vision = {**size, "image_size": 32, "patch_size": 8}
    text = {**size, "vocab_size": len(names), "max_position_embeddings": 24, "eos_token_id": len(names) - 1}
    if family == "clip":
        config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
        model = transformers.CLIPModel(config).eval()
        processor = transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    else:
        model = transformers.SiglipModel(transformers.SiglipConfig(text_config=text, vision_config=vision)).eval()
        processor = transformers.SiglipImageProcessor(size={"height": 32, "width": 32})
    for part in (model, processor, tokenizer):
        part.save_pretrained(folder / "model")
    return model, tokenizer, folder / "model"


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_sentences_of_transformers_models(tmp_path, family):
    model, tokenizer, folder = small_clip(tmp_path, family)
    encoder = relax.load_encoder(f"hf:{folder}", device="cpu")
    padding = {"padding": "max_length", "max_length": 24} if family == "siglip" else {"padding": True}
    tokens = tokenizer(SENTENCES, return_tensors="pt", **padding)
    if family == "siglip":
        tokens.pop("attention_mask")
    with torch.no_grad():
        expected = model.get_text_features(**tokens)
    expected = expected if isinstance(expected, torch.Tensor) else expected.pooler_output
    torch.testing.assert_close(encoder.encode_text(SENTENCES), expected, atol=1e-5, rtol=1e-4)
    image = encoder.encode(PICTURE)
    e = relax.explain(encoder, PICTURE, relax.Text(SENTENCES[0], foil=SENTENCES[1]), n_masks=256)
    cosines = torch.cosine_similarity(image, expected)
    assert e.score == pytest.approx(float(cosines[0] - cosines[1]), abs=1e-5)
    assert e.signed


def test_sentences_of_open_clip_models(tmp_path):
    open_clip = pytest.importorskip("open_clip")
    encoder = relax.load_encoder("open_clip:ViT-S-32", pretrained=False, device="cpu")
    model, _, preprocess = open_clip.create_model_and_transforms("ViT-S-32", pretrained=None)
    model.load_state_dict(encoder.model.model.state_dict())
    tokens = open_clip.get_tokenizer("ViT-S-32")(SENTENCES)
    with torch.no_grad():
        text, image = model.eval().encode_text(tokens), model.encode_image(preprocess(PICTURE)[None])
    torch.testing.assert_close(encoder.encode_text(SENTENCES), text, atol=1e-4, rtol=1e-3)
    encoder.transform = relax.ImageTransform(**{**vars(encoder.transform), "crop": "center"})  # open_clip's own
    torch.testing.assert_close(encoder.encode(PICTURE), image, atol=1e-3, rtol=1e-2)
    e = relax.explain(encoder, PICTURE, relax.Text("a cat"), n_masks=128, masks=relax.GridMasks(4))
    assert e.score == pytest.approx(float(torch.cosine_similarity(image, text[:1])), abs=1e-3)
    assert encoder.patch == 32


def test_open_clip_says_what_it_needs():
    pytest.importorskip("open_clip")
    with pytest.raises(relax.EncoderError, match="no model 'ViT-X'"):
        relax.load_encoder("open_clip:ViT-X")
    with pytest.raises(relax.EncoderError, match=r"available: .*laion2b"):
        relax.load_encoder("open_clip:ViT-B-32")


def test_a_folder_without_a_tokeniser_serves_pictures_and_says_so_for_text(tmp_path):
    _, _, folder = small_clip(tmp_path, "clip")
    for file in folder.glob("*token*"):
        file.unlink()
    for name in ("vocab.json", "merges.txt"):
        (folder / name).unlink(missing_ok=True)
    encoder = relax.load_encoder(f"hf:{folder}", device="cpu")
    assert encoder.encode(PICTURE).shape == (1, 16)
    with pytest.raises(relax.EncoderError, match="no tokeniser in this folder"):
        encoder.encode_text(SENTENCES)
