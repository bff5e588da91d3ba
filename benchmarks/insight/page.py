"""docs/insight.md: tables, and sentences whose figures are computed from the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.insight.artefacts import ARTEFACTS
from benchmarks.insight.encoders import BATCH, SCENES, STEPS
from benchmarks.insight.runs import MASKS, PICTURES
from benchmarks.insight.scores import CLUSTERS, ORACLE, RANKINGS
from relax.evaluation import auroc, interval
from relax.insights.groups import SUSPICIOUS

PAGE = Path(__file__).parent.parent.parent / "docs" / "insight.md"
FOLDER = PAGE.parent / "insight"

NAMES = {
    "report": "the report",
    "place alone": "maps by place alone (SpRAy)",
    "representations": "clusters of representations, by silhouette",
    ORACLE: "the best such cluster, known by the answer",
}


def shown(values: Any) -> str:
    """Estimate with its interval."""
    estimate, low, high = values
    return f"{estimate:.2f}" if np.isnan(low) else f"{estimate:.2f} [{low:.2f}, {high:.2f}]"


def of_encoders(rows: pd.DataFrame, name: str) -> str:
    """AUROC of encoders with a use for the artefact, with its interval over encoders."""
    column = f"top {name}"
    return shown(auroc(rows[~rows["useful"]][column], rows[rows["useful"]][column]))


def of_inputs(rows: pd.DataFrame, name: str) -> str:
    """Mean AUROC of inputs over encoders with a use for the artefact."""
    return shown(interval(rows[rows["useful"]][f"inputs {name}"]))


def encoder_table(rows: pd.DataFrame) -> list[str]:
    """AUROC over encoders, by artefact."""
    parts = _parts(rows)
    lines = [f"| encoders | {' | '.join(parts)} |", "|---" * (1 + len(parts)) + "|"]
    lines.append("| n | " + " | ".join(str(len(part)) for part in parts.values()) + " |")
    return lines + [
        f"| {NAMES[name]} | {' | '.join(of_encoders(part, name) for part in parts.values())} |" for name in RANKINGS
    ]


def input_table(rows: pd.DataFrame) -> list[str]:
    """AUROC over inputs, by artefact."""
    parts = _parts(rows)
    lines = [f"| inputs | {' | '.join(parts)} |", "|---" * (1 + len(parts)) + "|"]
    return lines + [
        f"| {NAMES[name]} | {' | '.join(of_inputs(part, name) for part in parts.values())} |"
        for name in (*RANKINGS, ORACLE)
    ]


def mark_table(rows: pd.DataFrame) -> list[str]:
    """Encoders with a marked group, and inputs in marked groups."""
    lines = [
        "| artefact | of use: marked | of no use: marked | inputs marked | of them with the artefact |",
        "|---" * 5 + "|",
    ]
    for artefact in ARTEFACTS:
        part = rows[rows["artefact"] == artefact]
        marked = [
            f"{int((part[part['useful'] == useful]['flagged'] > 0).sum())} of {int((part['useful'] == useful).sum())}"
            for useful in (True, False)
        ]
        inputs = f"{int(part['flagged'].sum())} | {int(part['flagged planted'].sum())}"
        lines.append(f"| {artefact} | {' | '.join(marked)} | {inputs} |")
    return lines


def _parts(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {
        "all but tint": rows[rows["artefact"] != "tint"],
        **{artefact: rows[rows["artefact"] == artefact] for artefact in ARTEFACTS},
    }


def summary(rows: pd.DataFrame) -> str:
    """Three sentences."""
    local = rows[rows["artefact"] != "tint"]
    useless = rows[~rows["useful"]]
    false = int((useless["flagged"] > 0).sum())
    tint = rows[rows["artefact"] == "tint"]
    border = rows[rows["artefact"] == "border"]
    return (
        f"Of {len(local)} small encoders, the report's ranking tells those that use a planted watermark, border or tag from "
        f"those that do not with an AUROC of {of_encoders(local, 'report')}; a clustering of the representations reaches "
        f"{of_encoders(local, 'representations')}. It marks groups in {false} of {len(useless)} encoders without a use for "
        f"their artefact, and finds the inputs with an AUROC of {of_inputs(local, 'report')}. It fails on the tint "
        f"({of_encoders(tint, 'report')}), as it must. For the border alone, whose importance is spread around the picture, it is "
        f"{of_encoders(border, 'report')}."
    )


def write_page(rows: pd.DataFrame, calibration: pd.DataFrame) -> None:
    """Write docs/insight.md.

    Args:
        rows: scores of the encoders that are reported.
        calibration: scores of those by which the suspicion and its mark were chosen.
    """
    place, content = (
        of_encoders(rows[rows["artefact"] != "tint"], "place alone"),
        of_inputs(rows[rows["artefact"] != "tint"], "place alone"),
    )
    lines = [
        "# What does an encoder look at?",
        "",
        summary(rows),
        "",
        "![First groups of affected encoders, and the suspicion of each encoder](insight/groups.png)",
        "",
        "```bash",
        "pip install '.[insight]'",
        "relax run photos/ --out store --masks 64",
        "relax insight store --out report",
        "relax export store --to parquet --out store.parquet",
        "```",
        "",
        "```python",
        "import relax",
        "",
        'found = relax.insight("store")  # a folder, or what relax.run returned',
        'found.write("report")  # insight.html, summary.json, and tables as Parquet',
        "found.summary.figures  # shares of the importance, each with a 95 % interval",
        "found.suspicious  # groups above the mark",
        'relax.export("store", "atlas.parquet").command  # how to open it',
        "```",
        "",
        "The page `insight.html` needs no network. `--encoder NAME` explains typical members of clusters against their centre",
        "(`against=Cluster`), and outliers by what keeps them away from it; nothing else encodes. `--foreground FOLDER` reads masks",
        "with the names of the inputs. A second store, `relax insight store other`, is compared on the inputs that both have:",
        "correlation of maps, common neighbours, linear CKA, paired differences, and the units that differ at a false discovery",
        "rate of 5 %. Pictures that are gone or have changed are counted, and left out of what needs them; `--source` says where",
        "they have moved to. Texts have their words instead of places: groups are formed by the words under the importance.",
        "",
        "## How groups become suspicious",
        "",
        "An input's importance is what its map has above the neutral value and one standard error, as shares of one. Inputs are",
        "grouped by spectral clustering of the place of these shares and of what lies under them: lightness, colour, edges and",
        "contrast. **Place** is the part of a group's importance that lies where the others have none (total variation). **Content**",
        "is how much more alike the members are under their own units than where the others look. The second reading is the",
        "control: dark pictures are alike anywhere. Suspicion is the sum. From",
        f"{SUSPICIOUS} on the page marks a group.",
        "",
        f"The sum and the mark were chosen on {len(calibration)} other encoders (seed 0), among the place, a ratio of distances, the",
        "content, their sums and products, and 6 to 12 groups. Everything below is about encoders that were not looked at for that.",
        "",
        "## Does it find what was planted?",
        "",
        f"Garments on photographs, 40 × 40 pixels; {STEPS} steps of {BATCH} of {SCENES:,} pictures; a small ResNet with labels or by",
        "SimCLR. The artefact is of use where it goes with two of ten classes, or is the same in both views. It is of no use where it",
        "falls equally often on any picture, or on each view by itself: encoders differ in nothing else. Each is then run on the",
        f"same {PICTURES} new pictures, a quarter of them with the artefact whatever their class, with {MASKS} masks. Printed by",
        "`make insight`.",
        "",
        "Does the suspicion of the first group tell encoders with a use for the artefact from those without? AUROC over encoders,",
        "95 % bootstrap intervals; none where all are told apart, since resamples then agree.",
        "",
        *encoder_table(rows),
        "",
        "Does the suspicion of an input's group find the inputs with the artefact? Mean AUROC over encoders with a use for it, and",
        f"its 95 % interval. The clustering is k-means with {CLUSTERS} clusters.",
        "",
        *input_table(rows),
        "",
        f"What is marked (suspicion above {SUSPICIOUS})?",
        "",
        *mark_table(rows),
        "",
        f"Maps grouped by place alone reach {place} for encoders and {content} for inputs. Clusters of the",
        "representations do hold the inputs with the artefact, as the last line of the table shows, but nothing in them says which",
        "cluster it is: that is what the maps add.",
        "",
        "**Where it fails.** A tint is in every part and in none. A border is in many parts, each of which says the",
        "same, so that hiding one of them changes little. Watermarks and tags here are small, opaque or nearly so, and the same in each",
        "picture; encoders are small and pictures few. An artefact in every picture makes no group.",
        "",
        "## Export",
        "",
        "`--to embedding-atlas` writes a Parquet file with projection, 15 neighbours by cosine and a PNG with the map drawn in. The",
        "projection is UMAP where umap-learn is installed, else PCA. It was opened with embedding-atlas 0.26 in headless",
        "Chromium: table, histograms, filters; its scatter plot needs WebGPU, which that browser lacked. `--to fiftyone` writes a folder",
        "that FiftyOne's `LegacyFiftyOneDataset` importer reads (tried with 1.22.1); the app needs MongoDB, and was not opened.",
        "`--to parquet` adds representations and maps.",
        "",
    ]
    PAGE.write_text("\n".join(lines))
