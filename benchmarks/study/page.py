"""docs/study.md: tables, pictures, and sentences whose comparisons are computed from the rows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from safetensors import safe_open

import relax
from benchmarks.intervals import without_intervals
from benchmarks.study.pictures import plot_ablations, plot_agreement, plot_disagreement, plot_robustness
from benchmarks.study.runs import LITE0, SMALL, UNLABELLED
from benchmarks.study.verdicts import Found, compared, lead, rows_of
from relax._support.figures import save_figure
from relax.encoders.training.fitting import probe
from relax.encoders.zoo.small import WEIGHTS
from relax.evaluation import METRICS, interval, ood_table, summary

DOCS = Path(__file__).parent.parent.parent / "docs"
FOLDER = DOCS / "study"

DEFAULTS = {"masks": "256", "grid": "7x7", "fill": "mean", "similarity": "cosine"}
"""What the others are compared with."""

ARROWS = {"higher": "↑", "lower": "↓", "neither": ""}


def cell(row: pd.Series) -> str:
    """Mean, interval, and rank in bold if it is the first."""
    text = f"{row['mean']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
    return f"**{text}**" if row["rank"] == 1 else text


def table(part: pd.DataFrame, metrics: tuple[str, ...], first: str = "method", cost: bool = True) -> list[str]:
    """A Markdown table: methods (or settings) down, metrics across; intervals are in the CSV files."""
    heads = [first, *(f"{m} {ARROWS[METRICS[m].better]}" for m in metrics)]
    heads += ["forwards + backwards", "seconds"] if cost else []
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    indexed = part.set_index(["method", "metric"])
    for method in dict.fromkeys(part["method"]):
        cells = [cell(indexed.loc[(method, m)]) if (method, m) in indexed.index else "–" for m in metrics]
        if cost:
            own = indexed.loc[method].iloc[0]
            cells += [f"{own['forwards']:.0f} + {own['backwards']:.0f}", f"{own['seconds']:.2f}"]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return without_intervals(lines)


def mean(part: pd.DataFrame, method: str, metric: str) -> str:
    row = part[(part["method"] == method) & (part["metric"] == metric)].iloc[0]
    return f"{row['mean']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def about_runs(found: Found, part: str) -> str:
    """Data set, number of inputs and budget of a part, for the line under a heading."""
    said = []
    for run, evaluation in found.values():
        if run.part == part:
            n = evaluation.rows[evaluation.rows["dataset"] == run.dataset]["input"].nunique()
            said.append(f"{run.dataset}, n = {n}" + (f", {run.budget} forwards a method" if run.budget else ""))
    return "; ".join(dict.fromkeys(said))


def question_1(found: Found) -> list[str]:
    rows = pd.concat([rows_of(found, "methods"), rows_of(found, "encoders")], ignore_index=True)
    means = summary(rows)
    save_figure(plot_disagreement(means), FOLDER / "disagreement.png")
    augnet = means[means["encoder"] == "augnet-resnet50"]
    own, lite = (rows[rows["encoder"] == name] for name in ("augnet-resnet50", LITE0))
    return [
        "## 1. Can faithfulness and localisation disagree?",
        "",
        f"On EfficientNet-Lite0, paired on the same scenes, RELAX is {compared(lite, 'insertion-deletion', 'relax', ['smoothgrad', 'lafam'])} "
        f"on insertion − deletion, and {compared(lite, 'relevance-rank', 'relax', ['smoothgrad', 'lafam'])} on relevance rank. "
        "Where the two verdicts differ, the map that finds the object is not the one that says most about the representation: "
        "neither metric can stand for the other.",
        "",
        "An earlier trial had AugNet ResNet-50, trained without labels, as a case where the encoder rests on the background and "
        "only a faithful map says so. Here, on few scenes: relevance rank "
        f"{mean(augnet, 'relax', 'relevance-rank')} for RELAX and {mean(augnet, 'lafam', 'relevance-rank')} for LaFAM, "
        f"insertion − deletion {mean(augnet, 'relax', 'insertion-deletion')} and {mean(augnet, 'lafam', 'insertion-deletion')}; "
        f"paired, RELAX is {compared(own, 'insertion-deletion', 'relax', ['lafam'])} on insertion − deletion and "
        f"{compared(own, 'relevance-rank', 'relax', ['lafam'])} on relevance rank. The trial's figure for RELAX on "
        "insertion − deletion, .53 on six scenes with the metric's own fill (blur), is not reproduced with the mean colour as "
        "fill, and LaFAM is not the less faithful one.",
    ]


def question_2(found: Found) -> list[str]:
    rows = rows_of(found, "methods")
    means = summary(rows)
    others = [m for m in dict.fromkeys(rows["method"]) if m != "relax"]
    shown = ("insertion-deletion", "insertion-deletion:mean", "relevance-rank", "auc", "pointing-game")
    more = ("relevance-mass", "complexity", "sparseness")
    lines = ["## 2. Does RELAX beat the others?", "", f"EfficientNet-Lite0; {about_runs(found, 'methods')}.", ""]
    lines += table(means, shown) + ["", *table(means, more, cost=False), ""]
    for metric in (*shown, *more):
        lines.append(f"- {metric}: RELAX is {compared(rows, metric, 'relax', others)}.")
    other_rows = rows_of(found, "encoders")
    for encoder, part in summary(other_rows).groupby("encoder", sort=False):
        own = other_rows[other_rows["encoder"] == encoder]
        rivals = [m for m in dict.fromkeys(own["method"]) if m != "relax"]
        lines += ["", f"### {encoder} ({about_runs(found, 'encoders')})", "", *table(part, shown), ""]
        lines += [f"- {metric}: RELAX is {compared(own, metric, 'relax', rivals)}." for metric in shown]
    robust = rows_of(found, "robustness")
    save_figure(plot_robustness(summary(robust)), FOLDER / "robustness.png")
    lines += ["", f"### Robustness ({about_runs(found, 'robustness')})", ""]
    for encoder, part in summary(robust).groupby("encoder", sort=False):
        metrics = ("max-sensitivity", "avg-sensitivity", "parameter-randomisation")
        lines += [f"{encoder}:", "", *table(part, metrics, cost=False), ""]
        own = robust[robust["encoder"] == encoder]
        rivals = [m for m in dict.fromkeys(own["method"]) if m != "relax"]
        lines += [f"- {metric}: RELAX is {compared(own, metric, 'relax', rivals)}." for metric in metrics] + [""]
    return [*lines, "![Sensitivity and parameter randomisation of each method](study/robustness.png)"]


def question_3(found: Found, pairs: pd.DataFrame) -> list[str]:
    rows = rows_of(found, "objectives")
    of_relax = rows[rows["method"] == "relax"].assign(method=lambda r: r["encoder"], encoder="small")
    means = summary(of_relax)
    means.round(6).to_csv(FOLDER / "small.csv", index=False)
    save_figure(plot_agreement(pairs), FOLDER / "agreement.png")
    metrics = ("relevance-rank", "auc", "relevance-mass", "complexity", "sparseness", "insertion-deletion")
    lines = ["## 3. Do explanations differ between encoders trained with and without labels?", ""]
    lines += [
        f"Six small encoders of the same scenes ({about_runs(found, 'objectives')}), explained by RELAX. Network, data, "
        "steps and batch size are the same; only the objective differs.",
        "",
        "| encoder | 20-NN accuracy | linear probe |",
        "|---|---|---|",
    ]
    for name in SMALL:
        file = WEIGHTS / f"{name.replace(':', '-')}.safetensors"
        if file.exists():
            with safe_open(file, "pt") as weights:
                about = weights.metadata()
        else:  # not trained, so that there is nothing to read
            about = probe(relax.load_encoder(name).model)
        lines.append(f"| {name} | {float(about['knn']):.3f} | {float(about['linear']):.3f} |")
    lines += ["", *table(means, metrics, first="encoder", cost=False), ""]
    unlabelled = [name for name in SMALL if name != "fashion:supervised"]
    for metric, words in (
        ("relevance-rank", "more of its importance on the object (relevance rank)"),
        ("auc", "more of its importance on the object (AUC)"),
        ("sparseness", "sparser maps"),
    ):
        verdict = compared(of_relax, metric, "fashion:supervised", unlabelled)
        lines.append(f"- {words}, the supervised encoder against the others: {verdict}.")
    by_pair = pairs.groupby(["one", "other"], sort=False)["spearman"].apply(list)
    ceiling = interval(by_pair[(UNLABELLED, "another seed")])
    supervised = {other: interval(values) for (one, other), values in by_pair.items() if one == "fashion:supervised"}
    nearest = max(supervised, key=lambda other: supervised[other][0])
    lines += [
        f"- Agreement: two RELAX maps of one encoder that differ in the seed correlate by {ceiling[0]:.2f} "
        f"[{ceiling[1]:.2f}, {ceiling[2]:.2f}] (Spearman over pixels, n = {pairs['input'].nunique()}); the supervised "
        f"encoder's map agrees most with that of {nearest}: {supervised[nearest][0]:.2f} "
        f"[{supervised[nearest][1]:.2f}, {supervised[nearest][2]:.2f}]. ",
        "",
        "![Spearman correlation between the RELAX maps of the encoders](study/agreement.png)",
    ]
    return lines


def question_4(found: Found) -> list[str]:
    rows = rows_of(found, "thresholds")
    metrics = ("complexity", "sparseness", "insertion-deletion", "insertion-deletion:mean", "relevance-rank")
    lines = ["## 4. Does filtering by uncertainty give simpler and still faithful explanations?", ""]
    for encoder, part in summary(rows).groupby("encoder", sort=False):
        own = rows[rows["encoder"] == encoder]
        n = own["input"].nunique()
        lines += [f"{encoder}, {own['dataset'].iloc[0]}, n = {n}:", "", *table(part, metrics, "map", cost=False), ""]
        settings = [name for name in dict.fromkeys(own["method"]) if not name.startswith("RELAX")]
        lines += [
            f"- {metric}: RELAX without a filter is {compared(own, metric, 'RELAX, all kept', settings)}."
            for metric in ("complexity", "insertion-deletion", "insertion-deletion:mean", "relevance-rank")
        ] + [""]
    errors = summary(rows_of(found, "uncertainty"))
    lines += [
        "The uncertainty is not the error. Rank correlation over pixels with the actual error over five repeats",
        "",
    ]
    lines += ["| encoder | uncertainty | standard error |", "|---|---|---|"]
    for encoder, part in errors.groupby("encoder", sort=False):
        own = [mean(part, "relax", metric) for metric in ("uncertainty-error", "standard-error-error")]
        lines.append(f"| {encoder} | {own[0]} | {own[1]} |")
    run, evaluation = found["ood"]
    outside = ood_table(evaluation.rows)
    n = evaluation.rows.groupby("dataset")["input"].nunique()
    lines += [
        "",
        f"Out of distribution: how well the mean uncertainty tells {run.ood} scenes (n = {n.get(str(run.ood), 0)}) from "
        f"{run.dataset} (n = {n[run.dataset]}); AUROC, 0.5 is chance, below it the strangers have less uncertainty.",
        "",
        "| encoder | method | AUROC |",
        "|---|---|---|",
    ]
    lines += [
        f"| {row.encoder} | {row.method} | {row.auroc:.2f} [{row.low:.2f}, {row.high:.2f}] |"
        for row in outside.itertuples()
    ]
    lines += [
        "",
        "An AUROC far below 0.5 says as much as one far above: the uncertainty differs between the two sets, but by itself "
        "does not say which is strange. Scenes that the encoder was trained on may well vary more under masks than "
        "pictures it makes little of.",
    ]
    return lines


def question_5(found: Found) -> list[str]:
    lines = ["## 5. How many masks, which grid, which fill, which similarity?", ""]
    tables = {}
    for part in ("masks", "grid", "fill", "similarity"):
        tables[part] = summary(rows_of(found, part))
    save_figure(plot_ablations(tables), FOLDER / "ablations.png")
    lines += ["![Quality over the number of masks, the grid, the fill and the similarity](study/ablations.png)", ""]
    metrics = ("insertion-deletion", "insertion-deletion:mean", "relevance-rank", "auc")
    for part, means in tables.items():
        for encoder, own in means.groupby("encoder", sort=False):
            lines += [f"{part}, {encoder}, n = {own['n'].max()}:", "", *table(own, metrics, part), ""]
            rows = rows_of(found, part)
            rows = rows[rows["encoder"] == encoder]
            others = [name for name in dict.fromkeys(rows["method"]) if name != DEFAULTS[part]]
            verdicts = (f"{compared(rows, metric, DEFAULTS[part], others)} on {metric}" for metric in metrics)
            lines += [f"{DEFAULTS[part]} is {'; it is '.join(verdicts)}.", ""]
    fills = tables["fill"]
    own = fills[fills["encoder"] == UNLABELLED]
    lines += [
        "A fill does well under the score that shares it: on "
        f"{UNLABELLED}, masks filled with blur have {mean(own, 'blur', 'insertion-deletion')} when blur scores and "
        f"{mean(own, 'blur', 'insertion-deletion:mean')} when the mean colour does; masks filled with the mean colour have "
        f"{mean(own, 'mean', 'insertion-deletion')} and {mean(own, 'mean', 'insertion-deletion:mean')}. Neither score alone "
        "can say which fill is better.",
        "",
    ]
    return lines


def write_page(found: Found, pairs: pd.DataFrame) -> None:
    """Write the page, its pictures and its tables as CSV."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    parts = list(dict.fromkeys(run.part for run, _ in found.values()))
    for part in parts:
        summary(rows_of(found, part)).round(6).to_csv(FOLDER / f"{part}.csv", index=False)
    files = ", ".join(f"[{part}](study/{part}.csv)" for part in [*parts, "small"] if part != "agreement")
    head = [
        "# What encoders look at, and what explanations are worth",
        "",
        *lead(found, pairs),
        "",
        "![Relevance rank against insertion − deletion, a point for each method and encoder](study/disagreement.png)",
        "",
        "Made by `make study`, which resumes; `--scale 4` makes it four times as large. Scenes are cut-outs on real "
        "photographs, with exact masks (`relax data`). The tables have means over inputs; the 95 % bootstrap intervals, n and "
        f"ranks are in files: {files}.",
        "",
        "Bold is rank 1, shared by methods that paired differences on the same inputs cannot tell apart. That relation is not "
        "transitive: a method between two others may share rank 1 with neither. A dash means that fewer than two inputs have a "
        "value for every method. *Better*, *worse* and *not told apart* are computed from the paired intervals; more scenes may "
        "tell apart what is not told apart here. Each method gets the stated number of forwards where it has a number to choose; "
        "a backward counts as two.",
        "",
        f"RELAX explains with the mean colour as fill. `insertion-deletion` scores with blur, `insertion-deletion:mean` "
        f"with that same mean colour, so the first is the fairer one. {LITE0} is supervised.",
        "",
    ]
    body = [question_1(found), question_2(found), question_3(found, pairs), question_4(found), question_5(found)]
    lines = head + [line for section in body for line in [*section, ""]]
    (DOCS / "study.md").write_text("\n".join(lines).rstrip() + "\n")
