"""Engines that are relied on while a run holds the model."""

from __future__ import annotations

import pytest
import torch

import relax
from relax.encoders.engines import choice, trust


class Runner:
    name, precision = "mine", "float32"


def test_a_checked_engine_is_relied_on_until_the_next_check_is_due():
    known, runner = trust.Trust(), Runner()
    known.add((3, 4, 4), runner)
    assert known.runner((3, 4, 4)) is None  # nobody holds the model
    with known.held():
        known.add((3, 4, 4), runner)
        assert known.runner((3, 5, 5)) is None
        assert [known.runner((3, 4, 4)) for _ in range(trust.EVERY)] == [runner] * (trust.EVERY - 1) + [None]
        assert known.runner((3, 4, 4)) is None  # until it is checked again
        known.add((3, 4, 4), runner)
        known.add((3, 4, 4), None)
        assert known.runner((3, 4, 4)) is None
        known.add((3, 4, 4), runner)
    with known.held():
        assert known.runner((3, 4, 4)) is None


def test_an_engine_is_compared_once_while_the_model_is_held_and_else_each_time(tiny, image, monkeypatch):
    pytest.importorskip("onnxruntime")
    compared, agrees = [], choice._agrees
    monkeypatch.setattr(choice, "_agrees", lambda *task: compared.append(0) or agrees(*task))
    explainer = relax.Explainer(tiny, method="relax", n_masks=256, engine="onnxruntime")
    maps = [explainer(image).importance for _ in range(3)]
    assert len(compared) == 2  # the first was exported
    with explainer.held():
        held = [explainer(image) for _ in range(4)]
        assert len(compared) == 3
    assert {e.settings["engine"] for e in held} == {"onnxruntime"}
    for e in held:
        torch.testing.assert_close(torch.tensor(e.importance), torch.tensor(maps[0]))


def test_hooks_of_the_user_are_called_while_the_model_is_held(tiny, image):
    pytest.importorskip("onnxruntime")
    explainer = relax.Explainer(tiny, method="relax", n_masks=256, engine="onnxruntime")
    seen = []
    with explainer.held():
        explainer(image)
        handle = tiny.register_forward_hook(lambda *_: seen.append(0))
        with pytest.warns(relax.RelaxWarning, match="hooks"):
            assert explainer(image).settings["engine"] == "torch"
        handle.remove()
    assert seen
