"""What is measured: each run is a call of ``relax.evaluate`` in a folder of its own, and goes on after a cut."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks.quality.variants import (
    ABLATIONS,
    CONTRASTED,
    FINE,
    FULL,
    GRADIENT,
    HALF,
    LINEAR,
    NO_CONTRAST,
    ONE_FILL,
    PLAIN,
    QUICK,
    QUICK_GRADIENT,
    SLOPES,
    SMOOTH_CONTRAST,
    SMOOTHED,
    TWICE_BLUR,
    with_masks,
)
from relax.cli.messages import counted, say
from relax.evaluation import Evaluation, evaluate

RUNS = Path(__file__).parent.parent / "quality-runs"

LITE0, AUGNET, VIT = "efficientnet-lite0", "augnet-resnet50", "vit-s14-focus"
HALVES = ("development", "held-out")
SCENES = {"one": "stamps", "several": "stamps:several"}
METRICS = ("insertion-deletion", "insertion-deletion:mean", "relevance-rank", "auc", "relevance-mass")
METHODS = (
    *(FINE, GRADIENT, QUICK, QUICK_GRADIENT, "relax", "smoothgrad", SMOOTHED, CONTRASTED),
    *("occlusion", "integrated-gradients", "lafam", "contrast", "center"),
)
OPTIONS = {FINE: {"n_masks": FULL}, "relax": {"n_masks": 512}, "smoothgrad": {"n_samples": 96}}
"""SmoothGrad and relax-gradient cost the same."""

SLOW = ("occlusion", "center", SMOOTHED, CONTRASTED, QUICK_GRADIENT)
"""Left out where a forward is slow."""

OF_FINE = (NO_CONTRAST, LINEAR, SMOOTH_CONTRAST, TWICE_BLUR, *ABLATIONS)
OF_GRADIENT = (*SLOPES, *ONE_FILL)
LEFT_OUT = (
    *(f"{FINE}:whole", HALF, *(f"{FINE}:{name}" for name in OF_FINE)),
    *(GRADIENT, *(f"{GRADIENT}:{name}" for name in OF_GRADIENT)),
)


@dataclass(frozen=True)
class Run:
    """Arguments of ``relax.evaluate`` under a name.

    Attributes:
        options: of each method, by its name; also ``n_masks``.
    """

    name: str
    dataset: str
    encoders: tuple[str, ...]
    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    n: int
    options: dict[str, dict[str, Any]] = field(default_factory=dict)


def runs(scale: float = 1.0) -> list[Run]:
    """All of them; ``scale`` multiplies the numbers of scenes."""

    def n(scenes: int) -> int:
        return max(2, round(scenes * scale))

    made = []
    for encoder, scenes in ((LITE0, 20), (AUGNET, 5), (VIT, 4)):
        for kind, dataset in SCENES.items():
            if encoder == VIT and kind != "one":
                continue  # a forward of it costs ten of the smallest
            for half in HALVES:
                name = f"{encoder}-{kind}-{half}"
                methods = METHODS if encoder != VIT else tuple(m for m in METHODS if m not in SLOW)
                made.append(Run(name, f"{dataset}:{half}", (encoder,), methods, METRICS, n(scenes), OPTIONS))
    for kind, dataset in SCENES.items():
        name = f"ablation-{kind}"
        made.append(Run(name, f"{dataset}:development", (LITE0,), LEFT_OUT, METRICS, n(6)))
    fills = (GRADIENT, *(f"{GRADIENT}:{name}" for name in ONE_FILL))
    made.append(Run("ablation-augnet", "stamps:development", (AUGNET,), fills, METRICS, n(4)))
    made.append(
        Run(
            "robustness",
            "fashion-scenes",
            ("fashion:supervised", "fashion:simclr"),
            (FINE, PLAIN, GRADIENT, "relax", "smoothgrad", "lafam"),
            ("max-sensitivity", "avg-sensitivity", "parameter-randomisation"),
            n(8),
            {FINE: {"n_masks": 256}, "relax": {"n_masks": 256}, "smoothgrad": {"n_samples": 96}},
        )
    )
    return made


def carry_out(run: Run, threads: int) -> Evaluation:
    """Do what is not done yet, with a progress bar."""
    torch.set_num_threads(threads)
    say(run.name)
    fixed = {name: with_masks(name, own["n_masks"]) for name, own in run.options.items() if "n_masks" in own}
    options = {name: own for name, own in run.options.items() if name not in fixed}
    with counted("maps", quiet=False) as on_job:
        return evaluate(
            run.dataset,
            run.encoders,
            [fixed.get(name, name) for name in run.methods],
            run.metrics,
            n=run.n,
            out=RUNS / run.name,
            options=options,
            on_job=on_job,
        )
