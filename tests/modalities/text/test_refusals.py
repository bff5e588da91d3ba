"""What texts, fills, methods and encoders that do not go together are told."""

from pathlib import Path

import pytest
import torch

import relax
from relax.methods.repeat import Repeat

TEXT = "The cat sat on a mat today."


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "got an empty one"),
        (" \n ", "got an empty one"),
        (7, "expected a text"),
        ("\ud800 cat", "lone surrogate"),
        (Path("missing.txt"), "missing.txt: no such file"),
    ],
)
def test_bad_texts_are_said(encoder, source, words):
    with pytest.raises(relax.InputError, match=words):
        relax.explain(encoder, source)


def test_a_bad_entry_of_a_list_is_named(encoder):
    with pytest.raises(relax.InputError, match=r"^inputs\[2\]: text: expected a text, got an empty one"):
        relax.explain(encoder, ["cats purr", "dogs", " ", "fish"])


def test_a_file_that_is_not_utf8_is_said(encoder, tmp_path):
    file = tmp_path / "latin.txt"
    file.write_bytes("café".encode("latin-1"))
    with pytest.raises(relax.InputError, match="expected UTF-8, got byte 0xe9 at 3"):
        relax.explain(encoder, file)


@pytest.mark.parametrize("method", ["saliency", "integrated-gradients", "deeplift", "relax-gradient", "lafam"])
def test_methods_of_gradients_and_activations_say_which_work_on_texts(encoder, method):
    for asked in (method, Repeat(base=method) if method == "saliency" else method):
        with pytest.raises(relax.ArgumentError) as caught:
            relax.Explainer(encoder, method=asked)
        reason, available = str(caught.value).split("; available: ")
        assert "text" in reason
        assert {"relax", "relax-regression", "occlusion", "kernel-shap"} <= {*available.split(", ")}
        for name in available.split(", "):  # those do
            assert relax.explain(encoder, "the cat sat", method=name, n_masks=None).importance.shape == (3,)


@pytest.mark.parametrize("fill", ["mean", "zero", "blur", "red", "nosuch", 3, ["mean"], ""])
def test_fills_of_other_modalities_are_refused_with_the_list(encoder, fill):
    with pytest.raises(relax.ArgumentError, match="texts have the fills drawn, dropped, mask-token, pad-token, got"):
        relax.Explainer(encoder, fill=fill)


def test_fills_that_do_not_fit_are_said(encoder, bag):
    for fill in ("mask-token", "pad-token"):
        with pytest.raises(relax.ArgumentError, match="takes strings"):
            relax.explain(bag, TEXT, fill=fill)
    with pytest.raises(relax.ArgumentError, match="text"):
        relax.explain(encoder, TEXT, fill="blur")
    with pytest.raises(relax.ArgumentError, match="text"):
        relax.explain(encoder, TEXT, masks="grid")
    with pytest.raises(relax.ArgumentError, match="takes strings"):
        relax.explain(bag, TEXT, masks="tokens")


def test_a_tokenizer_without_a_mask_token_has_none(bert, tokenizer):
    transformers = pytest.importorskip("transformers")
    made = {"tokenizer_object": tokenizer, "pad_token": "[PAD]", "unk_token": "[UNK]"}
    for token in (None, "[MASK]"):
        given = transformers.PreTrainedTokenizerFast(**made, **({} if token is None else {"mask_token": token}))
        encoder = relax.Encoder(bert, given, modality="text")
        if token is None:
            with pytest.raises(relax.ArgumentError, match="has no mask token; use fill='dropped'"):
                relax.explain(encoder, "the cat sat", fill="mask-token")
        else:
            assert relax.explain(encoder, "the cat sat", fill="mask-token").n_masks == 8


def test_a_function_of_texts_without_a_modality_is_told_how(bag):
    with pytest.raises(relax.InputError, match='no such file; for a text, give the encoder modality="text"'):
        relax.explain(relax.Encoder(bag.model), "why do cats purr")
    with pytest.raises(relax.InputError, match=r"no such file$"):
        relax.explain(relax.Encoder(bag.model), "photo.png")


def test_an_encoder_that_fails_on_the_empty_text_is_told_why(vectors_of):
    def mean(texts):
        if not all(texts):
            raise ValueError("no words")
        return torch.stack([torch.stack(vectors_of(text)).mean(0) for text in texts])

    encoder = relax.Encoder(mean, modality="text")
    with pytest.raises(
        relax.EncoderError, match=r"one of them empty .*return a vector for '', or use fill='drawn'.*no w"
    ):
        relax.explain(encoder, "the cat sat")
    assert relax.explain(encoder, "the cat sat", fill="drawn").n_masks == 8


def test_options_that_masks_do_not_have_are_named_with_those_they_have():
    with pytest.raises(relax.ArgumentError, match=r"do not take these options: pattern; they have: keep$"):
        relax.masks.create("words", pattern="x")


def test_folders_that_are_not_there_are_said():
    pytest.importorskip("transformers")
    pytest.importorskip("sentence_transformers")
    for family in ("hf", "sentence-transformers"):
        with pytest.raises(relax.EncoderError, match=f"^{family}:/no/such/folder: no such folder$"):
            relax.load_encoder(f"{family}:/no/such/folder")
