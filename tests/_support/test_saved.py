"""Files that claim to be explanations: one error, before anything large is made."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile

import numpy as np
import pytest

import relax


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """The arrays and the description of a good file."""
    import torch

    from conftest import TinyEncoder

    x = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2
    path = tmp_path_factory.mktemp("saved") / "e.npz"
    relax.explain(TinyEncoder().eval(), x, method="relax", n_masks=256).save(path)
    with np.load(path) as archive:
        arrays = dict(archive)
    return arrays, json.loads(str(arrays.pop("about")))


def written(tmp_path, arrays, about):
    path = tmp_path / "changed.npz"
    np.savez_compressed(path, about=np.array(json.dumps(about)), **arrays)
    return path


def test_the_parts_make_an_explanation_again(parts, tmp_path):
    assert relax.Explanation.load(written(tmp_path, *parts)).n_masks == 256


CHANGES = {
    "masks are a word": ({}, {"n_masks": "many"}),
    "masks are a truth": ({}, {"n_masks": True}),
    "settings are a list": ({}, {"settings": []}),
    "settings are empty": ({}, {"settings": {}}),
    "an unknown part": ({}, {"colour": "red"}),
    "an unknown array": ({"extra": np.zeros(3)}, {}),
    "a text as a map": ({"importance": np.array(["a", "b"])}, {}),
    "maps of two shapes": ({"uncertainty": np.zeros((4, 4), np.float32)}, {}),
    "a map of integers": ({"importance": np.zeros((16, 16), np.int64)}, {}),
    "a map without dimensions": ({"importance": np.float32(3)}, {}),
    "a schema of another kind": ({}, {"schema": "3"}),
    "a schema of the future": ({}, {"schema": 99}),
    "labels that are too few": ({}, {"labels": ["a"]}),
    "spans that are words": ({}, {"spans": ["ab", "cd"] * 8}),
    "nested too deeply": ({}, {"settings": json.loads("[" * 500 + "]" * 500)}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_changed_is_refused_in_one_line(change, parts, tmp_path):
    arrays, about = CHANGES[change]
    path = written(tmp_path, {**parts[0], **arrays}, {**parts[1], **about})
    with pytest.raises(relax.InputError) as caught:
        relax.Explanation.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["about", "importance", "input image"])
def test_what_is_missing_is_refused(name, parts, tmp_path):
    arrays = {key: value for key, value in parts[0].items() if key != name}
    if name == "about":
        np.savez(tmp_path / "none.npz", **arrays)
        path = tmp_path / "none.npz"
    else:
        path = written(tmp_path, arrays, parts[1])
    if name == "input image":
        assert relax.Explanation.load(path).inputs == {}
        return
    with pytest.raises(relax.InputError, match="not a saved explanation"):
        relax.Explanation.load(path)


def npy(header: bytes, body: bytes = b"") -> bytes:
    """An array file with any header."""
    padded = header + b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded + body


def test_a_header_that_claims_terabytes_and_a_bomb_are_refused_before_they_are_read(parts, tmp_path, monkeypatch):
    monkeypatch.setattr("relax._support.archives.MOST_BYTES", 2**24)
    good = written(tmp_path, *parts)
    claims = npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1048576, 1048576), }")
    zeros = io.BytesIO()
    np.save(zeros, np.zeros(2**23, np.float32))  # 32 MiB of zeros, 32 KB in the archive
    for name, content in (("claims", claims), ("bomb", zeros.getvalue())):
        path = tmp_path / f"{name}.npz"
        with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
            for item in source.namelist():
                target.writestr(item, content if item == "importance.npy" else source.read(item))
        with pytest.raises(relax.InputError, match="not a saved explanation"):
            relax.Explanation.load(path)


def test_damaged_bytes_never_raise_anything_else(parts, tmp_path):
    whole = written(tmp_path, *parts).read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.npz"
    for _ in range(300):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), rng.integers(1, 8)):
            content[place] = rng.integers(256)
        path.write_bytes(content[: rng.integers(1, len(content) + 1)] if rng.random() < 0.2 else content)
        with contextlib.suppress(relax.InputError):
            relax.Explanation.load(path)


def test_files_of_earlier_schemas_are_read(parts, tmp_path):
    arrays, about = parts
    earlier = {("input" if name == "input image" else name): values for name, values in arrays.items()}
    settings = {key: value for key, value in about["settings"].items() if key != "modality"}
    before = {name: value for name, value in about.items() if name not in ("measures", "labels", "spans", "text")}
    path = written(tmp_path, earlier, {**before, "schema": 2, "units": about["measures"], "settings": settings})
    e = relax.Explanation.load(path)
    np.testing.assert_array_equal(e.importance, arrays["importance"])
    assert e.measures == about["measures"]
    assert e.input.shape == (3, 16, 16)
