"""What is measured: each run is a call of ``relax.evaluate`` in a folder of its own, and goes on after a cut."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.quality.variants import ALL_SIZES, CONTROLS, DEFAULT, FULL, GRADIENT, QUICK, SMOOTHED
from relax.cli.messages import counted, say
from relax.evaluation import Evaluation, evaluate
from relax.evaluation.regions import FILLS

RUNS = Path(__file__).parent.parent / "quality-runs"

LITE0, AUGNET, VIT = "efficientnet-lite0", "augnet-resnet50", "vit-s14-focus"
SCENES = {"one": "stamps:held-out", "several": "stamps:several:held-out"}
GAINS = tuple(f"relevance-gain:{fill}" for fill in FILLS)
METRICS = ("relevance-gain", *GAINS, "single-deletion", "auc", "relevance-rank")
METHODS = (
    *(DEFAULT, QUICK, FULL, ALL_SIZES, GRADIENT),
    *("relax", SMOOTHED, "occlusion", "lafam", "integrated-gradients"),
    *CONTROLS,
)
SENSE = ("randomisation", "randomisation:cascade", "randomisation:entropy", "avg-sensitivity")
SIZES = {LITE0: 6, AUGNET: 4, VIT: 4}
"""Scenes of each of the two kinds."""

SANE = {LITE0: 2, AUGNET: 2, VIT: 2}
"""Scenes on which the encoder's weights are shuffled and noise is added."""


@dataclass(frozen=True)
class Run:
    """Arguments of ``relax.evaluate`` under a name."""

    name: str
    dataset: str
    encoder: str
    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    n: int


def runs(scale: float = 1.0) -> list[Run]:
    """All of them; ``scale`` multiplies the numbers of scenes."""
    made = []
    for encoder, scenes in SIZES.items():
        for kind, dataset in SCENES.items():
            n = max(1, round(scenes * scale))
            made.append(Run(f"{encoder}-{kind}", dataset, encoder, METHODS, METRICS, n))
    for encoder, scenes in SANE.items():
        methods = (DEFAULT, "relax", SMOOTHED, "edges")
        made.append(Run(f"sanity-{encoder}", SCENES["one"], encoder, methods, SENSE, max(1, round(scenes * scale))))
    return made


def carry_out(run: Run) -> Evaluation:
    """Do what is not done yet, with a progress bar."""
    say(run.name)
    with counted("maps", quiet=False) as on_job:
        return evaluate(
            run.dataset,
            (run.encoder,),
            run.methods,
            run.metrics,
            n=run.n,
            out=RUNS / run.name,
            options={"relax": {"n_masks": 256}},
            on_job=on_job,
        )
