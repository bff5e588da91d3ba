"""Two recordings against each other, and the commands on recordings."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from scipy.io import wavfile
from typer.testing import CliRunner

import relax
from relax.cli import app

RATE = 4000
ENCODER = """
import torch
import relax

def tones(samples):
    "Mean power at four frequencies."
    time = torch.arange(samples.shape[1]) / 4000
    waves = torch.stack([torch.exp(2j * torch.pi * hertz * time) for hertz in (300, 600, 900, 1200)])
    pieces = (samples[:, None] * waves).unfold(2, 400, 400).mean(3)
    return pieces.abs().mean(2)

encoder = relax.Encoder(tones, modality=relax.Sound(rate=4000))
"""


def tone(hertz: float, start: float = 0.0, stop: float = 0.8, seed: int = 0) -> np.ndarray:
    """A tone in quiet noise, 0.8 s."""
    time = np.arange(int(0.8 * RATE)) / RATE
    quiet = 0.01 * np.random.default_rng(seed).standard_normal(len(time))
    return (quiet + 0.5 * np.sin(2 * np.pi * hertz * time) * ((time >= start) & (time < stop))).astype(np.float32)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with an encoder and recordings."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "enc.py").write_text(ENCODER)
    (tmp_path / "folder").mkdir()
    for number, hertz in enumerate((300, 300, 600, 900)):
        samples = tone(hertz, seed=number) + tone(1200, 0.4, seed=number) / 2
        wavfile.write(tmp_path / "folder" / f"{number}.wav", RATE, samples)
    return tmp_path


@pytest.fixture
def encoder(here):
    return relax.load_encoder("python:enc.py:encoder")


def invoke(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def rows_of(result):
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_shared_tone_is_answered_by_the_same_tone(encoder):
    a, b = tone(300, 0.1, 0.2), tone(300, 0.6, 0.7, seed=1)
    masks = relax.SegmentMasks(segments=8)
    pair = relax.match(encoder, a, b, regions=True, masks=masks, similarity="dot")
    assert np.unravel_index(int(pair.interactions.values.argmax()), (8, 8)) == (1, 6)
    answer = pair.interactions.answers(pair.a.effect, 1)[0]
    assert (answer["cell"], answer["answer"]) == ("0.10–0.20 s", "0.60–0.70 s")
    assert pair.html().count("<audio") == 2


@pytest.mark.parametrize("masks", ["bands", "patches"])
def test_pairs_of_bands_and_patches_have_figures(encoder, masks):
    kind = relax.FrequencyBandMasks(bands=4) if masks == "bands" else relax.TimeFrequencyMasks(bands=3, segments=4)
    pair = relax.match(encoder, tone(300), tone(600), regions=True, masks=kind, n_masks=64)
    assert pair._repr_png_().startswith(b"\x89PNG")


def test_the_commands_match_and_index_recordings(here):
    pytest.importorskip("lancedb")
    pytest.importorskip("soundfile")
    named = ["--encoder", "python:enc.py:encoder", "--json", "--quiet"]
    pair = rows_of(invoke("match", "folder/0.wav", "folder/1.wav", *named, "--masks", 64, "--out", "o"))[0]
    assert [file.rpartition(".")[2] for file in pair["files"]] == ["png", "html", "npz", "npz"]
    assert rows_of(invoke("index", "folder", *named, "--out", "index"))[0]["added"] == 4
    found = rows_of(invoke("match", "folder/0.wav", "index", "-k", 2, "--json", "--out", "o"))
    assert found[0]["match"].endswith("1.wav")
    page = (here / "o" / "0-matches.html").read_text()
    assert page.count("<audio") == 3
    wavfile.write(here / "empty.wav", RATE, np.zeros(0, dtype=np.float32))
    (here / "text.wav").write_text("no sound")
    mixed = invoke("explain", "folder/2.wav", "empty.wav", "text.wav", "none.wav", *named, "--masks", 64, "--out", "o2")
    assert mixed.exit_code == 1
    for reason in ("empty.wav: expected a recording of at least", "text.wav: cannot be read", "none.wav: no such file"):
        assert reason in mixed.stderr
    assert len(mixed.stdout.splitlines()) == 1


def test_the_probe_of_recordings_is_heard_by_any_encoder():
    probe = relax.Sound(rate=8000).probe()
    assert probe.shape == (8000,)
    assert torch.isfinite(probe).all()
    assert 0.4 < float(probe.abs().max()) <= 0.5
