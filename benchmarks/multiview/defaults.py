"""CoMVC with its defaults beside k-means: ``python -m benchmarks.multiview.defaults``; no labels are seen."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from benchmarks.multiview.clusterings import CLUSTERS, SEEDS, accuracy, flat
from benchmarks.multiview.page import FOLDER
from relax.multiview import CoMVC
from relax.multiview.data import Views, fashion_edges, uci_digits

LIMIT = 2.0
"""Standard deviations at which the defaults cut columns off; k-means is given the same in a column of its own."""


def digits_halves() -> Views:
    """scikit-learn's digits: the upper and the lower half of each, 32 columns."""
    pixels, labels = load_digits(return_X_y=True)
    pixels = pixels.astype(np.float32)
    return Views({"upper": pixels[:, :32], "lower": pixels[:, 32:]}, labels)


DATA: dict[str, Callable[[], Views]] = {
    "digits in halves": digits_halves,
    "UCI digits": uci_digits,
    "Fashion-MNIST with edges": fashion_edges,
}


def spread(values: list[float]) -> str:
    """Mean and standard deviation over seeds."""
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


def kmeans(features: np.ndarray, labels: np.ndarray, seeds: int) -> str:
    found = [KMeans(CLUSTERS, n_init=10, random_state=seed).fit_predict(features) for seed in range(seeds)]
    return spread([accuracy(labels, clusters) for clusters in found])


def row(name: str, seeds: int) -> dict[str, str | int]:
    """Accuracies (Hungarian matching) of one data set."""
    views = DATA[name]()
    scaled = flat(views.views)
    limited = [view if views.views[key].ndim > 2 else view.clip(-LIMIT, LIMIT) for key, view in scaled.items()]
    as_is = [view.reshape(len(view), -1) for view in views.views.values()]
    found, seconds = [], []
    for seed in range(seeds):
        began = time.perf_counter()
        found.append(accuracy(views.labels, CoMVC(CLUSTERS, random_state=seed).fit_predict(views.views)))
        seconds.append(time.perf_counter() - began)
    return {
        "data set": name,
        "n": len(views),
        "seeds": seeds,
        "CoMVC": spread(found),
        "lowest": f"{min(found):.3f}",
        "k-means": kmeans(np.concatenate(list(scaled.values()), 1), views.labels, seeds),
        f"k-means, cut off at {LIMIT:g} SD": kmeans(np.concatenate(limited, 1), views.labels, seeds),
        "k-means, not standardised": kmeans(np.concatenate(as_is, 1), views.labels, seeds),
        "seconds": round(float(np.median(seconds))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--data", nargs="*", choices=DATA, default=list(DATA), metavar="NAME", help=", ".join(DATA))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    kept = FOLDER / "defaults.csv"
    table = pd.read_csv(kept, dtype=str) if kept.exists() else pd.DataFrame(columns=["data set"])
    for name in chosen.data:
        others = table[table["data set"] != name]
        table = pd.concat([others, pd.DataFrame([row(name, chosen.seeds)]).astype(str)], ignore_index=True)
        table.to_csv(kept, index=False)
    print(table.to_csv(index=False), end="")


if __name__ == "__main__":
    main()
