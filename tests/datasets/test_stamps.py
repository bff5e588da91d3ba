"""Scenes that are made: the same every time, with masks that are exact. Needs `relax data`."""

import numpy as np
import pytest

import relax
from relax.datasets import FashionScenes, Stamps, fashion_mnist, fetch, open_dataset
from relax.datasets.cache import FASHION_MNIST, STAMPS, Package, find
from relax.datasets.stamps import category_of


@pytest.mark.usefixtures("stamps_data")
def test_stamps_are_the_same_every_time_and_their_masks_exact():
    first, again = (open_dataset("stamps", seed=3) for _ in range(2))
    a, b = first[5], again[5]
    assert np.array_equal(np.asarray(a.picture), np.asarray(b.picture))
    assert np.array_equal(a.mask, b.mask)
    assert a.picture.size == (224, 224)
    (item,) = a.objects
    left, top, right, bottom = item.box
    assert 0.35 * 224 - 3 <= max(right - left, bottom - top) <= 0.6 * 224 + 1
    other = open_dataset("stamps", seed=4)[5]
    assert not np.array_equal(np.asarray(a.picture), np.asarray(other.picture))


@pytest.mark.usefixtures("stamps_data")
def test_several_objects_do_not_overlap():
    dataset = Stamps(several=True)
    for index in range(6):
        objects = dataset[index].objects
        assert len(objects) in (2, 3)
        assert sum(item.mask.astype(int) for item in objects).max() == 1
        assert len({item.category for item in objects}) == len(objects)


@pytest.mark.usefixtures("stamps_data")
def test_halves_share_no_cutout_and_no_photograph():
    development, held_out = Stamps(split="development"), open_dataset("stamps:held-out")
    assert not set(development.stamps) & set(held_out.stamps)
    assert not set(development.photographs) & set(held_out.photographs)
    assert min(len(development.stamps), len(held_out.stamps)) > 100
    assert len(development.photographs) + len(held_out.photographs) == 7
    assert {"mammals", "birds", "fruit"} <= {category_of(path) for path in development.stamps}


@pytest.mark.usefixtures("fashion_data")
def test_fashion_scenes():
    pictures, labels = fashion_mnist("test")
    assert pictures.shape == (10_000, 28, 28)
    assert np.bincount(labels).tolist() == [1000] * 10
    dataset = FashionScenes()
    sample = dataset[7]
    assert sample.picture.size == (64, 64)
    pixels = np.asarray(sample.picture)
    colours = pixels[sample.mask].astype(float)
    bright = colours[colours.sum(1) > 60]
    hue = bright / bright.sum(1, keepdims=True)  # one tint: the channels are in one proportion all over the garment
    assert hue.std(0).max() < 0.02
    assert np.array_equal(pixels, np.asarray(FashionScenes()[7].picture))


def test_missing_data_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("RELAX_DATA", str(tmp_path))
    nowhere = Package("nothing", "no-such-package-1", "usr/nothing", "*", 1, "0 MB", "nowhere")
    with pytest.raises(relax.InputError, match="get it with: relax data nothing"):
        find(nowhere)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(relax.InputError, match="there is no apt-get here; get Debian's package no-such-package-1"):
        fetch(nowhere, lambda _: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("stamps_data", "fashion_data")
def test_data_that_is_there_is_not_fetched_again(monkeypatch):
    monkeypatch.setenv("PATH", "")
    said = []
    for package in (STAMPS, FASHION_MNIST):
        fetch(package, said.append)
    assert [line.partition(":")[0] for line in said] == ["stamps", "fashion-mnist"]
