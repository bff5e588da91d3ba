"""Names of results: readable, different for different inputs, never an input's own."""

from __future__ import annotations

from pathlib import Path

import pytest

import relax
from relax.modalities.image.modality import Image
from relax.runs.naming import inputs_of, targets_of


def stems(*paths, out="out"):
    return [str(target.stem.relative_to(out)) for target in targets_of([Path(p) for p in paths], Path(out))]


def test_equal_names_keep_the_folders_that_tell_them_apart():
    assert stems("/x/a.jpg", "/x/b.jpg") == ["a", "b"]
    assert stems("/x/cats/a.jpg", "/x/dogs/a.jpg", "/x/c.jpg") == ["cats/a", "dogs/a", "c"]
    assert stems("/x/1/cats/a.jpg", "/x/2/cats/a.jpg") == ["1/cats/a", "2/cats/a"]
    assert stems("/x/a.jpg", "/x/a.png") == ["a-jpg", "a-png"]
    assert len(set(stems("/x/a.jpg", "/x/a.jpg"))) == 2
    assert stems("/x/a-jpg-2.png", "/x/a-jpg.png", "/x/a.jpg", "/x/a.png") == ["a-jpg-2", "a-jpg", "a-jpg-3", "a-png"]


def test_names_do_not_depend_on_the_number_of_inputs_beside_them():
    many = [f"/x/{k}/{name}.jpg" for k in range(300) for name in "ab"]
    assert stems(*many)[:2] == ["0/a", "0/b"]


def test_an_input_is_never_a_result(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(relax.ArgumentError, match="would be overwritten"):
        targets_of([tmp_path / "a.png"], tmp_path)
    (tmp_path / "out").symlink_to(tmp_path)
    with pytest.raises(relax.ArgumentError, match="would be overwritten"):
        targets_of([tmp_path / "a.png"], tmp_path / "out")


def test_folders_are_their_pictures(tmp_path):
    (tmp_path / "below").mkdir()
    for path in (tmp_path / "b.png", tmp_path / "a.jpg", tmp_path / "below" / "c.png", tmp_path / "notes.txt"):
        path.touch()
    assert [p.name for p in inputs_of([tmp_path], Image())] == ["a.jpg", "b.png"]
    assert [p.name for p in inputs_of([tmp_path], Image(), recursive=True)] == ["a.jpg", "b.png", "c.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(relax.InputError, match="no image files in this folder"):
        inputs_of([tmp_path / "empty"], Image())


def test_a_link_to_itself_is_an_input_that_cannot_be_read(tmp_path):
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (target,) = targets_of([tmp_path / "loop.png"], tmp_path / "out")
    with pytest.raises(relax.InputError, match=r"loop\.png"):
        Image(lambda picture: None).prepare(target.source)
