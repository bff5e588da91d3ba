"""Evaluate explanations of texts and write docs/text.md: ``python -m benchmarks.text --n 40``; resumes."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from benchmarks.text.page import write
from benchmarks.text.rivals import EmbeddingGradients, Length, Position, Rarity, Rollout, ShapPartition
from relax.evaluation import evaluate
from relax.evaluation.metrics import FOR_TEXTS

FOLDER = Path(__file__).parents[1] / "text-runs"
"""Rows of the evaluation; not committed."""

METHODS = (
    "relax-regression",
    "relax",
    "occlusion",
    ShapPartition(512),
    EmbeddingGradients(),
    Rollout(),
    Length(),
    Position(),
    Rarity(),
    "random",
)

OPTIONS = {"relax": {"n_masks": 512}}


def main() -> None:
    """Run what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=40, help="number of scenes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--page", action="store_true", help="only write the page of what is there")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if not given.page:
        evaluate(
            "planted", ["text:minilm"], METHODS, FOR_TEXTS, n=given.n, out=FOLDER, options=OPTIONS,
            on_job=lambda done, total, name: print(f"{done}/{total} {name}", flush=True),
        )  # fmt: skip
    write(FOLDER)


if __name__ == "__main__":
    main()
