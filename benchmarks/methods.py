"""What each method shows and costs: writes docs/methods.md and its pictures; run with ``make methods``.

For a stochastic method the number of samples is doubled until a map is 0.95 reliable: the estimated correlation with
the converged map, which for two independent runs is the square root of the correlation between them.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage import data

import relax
from relax.methods import METHODS

DOCS = Path(__file__).parent.parent / "docs"
TARGET = 0.95
MOST_FORWARDS = 2100

# the option that says how many samples, and where to begin
SAMPLES: dict[str, tuple[str, int]] = {
    "relax": ("n_masks", 128),
    "kernel-shap": ("n_samples", 128),
    "lime": ("n_samples", 128),
    "shapley-sampling": ("n_samples", 2),
    "sobol": ("n_designs", 2),
    "hsic": ("n_samples", 128),
    "smoothgrad": ("n_samples", 4),
    "vargrad": ("n_samples", 4),
    "gradient-shap": ("n_samples", 4),
}

SUMMARY = """\
Every method explains the same picture, under one call. Perturbation methods cost hundreds of forwards and do not look
inside the encoder; gradient methods cost a forward and a backward a sample; activation methods cost one forward and say
nothing about the score. What each shows is written below it; which one to trust is asked on [another page](quality.md).

![The default of the paper, RELAX, on a cat's face](methods/relax.png)
"""

SENTENCES = {
    "relax": "Where a pixel is visible, the masked versions are more similar to the whole, on average, by this much.",
    "relax-regression": "The same of a 49th of the picture around the pixel, by regression on masks with two fills.",
    "u-relax": "RELAX's map, with the pixels left out whose score spreads more than that of the median pixel.",
    "repeat": "How often a pixel is above the map's mean when RELAX is run again; its uncertainty is p (1 − p).",
    "repeat-weighted": "The same, each repeat weighted by its map, so that it looks more like the map itself.",
    "edges": "Edges of the picture: a control that never sees the encoder.",
    "occlusion": "How much the similarity falls when a window around the pixel is covered; negative where it rises.",
    "kernel-shap": "What each grid cell adds to the similarity, averaged over all coalitions of the other cells.",
    "lime": "A sparse linear model of the similarity in the grid cells; cells that add little are exactly zero.",
    "shapley-sampling": "The same values as kernel-shap by another estimator: permutations instead of regression.",
    "sobol": "Each cell's share of the similarity's variance, interactions included; not signed.",
    "hsic": "How much the similarity depends on whether a cell is there, in whatever way; not signed.",
    "saliency": "How much the score would change with a small change of the pixel.",
    "input-x-gradient": "Gradient times the difference from the fill: a first guess at what removing the pixel does.",
    "smoothgrad": "The gradient averaged over noisy copies, which removes much of its noise.",
    "vargrad": "How much the gradient varies over noisy copies; often clearer than the gradient.",
    "integrated-gradients": "Gradients added up on the way from the fill to the picture; adds up to the score's rise.",
    "gradient-shap": "The same at random points and with noise.",
    "guided-backprop": "Gradients that may only flow back through positive values; hardly depends on the score.",
    "deeplift": "Differences of activations instead of gradients; needs each activation module to be used once.",
    "lafam": "Where the last feature map is active; says nothing about the score.",
    "grad-cam": "The last feature map, its channels weighted by what they do for the score.",
    "attention-rollout": "Where a ViT's class token looks, through all blocks; says nothing about the score.",
    "random": "Noise: what any map must beat.",
    "contrast": "How much removing a pixel changes the picture, whatever the encoder: also to be beaten.",
    "center": "A bump in the middle, where photographers put things: also to be beaten.",
}

KEPT = (0.25, 0.5, 0.75)
"""Keep probabilities at which dropped tokens are timed."""


@dataclass
class Row:
    """One line of the table."""

    method: str
    encoder: str
    forwards: int | None = None
    backwards: int = 0
    seconds: float = 0.0
    reliability: float | None = None
    note: str = ""


def run(encoder: relax.Encoder, method: str, seed: int, **options: Any) -> tuple[relax.Explanation, float]:
    began = time.perf_counter()
    e = relax.explain(encoder, data.chelsea(), method=method, seed=seed, **options)
    return e, time.perf_counter() - began


def measure(encoder: relax.Encoder, method: str) -> tuple[Row, relax.Explanation | None]:
    """A map of the target reliability and what it took."""
    row = Row(method, encoder.name)
    try:
        if method not in SAMPLES:
            given = {"n_masks": 512} if METHODS[method].takes_masks else {}
            e, row.seconds = run(encoder, method, 0, **given)
            row.note = ", ".join(f"{name}={value}" for name, value in given.items()) or "the default"
        else:
            option, n = SAMPLES[method]
            while True:
                runs = [run(encoder, method, seed, **{option: n}) for seed in (0, 1)]
                maps = [e.importance.ravel() for e, _ in runs]
                row.reliability = float(np.sqrt(max(np.corrcoef(maps)[0, 1], 0.0)))
                e, row.seconds = runs[0][0], float(np.mean([s for _, s in runs]))
                row.note = f"{option}={n}"
                if row.reliability >= TARGET or 2 * e.settings["cost"]["forwards"] > MOST_FORWARDS:
                    break
                n *= 2
    except relax.ArgumentError as error:
        row.note = str(error).partition(";")[0]
        return row, None
    row.forwards, row.backwards = e.settings["cost"]["forwards"], e.settings["cost"]["backwards"]
    return row, e


def dropping(encoder: relax.Encoder, n_masks: int = 128) -> str:
    """Milliseconds a mask when removed patches are filled and when they are dropped, as a table."""
    took = {}
    for fill in ("mean", "drop"):
        for keep in KEPT:
            masks = relax.PatchMasks(patch=encoder.patch or 0, keep=keep)
            settings = {"masks": masks, "design": "independent", "fill": fill, "n_masks": n_masks, "batch_size": 8}
            took[fill, keep] = run(encoder, "relax", 0, **settings)[1] / n_masks
    lines = [
        f"## Dropped tokens (`fill='drop'`), {encoder.name}",
        "",
        f"Milliseconds a mask, one run of {n_masks} masks each, by the share of patches that is kept.",
        "",
        "| fill | " + " | ".join(f"{keep:.0%}" for keep in KEPT) + " |",
        "|---|" + "---|" * len(KEPT),
    ]
    for fill in ("mean", "drop"):
        lines.append(f"| `{fill}` | " + " | ".join(f"{1000 * took[fill, keep]:.0f}" for keep in KEPT) + " |")
    return "\n".join(lines)


def page(rows: list[Row], drop: str) -> str:
    lines = [
        "# Methods",
        "",
        *SUMMARY.splitlines(),
        "",
        "Made by `make methods` (scikit-image's chelsea; attention rollout on a ViT-S/14, all others on the embedded "
        "EfficientNet-Lite0; 2 threads). `relax list methods` says what each needs and where it was published.",
        "",
        "A stochastic method is given twice as many samples until two runs agree to a reliability of "
        f"{TARGET} (the estimated correlation of one run with the converged map), or about {MOST_FORWARDS} forwards. "
        "One picture and two runs: read the table for orders of magnitude.",
        "",
        "| method | samples | forwards | backwards | seconds | reliability |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row.forwards is None:
            lines.append(f"| `{row.method}` | – | – | – | – | – |")
            continue
        reliability = "–" if row.reliability is None else f"{row.reliability:.3f}"
        lines.append(
            f"| `{row.method}` | {row.note} | {row.forwards} | {row.backwards} | {row.seconds:.1f} | {reliability} |"
        )
    lines += ["", drop]
    for row in rows:
        lines += ["", f"## {row.method}", "", SENTENCES[row.method]]
        if row.forwards is None:
            lines += ["", f"Not possible for {row.encoder}: {row.note}."]
        else:
            lines += ["", f"![{row.method} of {row.encoder} on a cat's face](methods/{row.method}.png)"]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--methods", default=",".join(METHODS))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore", relax.RelaxWarning)
    lite0 = relax.load_encoder("efficientnet-lite0", device="cpu")
    run(lite0, "relax", 0, n_masks=256)  # settles the batch size
    (DOCS / "methods").mkdir(parents=True, exist_ok=True)
    rows = []
    for method in options.methods.split(","):
        encoder = relax.load_encoder("vit-s14-focus", device="cpu") if method == "attention-rollout" else lite0
        row, e = measure(encoder, method)
        rows.append(row)
        if e is not None:
            e.plot(DOCS / "methods" / f"{method}.png")
        print(json.dumps(row.__dict__), flush=True)
    drop = dropping(relax.load_encoder("vit-s14-focus", device="cpu"))
    print(drop)
    if options.methods == ",".join(METHODS):
        (DOCS / "methods.md").write_text(page(rows, drop))


if __name__ == "__main__":
    main()
