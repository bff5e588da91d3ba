"""Evaluate explanations of texts and write docs/text.md: ``python -m benchmarks.text``; resumes.

Methods that take more than three seconds a scene are evaluated on the first scenes only, and compared on them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.text.page import write
from benchmarks.text.rivals import EmbeddingGradients, Length, Position, Rarity, Rollout, ShapPartition
from benchmarks.text.speed import speed
from relax.evaluation import evaluate
from relax.evaluation.metrics import FOR_TEXTS
from relax.methods import Method

FOLDER = Path(__file__).parents[1] / "text-runs"
"""Rows of the evaluation; not committed."""

METHODS = (
    "relax-regression",
    "occlusion",
    EmbeddingGradients(),
    Rollout(),
    Length(),
    Position(),
    Rarity(),
    "random",
)
"""Methods on all scenes."""

DEAR = ("relax", ShapPartition(512))
"""Methods of some 500 forwards, on the first scenes."""

OPTIONS = {"relax": {"n_masks": 512}}


def main() -> None:
    """Run what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=200, help="number of scenes")
    parser.add_argument("--n-dear", type=int, default=60, help="number of scenes for methods of 500 forwards")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--page", action="store_true", help="only write the page of what is there")
    parser.add_argument("--only", choices=["speed"], help="only print how long an explanation of a sentence takes")
    parser.add_argument("--turns", type=int, default=7, help="runs of each with --only speed")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.only == "speed":
        speed(given.turns)
        return
    if not given.page:
        run(DEAR, min(given.n_dear, given.n))
        run(METHODS, given.n)
    write(FOLDER)


def run(methods: Sequence[str | Method], n: int) -> None:
    """Evaluate methods on the first ``n`` scenes; what is there is kept."""
    options = {name: chosen for name, chosen in OPTIONS.items() if name in methods}
    evaluate(
        "planted", ["text:minilm"], methods, FOR_TEXTS, n=n, out=FOLDER, options=options,
        on_job=lambda done, total, name: print(f"{done}/{total} {name}", flush=True),
    )  # fmt: skip


if __name__ == "__main__":
    main()
