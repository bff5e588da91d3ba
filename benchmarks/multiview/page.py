"""docs/multiview.md: tables, pictures, and sentences whose comparisons are computed from the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.intervals import apart
from benchmarks.multiview.clusterings import SEEDS
from benchmarks.multiview.explanations import LEVELS, MASKS, METRICS_OF_MAPS, THRESHOLDS, N
from relax.evaluation import METRICS, interval

PAGE = Path(__file__).parent.parent.parent / "docs" / "multiview.md"
FOLDER = PAGE.parent / "multiview"

ARROWS = {"higher": "↑", "lower": "↓", "neither": ""}


def shown(values: Any, digits: int = 3) -> str:
    """Mean and 95 % interval."""
    mean, low, high = interval(np.asarray(values, dtype=float))
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def clustering_table(table: pd.DataFrame) -> list[str]:
    """Mean and standard deviation over seeds."""
    lines = ["| | accuracy | NMI | ARI | seconds |", "|---|---|---|---|---|"]
    for name, rows in table.groupby("method", sort=False):
        cells = [f"{rows[metric].mean():.3f} ± {rows[metric].std():.3f}" for metric in ("accuracy", "NMI", "ARI")]
        lines.append(f"| {name} | {' | '.join(cells)} | {rows['seconds'].mean():.0f} |")
    return lines


def above(table: pd.DataFrame, one: str, other: str) -> str:
    """Difference of two methods' mean accuracies, in points."""
    means = table.groupby("method")["accuracy"].mean()
    return f"{100 * (means[one] - means[other]):+.1f} points"


def noise_sentences(table: pd.DataFrame) -> list[str]:
    """What moderate and strong noise do to the share and to the uncertainty, on the same objects."""
    lines = []
    for training, rows in table.groupby("trained", sort=False):
        wide = rows.drop(columns="trained").pivot_table(index="object", columns="noise")
        for level in (0.5, LEVELS[-1]):
            words = []
            for name in ("share of the edges", "uncertainty of the edges"):
                mean, low, high = interval(wide[name][level] - wide[name][LEVELS[0]])
                verb = "does not change beyond its interval" if low <= 0 <= high else "rises" if mean > 0 else "falls"
                words.append(f"the {name} {verb} ({mean:+.2g} [{low:+.2g}, {high:+.2g}])")
            lines.append(f"- Trained {training} noise, noise of {level} instead of none: {'; '.join(words)}.")
    return lines


def noise_table(table: pd.DataFrame) -> list[str]:
    lines = [
        "| trained | noise | share of the edges | uncertainty of the edges | uncertainty of the image |",
        "|---|---|---|---|---|",
    ]
    for (training, level), rows in table.groupby(["trained", "noise"], sort=False):
        names = ("share of the edges", "uncertainty of the edges", "uncertainty of the image")
        lines.append(f"| {training} | {level} | " + " | ".join(shown(rows[name], 4) for name in names) + " |")
    return lines


def threshold_table(table: pd.DataFrame) -> list[str]:
    heads = [f"{m} {ARROWS[METRICS[m].better]}" for m in METRICS_OF_MAPS]
    lines = ["| view | | " + " | ".join(heads) + " |", "|---" * (2 + len(heads)) + "|"]
    for (view, method), rows in table.groupby(["view", "method"], sort=False):
        cells = [shown(rows[m].dropna()) for m in METRICS_OF_MAPS]
        lines.append(f"| {view} | {method} | " + " | ".join(cells) + " |")
    return lines


def threshold_differences(table: pd.DataFrame) -> list[str]:
    """U-RELAX less RELAX on the same objects."""
    lines = []
    for view, rows in table.groupby("view", sort=False):
        for share in THRESHOLDS:
            cells = []
            for metric in ("complexity", "insertion-deletion"):
                wide = rows.pivot_table(index="object", columns="method", values=metric)
                cells.append(shown((wide[f"U-RELAX, {share:.0%}"] - wide["RELAX"]).dropna()))
            lines.append(f"| {view} | {share:.0%} | {' | '.join(cells)} |")
    return ["| view | kept | complexity | insertion-deletion |", "|---|---|---|---|", *lines]


