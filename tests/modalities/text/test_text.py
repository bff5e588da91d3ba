"""Texts: exact for few words, closed form for bags of words, the same on tokens and on strings."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import relax
from relax.modalities.text.masks import PatternMasks, WordMasks
from relax.retrieval.interactions import Interactions

TEXT = "The cat sat on a mat today."


def words_kept(encoder, words, kept):
    return encoder.encode(" ".join(word for word, keep in zip(words, kept, strict=True) if keep) or "[nothing]")[0]


def test_a_bag_of_words_has_its_closed_form(bag, vectors_of):
    text = "cats sat on mats and purr"
    e = relax.explain(bag, text, similarity="dot")
    v = torch.stack(vectors_of(text))
    shares = (v @ v.sum(0)).numpy()
    np.testing.assert_allclose(e.effect, shares / 2, rtol=1e-5)
    np.testing.assert_allclose(e.importance, shares.sum() / 2 + shares / 2, rtol=1e-5)
    rest = [np.delete(shares, n) for n in range(len(shares))]
    np.testing.assert_allclose(e.uncertainty, [(others**2).sum() / 4 for others in rest], rtol=1e-4)
    assert e.n_masks == 64
    assert e.reliability == 1
    assert e.settings["design"] == "exhaustive"
    np.testing.assert_array_equal(e.standard_error, 0)


@pytest.mark.parametrize("method", ["relax-regression", "relax"])
def test_all_masks_equal_brute_force(encoder, method):
    words = TEXT.split()
    e = relax.explain(encoder, TEXT, method=method)
    masks = np.array(list(itertools.product((0, 1), repeat=len(words))))
    ids = encoder.prepare(TEXT)
    rows = []
    for kept in masks:
        keep = np.append(kept, 1)[ids.geometry.element_of_token].astype(bool)
        batch = {name: tensor[torch.from_numpy(keep)][None] for name, tensor in ids.inputs.items()}
        hidden = encoder.model(**batch)["last_hidden_state"]
        rows.append(hidden.mean(1)[0])
    scores = F.cosine_similarity(torch.stack(rows), encoder.encode(TEXT)).detach().double().numpy()
    importance = (scores @ masks) / masks.sum(0)
    np.testing.assert_allclose(e.importance, importance, atol=1e-5)
    np.testing.assert_allclose(e.uncertainty, (scores**2 @ masks) / masks.sum(0) - importance**2, atol=1e-5)
    assert e.labels == tuple(words)


def test_dropped_words_are_the_shortened_text(encoder):
    """A run with one mask a word left out, beside encoding the text without that word."""
    words = ["the", "cat", "sat", "on", "a", "mat"]
    effects = []
    for number in range(len(words)):
        others = " ".join(word for n, word in enumerate(words) if n != number)
        effects.append(F.cosine_similarity(encoder.encode(others), encoder.encode(" ".join(words)))[0])
    e = relax.explain(encoder, " ".join(words), method="occlusion", window="units")
    np.testing.assert_allclose(e.importance, [1 - float(effect) for effect in effects], atol=1e-5)


def test_strings_and_tokens_agree(encoder):
    """The same encoder as a callable on strings, whose words are removed from the string."""
    strings = relax.Encoder(lambda texts: encoder.encode([text or "[PAD]" for text in texts]), modality="text")
    for text in (TEXT, "we ate fish, and the cats do not purr today and the dog sat on the carpet"):
        one, other = relax.explain(encoder, text, n_masks=256), relax.explain(strings, text, n_masks=256)
        assert one.labels == other.labels
        # only the mask that keeps nothing differs: a string must not be empty
        assert np.corrcoef(one.importance, other.importance)[0, 1] > 0.98


def test_padding_in_a_batch_changes_nothing(encoder):
    texts = ["cat", "the cat sat on the mat and we ate fish today", "why do cats purr ?"]
    together = encoder.encode(texts)
    for number, text in enumerate(texts):
        torch.testing.assert_close(together[number], encoder.encode(text)[0], atol=1e-5, rtol=1e-5)


def test_a_list_equals_single_calls_and_batches_change_nothing(encoder):
    texts = [TEXT, "why do cats purr ?", "we ate fish and the cats do not purr today on the mat"]
    for e, text in zip(relax.explain(encoder, texts), texts, strict=True):
        single = relax.explain(encoder, text, batch_size=3)
        np.testing.assert_allclose(e.importance, single.importance, atol=1e-5)
        assert e.labels == single.labels


@pytest.mark.parametrize("fill", ["dropped", "mask-token", "pad-token", "drawn"])
def test_fills_do_what_they_say(encoder, fill):
    prepared = encoder.prepare("the cat sat on a mat")
    bound = encoder.modality.fill(fill).bind(prepared, encoder.modality, seed=3)
    units = WordMasks().over(prepared)
    bits = torch.ones(1, 6)
    bits[0, [1, 3]] = 0  # cat, on
    batch = bound.apply(prepared, units, relax.Block(bits, torch.zeros(1, 1, dtype=torch.long)))
    ids = prepared.inputs["input_ids"]
    removed = torch.tensor([2, 4])
    if fill == "dropped":
        kept = torch.tensor([n for n in range(len(ids)) if n not in (2, 4)])
        assert batch["input_ids"][0].tolist() == ids[kept].tolist()
    elif fill == "mask-token":
        assert batch["input_ids"][0, removed].tolist() == [4, 4]
        assert batch["attention_mask"].all()
    elif fill == "pad-token":
        assert batch["attention_mask"][0].tolist() == [1, 1, 0, 1, 0, 1, 1, 1]
    else:
        drawn = batch["input_ids"][0]
        assert len(drawn) == len(ids)
        assert {*drawn.tolist()} <= {*ids.tolist()}
        again = bound.apply(prepared, units, relax.Block(bits, torch.zeros(1, 1, dtype=torch.long)))
        assert torch.equal(again["input_ids"][0], drawn)
    rows = [batch["input_ids"][0].tolist()]
    assert rows[0][0] == 2  # special tokens stay
    assert rows[0][-1] == 3


def test_units_and_their_spans_rebuild_the_text(encoder):
    text = "Cats purr.  Why, unhappy cats do not!\n\nWe ate (fish) today…"
    for masks, first in (("tokens", "Cats"), ("words", "Cats"), ("sentences", "Cats purr."), ("paragraphs", text[:37])):
        e = relax.explain(encoder, text, masks=masks, n_masks=64)
        assert e.labels[0] == first
        assert [text[start:stop] for start, stop in e.spans] == list(e.labels)
        gaps = [text[a:b] for (_, a), (b, _) in itertools.pairwise(e.spans)]
        assert not "".join(gaps).strip()
        assert e.settings["masks"]["name"] == masks
    words = relax.explain(encoder, text, n_masks=64).labels
    assert words == ("Cats", "purr.", "Why,", "unhappy", "cats", "do", "not!", "We", "ate", "(fish)", "today…")


def test_words_that_share_a_token_are_one_unit(encoder, bag):
    text = "we ate สวัสดีครับ and 🦄🐉 today"  # the tokenizer knows neither: one token each
    e = relax.explain(encoder, text)
    assert e.labels == ("we", "ate", "สวัสดีครับ", "and", "🦄🐉", "today")
    assert [text[start:stop] for start, stop in e.spans] == list(e.labels)
    assert len(relax.explain(bag, "ส ดี").labels) == 2


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("cats - dogs — fish", ("cats -", "dogs —", "fish")),
        ("- cats\n- dogs", ("- cats", "- dogs")),
        ("cats --\n\n== fish !", ("cats --", "== fish !")),
        ("( cats ) fish\n---", ("( cats )", "fish\n---")),
        ("- – —", ("-", "–", "—")),
    ],
)
def test_punctuation_alone_goes_with_a_neighbour(bag, text, labels):
    assert bag.prepare(text).labels == labels


def test_line_ends_of_any_system_and_texts_without_sentences(encoder):
    assert relax.explain(encoder, "cats purr\r\n\r\ndogs bark", masks="paragraphs").labels == ("cats purr", "dogs bark")
    rows = relax.Encoder(lambda texts: [[1.0, float(len(text))] for text in texts], modality="text")
    assert relax.explain(rows, "cats purr").n_masks == 4


def test_a_long_text_without_sentences_is_explained_by_words(bag):
    long = " ".join(f"w{number}" for number in range(750))
    kinds = bag.modality.kinds(bag.prepare(long))
    assert [kind.kind for kind in kinds] == ["words"]


def test_words_that_u_relax_leaves_out_are_white_and_a_cut_is_shown(encoder, bert, tokenizer):
    from relax.modalities.text.shading import pieces_of
    from relax.modalities.text.tokenizer import TextTokenizer

    e = relax.explain(encoder, TEXT, method="u-relax")
    units = [piece for piece in pieces_of(e) if piece.unit is not None]
    assert any(value == 0 for value in e.importance)
    assert all(piece.share == 0 for piece in units if e.importance[piece.unit] == 0)
    short = relax.Encoder(bert, TextTokenizer(tokenizer, max_length=6), modality="text")
    with pytest.warns(relax.RelaxWarning, match="cut off"):
        cut = relax.explain(short, "the cat sat on the mat today")
    assert "3 tokens, was cut off and is not explained" in cut.html()


def test_a_pattern_removes_its_matches_only(encoder):
    e = relax.explain(encoder, "the cat sat, the dog lay", masks=PatternMasks(pattern=r"cat|dog"))
    assert e.labels == ("cat", "dog")
    assert e.n_masks == 4


def test_several_kinds_of_masks_are_one_map_of_words(encoder):
    text = "The cat sat on a mat. We ate fish today. Why do cats purr? The dog lay on the carpet, and the cats do not."
    e = relax.explain(encoder, text, masks=["words", "sentences"], n_masks=256)
    assert len(e.labels) == len(text.split())
    assert [kind["name"] for kind in e.settings["masks"]] == ["words", "sentences"]
    again = relax.explain(encoder, text, **e.arguments())
    np.testing.assert_allclose(again.importance, e.importance, atol=1e-6)


def test_references_work_as_for_pictures(encoder):
    own = relax.explain(encoder, TEXT)
    np.testing.assert_allclose(relax.explain(encoder, TEXT, against=TEXT).importance, own.importance, atol=1e-6)
    corpus = relax.Corpus(["cats purr", "a cat"], foil=["fish today"])
    e = relax.explain(encoder, TEXT, corpus)
    v = F.normalize(encoder.encode(["cats purr", "a cat", "fish today", TEXT]), dim=1)
    assert e.score == pytest.approx(float(v[3] @ (v[:2].mean(0) - v[2])), abs=1e-5)
    sentence = relax.explain(encoder, TEXT, relax.Text("cats purr"))
    assert sentence.score == pytest.approx(float(v[3] @ v[0]), abs=1e-5)


def test_interactions_are_those_of_all_pairs_of_masks(bag, vectors_of):
    """For a bag of words and the dot product, word r of a and word q of b interact by ¼ ⟨v_r, v_q⟩."""
    a, b = "cats sat here", "dogs lay on mats"
    found = relax.match(bag, a, b, regions=True, similarity="dot").interactions
    expected = torch.stack(vectors_of(a)) @ torch.stack(vectors_of(b)).T / 4
    np.testing.assert_allclose(found.values, expected, rtol=1e-5)
    np.testing.assert_array_equal(found.standard_error, 0)
    assert isinstance(found, Interactions)
    assert found.answers(np.array([0.0, 1.0, 0.0]), 1)[0]["cell"] == "sat"


def test_more_masks_than_there_are_are_never_tried(encoder):
    assert relax.explain(encoder, "cats purr", n_masks=500).n_masks == 4
    assert relax.explain(encoder, "cat").n_masks == 2
    long = "the cat sat on a mat and we ate fish and a dog lay"
    assert relax.explain(encoder, long, max_masks=128).n_masks <= 128


@pytest.mark.parametrize(("words", "sentences", "n_masks"), [(12, 1, 128), (20, 1, 128), (26, 2, 136)])
def test_a_short_text_that_is_reliable_stops_at_128_masks(bag, words, sentences, n_masks):
    """A block has 32 masks for 12 words and 64 for 20; one of two sentences has 4."""
    sentence = "the cat sat on a mat and we ate fish today why do cats not purr a dog lay on the carpet and we sat"
    text = sentence.split()
    long = " ".join([" ".join(text[:words]).capitalize() + "."] * sentences)
    assert relax.explain(bag, long, similarity="dot").n_masks == n_masks


def test_of_a_long_text_only_what_is_seen_is_segmented(bert, tokenizer, monkeypatch):
    from relax.modalities.text import modality
    from relax.modalities.text.tokenizer import TextTokenizer

    segmented, words = [], modality.words
    monkeypatch.setattr(modality, "words", lambda text: segmented.append(text) or words(text))
    encoder = relax.Encoder(bert, TextTokenizer(tokenizer, max_length=6), modality="text")
    with pytest.warns(relax.RelaxWarning, match="are cut off"):
        e = relax.explain(encoder, "the cat sat on a mat and we ate fish", max_masks=16)
    assert set(segmented) == {"the cat sat on"}
    assert e.labels == ("the", "cat", "sat", "on")
    assert e.presentation == "the cat sat on a mat and we ate fish"


def test_of_what_is_not_taken_only_the_start_is_printed_and_drawn(bert, tokenizer):
    from relax.modalities.text.shading import TAIL, taken
    from relax.modalities.text.terminal import text_of
    from relax.modalities.text.tokenizer import TextTokenizer

    encoder = relax.Encoder(bert, TextTokenizer(tokenizer, max_length=6), modality="text")
    text = "the cat sat on" + " a mat" * 500
    with pytest.warns(relax.RelaxWarning, match="are cut off"):
        e = relax.explain(encoder, text)
    whole = relax.explain(encoder, "the cat sat on")
    assert "".join(piece.text for piece in taken(e)) == text[: 14 + TAIL] + "…"
    assert "".join(piece.text for piece in taken(whole)) == "the cat sat on"
    assert text_of(e).plain.startswith(text[: 14 + TAIL] + "…\n")
    assert " a mat" * 500 in e.html()  # the page has the whole text


@pytest.mark.parametrize("long", ["=" * 60, "W" * 40])
def test_words_of_a_figure_do_not_overlap_beside_bars_with_long_labels(long):
    from relax.modalities.text.showing import plot_text

    encoder = relax.Encoder(lambda texts: torch.tensor([[1.0, len(t), t.count("=")] for t in texts]), modality="text")
    figure = plot_text(
        relax.explain(encoder, f"{long} Many mammals will swim, with some warm water, and hum.", masks="words")
    )
    above = figure.axes[0]
    words = [word for word in above.texts if word.get_text().strip()]
    boxes = [word.get_window_extent() for word in words]
    assert len(boxes) >= 11
    for left, right in itertools.pairwise(boxes):
        assert right.y1 < left.y0 + 1 or left.x1 <= right.x0


def test_truncation_is_said_with_how_much(bert, tokenizer):
    from relax.modalities.text.tokenizer import TextTokenizer

    encoder = relax.Encoder(bert, TextTokenizer(tokenizer, max_length=6), modality="text")
    with pytest.warns(relax.RelaxWarning, match=r"9 tokens, but the encoder takes 6; the last 3 \(33%\)"):
        e = relax.explain(encoder, "the cat sat on a mat today")
    assert e.labels == ("the", "cat", "sat", "on")


def test_special_tokens_that_were_typed_are_never_removed(bert, tokenizer):
    tokenizer.add_special_tokens(["[CLS]", "[SEP]"])
    encoder = relax.Encoder(bert, tokenizer, modality="text")
    with pytest.raises(relax.errors.InputError, match="special tokens"):
        relax.explain(encoder, "[CLS] [SEP]")
    assert "[SEP]" not in relax.explain(encoder, "cats [SEP] purr").labels


def test_a_prompt_is_never_removed(bert, tokenizer):
    from relax.modalities.text.tokenizer import TextTokenizer

    prompted = relax.Encoder(bert, TextTokenizer(tokenizer, prompt="why do "), modality="text")
    plain = relax.Encoder(bert, tokenizer, modality="text")
    torch.testing.assert_close(prompted.encode("cats purr"), plain.encode("why do cats purr"))
    e = relax.explain(prompted, "cats purr")
    assert e.labels == ("cats", "purr")
    assert e.spans == ((0, 4), (5, 9))
    kept = PatternMasks(pattern="cats|purr")
    np.testing.assert_allclose(e.importance, relax.explain(plain, "why do cats purr", masks=kept).importance, atol=1e-5)


def test_joined_emoji_stay_together_on_a_terminal(bag):
    from relax.cli.messages import printable
    from relax.modalities.text.terminal import text_of

    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    shown = text_of(relax.explain(bag, f"the {family} sat\x1b[31m")).plain
    assert family in shown
    assert "\x1b" not in shown
    assert printable(f"{family}\x1b") == f"{family}\\x1b"


def test_an_archive_keeps_labels_spans_and_text(encoder, tmp_path):
    e = relax.explain(encoder, TEXT)
    e.save(tmp_path / "e.npz")
    again = relax.Explanation.load(tmp_path / "e.npz")
    assert (again.labels, again.spans, again.presentation) == (e.labels, e.spans, TEXT)
    np.testing.assert_array_equal(again.importance, e.importance)
    assert again.html() == e.html()


@pytest.mark.parametrize("text", ["مرحبا بالعالم", "我爱北京。", "😀👍🏽 cat $x^2$", "<b>cat</b> & \x1b[31mdog\x07"])
def test_every_script_is_shown_and_nothing_is_executed(bag, text, tmp_path):
    encoder = relax.Encoder(lambda texts: torch.tensor([[1.0, len(t), t.count("a")] for t in texts]), modality="text")
    e = relax.explain(encoder, text)
    e.plot(tmp_path / "e.png")
    e.page(tmp_path / "e.html")
    page = (tmp_path / "e.html").read_text()
    assert "<b>cat" not in page
    from relax.modalities.text.terminal import text_of

    assert "\x1b" not in text_of(e).plain


def test_shades_cover_the_text_and_white_is_no_effect(encoder):
    from relax.modalities.text.shading import Piece, pieces_of

    text = "Why — do cats purr?"
    pieces = pieces_of(relax.explain(encoder, text))
    assert "".join(piece.text for piece in pieces) == text
    assert max(abs(piece.share) for piece in pieces) == pytest.approx(1)
    assert Piece("", 0, 0.0).color == (255, 255, 255)
    assert Piece("", 0, 1.0).color[0] > Piece("", 0, 1.0).color[2]


def test_the_command_explains_texts_and_files(tmp_path, monkeypatch, encoder):
    from typer.testing import CliRunner

    from relax.cli import app
    from relax.encoders.loading import ENCODERS, Family

    ENCODERS.add("tiny-text", Family("tiny", lambda name: encoder))
    (tmp_path / "note.txt").write_text("the cat sat. we ate fish")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("cats purr")
    from relax.cli.sources import kind_of

    assert kind_of([tmp_path / "notes"], [], None) == "text"
    common = ["--encoder", "tiny-text", "--out", str(tmp_path / "out")]
    run = CliRunner().invoke(
        app,
        [
            "explain",
            "--text",
            "why do cats purr",
            "--against-text",
            "a cat",
            str(tmp_path / "note.txt"),
            "--json",
            *common,
        ],
    )
    assert run.exit_code == 0, run.output
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    assert [Path(row["files"][-1]).name for row in rows] == ["why-do-cats-purr.npz", "note.npz"]
    assert all(Path(file).exists() for row in rows for file in row["files"])
    saved = relax.Explanation.load(rows[0]["files"][-1])
    assert rows[0]["words"] == ["why", "do", "cats", "purr"]
    assert ["why do cats purr"[start:stop] for start, stop in rows[0]["spans"]] == rows[0]["words"]
    np.testing.assert_allclose(rows[0]["effects"], saved.effect, atol=1e-6)
    (tmp_path / "bare").mkdir()
    run = CliRunner().invoke(
        app, ["explain", str(tmp_path / "bare"), str(tmp_path / "notes"), *common, "--json", "--quiet"]
    )
    assert run.exit_code == 1
    assert "bare: no text files in this folder" in run.stderr
    assert json.loads(run.stdout)["words"] == ["cats", "purr"]
    run = CliRunner().invoke(app, ["explain", str(tmp_path / "bare"), *common])
    assert run.exit_code == 2
    run = CliRunner().invoke(app, ["explain", str(tmp_path / "empty.txt"), "--text", "cat", *common, "-q"])
    assert run.exit_code == 1
    assert "empty.txt" in run.output
    run = CliRunner().invoke(app, ["explain", "--text", " ", "--out", str(tmp_path / "two"), "--encoder", "tiny-text"])
    assert run.exit_code == 2
