"""How well clusters agree with the classes that clustering does not see."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.preprocessing import StandardScaler
from tqdm.auto import tqdm

from relax.encoders import Key
from relax.multiview import CoMVC
from relax.multiview.data import Views, fashion_edges, fashion_noise, uci_digits

RUNS = Path(__file__).parent.parent / "multiview-runs"
"""Where trained models and rows are kept, so that a run that was cut off goes on."""

SEEDS = 5
CLUSTERS = 10
COMPONENTS = 50
"""Of PCA, before k-means."""

DATA: dict[str, Callable[[], Views]] = {
    "fashion-edges": fashion_edges,
    "fashion-noise": fashion_noise,
    "uci-digits": uci_digits,
}


def accuracy(labels: np.ndarray, clusters: np.ndarray) -> float:
    """Share of objects in the right cluster under the best matching of clusters to classes (Hungarian)."""
    table = contingency_matrix(labels, clusters)
    return float(table[linear_sum_assignment(-table)].sum() / len(labels))


def scores(labels: np.ndarray, clusters: np.ndarray) -> dict[str, float]:
    return {
        "accuracy": accuracy(labels, clusters),
        "NMI": float(normalized_mutual_info_score(labels, clusters)),
        "ARI": float(adjusted_rand_score(labels, clusters)),
    }


def comvc(data: str, contrastive: bool, seed: int, views: Views) -> tuple[CoMVC, float]:
    """The clustering of a data set and how long it took: read if it was trained before, else trained and kept."""
    folder = RUNS / f"{data}-{'comvc' if contrastive else 'simvc'}-{seed}"
    if (folder / "seconds.txt").exists():
        return CoMVC.load(folder), float((folder / "seconds.txt").read_text())
    made = CoMVC(CLUSTERS, contrastive, random_state=seed)
    began = time.perf_counter()
    made.fit(views.views)
    seconds = time.perf_counter() - began
    made.save(folder)
    (folder / "seconds.txt").write_text(f"{seconds:.1f}")
    return made, seconds


def flat(views: dict[Key, np.ndarray]) -> dict[Key, np.ndarray]:
    """For k-means: pictures as vectors, features standardised by column."""
    return {
        key: view.reshape(len(view), -1) if view.ndim > 2 else StandardScaler().fit_transform(view)
        for key, view in views.items()
    }


def _kmeans(features: np.ndarray, seed: int) -> np.ndarray:
    return np.asarray(KMeans(CLUSTERS, n_init=10, random_state=seed).fit_predict(features))


def clusterings(data: str) -> pd.DataFrame:
    """A row for each method and seed."""
    kept = RUNS / f"{data}.csv"
    if kept.exists():
        return pd.read_csv(kept)
    views = DATA[data]()
    vectors = flat(views.views)
    joined = np.concatenate(list(vectors.values()), axis=1)
    methods: dict[str, Callable[[int], np.ndarray]] = {
        **{f"k-means, {key}": partial(_kmeans, vector) for key, vector in vectors.items()},
        "k-means, views concatenated": partial(_kmeans, joined),
        f"k-means, PCA ({COMPONENTS}) of them": lambda seed: _kmeans(
            PCA(COMPONENTS, random_state=seed).fit_transform(joined), seed
        ),
        **({} if data == "fashion-noise" else {"SiMVC": lambda seed: comvc(data, False, seed, views)[0].labels_}),
        "CoMVC": lambda seed: comvc(data, True, seed, views)[0].labels_,
    }
    rows = []
    with tqdm(total=len(methods) * SEEDS, desc=data, unit=" clusterings") as bar:
        for name, method in methods.items():
            for seed in range(SEEDS):
                began = time.perf_counter()
                clusters = method(seed)
                seconds = time.perf_counter() - began
                if name in ("SiMVC", "CoMVC"):
                    seconds = comvc(data, name == "CoMVC", seed, views)[1]
                rows.append({"method": name, "seed": seed, **scores(views.labels, clusters), "seconds": seconds})
                bar.update()
    table = pd.DataFrame(rows)
    RUNS.mkdir(exist_ok=True)
    table.to_csv(kept, index=False)
    return table
