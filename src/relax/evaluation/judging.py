"""One explanation judged: made once, measured by every metric, written as a line of the journal."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from relax._support.provenance import versions
from relax.datasets import Sample
from relax.encoders import Encoder
from relax.errors import ArgumentError, EncoderError
from relax.evaluation.metrics import METRICS
from relax.evaluation.subject import Subject
from relax.explainer import Explainer
from relax.explanation import Explanation
from relax.methods import Method
from relax.modalities import Prepared


@dataclass(frozen=True)
class RunSettings:
    """What every row of a run shares; see :func:`relax.evaluate`."""

    dataset: str
    metrics: tuple[str, ...]
    seed: int
    budget: int | None
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """What two runs must share for their rows to belong together."""
        kept = {"dataset": self.dataset, "metrics": self.metrics, "seed": self.seed, "budget": self.budget}
        arguments = {**self.arguments, **({"options": self.options} if self.options else {})}
        return {**kept, "arguments": {k: _described(v) for k, v in arguments.items()}, "versions": versions()}


class Judge:
    """Explains samples by encoders and methods, and measures the maps; explainers and the last input are kept.

    Args:
        encoders: by name.
        run: what every row shares.
        methods: by name.
    """

    def __init__(self, encoders: Mapping[str, Encoder], run: RunSettings, methods: Mapping[str, Method]) -> None:
        self.encoders, self.run, self.methods = encoders, run, methods
        self._explainers: dict[tuple[str, Method, Any], Explainer] = {}
        self._last: tuple[str, Sample, Prepared] | None = None

    def line(
        self, encoder: str, method: str, sample: Sample, metrics: tuple[str, ...], seed: int, kept: Path | None
    ) -> dict[str, Any]:
        """One explanation and its metrics.

        Args:
            encoder: name.
            method: name.
            sample: what is explained.
            metrics: names.
            seed: of the masks and the metrics.
            kept: where the explanation is saved; ``None`` to forget it.
        """
        line: dict[str, Any] = {"category": sample.category, "seed": seed, "note": "", "curves": {}}
        prepared = self._prepared(encoder, sample)
        began = time.perf_counter()
        try:
            explainer = self._explainer(encoder, self.methods[method], prepared)
            explanation = explainer.run(prepared, seed=seed)
        except (ArgumentError, EncoderError) as error:  # such as gradients of a black box
            cost = {"forwards": 0, "backwards": 0, "seconds": time.perf_counter() - began}
            return {**line, **cost, "note": str(error), "values": dict.fromkeys(metrics)}
        if kept is not None:
            kept.parent.mkdir(exist_ok=True)
            explanation.save(kept)
            line["file"] = str(kept.relative_to(kept.parent.parent))
        subject = self._subject(encoder, explainer, explanation, _mask_as_seen(sample, prepared), seed)
        values = {name: METRICS[name].run(subject) for name in metrics}
        line["values"] = {name: None if isnan(value) else value for name, value in values.items()}
        line["curves"] = subject.curves
        return {**line, **{name: explanation.settings["cost"][name] for name in ("forwards", "backwards", "seconds")}}

    def _subject(
        self, name: str, explainer: Explainer, explanation: Explanation, mask: np.ndarray | None, seed: int
    ) -> Subject:
        own, arguments = self.encoders[name], self._arguments(explainer)

        def again(other: Encoder, tensor: Tensor | Prepared, with_seed: int) -> Explanation:
            chosen = explainer if other is own else Explainer(other, method=explainer.method, **arguments)
            return chosen.run(tensor, seed=with_seed)

        return Subject(own, explanation, mask, again, seed)

    def _explainer(self, encoder: str, method: Method, prepared: Prepared) -> Explainer:
        """The explainer of an encoder and a method, within the budget."""
        more: dict[str, Any] = {}
        chosen = method
        if self.run.budget is not None:
            loaded = self.encoders[encoder]
            units = loaded.modality.masks(self.run.arguments.get("masks")).over(prepared)
            chosen, more = method.within(self.run.budget, units.n_units)
        key = (encoder, chosen, more.get("n_masks"))
        if key not in self._explainers:
            given = {**self.run.arguments, **more}
            if not chosen.takes_masks:
                given.pop("n_masks", None)
            self._explainers[key] = Explainer(self.encoders[encoder], method=chosen, **given)
        return self._explainers[key]

    def _arguments(self, explainer: Explainer) -> dict[str, Any]:
        """Those that an explainer was made with, for another encoder."""
        (given,) = [
            {**self.run.arguments, **({} if n is None else {"n_masks": n})}
            for (_, _, n), known in self._explainers.items()
            if known is explainer
        ]
        return given

    def _prepared(self, encoder: str, sample: Sample) -> Prepared:
        """The sample as the encoder sees it, read once for all methods."""
        if self._last is None or self._last[0] != encoder or self._last[1] is not sample:
            self._last = (encoder, sample, self.encoders[encoder].prepare(sample.picture))
        return self._last[2]


def mark_of(encoder: Encoder) -> str:
    """A checksum of an encoder's settings and weights: rows of one that has changed are not those of this one."""
    digest = hashlib.sha256(json.dumps(encoder.settings(), sort_keys=True, default=repr).encode())
    if isinstance(encoder.model, nn.Module):
        for name, tensor in encoder.model.state_dict().items():
            digest.update(name.encode())
            if isinstance(tensor, Tensor):
                digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def file_name(key: tuple[str, ...]) -> str:
    """For a map: readable, and different for different keys."""
    words = re.sub(r"[^\w.-]+", "-", "-".join(key[1:]))[:100]
    return f"{words}-{hashlib.sha256(repr(key).encode()).hexdigest()[:8]}.npz"


def _mask_as_seen(sample: Sample, prepared: Prepared) -> np.ndarray | None:
    """The mask of all objects at the encoder's input resolution: what the transform makes of the picture."""
    mask = sample.mask
    if mask is None or prepared.geometry is None:
        return None
    height, width = prepared.tensor.shape[-2:]
    picture = Image.fromarray(mask.astype(np.uint8) * 255)
    seen = picture.resize((width, height), Image.Resampling.BILINEAR, box=_inside(prepared.geometry, picture.size))
    return np.asarray(seen) >= 128


def _inside(view: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    return (max(view[0], 0.0), max(view[1], 0.0), min(view[2], float(size[0])), min(view[3], float(size[1])))


def _described(value: Any) -> Any:
    settings = getattr(value, "settings", None)
    return settings() if callable(settings) else value if isinstance(value, (str, int, float, dict)) else repr(value)