def threshold_verdict(table: pd.DataFrame) -> str:
    """Whether any threshold makes explanations simpler without making them less faithful."""
    good = []
    for view, rows in table.groupby("view", sort=False):
        for share in THRESHOLDS:
            change = {}
            for metric in ("complexity", "insertion-deletion"):
                wide = rows.pivot_table(index="object", columns="method", values=metric)
                change[metric] = interval((wide[f"U-RELAX, {share:.0%}"] - wide["RELAX"]).dropna())
            if change["complexity"][2] < 0 and change["insertion-deletion"][2] >= 0:
                good.append(f"{view} at {share:.0%}")
    if not good:
        return "No threshold made explanations simpler without making them less faithful."
    return f"Simpler and not less faithful beyond the interval: {', '.join(good)}."


def member_table(members: list[dict[str, Any]]) -> list[str]:
    """Assignments and shares of the members that are pictured."""
    lines = ["| members | assignment | share of the edges |", "|---|---|---|"]
    for kind, rows in pd.DataFrame(members).groupby("kind", sort=False):
        lines.append(f"| {kind} | {shown(rows['assignment'], 2)} | {shown(rows['share'], 2)} |")
    return lines


def defaults_section() -> list[str]:
    """The table that ``python -m benchmarks.multiview.defaults`` wrote."""
    table = pd.read_csv(FOLDER / "defaults.csv", dtype=str)
    return [
        "## Defaults",
        "",
        "`CoMVC(n_clusters=10)` beside k-means (10 initialisations) on all views side by side: accuracy under the best matching of",
        "clusters to classes, mean ± standard deviation over seeds. k-means sees columns standardised (pictures as they",
        "are), then also cut off at 2 standard deviations as CoMVC does by default, then not standardised. Seconds are the",
        "median of one clustering on one core. The defaults were chosen on these data sets, knowing their labels:",
        "results on other data may be worse. `python -m benchmarks.multiview.defaults` makes this table:",
        "",
        f"| {' | '.join(table.columns)} |",
        "|---" * len(table.columns) + "|",
        *(f"| {' | '.join(cells)} |" for cells in table.to_numpy()),
    ]


def lead(fashion: pd.DataFrame, digits: pd.DataFrame, noise: pd.DataFrame, thresholds: pd.DataFrame) -> list[str]:
    """Three sentences."""
    joined = "k-means, views concatenated"
    falls = noise_sentences(noise)[0].partition(": ")[2].partition(";")[0]
    return [
        f"Compared with k-means on all views side by side, CoMVC changes the accuracy by {above(fashion, 'CoMVC', joined)} on",
        f"Fashion-MNIST with edges (standard deviation over seeds {100 * spread(fashion):.1f}) and by "
        f"{above(digits, 'CoMVC', joined)} on UCI digits ({100 * spread(digits):.1f}).",
        f"Each view has a share of the importance, with an error: with noise of 0.5 on the edges, {falls}.",
        f"Thresholds on the uncertainty (U-RELAX) have a price: {threshold_verdict(thresholds)[0].lower()}{threshold_verdict(thresholds)[1:]}",
    ]


def spread(table: pd.DataFrame) -> float:
    """Standard deviation of CoMVC's accuracy over seeds."""
    return float(table[table["method"] == "CoMVC"]["accuracy"].std())


