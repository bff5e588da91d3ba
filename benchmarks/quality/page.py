"""docs/quality.md: tables, pictures, and sentences whose comparisons are computed from the rows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.quality.pictures import plot_cost, plot_scenes
from benchmarks.quality.runs import AUGNET, HALVES, LITE0, METRICS, OF_FINE, OF_GRADIENT, SCENES, VIT, Run
from benchmarks.quality.variants import FINE, GRADIENT, HALF, QUICK, QUICK_GRADIENT
from benchmarks.study.page import compared, table
from relax._support.figures import save_figure
from relax.evaluation import Evaluation, interval, summary

DOCS = Path(__file__).parent.parent.parent / "docs"
FOLDER = DOCS / "quality"
TITLES = {
    LITE0: "EfficientNet-Lite0 (with labels)",
    AUGNET: "AugNet ResNet-50 (without labels)",
    VIT: "ViT-S/14",
}
FAITHFUL, LOCAL = METRICS[:2], METRICS[2:4]
QUICKLY = ("lafam", "integrated-gradients")
OBJECT = 0.5
"""Share of the mass inside the objects from which an encoder is taken to represent them."""

FEWEST = 4
"""Scenes from which methods are compared."""

Found = dict[str, tuple[Run, Evaluation]]


def pooled(found: Found, encoder: str) -> pd.DataFrame:
    """Rows of all scenes of an encoder."""
    frames = [evaluation.rows for run, evaluation in found.values() if run.name.startswith(encoder)]
    return pd.concat(frames, ignore_index=True)


def others(rows: pd.DataFrame, *own: str) -> list[str]:
    return [method for method in dict.fromkeys(rows["method"]) if method not in own]


def verdicts(rows: pd.DataFrame, one: str, metrics: tuple[str, ...], rivals: list[str]) -> list[str]:
    return [f"- {metric}: `{one}` is {compared(rows, metric, one, rivals)}." for metric in metrics]


def encoder_part(found: Found, encoder: str) -> list[str]:
    lines = [f"## {TITLES[encoder]}", ""]
    for kind in SCENES:
        for half in HALVES:
            if f"{encoder}-{kind}-{half}" not in found:
                continue
            _, evaluation = found[f"{encoder}-{kind}-{half}"]
            means = summary(evaluation.rows)
            lines += [f"**{kind.capitalize()} object(s), {half}**, n = {means['n'].max()}", ""]
            lines += [*table(means, METRICS[:4]), ""]
    rows = pooled(found, encoder)
    n = rows["input"].nunique()
    lines += [f"All {n} scenes together, by paired differences:", ""]
    lines += verdicts(rows, FINE, METRICS[:4], others(rows, FINE, GRADIENT, QUICK_GRADIENT))
    lines += verdicts(rows, GRADIENT, METRICS[:4], others(rows, FINE, GRADIENT))
    for quick in (name for name in (QUICK, QUICK_GRADIENT) if name in set(rows["method"])):
        lines += verdicts(rows, quick, METRICS[:4], list(QUICKLY))
    return [*lines, "", *represented(rows), ""]


def represented(rows: pd.DataFrame) -> list[str]:
    """Localisation where the most faithful methods have much of their mass on the objects."""
    mass = rows[rows["metric"] == "relevance-mass"].pivot_table(index="input", columns="method", values="value")
    most = mass[[FINE, GRADIENT]].max(axis=1)
    inside = most.index[most > OBJECT]
    said = f"In {len(inside)} of {len(most)} scenes `{FINE}` or `{GRADIENT}` has more than half of its mass on the objects."
    if len(inside) < FEWEST:
        inside = most.index[most >= most.median()]
        said += f" In the half of the scenes in which one of them has the most, {most.median():.2f} or more, "
    else:
        said += " In those, "
    if len(inside) < FEWEST:
        return [f"{said}n = {len(inside)}: too few to compare localisation."]
    some = rows[rows["input"].isin(inside)]
    return [
        f"{said}n = {len(inside)}:",
        "",
        *verdicts(some, FINE, LOCAL, others(some, FINE, GRADIENT, QUICK_GRADIENT)),
        *verdicts(some, GRADIENT, LOCAL, others(some, FINE, GRADIENT)),
    ]


def ablation_part(found: Found) -> list[str]:
    rows = pd.concat([found[f"ablation-{kind}"][1].rows for kind in SCENES], ignore_index=True)
    augnet = found["ablation-augnet"][1].rows
    of_fine = {f"{FINE}:whole": "whole", HALF: "half as many masks", **{f"{FINE}:{name}": name for name in OF_FINE}}
    of_gradient = {GRADIENT: "whole", **{f"{GRADIENT}:{name}": name for name in OF_GRADIENT}}
    return [
        "## What each ingredient gives",
        "",
        f"EfficientNet-Lite0, development scenes of one and of several objects, n = {rows['input'].nunique()}. Of "
        "`relax-fine`, one set of 2560 masks an input; what is left out is left out of the sum, so that those rows rest "
        "on fewer masks, except for the contrast, which costs none.",
        "",
        *ablation_table(rows, of_fine, FINE),
        "`relax-gradient`, 96 masks in every row.",
        "",
        *ablation_table(rows, of_gradient, GRADIENT),
        f"The fills of `relax-gradient` on AugNet, development scenes of one object, n = {augnet['input'].nunique()}.",
        "",
        *ablation_table(augnet, of_gradient, GRADIENT),
    ]


def ablation_table(rows: pd.DataFrame, names: dict[str, str], method: str) -> list[str]:
    """The whole and what lacks something, and their paired differences."""
    rows = rows[rows["method"].isin(names)]
    rows = rows.assign(method=rows["method"].map(names), dataset="stamps")
    means = summary(rows)
    lines = [*table(means, METRICS, first=method, cost=False), ""]
    for name in means["method"].unique():
        if name != "whole":
            parts = []
            for metric in METRICS[:4]:
                values = rows[rows["metric"] == metric].pivot_table(index="input", columns="method", values="value")
                mean, low, high = interval((values["whole"] - values[name]).dropna())
                parts.append(f"{metric} {mean:+.3f} [{low:+.3f}, {high:+.3f}]")
            lines.append(f"- whole less *{name}*: {'; '.join(parts)}.")
    return [*lines, ""]


def robustness_part(found: Found) -> list[str]:
    _, evaluation = found["robustness"]
    lines = ["## Sensitivity, and weights at random", ""]
    lines += [
        "Quantus's max- and average-sensitivity (how much the map changes when the input is changed a little), and the "
        "correlation of the map with that of the same network with random weights; fashion-scenes, small encoders, "
        f"256 masks, n = {evaluation.rows['input'].nunique()}. A picture of this size has room for the coarse masks only. "
        "**The default is not better here**: it moves more with its input than RELAX and SmoothGrad do, and more of it "
        "is left when the weights are random. The contrast is part of the reason (it is that of the picture, whatever "
        "the encoder), the fill by blur, whose effect is where the edges are, another. Who wants a map that random weights "
        'destroy takes `method="relax"`.',
        "",
    ]
    for encoder, means in summary(evaluation.rows).groupby("encoder", sort=False):
        metrics = tuple(dict.fromkeys(means["metric"]))
        rows = evaluation.rows[evaluation.rows["encoder"] == encoder]
        lines += [f"{encoder}:", "", *table(means, metrics), ""]
        for one in (FINE, GRADIENT):
            lines += verdicts(rows, one, metrics, others(rows, one))
        lines.append("")
    return lines


def in_short(rows: dict[str, pd.DataFrame]) -> str:
    """The aims, and whether they are reached."""
    said = []
    for encoder, own in rows.items():
        name, rivals = TITLES[encoder], others(own, FINE, GRADIENT, QUICK, QUICK_GRADIENT)
        for one in (FINE, GRADIENT):
            verdict = "; ".join(f"{metric}: {compared(own, metric, one, rivals)}" for metric in METRICS[:4])
            said.append(f"\n- {name}, n = {own['input'].nunique()}, `{one}` — {verdict}.")
    return (
        "By paired differences over all scenes of an encoder, beside all other methods:"
        + "".join(said)
        + "\n"
        + NOT_REACHED.strip()
    )


def write_page(found: Found, threads: int) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = {encoder: pooled(found, encoder) for encoder in TITLES}
    save_figure(plot_cost(rows, TITLES), FOLDER / "cost.png")
    scenes = plot_scenes(found, FOLDER)
    lines = [
        *HEAD.format(threads=threads, short=in_short(rows)).splitlines(),
        *(line for encoder in TITLES for line in encoder_part(found, encoder)),
        *ablation_part(found),
        *robustness_part(found),
        "## The three best and the three worst scenes",
        "",
        "EfficientNet-Lite0, all scenes: by how much `relax-fine` is above SmoothGrad on insertion − deletion.",
        "",
        *scenes,
        "",
        *TRIED.splitlines(),
    ]
    (DOCS / "quality.md").write_text("\n".join(lines).rstrip() + "\n")


NOT_REACHED = """
Not reached:
- on EfficientNet-Lite0, which suits gradients, the control `smoothgrad:contrast` is the more faithful map, though not the
  better localised; on AugNet it is far behind; on AugNet with blur, `contrast` itself is level with the default;
