"""docs/quality.md: what is asked, the answer, a picture, tables; comparisons are computed from the rows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.quality.answers import MAIN, RIVALS, answer, details, reached_table
from benchmarks.quality.errors import (
    CONVERGED,
    Curves,
    plot_errors,
    points_of,
    table_of_errors,
    table_of_reliabilities,
)
from benchmarks.quality.pictures import plot_controls, plot_scenes
from benchmarks.quality.runs import AUGNET, GAINS, LITE0, METHODS, SENSE, VIT, Run
from benchmarks.quality.variants import DEFAULT
from benchmarks.study.page import compared, table
from relax._support.figures import save_figure
from relax.evaluation import Evaluation, summary

DOCS = Path(__file__).parent.parent.parent / "docs"
FOLDER = DOCS / "quality"
TITLES = {
    LITE0: "EfficientNet-Lite0 (with labels)",
    AUGNET: "AugNet ResNet-50 (without labels)",
    VIT: "ViT-S/14",
}
Found = dict[str, tuple[Run, Evaluation]]

INTRODUCTION = """Does the map of the default, `relax-regression`, say what the representation of a picture rests on? Every map is pooled to
regions (7x7 and 14x14 cells, about 180 superpixels), regions are removed in the order of the map, and the similarity to the
representation of the whole picture is watched: the *symmetric relevance gain* (Blücher et al., TMLR 2024), with four fills.
*Single deletion* is the rank correlation of what removing one cell costs with what the map says of it (after IDSDS, NeurIPS
2024), which is what `occlusion` measures itself, with one fill. Controls that never saw the encoder with this picture are in
every table; a method that a control reaches on a metric has shown nothing there. Localisation (AUC, relevance rank) is not faithfulness, and stands beside it."""


def write_page(found: Found, errors: dict[str, list[Curves]], asked: str) -> None:
    """Write docs/quality.md and its pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    measured = [encoder for encoder in TITLES if any(run.encoder == encoder for run, _ in found.values())]
    by_encoder = {encoder: pooled(found, encoder) for encoder in measured}
    save_figure(plot_controls(by_encoder, TITLES), FOLDER / "controls.png")
    numbers = ", ".join(f"{rows['input'].nunique()} on {encoder}" for encoder, rows in by_encoder.items())
    lines = [
        "# How good are the explanations?",
        "",
        INTRODUCTION,
        "",
        "## The answer",
        "",
        *answer(by_encoder, TITLES),
        "",
        "![Relevance gain and single deletion of methods and controls](quality/controls.png)",
        "",
        *plot_scenes(found, FOLDER),
        "",
        f"Held-out scenes, of one object and of several: {numbers}. `make quality` makes this page; this one was made "
        f"{f'with `{asked}`' if asked else 'without options'}. Means over scenes; intervals by "
        "the bootstrap (BCa) are in the picture and in files; bold is rank 1, by paired differences. Seconds "
        "depend on what else ran at the time; forwards do not.",
        "",
    ]
    lines += ["## In detail", "", *details(by_encoder, TITLES), "", *reached_table(by_encoder, TITLES), ""]
    for encoder, rows in by_encoder.items():
        lines += encoder_part(encoder, rows)
        lines += [intervals_in(f"{encoder}.csv", summary(rows)), ""]
    lines += [each_scene(by_encoder), ""]
    lines += errors_part(errors)
    lines += sanity_part([evaluation.rows for run, evaluation in found.values() if run.name.startswith("sanity")])
    (DOCS / "quality.md").write_text("\n".join(lines) + "\n")


