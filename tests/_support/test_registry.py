"""Names: what is registered is found, and nothing is imported before it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import relax
from relax._support.registry import HOMES, Registry, registry_of


def test_entries_are_imported_when_they_are_asked_for():
    table = Registry("thing", {"fraction": "fractions:Fraction"})
    assert list(table) == ["fraction"]
    assert table["fraction"](1, 2) == 0.5
    table.add("two", 2)
    assert dict(table.items())["two"] == 2
    with pytest.raises(relax.UnknownNameError, match=r"unknown thing 'fractoin'; available: fraction, two.*mean"):
        table["fractoin"]


@pytest.mark.parametrize("kind", HOMES)
def test_every_kind_has_a_table_that_holds_something(kind):
    if kind == "metric":
        pytest.importorskip("quantus")
    assert len(list(registry_of(kind))) > 0


@pytest.mark.parametrize(
    ("kind", "thing"), [("similarity", 5), ("metric", dict), ("encoder", dict), ("design", dict), ("method", dict)]
)
def test_what_cannot_serve_is_refused_at_once(kind, thing):
    with pytest.raises(relax.ArgumentError, match=f"as {kind}, got"):
        relax.register(kind, "odd", thing)


def test_what_is_registered_replaces_what_had_the_name(tiny, image):
    plain = relax.explain(tiny, image, similarity="dot", method="relax", n_masks=256)
    relax.register("similarity", "dot", lambda a, b: 2 * (a @ b))
    doubled = relax.explain(tiny, image, similarity="dot", method="relax", n_masks=256)
    assert doubled.importance == pytest.approx(2 * plain.importance, rel=1e-5)
    with pytest.raises(relax.UnknownNameError, match="unknown kind of thing 'colour'; available: method, masks"):
        relax.register("colour", "red", 1)


def test_methods_are_listed_without_being_imported():
    code = "import sys, relax.methods as m; list(m.METHODS); sys.exit('relax.methods.units' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
