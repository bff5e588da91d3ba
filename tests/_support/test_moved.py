"""Import paths of earlier versions are the modules of today."""

from __future__ import annotations

from importlib import import_module

import pytest

from relax._support.moved import MOVED


@pytest.mark.parametrize("earlier", MOVED)
def test_an_earlier_path_is_the_same_module(earlier):
    if earlier == "relax.captum":
        pytest.importorskip("captum")
    module = import_module(earlier)
    assert module is import_module(MOVED[earlier])
    assert module.__spec__.name == MOVED[earlier]
