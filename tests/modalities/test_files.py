"""A path where there is nothing, and a URL, are told apart, whatever reads them."""

from pathlib import Path

import numpy as np
import pytest
import torch

import relax
from relax.modalities import MODALITIES
from relax.modalities.files import check_file, not_found
from relax.runs.checksums import checksum_of
from relax.runs.sources import source_of

SAID = "https://a.org/b/{}: expected a file, got a URL; download it and give the file"


@pytest.mark.parametrize("given", ["https://a.org/b/c.png", Path("https://a.org/b/c.png"), "https:/a.org/b/c.png"])
def test_a_url_has_both_of_its_slashes(given):
    assert str(not_found(given)) == SAID.format("c.png")


@pytest.mark.parametrize("given", ["c:/b.png", "http.png", "https:", "a/https://b.png", "/https://b.png"])
def test_other_paths_are_no_urls(given):
    assert str(not_found(given, "picture")) == f"{given}: no such picture"


def test_a_file_whose_path_looks_like_a_url_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = Path("https://a.org")
    place.mkdir(parents=True)
    (place / "b.csv").touch()
    check_file(place / "b.csv", (".csv",), "a table")
    with pytest.raises(relax.InputError, match=r"expected a table \(\.csv\), got \.png"):
        check_file(Path("b.png"), (".csv",), "a table")


@pytest.mark.parametrize(
    ("kind", "name"), [("image", "c.png"), ("text", "c.txt"), ("sound", "c.wav"), ("series", "c.npy"), ("table", "c")]
)
def test_every_modality_says_so(kind, name):
    if kind in ("sound", "table"):
        pytest.importorskip("soundfile" if kind == "sound" else "pandas")
    path = Path(f"https://a.org/b/{name}")
    modality = MODALITIES[kind]()
    read = {"table": modality.parts_of, "sound": relax.Sound(16000).prepare}.get(kind, modality.prepare)
    with pytest.raises(relax.InputError) as caught:
        read(path)
    assert str(caught.value) == SAID.format(name)


def test_explanations_references_and_runs_say_so():
    encoder = relax.Encoder(torch.nn.Flatten(), transform=relax.ImageTransform((8, 8)))
    for call in (
        lambda: relax.explain(encoder, "https://a.org/b/c.png"),
        lambda: relax.explain(encoder, np.zeros((8, 8, 3)), against="https://a.org/b/c.png"),
        lambda: source_of("https://a.org/b/c.png", encoder.modality),
        lambda: checksum_of(Path("https://a.org/b/c.png")),
    ):
        with pytest.raises(relax.InputError) as caught:
            call()
        assert str(caught.value) == SAID.format("c.png")