def write_page(
    clustered: dict[str, pd.DataFrame],
    noise: pd.DataFrame,
    thresholds: pd.DataFrame,
    members: list[dict[str, Any]],
    cost: pd.DataFrame,
    threads: int,
) -> None:
    """Write docs/multiview.md."""
    fashion, noisy, digits = (clustered[name] for name in ("fashion-edges", "fashion-noise", "uci-digits"))
    joined = "k-means, views concatenated"
    ratio = cost["both views"] / cost["one picture"]
    lines = [
        "# Several views",
        "",
        *lead(fashion, digits, noise, thresholds),
        "",
        "![Typical members of clusters, and which parts of which view they rest on](multiview/typical.png)",
        "",
        "An encoder of several views is explained by masks on all of them at once, one explanation a view, and a share",
        "of importance for each view with its error:",
        "",
        "```python",
        "import relax",
        "from relax.multiview.data import fashion_edges",
        "",
        "views = fashion_edges(10_000)  # Fashion-MNIST in grey, and the magnitude of its gradient",
        "comvc = relax.multiview.CoMVC(n_clusters=10, random_state=0).fit(views.views)",
        "one = {name: view[0] for name, view in views.views.items()}",
        "found = relax.explain(comvc.encoder(), one)",
        'found["image"].plot("image.png"), found["edges"].importance, found.shares.confidence_interval()',
        "relax.explain(comvc.encoder(), one, relax.Cluster(comvc, label=3))  # against a cluster's centroid",
        'relax.explain(comvc.encoder("assignment"), one, relax.Dimension(3))  # against the assignment to it',
        'relax.explain(comvc.encoder(), one, views="one-at-a-time")  # masks on one view, the others whole',
        "```",
        "",
        "The share of a view is what its parts add to the expected similarity, over what those of all views add. The default",
        'regresses both views at once; with `method="relax"` shares are moments of its masks.',
        "A share is negative if a view lowers the similarity. `masks=` and `fill=` take one setting for all views or a mapping by view. An",
        "encoder of numbered views (`relax.Encoder(model, views=2)`) takes a tuple; on the command line they are `--view 0=a.png`. Objects of",
        'several views have no `design="all-sizes"` and no `method="relax-gradient"`, and `--against` does not go with `--view`.',
        "",
        "On the command line, with a clustering that was kept by `comvc.save(FOLDER)`:",
        "",
        "```bash",
        "relax explain --encoder comvc:FOLDER --view image=a.png --view edges=b.png",
        "```",
        "",
        '`make multiview` makes the figures below, with the paper\'s `method="relax"`.',
        "",
        *defaults_section(),
        "",
        "## Clusters and classes",
        "",
        "SiMVC and CoMVC (Trosten et al., CVPR 2021) beside k-means. Accuracy is that of the best matching of clusters",
        f"to classes; mean ± standard deviation over {SEEDS} seeds. Everything is left at its default; of the",
        "trainings, the one that agrees most with the others is kept, and labels are not seen. Seconds are those of one",
        f"clustering with {threads} of two cores.",
        "",
        f"**Fashion-MNIST with edges** (10,000 objects). CoMVC less k-means on concatenated views: "
        f"{above(fashion, 'CoMVC', joined)}.",
        "",
        *clustering_table(fashion),
        "",
        f"**The same with noise on the edges** (standard deviation 0.5). CoMVC less k-means on concatenated views: "
        f"{above(noisy, 'CoMVC', joined)}.",
        "",
        *clustering_table(noisy),
        "",
        f"**UCI digits** (2000 objects, six sets of features, standardised). CoMVC less k-means on concatenated views: "
        f"{above(digits, 'CoMVC', joined)}.",
        "",
        *clustering_table(digits),
        "",
        "## Which parts of which view",
        "",
        "CoMVC's fused representation (seed 0) of the most and of the least certain member of each cluster, "
        f"{MASKS} masks. Red: showing the part brings the representation nearer to that of the whole object.",
        "",
        "![The most certain members](multiview/typical.png)",
        "",
        "![The least certain members](multiview/ambiguous.png)",
        "",
        *member_table(members),
        "",
        "## Noise in one view",
        "",
        f"Gaussian noise on the edges of {N} objects, the image as it was; of a clustering that was trained without "
        "noise, and of one that was trained with noise of standard deviation 0.5. Does the share of the edges fall, and",
        "does their uncertainty rise? Means and 95 % intervals over objects, differences on the same objects.",
        "",
        *noise_sentences(noise),
        "",
        "![Share and uncertainty of the edges](multiview/noise.png)",
        "",
        *apart(noise_table(noise), FOLDER / "noise.csv"),
        "",
        "## Does uncertainty make explanations simpler?",
        "",
        "The paper's claim about multi-view clustering: importance where the uncertainty is low (U-RELAX) is of lower",
        f"complexity. {N} objects, RELAX on both views at once, the pixels with the lowest uncertainty kept; complexity "
        "and sparseness by",
        "Quantus of what a map has above its minimum; insertion − deletion in the view while the other is whole, with two "
        "fills.",
        "",
        "![Complexity, sparseness and faithfulness over thresholds](multiview/thresholds.png)",
        "",
        *apart(threshold_table(thresholds), FOLDER / "thresholds.csv"),
        "",
        "U-RELAX less RELAX on the same objects (mean and 95 % interval):",
        "",
        *threshold_differences(thresholds),
        "",
        threshold_verdict(thresholds),
        "",
        "## Cost",
        "",
        f"An explanation of both views at once (98 units, 2048 masks) and one of a single picture with as many units that holds both views "
        f"side by side took {cost['forwards'].iloc[0]:.0f} and {cost['of one'].iloc[0]:.0f} forwards; "
        f"both views took {ratio.median():.2f} times the seconds (median of {len(cost)} turns, {ratio.min():.2f} to {ratio.max():.2f}).",
        "",
    ]
    PAGE.write_text("\n".join(lines))
