"""Series: closed forms, all masks against brute force, frequencies, bad series."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import relax
from relax.modalities import fills, masks
from relax.modalities.units import Block

LENGTH = 32
WEIGHTS = torch.randn(2 * LENGTH, 5, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def series():
    return 1 + torch.randn(2, LENGTH, generator=torch.Generator().manual_seed(1))


def linear(batch):
    return batch.flatten(1) @ WEIGHTS


def tiny(batch):
    return torch.tanh(batch.flatten(1) @ WEIGHTS / 4)


def masked(series, recipe, fill, bits):
    """The series under masks, as the encoder sees it."""
    modality = relax.Series()
    kind = masks.ensure(recipe)
    prepared = modality.divided(modality.prepare(series), (kind,))
    bound = modality.fill(fill).bind(prepared, modality)
    return bound.apply(prepared, kind.over(prepared), Block(torch.tensor(bits).float(), torch.zeros(1, 1)))


def test_a_linear_encoder_with_the_dot_product_has_a_closed_form(series):
    encoder = relax.Encoder(linear, modality="series")
    e = relax.explain(encoder, series, masks=relax.SegmentMasks(segments=8), similarity="dot", precision="float32")
    assert e.settings["design"] == "exhaustive"
    assert e.spans == tuple((4 * n, 4 * n + 4) for n in range(8))
    change = (series - series.mean(1, keepdim=True)) * (WEIGHTS @ linear(series[None])[0]).reshape(2, LENGTH)
    expected = change.reshape(2, 8, 4).sum((0, 2))
    np.testing.assert_allclose(2 * e.effect, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("fill", ["mean", "zero", "noise", "linear", "other"])
def test_all_masks_of_segments_equal_brute_force(series, fill):
    other = torch.flip(series, [1])
    background = {
        "mean": series.mean(1, keepdim=True).expand(2, LENGTH),
        "zero": torch.zeros(2, LENGTH),
        "noise": fills.create("series-noise").background(series, None, 0),
        "other": other,
    }.get(fill)
    bits = np.array(list(itertools.product([0, 1], repeat=4)))
    rows = []
    for keep in bits.repeat(LENGTH // 4, 1) > 0:
        row = series.numpy().copy()
        if background is not None:
            row[:, ~keep] = background.numpy()[:, ~keep]
        elif keep.any():
            row = np.array([np.interp(np.arange(LENGTH), np.flatnonzero(keep), channel[keep]) for channel in row])
        else:
            row[:] = row.mean(1, keepdims=True)
        rows.append(row)
    h = tiny(torch.tensor(np.array(rows)).float())
    scores = torch.cosine_similarity(h, tiny(series[None])).numpy()
    e = relax.explain(
        relax.Encoder(tiny, modality="series"),
        series,
        method="relax",
        masks=relax.SegmentMasks(segments=4),
        fill=other if fill == "other" else fill,
    )
    expected = np.array([scores[bits[:, unit] == 1] for unit in range(4)])
    np.testing.assert_allclose(e.importance, expected.mean(1), atol=1e-5)
    np.testing.assert_allclose(e.uncertainty, expected.var(1), atol=1e-5)


def test_removed_channels_are_flat(series):
    found = masked(series, "channels", "mean", [[1, 0], [0, 1]])
    torch.testing.assert_close(found[0, 0], series[0])
    torch.testing.assert_close(found[0, 1], series[1].mean().expand(LENGTH))
    torch.testing.assert_close(found[1, 1], series[1])


def test_bands_add_up_to_the_series(series):
    bits = np.eye(4)
    parts = masked(series, relax.BandMasks(bands=4), "zero", bits)
    torch.testing.assert_close(parts.sum(0), series, atol=1e-5, rtol=1e-5)
    # Parseval: what a band keeps is orthogonal to what others keep
    gram = parts.flatten(1) @ parts.flatten(1).T
    assert (gram - gram.diag().diag()).abs().max() < 1e-3 * gram.max()


def test_a_wave_is_in_its_band_and_the_mean_stays():
    time = torch.arange(64) / 64
    waves = torch.sin(2 * np.pi * 3 * time) + torch.sin(2 * np.pi * 20 * time) + 5
    kept = masked(waves, relax.BandMasks(bands=8), "mean", [[1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0, 0]])
    torch.testing.assert_close(kept[0, 0], 5 + torch.sin(2 * np.pi * 3 * time), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(kept[1, 0], 5 + torch.sin(2 * np.pi * 20 * time), atol=1e-5, rtol=1e-5)


def test_an_encoder_of_one_frequency_is_explained_by_its_band():
    time = torch.arange(64) / 64

    def one(batch):
        wave = torch.stack([torch.sin(2 * np.pi * 20 * time), torch.cos(2 * np.pi * 20 * time)])
        return torch.cat([batch[:, 0] @ wave.T, torch.ones(len(batch), 1)], 1)

    x = torch.randn(64, generator=torch.Generator().manual_seed(2))
    e = relax.explain(relax.Encoder(one, modality="series"), x, masks=relax.BandMasks(bands=8))
    start, stop = e.spans[int(e.effect.argmax())]
    assert start <= 20 < stop
    others = np.delete(np.abs(e.effect), e.effect.argmax())
    assert others.max() < 1e-3 * e.effect.max()


def test_several_sizes_of_segments_share_one_map(series):
    encoder = relax.Encoder(linear, modality="series")
    kinds = [relax.SegmentMasks(segments=4), relax.SegmentMasks(segments=8)]
    e = relax.explain(encoder, series, masks=kinds, n_masks=256, similarity="dot")
    single = relax.explain(encoder, series, masks=relax.SegmentMasks(segments=8), similarity="dot")
    assert e.importance.shape == (8,)
    assert np.corrcoef(e.effect, single.effect)[0, 1] > 0.95


def test_lists_equal_single_calls_also_of_different_lengths():
    trunk = torch.nn.Sequential(torch.nn.Conv1d(1, 4, 3), torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten())
    encoder = relax.Encoder(trunk, modality="series")
    these = [torch.randn(length, generator=torch.Generator().manual_seed(length)) for length in (40, 64)]
    together = relax.explain(encoder, these, n_masks=64)
    for one, e in zip(these, together, strict=True):
        np.testing.assert_array_equal(relax.explain(encoder, one, n_masks=64).importance, e.importance)
    corpus = relax.explain(encoder, these[0], relax.Corpus(these), n_masks=64)
    assert np.isfinite(corpus.importance).all()
    np.testing.assert_allclose(
        relax.explain(encoder, these[0], against=these[0], n_masks=64).importance, together[0].importance, atol=1e-6
    )


@pytest.mark.parametrize("recipe", ["segments", "channels", "bands"])
def test_it_is_shown_saved_and_made_again(series, recipe, tmp_path):
    encoder = relax.Encoder(tiny, modality=relax.Series(rate=10.0))
    e = relax.explain(encoder, series, masks=recipe, n_masks=64)
    e.save(tmp_path / "series.npz")
    loaded = relax.Explanation.load(tmp_path / "series.npz")
    assert loaded.labels == e.labels
    assert loaded.plot().axes
    again = relax.explain(encoder, torch.from_numpy(e.input), **e.arguments())
    np.testing.assert_allclose(again.importance, e.importance, atol=1e-6)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (torch.ones(40), "constant"),
        (torch.tensor([1.0, float("nan")] * 20), "20 NaN or infinite"),
        (torch.rand(4), "at least 8 samples, got 4"),
        (torch.rand(40, 3), "is it 40 samples of 3 channels"),
        (torch.rand(2, 3, 40), r"\(2, 3, 40\)"),
        ([1.0, 2.0, 3.0], "at least 8 samples, got 3"),
        ("text", "got a name without suffix"),
    ],
)
def test_bad_series_are_refused_in_one_line(source, message):
    encoder = relax.Encoder(tiny, modality="series")
    with pytest.raises(relax.InputError, match=message) as caught:
        relax.Explainer(encoder)(source)
    assert "\n" not in str(caught.value)


def test_bad_arguments_are_refused_in_one_line(series):
    encoder = relax.Encoder(tiny, modality="series")
    with pytest.raises(relax.ArgumentError, match="do not go together"):
        relax.explain(encoder, series, masks=["segments", "bands"])
    with pytest.raises(relax.ArgumentError, match="for segments of time"):
        relax.explain(encoder, series, masks="bands", fill="linear")
    with pytest.raises(relax.InputError, match="several channels"):
        relax.explain(encoder, series[0], masks="channels")
    with pytest.raises(relax.ArgumentError, match="at least 2"):
        relax.SegmentMasks(segments=1)
    with pytest.raises(relax.ArgumentError, match=r"shape \(2, 32\), got \(2, 40\)"):
        relax.explain(encoder, series, fill=torch.rand(2, 40))
    with pytest.raises(relax.ArgumentError, match="positive"):
        relax.Series(rate=0)


def test_fracast_from_its_package():
    pytest.importorskip("fracast")
    encoder = relax.load_encoder("series:fracast", device="cpu")
    x = torch.sin(torch.arange(100) / 5)[None] * torch.tensor([[1.0], [3.0]])
    h = encoder.encode([x, x + 5, x[:1]])
    assert h.shape == (3, 64)
    torch.testing.assert_close(h[0], h[1], atol=1e-4, rtol=1e-4)  # it scales each channel
    torch.testing.assert_close(h[0], h[2], atol=1e-4, rtol=1e-4)
    with pytest.raises(relax.InputError, match="at most 2048 samples"):
        encoder.encode(torch.sin(torch.arange(3000.0)))


def test_methods_and_fills_of_other_inputs_are_refused(series):
    network = torch.nn.Sequential(torch.nn.Conv1d(2, 4, 3), torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten())
    encoder = relax.Encoder(network, modality="series")
    with pytest.raises(relax.ArgumentError, match="value for each sample"):
        relax.explain(encoder, series, method="saliency")
    with pytest.raises(relax.ArgumentError, match="does not know series inputs"):
        relax.explain(encoder, series, fill=fills.create("mean"))


def test_occlusion_is_the_drop_without_a_segment(series):
    encoder = relax.Encoder(linear, modality="series")
    e = relax.explain(encoder, series, method="occlusion", masks=relax.SegmentMasks(segments=4), fill="zero")
    whole = linear(series[None])[0]
    without = masked(series, relax.SegmentMasks(segments=4), "zero", 1 - np.eye(4))
    scores = torch.cosine_similarity(linear(without), whole[None])
    np.testing.assert_allclose(e.importance, 1 - scores.numpy(), atol=1e-5)


def test_a_coarse_segment_is_the_one_around_the_middle_of_an_element(series):
    modality = relax.Series()
    coarse, fine = relax.SegmentMasks(segments=3), relax.SegmentMasks(segments=5)
    prepared = modality.divided(modality.prepare(series), (coarse, fine))
    # elements 0-5, 6-11, 12-18, 19-24, 25-31; segments 0-9, 10-20, 21-31
    assert coarse.over(prepared).labels.tolist() == [0, 0, 1, 2, 2]
    assert fine.over(prepared).labels.tolist() == [0, 1, 2, 3, 4]


def test_each_channel_has_a_panel_with_its_name_and_the_shades_a_scale(tmp_path, series):
    from relax.modalities.series.showing import plot_series

    rows = [f"{step},{a},{b}" for step, (a, b) in enumerate(series.T.tolist())]
    (tmp_path / "a.csv").write_text("\n".join(["time,temp,$hum$", *rows]))
    encoder = relax.Encoder(linear, modality="series")
    with pytest.warns(relax.RelaxWarning, match="time: not a channel"):
        e = relax.explain(encoder, tmp_path / "a.csv", n_masks=16)
    e.save(tmp_path / "e.npz")
    for one in (e, relax.Explanation.load(tmp_path / "e.npz")):
        above, middle, below, scale = plot_series(one).axes
        assert [axes.get_ylabel() for axes in (above, middle)] == ["temp", r"\$hum\$"]
        for axes, channel in zip((above, middle), series, strict=True):
            np.testing.assert_allclose(axes.lines[0].get_ydata(), channel, atol=1e-6)
        peak = np.abs(one.effect).max()
        np.testing.assert_allclose(scale.get_ylim(), (-peak, peak), rtol=1e-6)
        assert scale.get_ylabel() == below.get_ylabel() == "change of the\ncosine similarity"


@pytest.mark.parametrize("kind", ["read-only", "reversed", "big-endian"])
@pytest.mark.filterwarnings("error")
def test_arrays_that_torch_does_not_share_are_read_by_value(series, kind):
    values = series.numpy()
    source = {
        "read-only": values.copy(),
        "reversed": values[:, ::-1].copy()[:, ::-1],
        "big-endian": values.astype(">f4"),
    }[kind]
    source.flags.writeable = kind != "read-only"
    assert torch.equal(relax.Series().prepare(source).inputs["series"], relax.Series().prepare(series).inputs["series"])
