"""Rows: averaged maps, checksums, seeds; maps of any shape and with labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import relax
from relax._support.averaging import averaged
from relax.modalities.image.storing import stored_shape
from relax.runs.checksums import checksum_of, seed_for
from relax.runs.records import record_of, table_of

pytest.importorskip("pyarrow")


def test_a_map_is_averaged_over_the_area_of_each_cell():
    values = np.arange(12.0).reshape(2, 6)
    np.testing.assert_allclose(averaged(values, (1, 3)), [[3.5, 5.5, 7.5]])
    # 5 elements in 2 cells: the third belongs to both by halves
    np.testing.assert_allclose(averaged(np.array([1.0, 2, 3, 4, 5]), (2,)), [(1 + 2 + 1.5) / 2.5, (1.5 + 4 + 5) / 2.5])
    rng = np.random.default_rng(0)
    odd = rng.random((15, 9, 7))
    assert averaged(odd, (4, 9, 3)).mean() == pytest.approx(odd.mean(), rel=1e-6)
    np.testing.assert_array_equal(averaged(odd, odd.shape), odd.astype(np.float32))


def test_pictures_keep_14x14_or_their_patches():
    assert stored_shape((224, 224), {"name": "grid"}) == (14, 14)
    assert stored_shape((10, 224), {"name": "grid"}) == (10, 14)
    assert stored_shape((224, 224), {"name": "patches", "patch": 32, "group": 1}) == (7, 7)
    assert stored_shape((224, 224), {"name": "patches", "patch": 14, "group": 1}) == (16, 16)
    assert stored_shape((224, 224), {"name": "patches", "patch": 8, "group": 1}) == (14, 14)
    assert stored_shape((224, 224), [{"name": "patches", "patch": 32}]) == (14, 14)


def test_patches_are_stored_without_loss(tiny, image):
    encoder = relax.Encoder(tiny, patch=4)
    e = relax.explain(encoder, image, method="relax", masks="patches", n_masks=256)
    stored = np.array(record_of(e)["importance"]).reshape(record_of(e)["shape"])
    np.testing.assert_allclose(stored.repeat(4, 0).repeat(4, 1), e.importance, rtol=1e-6)


def test_maps_of_any_length_and_labels_are_kept():
    model = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Tanh())
    e = relax.explain(relax.Encoder(model, modality="vector"), torch.rand(6), n_masks=64)
    words = replace(e, labels=tuple("abcdef"), spans=tuple((k, k + 1) for k in range(6)))
    rows = table_of([record_of(e), record_of(words), {"key": "c", "reason": "none"}]).to_pylist()
    assert rows[0]["shape"] == [6]
    np.testing.assert_array_equal(rows[1]["importance"], e.importance)
    assert rows[1]["labels"] == list("abcdef")
    assert rows[1]["spans"][2] == [2, 3]
    assert rows[2]["importance"] is None


def test_long_maps_without_labels_are_averaged():
    model = torch.nn.Sequential(torch.nn.Conv1d(2, 4, 9), torch.nn.Tanh())
    e = relax.explain(relax.Encoder(model), torch.rand(2, 2000), n_masks=64)
    row = record_of(e)
    assert np.prod(row["shape"]) <= 1024
    assert np.mean(row["importance"]) == pytest.approx(e.importance.mean(), rel=1e-5)


def test_the_representation_is_the_encoders(tiny, image):
    e = relax.explain(tiny, image, n_masks=64)
    np.testing.assert_allclose(record_of(e)["representation"], relax.Encoder(tiny).encode(image)[0], rtol=1e-5)


def test_checksums_say_what_an_input_is_not_what_it_is_called(tmp_path: Path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"abc")
    two.write_bytes(b"abc")
    assert checksum_of(one) == checksum_of(two) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    different = [
        *("abc", b"abc", ["abc"], {"a": "bc"}, {"ab": "c"}, 1, 1.5, None, ["a", "bc"]),
        *(np.zeros(4, np.uint8), np.zeros((2, 2), np.uint8), np.zeros(4, np.float32), np.zeros(1, np.float32)),
        *(Image.new("RGB", (2, 3)), Image.new("RGB", (3, 2)), one),
    ]
    assert len({checksum_of(value) for value in different}) == len(different)
    assert checksum_of(torch.ones(3)) == checksum_of(np.ones(3, np.float32))
    with pytest.raises(relax.InputError, match="got object"):
        checksum_of(object())
    with pytest.raises(relax.InputError, match="no such file"):
        checksum_of(tmp_path / "three")


def test_seeds_follow_from_the_seed_and_the_input():
    checksums = [checksum_of(k) for k in range(100)]
    seeds = {seed_for(seed, checksum) for seed in range(3) for checksum in checksums}
    assert len(seeds) == 300
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seed_for(0, checksums[0]) == seed_for(0, checksums[0])