def pooled(found: Found, encoder: str) -> pd.DataFrame:
    """Rows of all scenes of an encoder, method by method."""
    frames = [evaluation.rows for run, evaluation in found.values() if run.name.startswith(encoder)]
    return in_order(pd.concat(frames, ignore_index=True).assign(dataset="stamps"))


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows method by method, in the order of the tables; a run that was resumed has them in another one."""
    return rows.sort_values("method", key=lambda names: names.map(METHODS.index), kind="stable", ignore_index=True)


def encoder_part(encoder: str, rows: pd.DataFrame) -> list[str]:
    """Tables of one encoder."""
    means = summary(rows)
    return [
        f"## {TITLES[encoder]}, n = {rows['input'].nunique()}",
        "",
        *table(means, (*MAIN, "auc", "relevance-rank")),
        "",
        "Relevance gain by fill (`relax-regression` and `relax-gradient` use blur and the mean colour themselves, `relax` the mean colour):",
        "",
        *table(means, GAINS, cost=False),
        "",
        f"By paired differences, single deletion: the default is {compared(rows, MAIN[1], DEFAULT, list(RIVALS))}; AUC: "
        f"{compared(rows, 'auc', DEFAULT, list(RIVALS))}.",
        "",
    ]


def errors_part(errors: dict[str, list[Curves]]) -> list[str]:
    """How fast the estimators converge, in a picture and a table."""
    if not errors:
        return []
    save_figure(plot_errors(errors, TITLES), FOLDER / "errors.png")
    points_of(errors).round(4).to_csv(FOLDER / "errors.csv", index=False)
    return [
        "## Error against forwards",
        "",
        f"How far is a map from where its own estimator ends, with {CONVERGED} masks of another seed? Both are averaged over "
        "14x14 cells; 0 is a converged map, and the error of the converged map is in all figures. Three estimators see the same "
        "masks, in turn with blur and the mean colour: plain moments, moments that a regression of other masks corrects, which have "
        "the same target, and the regression. The regression's target is finer, which is harder to reach; the paper's masks have one "
        "fill and come in larger blocks. `relax-gradient` is measured by the regression's target. The gains above say which "
        "target is better, the curves what more masks bring.",
        "",
        "![Error against forwards on each encoder](quality/errors.png)",
        "",
        "Mean over scenes; with more than one, least to most:",
        "",
        *table_of_errors(errors, TITLES),
        "",
        "Is the reliability that a map states its correlation with the converged map? Stated / true, mean over the same scenes, none "
        "of which was used to choose anything:",
        "",
        *table_of_reliabilities(errors, TITLES),
        "",
        "Every point of the curves is in [errors.csv](quality/errors.csv).",
        "",
    ]


def each_scene(by_encoder: dict[str, pd.DataFrame]) -> str:
    """Write the values of every scene to a file beside the page, and name it."""
    rows = pd.concat(by_encoder.values(), ignore_index=True)
    values = rows.pivot_table(index=["encoder", "input", "method"], columns="metric", values="value", sort=False)
    values.round(4).to_csv(FOLDER / "each-scene.csv")
    return "The values of each scene are in [each-scene.csv](quality/each-scene.csv)."


def intervals_in(name: str, means: pd.DataFrame) -> str:
    """Write means, intervals, n and ranks to a file beside the page, and name it."""
    means.round(6).to_csv(FOLDER / name, index=False)
    return f"Means; the 95 % intervals, n and ranks are in [{name}](quality/{name})."


def sanity_part(frames: list[pd.DataFrame]) -> list[str]:
    """Sensitivity and randomisation of the model."""
    lines = (
        []
        if not frames
        else [
            "## Sanity",
            "",
            "*Randomisation*: absolute rank correlation (14x14 cells) with the map of the same network with shuffled weights, all at once, "
            "and in the mean over stages from the output on (*cascade*); lower is better, and a map that never saw the network has 1. "
            "*Entropy*: by how much the map's histogram spreads when the network is shuffled. *Avg-sensitivity*: relative change of the "
            "map when a little noise is added to the input. An entropy of -1 is a constant map of the shuffled network, whose "
            "representation hardly depends on its input.",
            "",
        ]
    )
    for rows in frames:
        means = summary(in_order(rows))
        shown = means.assign(low=means["low"].fillna(means["mean"]))  # the value of a single scene, not a dash
        lines += [
            f"{TITLES[rows['encoder'].iloc[0]]}, n = {rows['input'].nunique()}:",
            "",
            *table(shown, SENSE),
            "",
            intervals_in(f"sanity-{rows['encoder'].iloc[0]}.csv", means),
            "",
        ]
    return lines
