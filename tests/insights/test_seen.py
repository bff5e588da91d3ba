"""Inputs of a store seen again: gone, moved, changed; masks of their foregrounds."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image
from tests.insights.planted import MARKED, Corner, N, encoder

import relax
from relax.insights.seen import Seen

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("sklearn")
pytest.importorskip("jinja2")


def test_pictures_that_are_gone(folder, tmp_path):
    found = relax.insight(folder / "Corner")
    away = found.rows.taken(range(N))
    for row in away.identity:
        row["path"] = str(tmp_path / "gone.png")
    assert Seen(away).here == []


def test_inputs_are_found_where_they_have_moved_to(folder, tmp_path):
    away = relax.insight(folder / "Corner").rows.taken(range(N))
    for row in away.identity:
        row["path"] = str(folder / "gone" / row["key"])
    moved = tmp_path / "moved"
    shutil.copytree(folder / "in", moved, copy_function=shutil.copyfile)  # with another time of modification
    assert Seen(away, moved).here == list(range(N))
    assert Seen(away, str(moved / "*.png")).value(3) == moved / "03.png"
    Image.new("RGB", (28, 28)).save(moved / "03.png")
    assert 3 not in Seen(away, moved).here
    with pytest.raises(relax.InputError, match="no such"):
        _ = Seen(away, tmp_path / "nothing").here


def test_rows_of_a_table_that_has_changed_are_gone(folder, tmp_path):
    pictures = [(folder / "in" / f"{number:02d}.png").read_bytes() for number in range(8)]
    table = tmp_path / "table.parquet"
    pq.write_table(pa.table({"image": pictures}), table)
    ran = relax.run(table, tmp_path / "store", encoder(Corner()), method="relax", n_masks=256)
    rows = relax.insight(ran).rows
    assert Seen(rows).here == list(range(8))
    pq.write_table(pa.table({"image": [*pictures[:6], pictures[7], pictures[6]]}), table)
    assert Seen(rows).here == list(range(6))


def test_a_folder_without_masks_is_refused(folder, tmp_path):
    with pytest.raises(relax.InputError, match=r"no such folder"):
        relax.insight(folder / "Corner", foreground=tmp_path / "nothing")
    with pytest.raises(relax.InputError, match=r"expected masks with the names of the inputs, such as 00\.png"):
        relax.insight(folder / "Corner", foreground=tmp_path)


def test_foreground(folder, tmp_path):
    mask = np.zeros((28, 28), dtype=np.uint8)
    mask[-14:, -14:] = 255
    for number in range(MARKED):
        Image.fromarray(mask).save(tmp_path / f"{number:02d}.png")
    found = relax.insight(folder / "Corner", foreground=tmp_path)
    known = [row["foreground"] for row in found.summary.inputs if np.isfinite(row["foreground"])]
    own = [one.reshape(14, 14)[7:, 7:].sum() for one in found.shares[:MARKED]]
    np.testing.assert_allclose(known, own)
    assert found.summary.areas["foreground"] == 0.25
    assert f"masks are known for {MARKED} of {N} inputs" in found.notes
    both = relax.insight(folder / "Corner", folder / "Middle", foreground=tmp_path)
    of_other = relax.insight(folder / "Middle", foreground=tmp_path).summary.figures["foreground"]
    difference = both.comparison.figures["foreground"]
    np.testing.assert_allclose(difference[0], of_other[0] - found.summary.figures["foreground"][0])
    assert difference[2] < 0  # the other encoder does not look at the corner
