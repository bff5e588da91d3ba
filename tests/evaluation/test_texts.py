"""Metrics of texts: known answers on a bag of words, where removing a word subtracts its vector."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import relax
from relax.datasets.planted import TextSample
from relax.evaluation.subject import Subject
from relax.evaluation.texts import comprehensiveness, gain, planted_auc, planted_rank, sufficiency

pytest.importorskip("uniseg", reason="uniseg (extra: text) is not installed")

TEXT = "one two three four five six seven eight nine ten"


def only_three(texts):
    """A representation in which only the word "three" counts, beside a constant."""
    return torch.tensor([[float("three" in text.split()), 1.0] for text in texts])


def subject(importance, mask=None, against=None):
    encoder = relax.Encoder(only_three, modality="text", name="three")
    prepared = encoder.prepare(TEXT)
    shown = SimpleNamespace(importance=np.asarray(importance, dtype=np.float32))
    return Subject(encoder, shown, mask, None, 0, prepared, against)


RIGHT = [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
WRONG = [1, 1, 0, 1, 1, 1, 1, 1, 1, 1]


def test_the_word_that_counts_first_is_best_and_last_is_worst():
    # with it removed first, all is lost at once; removed last, nothing is lost until the end
    assert gain(subject(RIGHT), "dropped") == pytest.approx(1)
    assert gain(subject(WRONG), "dropped") == pytest.approx(-1)
    assert comprehensiveness(subject(RIGHT)) == pytest.approx(1)
    assert sufficiency(subject(RIGHT)) == pytest.approx(1)
    assert comprehensiveness(subject(WRONG)) == pytest.approx(0)
    assert sufficiency(subject(WRONG)) == pytest.approx(0)


def test_a_text_that_hardly_matters_has_no_value():
    flat = relax.Encoder(lambda texts: torch.ones(len(texts), 2), modality="text")
    shown = SimpleNamespace(importance=np.arange(10.0))
    assert np.isnan(gain(Subject(flat, shown, None, None, 0, flat.prepare(TEXT)), "dropped"))


def test_planted_words_are_ranked():
    mask = np.zeros(10, dtype=bool)
    mask[2:4] = True
    assert planted_auc(subject([0, 0, 9, 8, 1, 1, 1, 1, 1, 1], mask)) == 1
    assert planted_auc(subject([9, 9, 0, 0, 9, 9, 9, 9, 9, 9], mask)) == 0
    assert planted_auc(subject(np.ones(10), mask)) == 0.5
    assert planted_rank(subject([0, 9, 8, 0, 0, 0, 0, 0, 0, 0], mask)) == 0.5
    assert np.isnan(planted_auc(subject(RIGHT)))


def test_a_planted_sentence_is_marked_in_the_units_of_the_encoder():
    sample = TextSample("a", "The start. A cat is an animal. The end.", "what is a cat?", (11, 30))
    prepared = relax.Encoder(only_three, modality="text").prepare(sample.source)
    assert [label for label, inside in zip(prepared.labels, sample.seen(prepared), strict=True) if inside] == [
        *("A", "cat", "is", "an", "animal.")
    ]