- over all scenes localisation is not ahead of occlusion and smoothed SmoothGrad, and by AUC behind them on
  EfficientNet-Lite0; where the most mass is on the objects (below) the default is level with them;
- of the quick maps, `relax-gradient:18` is more faithful than LaFAM and integrated gradients (on AugNet level with the latter
  with the mean colour), and behind LaFAM by AUC on EfficientNet-Lite0; `relax-fine:64` is behind both on AugNet with the mean
  colour;
- on the ViT, of which there are few scenes, neither map is told apart from SmoothGrad by insertion − deletion, and
  `relax-gradient` points at the objects less well than `relax`;
- sensitivity is not better than SmoothGrad's, and random weights leave more of the map (below);
- fewer than 100 scenes of each kind.
"""

HEAD = """\
# The default explanation: how good it is

Made by `make quality`, which goes on where it was cut off; `--scale 4` makes it four times as large. Scenes are cut-outs
on real photographs with exact masks; those of the development half, on which choices were made, and of the held-out half
share no cut-out and no photograph. Every number is a mean with its 95 % bootstrap interval; bold is rank 1, shared by
methods that paired differences on the same scenes cannot tell apart. Small n: read what is told apart. Seconds are those
of {threads} thread(s) on a CPU with a second run beside it: read forwards. A backward counts as two forwards.

