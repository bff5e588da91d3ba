"""What explanations of a clustering's fused representation say, view by view."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

import relax
from benchmarks.multiview.clusterings import CLUSTERS, RUNS, comvc
from relax.encoders import Key
from relax.evaluation import METRICS
from relax.evaluation.subject import Subject
from relax.multiview import CoMVC, ViewExplanations
from relax.multiview.data import Views, fashion_edges, fashion_noise

N = 60
"""Objects whose explanations are judged."""

MASKS = 512
LEVELS = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Standard deviations of the noise on the edges, which are in [0, 1]."""

THRESHOLDS = (0.9, 0.75, 0.5, 0.25, 0.1)
"""Shares of a view's pixels that U-RELAX keeps: those whose uncertainty is lowest."""

METRICS_OF_MAPS = ("complexity", "sparseness", "insertion-deletion", "insertion-deletion:mean")
TURNS = 9


def of(views: Views, row: int) -> dict[Key, Tensor]:
    """One object."""
    return {key: torch.from_numpy(view[row]) for key, view in views.views.items()}


def with_noise(views: dict[Key, Tensor], level: float, seed: int) -> dict[Key, Tensor]:
    """The same object with noise on its edges."""
    noise = np.random.default_rng([seed, 2]).standard_normal(views["edges"].shape, dtype=np.float32)
    return {**views, "edges": views["edges"] + level * torch.from_numpy(noise)}


def explained(model: CoMVC, views: dict[Key, Tensor], seed: int, **arguments: Any) -> ViewExplanations:
    """The paper's maps of the fused representation, with masks on both views at once."""
    found = relax.explain(model.encoder(), views, method="relax", n_masks=MASKS, seed=seed, **arguments)
    return found  # type: ignore[no-any-return]


def members(model: CoMVC, views: Views) -> list[tuple[int, int]]:
    """For each cluster, the object that belongs to it most surely and the one that does least."""
    sure = model.predict_proba(views.views)
    clusters = sure.argmax(1)
    chosen = []
    for k in range(CLUSTERS):
        rows = np.flatnonzero(clusters == k)
        if len(rows) > 1:
            order = rows[np.argsort(sure[rows, k], kind="stable")]
            chosen.append((int(order[-1]), int(order[0])))
    return chosen


def noise_rows() -> pd.DataFrame:
    """Shares and mean uncertainties of the views under noise on the edges: of a clustering that was trained without
    noise and sees it only now, and of one that was trained with as much of it (standard deviation 0.5) as it sees."""
    kept = RUNS / "noise.csv"
    if kept.exists():
        return pd.read_csv(kept)
    clean, noisy = fashion_edges(), fashion_noise()
    rows = []
    chosen = np.random.default_rng(0).permutation(len(clean))[:N]
    trained = {"without": comvc("fashion-edges", True, 0, clean)[0], "with": comvc("fashion-noise", True, 0, noisy)[0]}
    with tqdm(total=len(trained) * len(LEVELS) * N, desc="noise", unit=" explanations") as bar:
        for training, model in trained.items():
            for level in LEVELS:
                for row in map(int, chosen):
                    found = explained(model, with_noise(of(clean, row), level, row), row)
                    uncertainty = {key: float(np.mean(e.uncertainty)) for key, e in found.items()}
                    rows.append(
                        {
                            "trained": training,
                            "noise": level,
                            "object": row,
                            "share of the edges": found.shares.values["edges"] if found.shares else np.nan,
                            "uncertainty of the edges": uncertainty["edges"],
                            "uncertainty of the image": uncertainty["image"],
                            "spread of the edges": float(np.std(found["edges"].importance)),
                            "spread of the image": float(np.std(found["image"].importance)),
                        }
                    )
                    bar.update()
    table = pd.DataFrame(rows)
    table.to_csv(kept, index=False)
    return table


class OneView(torch.nn.Module):
    """An encoder of one view: the others stay as they are."""

    def __init__(self, model: Any, key: Key, others: dict[Key, Tensor]) -> None:
        super().__init__()
        self.model, self.key, self.others = model, key, others

    def forward(self, batch: Tensor) -> Tensor:
        rest = {key: view.expand(len(batch), *view.shape) for key, view in self.others.items() if key != self.key}
        encoded: Tensor = self.model({**rest, self.key: batch})
        return encoded


def _judged(model: CoMVC, views: dict[Key, Tensor], seed: int) -> Iterator[dict[str, Any]]:
    """Rows of RELAX and U-RELAX for one object."""
    found: dict[str, ViewExplanations] = {"RELAX": explained(model, views, seed)}
    for share in THRESHOLDS:
        found[f"U-RELAX, {share:.0%}"] = explained(model, views, seed, method="u-relax", threshold=f"quantile:{share}")
    found["random"] = found["RELAX"]
    for key in views:
        encoder = relax.Encoder(OneView(model.encoder().model, key, views), name=f"{key} alone")
        rng = np.random.default_rng([seed, 3])
        for name, explanations in found.items():
            e = explanations[key]
            if name == "random":
                e = replace(e, importance=rng.random(e.importance.shape, dtype=np.float32))
            subject = Subject(encoder, e, None, partial(_never), seed)
            yield {
                "method": name,
                "view": key,
                **{metric: METRICS[metric].run(subject) for metric in METRICS_OF_MAPS},
            }


def _never(*_: Any) -> Any:
    raise NotImplementedError("none of these metrics explains again")


def threshold_rows() -> pd.DataFrame:
    """Complexity, sparseness and faithfulness of RELAX and of U-RELAX at several thresholds, in each view."""
    kept = RUNS / "thresholds.csv"
    if kept.exists():
        return pd.read_csv(kept)
    views = fashion_edges()
    model = comvc("fashion-edges", True, 0, views)[0]
    rows = []
    for row in tqdm(np.random.default_rng(0).permutation(len(views))[:N].tolist(), desc="thresholds", unit=" objects"):
        rows += [{"object": row, **found} for found in _judged(model, of(views, row), row)]
    table = pd.DataFrame(rows)
    table.to_csv(kept, index=False)
    return table


class SideBySide(torch.nn.Module):
    """Both views as the halves of one picture."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Tensor) -> Tensor:
        image, edges = batch.chunk(2, dim=-1)
        encoded: Tensor = self.model({"image": image.contiguous(), "edges": edges.contiguous()})
        return encoded


def cost_rows() -> pd.DataFrame:
    """Seconds of both views at once, and of one picture with as many units and masks, in turns."""
    views = fashion_edges(1000)
    model = comvc("fashion-edges", True, 0, fashion_edges())[0].encoder()
    whole = relax.Encoder(SideBySide(model.model), name="side by side")
    rows = []
    for turn in range(TURNS + 1):
        own = of(views, turn)
        picture = torch.cat([own["image"], own["edges"]], dim=-1)
        took, forwards = [], []
        for encoder, inputs, masks in ((model, own, "grid"), (whole, picture, relax.masks.GridMasks((7, 14)))):
            began = time.perf_counter()
            found: Any = relax.explain(encoder, inputs, method="relax", masks=masks, n_masks=2048, seed=turn)
            took.append(time.perf_counter() - began)
            e = found["image"] if isinstance(found, ViewExplanations) else found
            forwards.append(e.settings["cost"]["forwards"])
        if turn:  # the first warms up
            rows.append({"both views": took[0], "one picture": took[1], "forwards": forwards[0], "of one": forwards[1]})
    return pd.DataFrame(rows)
