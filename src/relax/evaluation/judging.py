"""Compute one explanation, measure it by every metric, and return a line for the journal."""

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

import torch
from torch import Tensor, nn

from relax._support.provenance import versions
from relax.datasets import Sample
from relax.encoders import Encoder
from relax.errors import ArgumentError, EncoderError
from relax.evaluation.metrics import METRICS
from relax.evaluation.plans import Plan
from relax.evaluation.subject import Subject
from relax.explainer import Explainer
from relax.explanation import Explanation
from relax.methods import Method
from relax.methods.base import AMOUNT
from relax.modalities import Prepared


@dataclass(frozen=True)
class RunSettings:
    """Settings shared by all rows of a run; see :func:`relax.evaluate`.

    Attributes:
        dataset: name of the data set.
        metrics: names of the metrics.
        seed: seed for the choice of inputs, the masks and the metrics.
        budget: forward passes per method; ``None`` for each method's own number.
        plans: what each method is called with, by name.
        arguments: further arguments of :class:`relax.Explainer`.
    """

    dataset: str
    metrics: tuple[str, ...]
    seed: int
    budget: int | None
    plans: Mapping[str, Plan]
    arguments: dict[str, Any] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """Settings that must match for a run to be continued; of ``methods``, only those that both runs have."""
        shared: dict[str, Any] = {
            "dataset": self.dataset,
            "metrics": self.metrics,
            "seed": self.seed,
            "budget": self.budget,
        }
        arguments = {name: _described(value) for name, value in self.arguments.items()}
        methods = {name: plan.described() for name, plan in self.plans.items()}
        return {**shared, "arguments": arguments, "methods": methods, "versions": versions()}


class Judge:
    """Explains samples and measures the maps; explainers and the last preprocessed input are cached.

    Args:
        encoders: encoders by name.
        run: settings of the run.
    """

    def __init__(self, encoders: Mapping[str, Encoder], run: RunSettings) -> None:
        self.encoders, self.run = encoders, run
        self._explainers: dict[tuple[str, str, Method, int | None], Explainer] = {}
        self._last: tuple[str, Sample, Prepared] | None = None

    def line(
        self, encoder: str, method: str, sample: Sample, metrics: tuple[str, ...], seed: int, kept: Path | None
    ) -> dict[str, Any]:
        """Explain a sample and measure the map.

        Args:
            encoder: name of the encoder.
            method: name of the method.
            sample: the sample to explain.
            metrics: names of the metrics.
            seed: seed of the masks and the metrics.
            kept: file to save the explanation to; ``None`` to discard it.

        Returns:
            The line for the journal, without its key. If the method does not support the encoder, all values are
            ``None`` and ``note`` gives the reason.
        """
        line: dict[str, Any] = {"category": sample.category, "seed": seed, "note": "", "curves": {}}
        prepared = self._prepared(encoder, sample)
        start = time.perf_counter()
        try:
            fitted, arguments = self._fitted(encoder, method, prepared)
            explainer = self._explainer(encoder, method, fitted, arguments)
            explanation = explainer.run(prepared, sample.against, seed=seed)
        except (ArgumentError, EncoderError) as error:  # such as gradients of a black box
            cost = {"forwards": 0, "backwards": 0, "seconds": time.perf_counter() - start}
            return {**line, **cost, "note": str(error), "values": dict.fromkeys(metrics)}
        if kept is not None:
            kept.parent.mkdir(exist_ok=True)
            explanation.save(kept)
            line["file"] = str(kept.relative_to(kept.parent.parent))

        def again(other: Encoder, tensor: Tensor | Prepared, with_seed: int) -> Explanation:
            same = other is self.encoders[encoder]
            chosen = explainer if same else Explainer(other, method=fitted, **arguments)
            return chosen.run(tensor, sample.against, seed=with_seed)

        subject = Subject(
            self.encoders[encoder], explanation, sample.seen(prepared), again, seed, prepared, sample.against
        )
        values = {name: METRICS[name].run(subject) for name in metrics}
        line["values"] = {name: None if isnan(value) else value for name, value in values.items()}
        line["curves"] = subject.curves
        return {**line, **{name: explanation.settings["cost"][name] for name in ("forwards", "backwards", "seconds")}}

    def _fitted(self, encoder: str, name: str, prepared: Prepared) -> tuple[Method, dict[str, Any]]:
        """The method within the budget, and all arguments of its explainer."""
        units = self.encoders[encoder].modality.masks(self.run.arguments.get("masks")).over(prepared)
        method, own = self.run.plans[name].within(self.run.budget, units.n_units)
        arguments = {**self.run.arguments, **own}
        if not method.takes_masks:
            arguments = {key: value for key, value in arguments.items() if key not in AMOUNT}
        return method, arguments

    def _explainer(self, encoder: str, name: str, method: Method, arguments: Mapping[str, Any]) -> Explainer:
        """The cached explainer of an encoder and a method."""
        key = (encoder, name, method, arguments.get("n_masks"))
        if key not in self._explainers:
            self._explainers[key] = Explainer(self.encoders[encoder], method=method, **arguments)
        return self._explainers[key]

    def _prepared(self, encoder: str, sample: Sample) -> Prepared:
        """The preprocessed sample, read once for all methods."""
        if self._last is None or self._last[0] != encoder or self._last[1] is not sample:
            self._last = (encoder, sample, self.encoders[encoder].prepare(sample.source))
        return self._last[2]


def mark_of(encoder: Encoder) -> str:
    """Checksum of an encoder's settings and weights, to detect that it has changed.

    Args:
        encoder: the encoder.
    """
    digest = hashlib.sha256(json.dumps(encoder.settings(), sort_keys=True, default=repr).encode())
    if isinstance(encoder.model, nn.Module):
        for name, tensor in encoder.model.state_dict().items():
            digest.update(name.encode())
            if isinstance(tensor, Tensor):
                digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def file_name(key: tuple[str, ...]) -> str:
    """File name of a saved explanation: readable, and unique to the key.

    Args:
        key: data set, input, encoder and method.
    """
    words = re.sub(r"[^\w.-]+", "-", "-".join(key[1:]))[:100]
    return f"{words}-{hashlib.sha256(repr(key).encode()).hexdigest()[:8]}.npz"


def _described(value: Any) -> Any:
    """An argument in JSON-serialisable form."""
    settings = getattr(value, "settings", None)
    return settings() if callable(settings) else value if isinstance(value, (str, int, float, dict)) else repr(value)
