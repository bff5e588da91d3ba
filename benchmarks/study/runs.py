"""What is measured for the study: each run is a call of ``relax.evaluate`` in a folder of its own."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from scipy.stats import spearmanr

import relax
from relax.cli.messages import counted, say
from relax.datasets import chosen, open_dataset
from relax.encoders.zoo.small import WAYS
from relax.evaluation import Evaluation, evaluate

HERE = Path(__file__).parent
RUNS = HERE.parent / "study-runs"

LITE0 = "efficientnet-lite0"
SMALL = tuple(f"fashion:{way}" for way in WAYS)
UNLABELLED = "fashion:simclr"

QUALITY = (
    *("insertion-deletion", "insertion-deletion:mean", "relevance-rank", "auc", "pointing-game"),
    *("relevance-mass", "complexity", "sparseness"),
)
ALL_METHODS = (
    *("relax", "u-relax", "repeat", "occlusion", "kernel-shap", "smoothgrad", "integrated-gradients", "saliency"),
    *("guided-backprop", "lafam", "grad-cam", "center", "random"),
)
THRESHOLDS = (0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True)
class Run:
    """Arguments of ``relax.evaluate`` under a name.

    Attributes:
        part: of the study.
        setting: what is varied, for the rows; empty if nothing is.
    """

    name: str
    part: str
    dataset: str
    encoders: tuple[str, ...]
    methods: tuple[str, ...]
    metrics: tuple[str, ...] = QUALITY
    n: int = 24
    budget: int | None = 256
    ood: str | None = None
    setting: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)


def runs(scale: float) -> list[Run]:
    """All of them; ``scale`` multiplies the numbers of inputs."""

    def n(inputs: int) -> int:
        return max(2, round(inputs * scale))

    # forwards a second: EfficientNet-Lite0 95 to 230, ViT-S/14 25 to 40, ResNet-50 15 to 85, small ones 2000
    made = [
        Run("methods", "methods", "stamps", (LITE0,), ALL_METHODS, n=n(24)),
        Run(
            "objectives",
            "objectives",
            "fashion-scenes",
            SMALL,
            ("relax", "smoothgrad", "integrated-gradients", "lafam", "center", "random"),
            n=n(40),
        ),
        Run(
            "encoders",
            "encoders",
            "stamps",
            ("augnet-resnet50", "vit-s14-focus"),
            ("relax", "smoothgrad", "integrated-gradients", "lafam", "center", "random"),
            n=n(16),
        ),
        Run(
            "robustness",
            "robustness",
            "fashion-scenes",
            ("fashion:supervised", UNLABELLED),
            ("relax", "u-relax", "occlusion", "kernel-shap", "smoothgrad", "integrated-gradients", "saliency", "lafam"),
            ("max-sensitivity", "avg-sensitivity", "parameter-randomisation"),
            n=n(24),
        ),
        Run(
            "errors",
            "uncertainty",
            "fashion-scenes",
            ("fashion:supervised", UNLABELLED),
            ("relax",),
            ("uncertainty-error", "standard-error-error"),
            n=n(24),
            budget=1024,
        ),
        Run(
            "ood",
            "ood",
            "fashion-scenes",
            ("fashion:supervised", UNLABELLED),
            ("relax", "repeat", "smoothgrad"),
            ("mean-uncertainty",),
            n=n(60),
            ood="stamps",
        ),
    ]
    for encoder, inputs in ((LITE0, n(6)), (UNLABELLED, n(40))):
        dataset = "stamps" if encoder == LITE0 else "fashion-scenes"
        made += [
            Run(f"{part}-{setting}", part, dataset, (encoder,), (method,), n=inputs, setting=setting, **more)
            for part, setting, method, more in _settings()
        ]
    return [_named(run) for run in made]


def _settings() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Part, setting, method and arguments of the ablations."""
    for quantile in THRESHOLDS:
        own = {"options": {"u-relax": {"threshold": f"quantile:{quantile}"}}}
        yield "thresholds", f"U-RELAX, {quantile:.0%} kept", "u-relax", {"arguments": own}
    yield "thresholds", "RELAX, all kept", "relax", {}
    for cut in ("mean", "otsu", "li", "triangle"):
        yield "thresholds", f"REPEAT, {cut}", "repeat", {"arguments": {"options": {"repeat": {"cut": cut}}}}
    for masks in (128, 256, 512, 1024):
        yield "masks", f"{masks}", "relax", {"budget": masks}
    for cells in (4, 7, 10, 14):
        arguments = {"masks": relax.GridMasks(cells)}
        yield "grid", f"{cells}x{cells}", "relax", {"budget": 512, "arguments": arguments}
    for fill in ("mean", "blur", "noise", "black"):
        yield "fill", fill, "relax", {"arguments": {"fill": fill}}
    for similarity in ("cosine", "dot", "rbf", "euclidean"):
        yield "similarity", similarity, "relax", {"arguments": {"similarity": similarity}}


def _named(run: Run) -> Run:
    if not run.setting:
        return run
    text = f"{run.name}-{run.encoders[0]}".replace(":", "-").replace(", ", "-").replace(" ", "-").replace("%", "")
    return Run(**{**vars(run), "name": text})


def carry_out(run: Run, threads: int) -> Evaluation:
    """Do what is not done yet, with a progress bar."""
    torch.set_num_threads(threads)
    say(run.name)
    with counted("maps", quiet=False) as on_job:
        return evaluate(
            run.dataset,
            run.encoders,
            run.methods,
            run.metrics,
            n=run.n,
            out=RUNS / run.name,
            budget=run.budget,
            ood=run.ood,
            on_job=on_job,
            **run.arguments,
        )


def agreement(n: int, threads: int) -> pd.DataFrame:
    """Spearman's correlation between RELAX maps of the small encoders on the same scenes: a row a scene and pair."""
    torch.set_num_threads(threads)
    file = RUNS / "agreement.json"
    if file.exists() and len({row["input"] for row in json.loads(file.read_text())}) >= n:
        return pd.DataFrame(json.loads(file.read_text()))
    dataset = open_dataset("fashion-scenes")
    encoders = {name: relax.load_encoder(name) for name in SMALL}
    rows = []
    for index in chosen(dataset, n, 0):
        picture = dataset[index].picture
        maps = {
            name: relax.explain(e, picture, method="relax", n_masks=1024).importance.ravel()
            for name, e in encoders.items()
        }
        again = relax.explain(encoders[UNLABELLED], picture, method="relax", n_masks=1024, seed=1).importance.ravel()
        pairs = [*itertools.combinations(maps.items(), 2), ((UNLABELLED, maps[UNLABELLED]), ("another seed", again))]
        for (one, a), (other, b) in pairs:
            value = float(spearmanr(a, b).statistic)
            rows.append({"input": dataset.id(index), "one": one, "other": other, "spearman": value})
    RUNS.mkdir(exist_ok=True)
    unfinished = file.with_suffix(".part")
    unfinished.write_text(json.dumps(rows))
    unfinished.replace(file)  # whole or not at all
    return pd.DataFrame(rows)
