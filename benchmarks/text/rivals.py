"""Other people's methods, and controls that never saw the encoder, as methods of relax."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

import relax
from relax.datasets.cache import PYTHON_DOCS, find
from relax.encoders.zoo.bert import Bert
from relax.estimation.loop import scores_of
from relax.modalities.text.batching import ATTENTION, IDS


def per_unit(problem: relax.Problem, tokens: np.ndarray) -> relax.Maps:
    """Maps from one value a token: a unit has the sum of its tokens."""
    owner = problem.prepared.geometry.element_of_token
    n = problem.perturbed.units.n_units
    return relax.Maps(np.bincount(owner, tokens, minlength=n + 1)[:n], signed=True)


@dataclass(frozen=True)
class ShapPartition(relax.Method):
    """Shapley values along a binary tree of neighbouring words, as shap's explainer of texts does.

    Args:
        n_samples: largest number of evaluations.
    """

    n_samples: int = 512

    name = "shap-partition"
    summary = "Owen values of a balanced tree of neighbouring words, by the library shap"
    modalities = ("text",)

    def run(self, problem: relax.Problem) -> relax.Maps:
        import shap

        n = problem.perturbed.units.n_units

        def play(bits: np.ndarray) -> np.ndarray:
            block = relax.Block(torch.from_numpy(np.atleast_2d(bits)).float(), torch.zeros(1, 1, dtype=torch.long))
            return scores_of(problem.session, problem.perturbed, problem.reference, block).cpu().double().numpy()

        masker = shap.maskers.Partition(np.zeros((2, n)), clustering=_chain(n))
        explainer = shap.PartitionExplainer(play, masker)
        values = explainer(np.ones((1, n)), max_evals=self.n_samples, batch_size=64, silent=True).values[0]
        return relax.Maps(np.asarray(values), signed=True)


@dataclass(frozen=True)
class EmbeddingGradients(relax.Method):
    """Integrated gradients on the word embeddings, from the padding token.

    Args:
        steps: points on the path.
    """

    steps: int = 24

    name = "ig-embeddings"
    summary = "integrated gradients of the score on the token embeddings, by Captum"
    needs = "gradients"
    modalities = ("text",)

    def run(self, problem: relax.Problem) -> relax.Maps:
        from captum.attr import LayerIntegratedGradients

        model, inputs = problem.encoder.model, problem.prepared.inputs
        ids, attention = inputs[IDS][None], inputs[ATTENTION][None]
        fixed = torch.from_numpy(problem.prepared.geometry.fixed)
        baseline = torch.where(fixed, ids, torch.full_like(ids, problem.modality.transform.pad_id))

        def score(rows: torch.Tensor) -> torch.Tensor:
            hidden = model(rows, attention.expand(len(rows), -1))["last_hidden_state"]
            return problem.reference.score(hidden.mean(1))

        with torch.enable_grad():
            values = LayerIntegratedGradients(score, model.words).attribute(
                ids, baselines=baseline, n_steps=self.steps, internal_batch_size=8
            )
        return per_unit(problem, values[0].sum(-1).detach().double().numpy())


@dataclass(frozen=True)
class Rollout(relax.Method):
    """Attention rollout (Abnar & Zuidema 2020), averaged over the tokens that are pooled."""

    name = "attention-rollout-text"
    summary = "product of the attention matrices with residual connections"
    modalities = ("text",)
    compares = False

    def run(self, problem: relax.Problem) -> relax.Maps:
        model, found = problem.encoder.model, []
        assert isinstance(model, Bert)
        handles = [
            layer.self_attn.register_forward_pre_hook(
                lambda module, args, kwargs: (args, {**kwargs, "need_weights": True, "average_attn_weights": True}),
                with_kwargs=True,
            )
            for layer in model.encoder.layers
        ]
        handles += [
            layer.self_attn.register_forward_hook(lambda module, args, output: found.append(output[1]))
            for layer in model.encoder.layers
        ]
        try:
            model.encoder.layers.train()  # leaves the fused path, which has no attention weights; there is no dropout
            model(problem.prepared.inputs[IDS][None])
        finally:
            model.encoder.layers.eval()
            for handle in handles:
                handle.remove()
        rolled = torch.eye(found[0].shape[-1])
        for attention in found:
            rolled = (0.5 * attention[0] + 0.5 * torch.eye(len(rolled))) @ rolled
        return per_unit(problem, rolled.mean(0).detach().double().numpy())


class Control(relax.Method):
    """A value for each word that does not depend on the encoder."""

    needs = "nothing"
    modalities = ("text",)
    compares = False


@dataclass(frozen=True)
class Length(Control):
    """Number of letters."""

    name = "length"
    summary = "number of letters of a word"

    def run(self, problem: relax.Problem) -> relax.Maps:
        return relax.Maps(np.array([float(len(label)) for label in problem.prepared.labels]))


@dataclass(frozen=True)
class Position(Control):
    """Words at the start first."""

    name = "position"
    summary = "words at the start before those at the end"

    def run(self, problem: relax.Problem) -> relax.Maps:
        return relax.Maps(-np.arange(len(problem.prepared.labels), dtype=float))


@dataclass(frozen=True)
class Rarity(Control):
    """Words that are rare in the Python manual first."""

    name = "rarity"
    summary = "minus the logarithm of a word's frequency"

    def run(self, problem: relax.Problem) -> relax.Maps:
        counts = word_counts()
        words = [re.sub(r"\W", "", label.lower()) for label in problem.prepared.labels]
        return relax.Maps(np.array([-np.log(counts[word] + 1.0) for word in words]))


@cache
def word_counts() -> Counter[str]:
    """Number of times each word occurs in the Python manual."""
    counts: Counter[str] = Counter()
    for file in find(PYTHON_DOCS).rglob("*.txt"):
        counts.update(re.findall(r"\w+", file.read_text(encoding="utf-8", errors="replace").lower()))
    return counts


def _chain(n: int) -> np.ndarray:
    """Linkage matrix of a balanced binary tree over ``n`` words in their order."""
    rows: list[list[float]] = []
    level = [(float(number), 1) for number in range(n)]
    while len(level) > 1:
        following = []
        for left, right in zip(level[::2], level[1::2], strict=False):
            size = left[1] + right[1]
            rows.append([left[0], right[0], float(len(rows) + 1), float(size)])
            following.append((float(n + len(rows) - 1), size))
        level = following + ([level[-1]] if len(level) % 2 else [])
    return np.array(rows)
