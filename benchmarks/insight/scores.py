"""What the report makes of each encoder, beside a clustering of the representations and of the maps' places alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from benchmarks.insight.encoders import FOLDER, Kind
from benchmarks.insight.runs import store
from relax._support.atomic import atomic_write
from relax.insights import insight
from relax.insights.clusters import clustered
from relax.insights.groups import grouped, suspicions

CLUSTERS = 8
"""Clusters of the representations; as many as groups of maps."""

RANKINGS = ("report", "place alone", "representations")
"""Ways to rank encoders and inputs."""

ORACLE = "best cluster, told"
"""The cluster of the representations with most of the artefact: chosen by somebody who knows the answer."""


def scores(kind: Kind) -> dict[str, Any]:
    """Suspicion of an encoder by each ranking, and how well its inputs with the artefact are found.

    ``top RANKING`` is the largest suspicion of a group; ``inputs RANKING`` the AUROC of the inputs' suspicion.
    The representations' suspicion of a cluster is its mean silhouette.
    """
    found = insight(store(kind), n_clusters=CLUSTERS)
    planted = np.array([key.startswith("planted") for key in found.rows.keys])
    n = len(found.rows)
    place = grouped(found.shares, None)
    clusters = clustered(found.rows.representations, CLUSTERS)
    silhouette = np.array(clusters.silhouette)[clusters.labels]
    purity = np.array([planted[clusters.labels == label].mean() for label in range(CLUSTERS)])[clusters.labels]
    values = {
        "report": suspicions(found.groups, n),
        "place alone": suspicions(place, n),
        "representations": silhouette,
    }
    inputs = {f"inputs {name}": float(roc_auc_score(planted, one)) for name, one in values.items()}
    inputs[f"inputs {ORACLE}"] = float(roc_auc_score(planted, purity))
    flagged = {member for group in found.suspicious for member in group.members}
    return {
        "encoder": kind.name,
        "artefact": kind.artefact,
        "way": kind.way,
        "useful": kind.useful,
        "seed": kind.seed,
        **{f"top {name}": float(one.max()) for name, one in values.items()},
        **inputs,
        "flagged": len(flagged),
        "flagged planted": int(sum(planted[place] for place in flagged)),
        "first planted": float(planted[found.groups[0].members].mean()),
        "planted": int(planted.sum()),
        "n": n,
    }


def table(kinds: Sequence[Kind]) -> pd.DataFrame:
    """Scores of encoders; also written beside the stores."""
    rows = [scores(kind) for kind in kinds]
    with atomic_write(FOLDER / "scores.json") as file:
        file.write(json.dumps(rows, indent=1).encode())
    return pd.DataFrame(rows)