`relax-fine` is what `relax.explain` does with a picture unless told otherwise. It is RELAX, importance
`E[s M] / E[M]`, on grids of 7, 14 and 28 cells and superpixels of three sizes, with two fills (blur and mean colour), at
most 3000 masks. Each part's map is its mean score plus the *effect* of showing a pixel; effects are brought to one scale
and multiplied by the square root of how much removing the pixel changes it. The mathematics stands in
`relax.estimation.mixture`; uncertainty and standard error go with it. `relax-gradient` needs gradients: 96 masks of one grid,
each with a forward and a backward, about 290 forwards, two thirds of them with blur; its map is the effect and, twice as
strong, the root of how much the score would move with a pixel. `relax-fine:64` and `relax-gradient:18` are the same with so
many masks, which for relax-fine are those of its coarsest part. `method="relax"` is the paper's: one 7x7 grid, mean colour.

`insertion-deletion` fills with blur, `insertion-deletion:mean` with the mean colour; relax-fine explains with both.
**A caution:** the row `contrast` is |input − blurred input|, a map that never saw the encoder. It is good at insertion −
deletion: revealing edges first restores a representation whatever the encoder. Part of what relax-fine gains by its
contrast is of this kind, and a method should be judged by how far it is above that row. `smoothgrad:contrast` is a control:
SmoothGrad times the same root of the contrast; where gradients suit the encoder it gains as much by it. The contrast is kept
since it is true of the question that is asked (a pixel that equals its fill cannot matter); `contrast=0` leaves it out.

Curves are scaled so that the filled picture is 0 and the whole one 1. Values above 1 (integrated gradients on the ViT) are of
scenes in which a picture that lost a scattering of pixels is less similar to the whole than one that lost them all.

![Insertion − deletion against forwards, a point for each method and encoder](quality/cost.png)

**In short.** {short}

"""

TRIED = """\
## Tried and dropped

On 5 to 16 development scenes of EfficientNet-Lite0, some on AugNet, without a gain that differed from noise:

- masks drawn where the map so far is important (on-policy keep probabilities at 28 cells), and random keep levels for
  Shapley-like weights: the first as good as fair masks, the second much worse (the level's variance drowns the cells);
- 56 cells; 11 and 20 cells instead of 14 and 28; whole orthogonal blocks of 28 cells (2048 masks of one placement) instead
  of parts of them at several placements;
- superpixels with smoothed borders; two compactnesses of them; averaging a finished map within superpixels;
- smoothing the map: localisation rises a little, insertion − deletion falls. No smoothing is done;
- contrast to the first power: more faithful with blur, worse localised; contrast relative to its surroundings: the same;
  contrast added to a constant: between with and without; contrast smoothed: in the table above;
- for gradients: the mean derivative with its sign (noise), input noise on top of masks, 28 instead of 7 cells for the
  masks; the derivative without the factor (x − b), which moves less with the input and is destroyed by random weights as
  SmoothGrad is, but is far less faithful; as many masks of the mean colour as of blur.
"""
