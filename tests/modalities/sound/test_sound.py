"""Recordings: reading, masks in time and frequency, fills, all masks against brute force, the speaker encoder."""

from __future__ import annotations

import base64
import io
import itertools
import re
import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.io import wavfile
from scipy.signal import get_window

import relax
from relax.encoders.zoo.sound import RATE, SpeakerEncoder, mel_filters, parts_of, raised
from relax.modalities.series.spectrum import samples_of, spectrum_of
from relax.modalities.units import Block

SMALL = 8000
"""Samples a second of the tiny encoder."""

WEIGHTS = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))


def tiny(batch):
    """Levels in 64 pieces, mixed."""
    return torch.tanh(batch[:, : batch.shape[1] // 64 * 64].unflatten(1, (64, -1)).square().mean(2) @ WEIGHTS)


@pytest.fixture
def encoder():
    return relax.Encoder(tiny, modality=relax.Sound(rate=SMALL))


@pytest.fixture
def samples():
    noise = torch.randn(4096, generator=torch.Generator().manual_seed(1))
    return noise * torch.linspace(0.2, 1.5, 4096)


def tone(hertz, rate=SMALL, seconds=0.512):
    return torch.sin(2 * np.pi * hertz * torch.arange(round(rate * seconds)) / rate)


def masked(samples, recipe, fill, bits, rate=SMALL):
    modality = relax.Sound(rate=rate)
    kind = modality.masks(recipe)
    prepared = modality.divided(modality.prepare(samples), (kind,))
    bound = modality.fill(fill).bind(prepared, modality)
    return bound.apply(prepared, kind.over(prepared), Block(torch.as_tensor(bits).float(), torch.zeros(1, 1)))


def test_all_masks_of_segments_equal_brute_force(encoder, samples):
    bits = np.array(list(itertools.product([0, 1], repeat=4)))
    kept = samples * torch.tensor(bits.repeat(1024, 1)).float()
    scores = torch.cosine_similarity(tiny(kept), tiny(samples[None])).numpy()
    e = relax.explain(encoder, samples, method="relax", masks=relax.SegmentMasks(segments=4), precision="float32")
    expected = np.array([scores[bits[:, unit] == 1] for unit in range(4)])
    np.testing.assert_allclose(e.importance, expected.mean(1), atol=1e-5)
    np.testing.assert_allclose(e.uncertainty, expected.var(1), atol=1e-5)
    assert e.labels == ("0.00–0.13 s", "0.13–0.26 s", "0.26–0.38 s", "0.38–0.51 s")


@pytest.mark.parametrize("recipe", ["bands", "patches", relax.SegmentMasks(segments=5)])
def test_a_whole_recording_is_left_as_it_is_and_parts_add_up(samples, recipe):
    kind = relax.Sound(rate=SMALL).masks(recipe)
    prepared = relax.Sound(rate=SMALL).prepare(samples)
    n_units = kind.over(relax.Sound(rate=SMALL).divided(prepared, (kind,))).n_units
    whole = masked(samples, recipe, "noise", torch.ones(1, n_units))
    torch.testing.assert_close(whole[0], samples, atol=1e-5, rtol=1e-4)
    parts = masked(samples, recipe, "silence", torch.eye(n_units))
    torch.testing.assert_close(parts.sum(0), samples, atol=1e-4, rtol=1e-3)


def test_a_tone_is_in_its_band():
    kind = relax.FrequencyBandMasks(bands=8)
    modality = relax.Sound(rate=SMALL)
    elements = modality.divided(modality.prepare(tone(300)), (kind,)).geometry.elements
    high = len(elements.rows) - 2
    mixed = tone(300) + tone(sum(elements.rows[high]) / 2 * SMALL / 512)
    bits = torch.ones(1, len(elements.rows))
    bits[0, high] = 0
    found = masked(mixed, kind, "silence", bits)[0]
    middle = slice(512, -512)
    torch.testing.assert_close(found[middle], tone(300)[middle], atol=2e-3, rtol=0)


def test_fills_have_the_level_and_the_colour_of_the_recording(samples):
    low = samples_of(spectrum_of(samples[None]) * (torch.arange(257)[:, None] < 60), len(samples))[0]
    power = spectrum_of(low[None]).abs().square().mean(2)[0]
    noise = masked(low, "segments", "noise", torch.zeros(1, 16))[0]
    assert float(noise.square().mean() / low.square().mean()) == pytest.approx(1, rel=0.1)
    mean = masked(low, "segments", "mean", torch.zeros(1, 16))[0]
    found = spectrum_of(mean[None]).abs().square().mean(2)[0]
    assert float(found.sum() / power.sum()) == pytest.approx(1, rel=0.1)
    assert np.corrcoef(found.sqrt(), power.sqrt())[0, 1] > 0.95
    assert np.corrcoef(spectrum_of(noise[None]).abs().square().mean(2)[0].sqrt(), power.sqrt())[0, 1] < 0.5
    assert not masked(low, "segments", "silence", torch.zeros(1, 16)).any()


def test_an_encoder_of_one_patch_is_explained_by_it(samples):
    def one(batch):
        level = spectrum_of(batch)[:, 20:30, 10:14].abs().sum((1, 2))
        return torch.stack([level, torch.ones_like(level) * 10], 1)

    kind = relax.TimeFrequencyMasks(bands=4, segments=4)
    e = relax.explain(relax.Encoder(one, modality=relax.Sound(rate=SMALL)), samples, masks=kind, n_masks=256)
    elements = relax.Sound(rate=SMALL).divided(relax.Sound(rate=SMALL).prepare(samples), (kind,)).geometry.elements
    row, column = np.unravel_index(int(e.effect.argmax()), e.effect.shape)
    assert elements.rows[row][0] < 30
    assert elements.rows[row][1] > 20
    assert elements.columns[column][0] <= 11 < elements.columns[column][1]
    assert e.importance.shape == (len(elements.rows), 4)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_files_are_read_resampled_and_averaged_and_it_is_said(tmp_path, encoder, suffix):
    soundfile = pytest.importorskip("soundfile")
    path = tmp_path / f"tone{suffix}"
    both = np.stack([tone(440, 44100), 3 * tone(440, 44100)], 1) / 8
    soundfile.write(path, both, 44100)
    with pytest.warns(relax.RelaxWarning) as said:
        prepared = encoder.prepare(path)
    words = " ".join(str(warning.message) for warning in said)
    assert "2 channels; their average" in words
    assert "from 44100 Hz to 8000 Hz" in words
    middle = slice(500, 3500)
    assert prepared.source["name"] == f"tone{suffix}"
    np.testing.assert_allclose(prepared.tensor[middle], tone(440)[middle] / 4, atol=0.02)


def test_recordings_and_samples_are_read_alike(encoder, samples):
    listed = relax.explain(encoder, [samples, relax.Recording(samples.numpy(), SMALL)], n_masks=64)
    np.testing.assert_array_equal(listed[0].importance, listed[1].importance)
    np.testing.assert_array_equal(relax.explain(encoder, samples, n_masks=64).importance, listed[0].importance)
    against = relax.explain(encoder, samples, against=samples, n_masks=64)
    np.testing.assert_allclose(against.importance, listed[0].importance, atol=1e-6)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (torch.zeros(0), "at least 0.1 s, got 0 s"),
        (torch.zeros(4000), "is silent"),
        (torch.full((4000,), float("nan")), "4000 NaN"),
        (torch.rand(2, 4000), r"expected samples of shape \(T,\), got \(2, 4000\)"),
        (relax.Recording(np.random.rand(4000), 0), "a rate in samples a second, got 0"),
        ("nowhere.wav", "nowhere.wav: no such file"),
    ],
)
def test_bad_recordings_are_refused_in_one_line(encoder, source, message):
    with pytest.raises(relax.InputError, match=message) as caught:
        relax.explain(encoder, source)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_recording_is_refused_in_one_line(encoder, tmp_path):
    pytest.importorskip("soundfile")
    (tmp_path / "a.wav").write_text("not a recording")
    with pytest.raises(relax.InputError, match=r"a\.wav: cannot be read as a recording") as caught:
        relax.explain(encoder, tmp_path / "a.wav")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("recipe", ["segments", "bands", "patches"])
