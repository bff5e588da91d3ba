"""A modality from outside: strings that are no paths, of several lengths, with labels."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import relax

pytest.importorskip("pyarrow")


class Letters(relax.Modality):
    """Strings of a, b and c, one-hot."""

    name = "letters"
    default_masks = "one-by-one"

    def prepare(self, source):
        if isinstance(source, relax.Prepared):
            return source
        if not isinstance(source, str) or set(source) - set("abc"):
            raise relax.InputError(f"expected a string of a, b and c, got {source!r}")
        rows = torch.tensor([[float(letter == one) for one in source] for letter in "abc"])
        return relax.Prepared({"x": rows}, source, labels=tuple(source), source={"source": source})

    def to_map(self, attribution):
        return attribution.sum(0)

    @staticmethod
    def show(explanation):
        raise NotImplementedError


@dataclass(frozen=True)
class OneByOne(relax.Masks):
    keep: float = 0.5

    def over(self, prepared):
        tensor = prepared if isinstance(prepared, torch.Tensor) else prepared.tensor
        return relax.LabelUnits(torch.arange(tensor.shape[-1]))

    def settings(self):
        return {"name": "one-by-one", "keep": self.keep}


def encoder(bias: float = 0.0) -> relax.Encoder:
    conv = torch.nn.Conv1d(3, 5, 2)
    with torch.no_grad():
        conv.weight.copy_(torch.linspace(-1, 1, 30).reshape(5, 3, 2))
        conv.bias.fill_(bias)
    return relax.Encoder(conv, modality="letters", pool="mean")


def test_texts_of_a_table(tmp_path):
    relax.register("modality", "letters", Letters)
    relax.register("masks", "one-by-one", OneByOne)
    texts = ["abcabcab", "abcc", "nothing", "bcabcabcabca"]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text, "n": 1}) + "\n" for text in texts))
    arguments = {"column": "text", "method": "relax", "n_masks": 256, "precision": "float32", "batch_size": 16}
    ran = relax.run(tmp_path / "texts.jsonl", tmp_path / "out", encoder(), **arguments)
    rows = ran.store.table().to_pylist()
    assert [row["shape"] for row in rows] == [[8], [4], None, [12]]
    assert [row["path"] for row in rows] == [None] * 4
    assert "expected a string of a, b and c, got 'nothing'" in rows[2]["reason"]
    for row, text in zip(rows, texts, strict=True):
        if text != "nothing":
            assert "".join(row["labels"]) == text
            e = relax.explain(
                encoder(), text, method="relax", n_masks=256, seed=row["seed"], precision="float32", batch_size=16
            )
            np.testing.assert_allclose(row["importance"], e.importance, rtol=1e-6)
    assert relax.run(tmp_path / "texts.jsonl", tmp_path / "out", encoder(), **arguments).known == 4
    with pytest.raises(relax.ArgumentError, match="other weights"):  # without a probe: by the checksum of the weights
        relax.run(tmp_path / "texts.jsonl", tmp_path / "out", encoder(0.1), **arguments)
