"""A tokenizer and an encoder of a few dozen words, made here."""

import pytest
import torch

import relax
from relax.encoders.zoo.bert import Bert

tokenizers = pytest.importorskip("tokenizers", reason="tokenizers (extra: text) is not installed")
pytest.importorskip("uniseg", reason="uniseg (extra: text) is not installed")

WORDS = [
    "a",
    "the",
    "cat",
    "cats",
    "sat",
    "on",
    "mat",
    "dog",
    "lay",
    "carpet",
    "purr",
    "why",
    "do",
    "not",
    "un",
    "##happy",
    "##s",
    ".",
    ",",
    "!",
    "?",
    "and",
    "fish",
    "we",
    "ate",
    "today",
    "é",
]


@pytest.fixture
def tokenizer():
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import TemplateProcessing

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    made = tokenizers.Tokenizer(WordPiece({name: number for number, name in enumerate(names)}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = Lowercase(), BertPreTokenizer()
    made.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return made


@pytest.fixture
def bert():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Bert(len(WORDS) + 5, 64, width=16, inner=32, layers=2, heads=4)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.4)
    return model.eval()


@pytest.fixture
def encoder(bert, tokenizer):
    return relax.Encoder(bert, tokenizer, modality="text", name="tiny")


def word_vectors(text):
    return [torch.tensor([float(ord(letter) % 7) for letter in (word * 6)[:6]]) for word in text.split()]


@pytest.fixture
def bag():
    """A bag of words as a callable on strings: the sum of the vectors of the words."""
    zero = torch.zeros(6)
    return relax.Encoder(
        lambda texts: torch.stack([sum(word_vectors(text), zero) for text in texts]), modality="text", name="bag"
    )


@pytest.fixture
def vectors_of():
    """A fixed vector for each word, by its letters."""
    return word_vectors