def test_it_is_shown_saved_and_made_again(encoder, samples, recipe, tmp_path):
    e = relax.explain(encoder, samples, masks=recipe, n_masks=64)
    e.save(tmp_path / "sound.npz")
    loaded = relax.Explanation.load(tmp_path / "sound.npz")
    assert len(loaded.plot().axes) >= 5  # waveform, spectrogram, map, two colour bars
    again = relax.explain(encoder, torch.from_numpy(e.input), **e.arguments())
    np.testing.assert_allclose(again.importance, e.importance, atol=1e-6)


def test_the_page_plays_the_recording(encoder, samples, tmp_path):
    page = relax.explain(encoder, samples, n_masks=64).html()
    data = re.search(r"data:audio/wav;base64,([^\"]+)", page)[1]
    rate, played = wavfile.read(io.BytesIO(base64.b64decode(data)))
    assert rate == SMALL
    np.testing.assert_allclose(played / 32000, samples / samples.abs().max(), atol=1e-3)
    assert "<img" in page


def test_mel_filters_are_those_of_librosa():
    try:
        from librosa.filters import mel

        expected = mel(sr=RATE, n_fft=400, n_mels=40)
    except ImportError:
        audio = pytest.importorskip("transformers.audio_utils")
        expected = audio.mel_filter_bank(201, 40, 0, RATE / 2, RATE, norm="slaney", mel_scale="slaney").T
    np.testing.assert_allclose(mel_filters().numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("length", [1600, 16000, 25600, 40000, 64000, 70001])
def test_parts_are_those_of_the_package(length):
    # the rule of resemblyzer's compute_partial_slices, at 1.3 parts a second, 75 % covered
    n_frames = int(np.ceil((length + 1) / 160))
    starts = list(range(0, max(1, n_frames - 160 + 77 + 1), 77))
    if (length - starts[-1] * 160) / 25600 < 0.75 and len(starts) > 1:
        starts.pop()
    assert parts_of(length) == starts


def test_a_recording_is_the_mean_of_its_parts():
    model = SpeakerEncoder().eval()
    x = torch.randn(1, 77 * 160 + 25600, generator=torch.Generator().manual_seed(3))
    mels = model.mels(x)
    with torch.no_grad():
        parts = [model.linear(model.lstm(mels[:, start : start + 160])[0][:, -1]).relu() for start in (0, 77)]
        expected = sum(part / part.norm() for part in parts)
        torch.testing.assert_close(model(x), expected / expected.norm(), atol=1e-5, rtol=1e-4)


def test_quiet_recordings_are_raised_and_loud_ones_left():
    x = np.random.default_rng(0).normal(size=16000).astype(np.float32)
    assert 10 * np.log10(np.mean(raised(x * 1e-3) ** 2)) == pytest.approx(-30, abs=1e-3)
    np.testing.assert_array_equal(raised(x), x)


@pytest.fixture
def package(monkeypatch):
    """resemblyzer's own module; what it needs of librosa is done by scipy and transformers."""
    if find_spec("resemblyzer") is None:
        pytest.skip("resemblyzer is not installed")
    audio = pytest.importorskip("transformers.audio_utils")

    def melspectrogram(y, sr, n_fft, hop_length, n_mels):
        padded = np.pad(y, n_fft // 2)
        frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]
        power = np.abs(np.fft.rfft(frames * get_window("hann", n_fft))) ** 2
        filters = audio.mel_filter_bank(n_fft // 2 + 1, n_mels, 0, sr / 2, sr, norm="slaney", mel_scale="slaney")
        return (power @ filters).T

    librosa = ModuleType("librosa")
    librosa.feature = SimpleNamespace(melspectrogram=melspectrogram)
    morphology = ModuleType("scipy.ndimage.morphology")
    morphology.binary_dilation = None
    stubs = {"librosa": librosa, "webrtcvad": ModuleType("webrtcvad"), "scipy.ndimage.morphology": morphology}
    for name, module in stubs.items():
        monkeypatch.setitem(sys.modules, name, module)
    for name in [name for name in sys.modules if name.partition(".")[0] == "resemblyzer"]:
        monkeypatch.delitem(sys.modules, name)
    return import_module("resemblyzer.voice_encoder")


def test_resemblyzer_equals_its_package(package):
    encoder = relax.load_encoder("sound:resemblyzer", device="cpu")
    speech = torch.randn(3 * RATE, generator=torch.Generator().manual_seed(4)) * tone(3, RATE, 3)
    theirs = package.VoiceEncoder("cpu", verbose=False)
    for length in (0.5, 1.6, 3):
        x = speech[: round(length * RATE)]
        expected = theirs.embed_utterance(x.numpy(), rate=1.3)
        np.testing.assert_allclose(encoder.encode(x)[0].numpy(), expected, atol=1e-4)


def test_resemblyzer_from_its_package():
    if find_spec("resemblyzer") is None:
        pytest.skip("resemblyzer is not installed")
    encoder = relax.load_encoder("sound:resemblyzer", device="cpu")
    x = 1e-3 * torch.randn(2 * RATE, generator=torch.Generator().manual_seed(4))
    h = encoder.encode([x, x / 10, x[: RATE // 2]])
    torch.testing.assert_close(h.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(h[0], h[1], atol=1e-4, rtol=1e-3)  # both are raised to one level
    with pytest.raises(relax.UnknownNameError, match="sound:resemblyzer"):
        relax.load_encoder("sound:other")


def test_a_file_with_nan_is_named(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    samples = torch.rand(4000).numpy()
    samples[7] = float("nan")
    soundfile.write(tmp_path / "nan.wav", samples, 16000, subtype="FLOAT")
    with pytest.raises(relax.InputError, match=r"^nan\.wav: the recording has 1 NaN"):
        relax.Sound(rate=16000).prepare(tmp_path / "nan.wav")
